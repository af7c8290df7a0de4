"""Emergency packages: item by item through the same door, once, bounded, and nothing malformed stops the others."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway import operations
from gateway.operations.importing import ImportResult, import_package, mailbox_of
from gateway.simulate.emergency import DESCRIPTOR, Exported, package
from gateway.simulate.upp import UppData, upp
from gateway.store.database import Store
from gateway.transport.archive import Bounds, PackageUnreadable
from schemas.errors import IdentifierInvalid
from schemas.submission import Channel
from tests.builders import (
    MAILBOX,
    OTHER_MAILBOX,
    OTHER_TERYT,
    SECOND_MAILBOX,
    TERYT,
    a_signed_document,
    an_envelope,
    pki,
)
from tests.gateways import GATEWAY_TOML, Gateway, write_config

ROOT = Path(__file__).resolve().parents[2]
SENT = datetime(2026, 5, 23, 12, 34, 19, 549000, tzinfo=UTC)


def a_letter(**changes: Any) -> Exported:
    return Exported(**{"document": a_signed_document("letter"), "mailbox": MAILBOX, "posted_at": SENT, **changes})


def brought_in(gateway: Gateway, octets: bytes, folder: Path, **more: Any) -> ImportResult:
    file = folder / "paczka.zip"
    file.write_bytes(octets)
    return import_package(gateway.tools, file, actor="TEST", **more)


def outcomes(result: ImportResult) -> list[tuple[int | None, str, str | None]]:
    return [(item.number, item.outcome, item.code) for item in result.items]


def written(store: Store) -> tuple[int, ...]:
    """Rows of everything an import may write."""
    tables = ("submission", "arrival", "event", "receipt", "operator_action", "delivery")
    with store.begin() as transaction:
        return tuple(transaction.execute(text(f"SELECT count(*) FROM {one}")).scalar_one() for one in tables)


def test_every_document_becomes_a_submission_with_what_the_descriptor_says(gateway, tmp_path):
    letters = [a_letter(document_id="17"), a_letter(file_name="drugie.xml")]
    result = brought_in(gateway, package(letters), tmp_path)
    assert [(item.outcome, item.number) for item in result.items] == [("accepted", 1), ("accepted", 2)]
    assert result.ok
    view = operations.submission(gateway.tools.store, result.items[0].submission)
    one = view.submission
    assert (one.channel, one.mailbox, one.tenant, one.posted_at) == (Channel.IMPORT, MAILBOX, TERYT, SENT)
    assert (one.epuap_document_id, one.reply_mailbox, one.sender.name) == ("17", "/testowykonto/domyslna", "TESTOWY")
    assert view.receipts == ()  # ePUAP has given the sender its own
    gateway.work_until_quiet()
    assert gateway.states(one) == ["delivered"]


@pytest.mark.parametrize(
    ("element", "said", "posted_at", "document_id"),
    [
        ("DataNadania", "2026-05-23T14:34:19.549+02:00", SENT, "17"),
        ("DataNadania", "2026-05-23T14:34:19.549", SENT, "17"),  # Polish wall time
        ("DataNadania", "wczoraj", None, "17"),
        ("DataNadania", "9999-12-31T24:00:00", None, "17"),
        ("DaneDodatkowe", "*", SENT, None),
    ],
)
def test_one_fact_that_cannot_be_read_costs_only_itself(gateway, tmp_path, element, said, posted_at, document_id):
    octets = io.BytesIO(package([a_letter(document_id="17")]))
    with zipfile.ZipFile(octets) as made:
        files = {name: made.read(name) for name in made.namelist()}
    told = re.sub(rf"(<{element}>)[^<]*", rf"\g<1>{said}", files[DESCRIPTOR].decode())
    with zipfile.ZipFile(octets, "w") as changed:
        for name, content in {**files, DESCRIPTOR: told.encode()}.items():
            changed.writestr(name, content)
    (item,) = brought_in(gateway, octets.getvalue(), tmp_path).items
    one = operations.submission(gateway.tools.store, item.submission).submission
    assert (item.outcome, one.posted_at, one.epuap_document_id) == ("accepted", posted_at, document_id)


def test_importing_a_package_again_changes_nothing(gateway, tmp_path):
    octets = package([a_letter(), a_letter()])
    first = brought_in(gateway, octets, tmp_path)
    before = written(gateway.tools.store)
    again = brought_in(gateway, octets, tmp_path)
    assert outcomes(again) == [(1, "known", "import.known"), (2, "known", "import.known")]
    assert [item.submission for item in again.items] == [item.submission for item in first.items]
    assert written(gateway.tools.store) == before


def test_what_was_pulled_before_is_linked_flagged_and_not_delivered_twice(gateway, tmp_path):
    letter = a_letter()
    pulled = gateway.receive(an_envelope(letter.document, channel=Channel.PULL))
    gateway.work_until_quiet()
    octets = package([letter])
    result = brought_in(gateway, octets, tmp_path)
    assert outcomes(result) == [(1, "known", "import.came_before")]
    assert result.items[0].submission == pulled.id
    view = operations.submission(gateway.tools.store, pulled.id)
    assert ["channel" in arrival["flags"] for arrival in view.arrivals] == [True]
    gateway.work_until_quiet()
    assert gateway.states(pulled) == ["delivered"]
    before = written(gateway.tools.store)
    assert outcomes(brought_in(gateway, octets, tmp_path)) == [(1, "known", "import.known")]
    assert written(gateway.tools.store) == before


def test_the_same_content_for_another_box_of_the_gmina_is_held_for_a_clerk(gateway, tmp_path):
    letter = a_letter()
    gateway.receive(an_envelope(letter.document, channel=Channel.PULL))
    other = Exported(letter.document, SECOND_MAILBOX)
    result = brought_in(gateway, package([other]), tmp_path)
    gateway.work_until_quiet()
    view = operations.submission(gateway.tools.store, result.items[0].submission)
    assert (view.submission.state.value, view.submission.reason) == ("held", "delivery.same_content")


def test_epuaps_upp_in_the_package_is_bound_to_its_document_and_its_alone(gateway, tmp_path):
    letters = [a_letter(), a_letter()]
    sealed = upp(UppData(1, 2, ("g", "g"), ("t", "t"), "pismo.xml"), letters[1].document, pki().upo_seal)
    beside = Exported(sealed, path="UPP.xml", listed=False)
    octets = package([*letters, beside])
    result = brought_in(gateway, octets, tmp_path)
    assert [(item.number, item.outcome) for item in result.items] == [(1, "accepted"), (2, "accepted"), (None, "bound")]
    bound = [operations.submission(gateway.tools.store, item.submission).receipts for item in result.items[:2]]
    assert [[one.origin for one in some] for some in bound] == [[], ["epuap"]]
    again = brought_in(gateway, octets, tmp_path)
    assert outcomes(again)[2] == (None, "known", "import.receipt_known")


def test_a_upp_for_nothing_in_the_package_is_said_and_one_listed_is_filed_as_mail(gateway, tmp_path):
    sealed = upp(UppData(1, 2, ("g", "g"), ("t", "t"), "obce.xml"), b"<obce/>", pki().upo_seal)
    unlisted = brought_in(gateway, package([Exported(sealed, path="UPP.xml", listed=False)]), tmp_path)
    assert outcomes(unlisted) == [(None, "malformed", "import.receipt_for_nothing")]
    listed = brought_in(gateway, package([Exported(sealed, MAILBOX)]), tmp_path)
    assert [(item.outcome, item.code) for item in listed.items] == [("receipt", "outbox.receipt_unmatched")]


def test_a_dry_run_reads_everything_and_keeps_nothing(gateway, tmp_path):
    before = written(gateway.tools.store)
    result = brought_in(gateway, package([a_letter(), a_letter(document=b"")]), tmp_path, dry_run=True)
    assert outcomes(result) == [(1, "new", None), (2, "malformed", "import.file_empty")]
    assert written(gateway.tools.store) == before


def test_an_item_without_a_box_needs_one_from_whoever_imports(gateway, tmp_path):
    octets = package([a_letter(mailbox="")])
    assert outcomes(brought_in(gateway, octets, tmp_path)) == [(1, "malformed", "import.mailbox_missing")]
    given = mailbox_of(gateway.tools.config, OTHER_TERYT, None)
    assert given == OTHER_MAILBOX
    result = brought_in(gateway, octets, tmp_path, mailbox=given)
    assert operations.submission(gateway.tools.store, result.items[0].submission).submission.tenant == OTHER_TERYT


@pytest.mark.parametrize(
    ("tenant", "mailbox", "code"),
    [
        ("9999999", None, "import.tenant_unknown"),
        (None, "skrytka", "import.mailbox_invalid"),
        (TERYT, OTHER_MAILBOX, "import.mailbox_not_of_tenant"),
    ],
)
def test_a_box_that_is_nobodys_or_somebody_elses_is_wrong_usage(gateway, tenant, mailbox, code):
    with pytest.raises(IdentifierInvalid) as caught:
        mailbox_of(gateway.tools.config, tenant, mailbox)
    assert caught.value.code == code


def test_unknown_boxes_are_bounded_as_on_every_channel(gateway, tmp_path):
    letters = [a_letter(mailbox="/obca/skrytka") for _ in range(4)]
    result = brought_in(gateway, package(letters), tmp_path)
    assert [item.outcome for item in result.items] == ["quarantined"] * 3 + ["refused"]
    assert result.items[3].code == "intake.quarantine_full"


# --- what is malformed -----------------------------------------------------------------------------------------------


def damaged(octets: bytes, name: str) -> bytes:
    """One octet of this file's compressed content changed."""
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        entry = archive.getinfo(name)
    at = entry.header_offset + 30 + len(name) + entry.compress_size // 2
    return octets[:at] + bytes([octets[at] ^ 0xFF]) + octets[at + 1 :]


def encrypted(octets: bytes, name: str) -> bytes:
    """This file marked as encrypted, in its own header and in the directory."""
    changed = bytearray(octets)
    for magic, flags, start in ((b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46)):
        at = -1
        while (at := changed.find(magic, at + 1)) >= 0:
            if changed[at + start : at + start + len(name)] == name.encode():
                changed[at + flags] |= 1
    return bytes(changed)


def with_twin(octets: bytes, name: str) -> bytes:
    """A second file of the same name."""
    whole = io.BytesIO(octets)
    with zipfile.ZipFile(whole, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, b"<inne/>")
    return whole.getvalue()


BAD: dict[str, tuple[dict[str, Any], Any, str]] = {
    "no path": ({"path": " "}, None, "import.path_missing"),
    "empty": ({"document": b""}, None, "import.file_empty"),
    "a ZIP inside": ({"document": package([])}, None, "import.nested_archive"),
    "a bomb": ({"document": b" " * 4_000_000}, None, "import.file_ratio"),
    "too large": ({"document": os.urandom(1_200_000)}, None, "import.file_too_large"),
    "box": ({"mailbox": "skrytka bez podmiotu"}, None, "import.mailbox_invalid"),
    "out of the package": ({"path": "../zly.xml"}, None, "import.name_unsafe"),
    "damaged": ({"path": "zly.xml"}, damaged, "import.file_damaged"),
    "encrypted": ({"path": "zly.xml"}, encrypted, "import.file_encrypted"),
    "twice": ({"path": "zly.xml"}, with_twin, "import.name_twice"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_item_is_reported_with_its_code_and_stops_no_other(gateway, tmp_path, name):
    changes, harm, code = BAD[name]
    octets = package([a_letter(), a_letter(**changes), a_letter()])
    octets = harm(octets, "zly.xml") if harm else octets
    bounds = Bounds(file_bytes=1_100_000) if name == "too large" else None
    result = brought_in(gateway, octets, tmp_path, bounds=bounds)
    assert [item.outcome for item in result.items if item.number in (1, 3)] == ["accepted", "accepted"]
    assert [item.code for item in result.items if item.outcome == "malformed" and item.number == 2] == [code]
    assert not result.ok


def test_a_listed_file_that_is_not_there_and_one_that_is_not_listed_are_both_said(gateway, tmp_path):
    whole = package([a_letter(path="a.xml"), a_letter(path="b.xml")])
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            archive.writestr("c.xml" if entry.filename == "b.xml" else entry.filename, source.read(entry))
    result = brought_in(gateway, target.getvalue(), tmp_path)
    assert [(item.number, item.path, item.code) for item in result.items if item.outcome == "malformed"] == [
        (2, "b.xml", "import.file_missing"),
        (None, "c.xml", "import.not_listed"),
    ]


@pytest.mark.parametrize("page", ["utf-8", "cp852", "cp1250"])
@pytest.mark.parametrize("separator", ["/", "\\"])
def test_names_in_any_polish_code_page_are_found(gateway, tmp_path, page, separator):
    name = "Dokumenty/Pismo ogólne – źdźbło.xml" if page != "cp852" else "Dokumenty/Pismo ogólne źdźbło.xml"
    whole = package([a_letter(path="X" * len(name.encode(page)))])
    listed = name.replace("/", separator).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            content = source.read(entry)
            placeholder = b"X" * len(name.encode(page))
            archive.writestr(entry.filename, content.replace(placeholder, listed))
    octets = target.getvalue().replace(placeholder, name.encode(page))  # names as bytes, not marked as UTF-8
    assert [item.outcome for item in brought_in(gateway, octets, tmp_path).items] == ["accepted"]


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_xml", ".xml"), content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "import.not_a_zip"),
        (b"PK\3\4 to nie jest ZIP", "import.not_a_zip"),
        (package([Exported(b"<a/>")])[:-40], "import.not_a_zip"),
        (zipped(a_xml=b"<a/>"), "import.no_descriptor"),
        (zipped(Deskryptor_xml=b"<Dokumenty/>", **{"x/Deskryptor_xml": b"<Dokumenty/>"}), "import.no_descriptor"),
        (zipped(Deskryptor_xml=b"<!DOCTYPE a><Dokumenty/>"), "import.descriptor_unreadable"),
        (zipped(Deskryptor_xml=b"<Inne/>"), "import.descriptor_unreadable"),
        (encrypted(package([]), DESCRIPTOR), "import.descriptor_unreadable"),
    ],
)
def test_a_package_that_cannot_be_read_is_refused_whole(gateway, tmp_path, octets, code):
    with pytest.raises(PackageUnreadable) as caught:
        brought_in(gateway, octets, tmp_path)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("bounds", "code"), [(Bounds(files=2), "import.too_many_files"), (Bounds(total_bytes=999), "import.too_large")]
)
def test_a_package_over_its_bounds_is_refused_whole(gateway, tmp_path, bounds, code):
    with pytest.raises(PackageUnreadable) as caught:
        brought_in(gateway, package([a_letter(), a_letter()]), tmp_path, bounds=bounds)
    assert caught.value.code == code


# --- brama import, as a process --------------------------------------------------------------------------------------


def brama_import(config: Path, file: Path, *more: str, crash_at: str = "") -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | ({"BRAMA_CRASH_AT": crash_at} if crash_at else {})
    command = [sys.executable, "-m", "gateway", "import", str(file), "--config", str(config), "--json", *more]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=600, check=False)


def test_killed_amid_a_package_and_run_again_nothing_is_lost_or_doubled(database, tmp_path):
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    write_config(tmp_path, gateway=f'database_url = "{url}"\n{GATEWAY_TOML}')
    file = tmp_path / "paczka.zip"
    file.write_bytes(package([a_letter(), a_letter(), a_letter(document=b"")]))
    assert brama_import(tmp_path, file, crash_at="after_receipt").returncode == -signal.SIGKILL
    done = brama_import(tmp_path, file)
    assert done.returncode == 1
    shown = json.loads(done.stdout)
    assert [item["outcome"] for item in shown["items"]] == ["known", "accepted", "malformed"]
    assert shown["counts"] == {"accepted": 1, "known": 1, "malformed": 1}
    assert written(database)[:2] == (2, 0)


@pytest.mark.parametrize(
    ("content", "more", "expected"),
    [(b"nic", (), 2), (package([]), (), 0), (package([]), ("--tenant", "9999999"), 2)],
)
def test_exit_codes_say_how_it_went(database, tmp_path, content, more, expected):
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    write_config(tmp_path, gateway=f'database_url = "{url}"\n{GATEWAY_TOML}')
    (tmp_path / "p.zip").write_bytes(content)
    assert brama_import(tmp_path, tmp_path / "p.zip", *more).returncode == expected


def test_a_store_that_is_away_has_its_own_exit_code(tmp_path):
    write_config(tmp_path, gateway=f'database_url = "postgresql://nikt@127.0.0.1:9/brama"\n{GATEWAY_TOML}')
    (tmp_path / "p.zip").write_bytes(package([]))
    assert brama_import(tmp_path, tmp_path / "p.zip").returncode == 3

"""What a person reads where a script reads `--json`: the same facts, in Polish or English, and nothing cut."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from connectors.rehearsal import Behaviour
from gateway.simulate.emergency import Exported, package
from gateway.simulate.trust_list import Listed, scheme_operator, trust_list
from schemas.submission import Submission
from tests.builders import MAILBOX, TERYT, a_signed_document, pki
from tests.gateways import Gateway
from tests.program import FINE, NO, USAGE, Program

SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:test:wniosek">
  <xs:element name="Dokument" type="xs:string"/>
</xs:schema>"""


@pytest.fixture
def unsure(gateway: Gateway) -> Submission:
    """A submission whose office took it and never said so."""
    gateway.office.behave(Behaviour.HANG_UP_AFTER, times=1)
    submission = gateway.receive(a_signed_document())
    while gateway.work_one():
        pass
    assert gateway.states(submission) == ["unsettled"]
    return submission


def test_deliveries_are_listed_with_the_beginning_of_their_ids(brama: Program, folder: Path, unsure: Submission):
    (one,) = brama.json("deliveries", "list", "--config", folder)["items"]
    (row,) = (line for line in brama("deliveries", "list", "--config", folder).splitlines() if TERYT in line)
    assert row.split()[0] == one["id"][:13]
    assert one["last_code"][:12] in row  # its end may stand on the next line
    assert one["id"] in brama("deliveries", "show", one["id"][:13], "--config", folder)


def test_forms_are_compared_line_by_line(brama: Program):
    names = ("DR-1", "DL-1")
    found = brama.json("forms", "diff", *names)
    lines = [f"+ {path}" for path in found["added"]] + [f"- {path}" for path in found["removed"]]
    lines += [f"~ {path}: {old} → {new}" for path, old, new in found["changed"]]
    assert found["added"]
    assert found["removed"]
    assert brama("forms", "diff", *names).splitlines() == lines
    assert brama("forms", "diff", names[0], names[0]).strip() == "Bez różnic."


def test_a_form_added_in_place_of_another_says_so(brama: Program, tmp_path: Path):
    (tmp_path / "wzor.xsd").write_text(SCHEMA, "utf-8")
    config = tmp_path / "config"
    (config / "tenants").mkdir(parents=True)
    (config / "gateway.toml").write_text('forms = ["../wzory"]\n', "utf-8")
    add = ("forms", "add", tmp_path / "wzor.xsd", "--code", "WN-1", "--name", "Wniosek")
    first = brama(*add, "--version", "1", "--into", tmp_path / "wzory")
    again = brama(*add, "--version", "2", "--into", tmp_path / "inne", "--config", config)
    assert "urn:test:wniosek" in first
    assert "Zastępuje" not in first
    assert "Zastępuje wzór WN-1 1" in again


def test_connectors_say_what_they_do_and_what_was_never_tried(brama: Program, monkeypatch: pytest.MonkeyPatch):
    said = brama("connector", "list")
    (untested,) = (item for item in brama.json("connector", "list") if item["unproven"])
    assert all(item["name"] in said for item in brama.json("connector", "list"))
    assert all(name in said for name in (*untested["unproven"], "bez testów na"))
    monkeypatch.setenv("BRAMA_LANG", "en")
    assert "untested" in brama("connector", "list")


def test_a_package_is_shown_item_by_item_and_a_dry_run_says_it_took_nothing(brama, folder, gateway, tmp_path):
    letters = [Exported(a_signed_document("letter"), MAILBOX, "pismo.xml"), Exported(b"", MAILBOX, "pusty.xml")]
    (tmp_path / "paczka.zip").write_bytes(package(letters))
    said = brama("import", tmp_path / "paczka.zip", "--config", folder, "--dry-run", expect=NO)
    assert "Przebieg próbny" in said
    assert "[import." in " ".join(said.split())
    assert brama.json("submissions", "list", "--config", folder)["items"] == []
    brama("import", tmp_path / "paczka.zip", "--config", folder, expect=NO)
    (taken,) = brama.json("submissions", "list", "--config", folder)["items"]
    assert taken["id"][:13] in brama("import", tmp_path / "paczka.zip", "--config", folder, expect=NO)


def test_a_package_for_trying_an_import_is_made_of_documents(brama, folder, gateway, tmp_path):
    (tmp_path / "pismo.xml").write_bytes(a_signed_document("letter"))
    brama("simulate", "package", tmp_path / "pismo.xml", "--mailbox", MAILBOX, "--out", tmp_path / "p.zip")
    (item,) = brama.json("import", tmp_path / "p.zip", "--config", folder)["items"]
    assert item["outcome"] == "accepted"


def test_a_key_is_shown_once_and_then_only_what_it_may(brama, folder):
    made = brama("api-key", "new", "--config", folder, "--tenant", TERYT, "--label", "kasa", "--days", "30")
    (known,) = brama.json("api-key", "list", "--config", folder)
    secret = made.splitlines()[0]
    assert known["id"] in secret
    listed = brama("api-key", "list", "--config", folder)
    assert known["id"] in listed
    assert secret not in listed
    assert "unieważniony" in brama("api-key", "revoke", known["id"], "--config", folder)


def test_second_opinions_are_shown_and_a_contradiction_is_told_by_the_exit_code(brama, folder, gateway):
    def told(agrees: bool | None, *more: object, expect: int = FINE) -> str:
        submission = gateway.receive(a_signed_document())
        with gateway.tools.store.begin() as transaction:
            transaction.execute(
                text(
                    "INSERT INTO second_opinion (submission_id, service, agrees, answered_at)"
                    " VALUES (:id, 'tpsigning', :agrees, now())"
                ),
                {"id": submission.id, "agrees": agrees},
            )
        return brama("opinions", "list", "--config", folder, *more, expect=expect)

    assert brama("opinions", "list", "--config", folder).strip() == "Nie ma żadnej."
    assert "zgodna" in told(True)
    assert "SPRZECZNA" in told(False, expect=NO)
    assert "zgodna" not in told(None, "--differing", expect=NO)


def test_an_imported_list_is_shown_with_its_services_and_the_same_one_again_is_no_news(brama, folder):
    now = datetime.now(UTC)
    operator, ours = scheme_operator(now), pki()
    service = Listed(ours.qualified_ca.certificate, (("granted", now - timedelta(days=400)),))
    (folder / "tsl.xml").write_bytes(trust_list([service], operator, ours, issued_at=now - timedelta(days=1)))
    (folder / "pki" / "operator.pem").write_bytes(operator.certificate.public_bytes(Encoding.PEM))
    with (folder / "pki" / "trust.toml").open("a", encoding="utf-8") as trust:
        trust.write('\n[lists]\nsigners = ["operator.pem"]\n')

    first = brama("trust", "import", folder / "tsl.xml", "--config", folder)
    again = brama("trust", "import", folder / "tsl.xml", "--config", folder)

    (shown,) = brama.json("trust", "list", "--config", folder)
    assert [one["status"] for one in shown["services"]] == ["granted"]
    assert all(word in first for word in ("PL", str(shown["sequence"]), "nowa"))
    assert "bez zmian" in again
    said = brama("trust", "list", "--config", folder)
    assert all(one["name"] in said and one["status"] in said for one in shown["services"])


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["a person", "a program"])
def test_a_reader_that_leaves_early_is_no_error(more: tuple[str, ...]):
    done = subprocess.Popen(
        [sys.executable, "-m", "gateway", "connector", "list", *more], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout is not None
    done.stdout.close()
    _, said = done.communicate(timeout=300)
    assert (done.returncode, said) == (FINE, b"")


def test_an_unknown_word_for_how_much_to_log_is_wrong_use(brama: Program, folder: Path):
    assert "DEBUG, INFO, WARNING, ERROR" in brama("work", "--config", folder, "--log-level", "GADAJ", expect=USAGE)

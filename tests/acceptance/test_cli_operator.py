"""Commands of an operator: find, understand, correct, replay, settle, release, pause."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from sqlalchemy import insert

from connectors.rehearsal import Behaviour
from gateway import operations, receipt
from gateway.store import tables as t
from schemas.submission import Submission
from tests.builders import a_signed_document
from tests.gateways import Gateway, a_gateway
from tests.program import NO, USAGE


@pytest.fixture
def refused(gateway: Gateway) -> Submission:
    """A submission whose office said no."""
    gateway.office.behave(Behaviour.REFUSE, times=1)
    submission = gateway.receive(a_signed_document())
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["refused"]
    return submission


def test_an_operator_finds_a_refused_case_understands_it_and_replays_it(brama, folder, gateway, refused):
    (listed,) = brama.json("deliveries", "list", "--config", folder, "--state", "refused")["items"]
    shown = brama("submissions", "show", str(refused.id)[:8], "--config", folder)
    assert "refused" in shown
    assert "Oś czasu" in shown

    assert "Ponowić" in brama("replay", "--config", folder, "--reason", "poprawione", expect=NO)  # nobody said yes
    counted = brama.json("replay", "--config", folder, "--reason", "poprawione", "--dry-run")
    assert counted["replayed"] == [listed["id"]]
    done = brama.json("replay", listed["id"], "--config", folder, "--reason", "poprawione", "--actor", "Anna", "--yes")
    assert done["replayed"] == [listed["id"]]
    gateway.work_until_quiet()

    now = brama.json("deliveries", "show", listed["id"], "--config", folder)
    assert now["state"] == "delivered"
    assert [attempt["outcome"] for attempt in now["attempts"]] == ["refused", "delivered"]
    assert now["key"] == listed["key"]
    again = brama.json("replay", listed["id"], "--config", folder, "--reason", "x", "--yes", expect=NO)
    assert again["refused"][0]["code"] == "operation.already_delivered"


def test_a_replay_without_a_reason_is_wrong_usage(brama, folder):
    brama("replay", "--config", folder, "--yes", expect=USAGE)
    refused = brama.json("replay", "--config", folder, "--reason", " ", "--yes", expect=NO)
    assert refused["error"]["code"] == "operation.actor_and_reason"


def test_a_refused_delivery_can_be_set_aside_or_settled_by_a_person(brama, folder, refused):
    (one,) = brama.json("deliveries", "list", "--config", folder)["items"]

    brama("deliveries", "settle", one["id"], "--config", folder, "--reason", "jest w rejestrze", "--delivered",
          "--reference", "RPW/7/2026")  # fmt: skip
    settled = brama.json("deliveries", "show", one["id"], "--config", folder)

    assert (settled["state"], settled["reference"]) == ("delivered", "RPW/7/2026")
    refusal = brama.json("deliveries", "set-aside", one["id"], "--config", folder, "--reason", "x", expect=NO)
    assert refusal["error"]["code"] == "operation.already_delivered"


def test_a_quarantined_submission_is_released_or_closed_and_its_receipt_written(brama, folder, gateway, tmp_path):
    letter = gateway.receive(a_signed_document("letter", title=None))
    unknown = gateway.receive(a_signed_document("unknown"))

    brama("submissions", "release", letter.id, "--config", folder, "--reason", "treść zrozumiała")
    gateway.work_until_quiet()
    brama("submissions", "close", unknown.id, "--config", folder, "--reason", "nie do nas")
    brama("submissions", "receipt", letter.id, "--config", folder, "--out", tmp_path / "upo.xml")

    states = {item["id"]: item["state"] for item in brama.json("submissions", "list", "--config", folder)["items"]}
    assert states == {str(letter.id): "processed", str(unknown.id): "closed"}
    assert receipt.read_receipt((tmp_path / "upo.xml").read_bytes()).kind == "UPP"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("12", "operation.id_too_short"),
        ("00000000", "operation.not_found"),
        ("00000000-0000-4000-8000-000000000000", "operation.not_found"),
    ],
)
def test_an_id_that_names_nothing_is_said_so(brama, folder, given, code):
    assert brama.json("submissions", "show", given, "--config", folder, expect=NO)["error"]["code"] == code
    assert brama.json("deliveries", "show", given, "--config", folder, expect=NO)["error"]["code"] == code


def test_an_id_that_fits_several_is_said_so(brama, folder, gateway):
    with gateway.tools.store.begin() as transaction:
        for number in (1, 2):
            transaction.execute(
                insert(t.submission).values(
                    id=UUID(f"abcdef01-0000-4000-8000-00000000000{number}"), mailbox="/a/b", channel="push",
                    sha256=f"{number}", size_bytes=1, file_name="a.xml", is_test=False, sender={},
                )
            )  # fmt: skip

    refusal = brama.json("submissions", "show", "abcdef01", "--config", folder, expect=NO)

    assert refusal["error"]["code"] == "operation.id_ambiguous"


def test_a_page_never_parts_the_deliveries_of_one_submission(database, tmp_path):
    second = '[connector.second]\nkind = "rehearsal"\n', '[[route]]\nform = "*"\nconnector = "second"\n'
    gateway = a_gateway(database, tmp_path, more=second[0], routes=second[1])
    for _ in range(2):
        gateway.receive(a_signed_document())
    gateway.work_until_quiet()

    first = operations.deliveries(database, operations.DeliveryFilter(limit=1))
    rest = operations.deliveries(database, operations.DeliveryFilter(limit=1, cursor=first.next_cursor))

    assert [len(first.items), len(rest.items)] == [2, 2]
    assert len({item.id for item in (*first.items, *rest.items)}) == 4
    assert rest.next_cursor is None


def test_an_empty_list_says_so_and_a_page_names_the_next(brama, folder, gateway):
    assert "Nic nie pasuje" in brama("submissions", "list", "--config", folder)
    for _ in range(2):
        gateway.receive(a_signed_document())
    first = brama.json("submissions", "list", "--config", folder, "--limit", 1)
    rest = brama.json("submissions", "list", "--config", folder, "--limit", 1, "--cursor", first["next_cursor"])
    assert first["items"][0]["id"] != rest["items"][0]["id"]
    assert rest["next_cursor"] is None


def test_an_operator_corrects_a_value_and_the_case_goes_again(brama, folder, gateway, refused):
    changed = brama.json("submissions", "edit", refused.id, "--config", folder, "--reason", "literówka",
                         "--set", "taxpayer.surname=Poprawna")  # fmt: skip
    gateway.work_until_quiet()
    shown = brama.json("submissions", "show", refused.id, "--config", folder)

    assert len(changed["replayed"]) == 1
    assert shown["cases"][-1]["changes"]["taxpayer.surname"][1] == "Poprawna"
    assert [one["state"] for one in shown["deliveries"]] == ["delivered"]
    brama("submissions", "edit", refused.id, "--config", folder, "--reason", "x", "--set", "bez-wartosci", expect=USAGE)


def test_a_correction_is_shown_with_what_was_there_before(brama, folder, refused):
    said = brama("submissions", "edit", refused.id, "--config", folder, "--reason", "literówka", "--actor", "Anna",
                 "--set", "taxpayer.surname=Poprawna")  # fmt: skip
    shown = brama("submissions", "show", refused.id, "--config", folder)

    for screen in (said, shown):
        assert "Sprawa, wersja 2 — Anna: literówka" in screen
        assert re.search(r"taxpayer\.surname: \S+ → Poprawna", screen)
    assert "Ponowiono: 1 z 1" in said
    assert "wersja 1" not in shown  # the gateway's own reading is nobody's change


def test_an_office_that_lost_a_delivered_case_gets_it_again(brama, folder, gateway, refused):
    (one,) = brama.json("deliveries", "list", "--config", folder)["items"]
    early = brama.json("deliveries", "look-up", one["id"], "--config", folder, "--reason", "x", expect=NO)
    assert early["error"]["code"] == "operation.not_delivered"
    brama.json("replay", one["id"], "--config", folder, "--reason", "x", "--yes")
    gateway.work_until_quiet()

    asked = brama.json("deliveries", "look-up", one["id"], "--config", folder, "--reason", "po awarii dysku")

    assert asked == {"id": one["id"], "found": False, "reference": None}  # what the command builds has an empty memory
    assert gateway.states(refused) == ["due"]
    gateway.work_until_quiet()
    assert gateway.states(refused) == ["delivered"]


def test_an_operator_has_a_case_read_anew(brama, folder, gateway, refused):
    again = brama.json("submissions", "map-again", refused.id, "--config", folder, "--reason", "nowe odwzorowanie")

    assert len(again["replayed"]) == 1
    gateway.work_until_quiet()
    assert gateway.states(refused) == ["delivered"]


def test_an_office_is_paused_seen_and_resumed(brama, folder, gateway):
    made = brama.json("offices", "pause", "--config", folder, "--tenant", "2009032", "--reason", "prace serwisowe")
    submission = gateway.receive(a_signed_document())
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["due"]
    assert "prace serwisowe" in brama("offices", "list", "--config", folder)

    assert brama.json("offices", "resume", made["id"], "--config", folder, "--reason", "gotowe")["deliveries"] == 1
    gateway.work_until_quiet()

    assert gateway.states(submission) == ["delivered"]
    assert brama.json("offices", "list", "--config", folder)["offices"][0]["delivered"] == 1
    for typed in (("--tenant", "2009033"), ("--tenant", "2009032", "--connector", "ofice")):
        refusal = brama.json("offices", "pause", "--config", folder, *typed, "--reason", "literówka", expect=NO)
        assert refusal["error"]["code"] == "operation.no_such_office"
    refusal = brama.json("offices", "pause", "--config", folder, "--reason", "wszystko", expect=NO)
    assert refusal["error"]["code"] == "operation.pause_what"


def test_a_validation_report_is_written_and_judged_again_from_its_own_evidence(brama, folder, gateway, tmp_path):
    submission = gateway.receive(a_signed_document())

    shown = brama.json("submissions", "report", submission.id, "--config", folder, "--out", tmp_path / "raport.html")

    assert shown["confirmed"] == [True]
    assert '<html lang="pl"' in (tmp_path / "raport.html").read_text("utf-8")
    unsigned = gateway.receive(b"<a xmlns='urn:x'/>")
    refusal = brama.json("submissions", "report", unsigned.id, "--config", folder, expect=NO)
    assert refusal["error"]["code"] == "operation.no_report"

"""`brama answers` as a clerk or a script meets it: what waits is found, read, decided, and followed to its receipt."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway import flow
from gateway.operations import answering, letters
from gateway.simulate import upp
from gateway.simulate.applications import settlement_query
from gateway.simulate.citizens import sign_trusted_profile
from gateway.simulate.offices.client import Office
from gateway.simulate.people import person
from schemas.outgoing import Message
from tests.builders import TERYT, a_signed_document, pki
from tests.outboxes import CITIZEN_BOX, Correspondent, a_letter_writer
from tests.program import NO, USAGE, Program

WHO = ("--actor", "urzędnik", "--reason", "sprawdzono")
BY: dict[str, Any] = {"actor": "urzędnik", "reason": "sprawdzono"}
QUERIES = 'services = ["settlement_query"]\nledgers = ["office"]\n'


@pytest.fixture
def gateway(database, office: Office, tmp_path: Path) -> Correspondent:
    return a_letter_writer(database, office, tmp_path, QUERIES)


@pytest.fixture
def answers(brama: Program, gateway: Correspondent, tmp_path: Path) -> Any:
    """`brama answers …` on the gateway's configuration: what it says, or with `--json` the document it is."""

    def run(*arguments: object, expect: int = 0) -> Any:
        said = brama("answers", *arguments, "--config", tmp_path, expect=expect)
        return json.loads(said) if "--json" in arguments else said

    return run


@pytest.fixture
def waiting(gateway: Correspondent) -> str:
    """The id of a drafted call for correction, which a person must approve."""
    submission = gateway.receive(reply_mailbox=CITIZEN_BOX)
    gateway.work_until_quiet()
    begun = letters.call_for_correction(gateway.tools, submission.id, points=["kwota się nie zgadza"], **BY)
    gateway.work_until_quiet()
    return str(begun.id)


def step(answers: Any, one: str) -> str:
    return str(answers("show", one, "--json")["step"])


def test_a_clerk_finds_a_letter_reads_it_approves_it_and_follows_it_to_its_receipt(
    answers, gateway, waiting, office, tmp_path
):
    assert [one["id"] for one in answers("list", "--step", "approve", "--json")] == [waiting]
    (row,) = (line for line in answers("list").splitlines() if waiting[:13] in line)
    assert TERYT in row
    assert "wezwanie" in row
    xml, pdf = tmp_path / "pismo.xml", tmp_path / "pismo.pdf"
    told = answers("draft", waiting, "--out", xml, "--pdf", pdf, "--json")
    draft = xml.read_bytes()
    assert "kwota się nie zgadza" in draft.decode()
    assert told == {"file": str(xml), "sha256": hashlib.sha256(draft).hexdigest(), "pdf": str(pdf)}
    assert base64.b64encode(pdf.read_bytes()) in draft

    assert waiting in answers("approve", waiting[:13], "--sha256", told["sha256"].upper(), *WHO)
    gateway.work_until_quiet()

    shown = answers("show", waiting, "--json")
    (message,) = shown["messages"]
    (receipt,) = message["receipts"]
    assert (shown["step"], message["state"], receipt["kind"]) == ("sent", "receipted", "UPP")
    said = answers("show", waiting)
    assert all(word in said for word in (told["sha256"], message["id"], CITIZEN_BOX, receipt["identifier"]))
    assert [one["to"] for one in office.effects("sent")] == [CITIZEN_BOX]
    assert message["id"][:13] in answers("messages", "--state", "receipted")
    assert TERYT in answers("outbox")


def test_another_digest_than_the_drafts_is_refused_and_nothing_is_sent(answers, gateway, waiting, office):
    refusal = answers("approve", waiting, "--sha256", "0" * 64, *WHO, "--json", expect=NO)
    gateway.work_until_quiet()
    assert refusal["error"]["code"] == "answers.digest_differs"
    assert (step(answers, waiting), office.effects("sent")) == ("approve", [])


def test_a_draft_sent_back_comes_again_and_one_withdrawn_never_goes(answers, gateway, waiting, office):
    assert answers("return", waiting, *WHO, "--json") == {"id": waiting, "state": "draft"}
    gateway.work_until_quiet()
    assert step(answers, waiting) == "approve"
    assert answers("withdraw", waiting, *WHO, "--json") == {"id": waiting, "state": "withdrawn"}
    gateway.work_until_quiet()
    assert office.effects("sent") == []
    assert answers("withdraw", waiting, *WHO, "--json", expect=NO)["error"]["code"] == "answers.step_not_allowed"


def test_a_held_answer_goes_on_once_a_clerk_has_looked_at_why(answers, gateway):
    query = settlement_query(applicant=person(32, "Krasnopol"))
    gateway.receive(sign_trusted_profile(query, person(31, "Krasnopol"), pki()), reply_mailbox=CITIZEN_BOX)
    gateway.work_until_quiet()
    (held,) = answers("list", "--step", "held", "--json")
    assert (held["code"], held["cleared"]) == ("answers.signer_differs", [])
    answers("resume", held["id"], *WHO)
    gateway.work_until_quiet()
    (now,) = answers("list", "--json")
    assert now["cleared"] == ["answers.signer_differs"]
    assert now["code"] != "answers.signer_differs"


def test_a_clerk_reads_what_can_be_called_for_in_either_language(answers, gateway, monkeypatch):
    submission = gateway.receive(a_signed_document("letter", title=None), reply_mailbox=CITIZEN_BOX)
    found = answers("findings", submission.id, "--json")
    assert found
    for language in ("pl", "en"):
        monkeypatch.setenv("BRAMA_LANG", language)
        lines = answers("findings", submission.id).splitlines()
        assert lines == [f"{one['number']}. [{one['code']}] {one[f'message_{language}']}" for one in found]


def unsettled(gateway: Correspondent, office: Office, **changes: Any) -> Message:
    """A message whose answer was lost."""
    office.tell("hang_up_after_storing", times=1)
    message = gateway.put(**changes)
    flow.send(message.id, gateway.tools)
    return gateway.message(message.id)


def test_a_message_of_unknown_fate_is_settled_or_set_aside(answers, gateway, office):
    lost, aside = unsettled(gateway, office), gateway.put()
    assert [one["id"] for one in answers("messages", "--state", "unsettled", "--json")] == [str(lost.id)]
    assert answers("settle", lost.id, "sent", *WHO, "--json") == {"id": str(lost.id), "state": "sent"}
    assert answers("set-aside", aside.id, *WHO, "--json") == {"id": str(aside.id), "state": "set_aside"}
    gateway.work_until_quiet()
    assert len(office.effects("sent")) == 1
    assert answers("settle", lost.id, "perhaps", *WHO, expect=USAGE)


def test_a_receipt_of_nobodys_is_listed_and_bound_to_its_message(answers, gateway, office):
    document = a_signed_document("letter")
    data = upp.UppData(5, 77, ("A", "a"), ("B", "b"), "pismo.xml")
    gateway.receive(upp.upp(data, document, pki().trusted_profile_lookalike))  # a seal nobody knows
    message = unsettled(gateway, office, document=document)
    (one,) = answers("receipts", "--json")
    assert "xml" not in one
    assert one["identifier"] in answers("receipts")
    assert answers("bind", one["id"], message.id, *WHO, "--json")["state"] == "receipted"
    assert answers("receipts", "--json") == []


def test_what_is_not_there_is_said_so(answers):
    assert answers("list", "--json") == answers("messages", "--json") == answers("outbox", "--json") == []
    assert answers("outbox").strip()
    for act in ("show", "resume", "withdraw"):
        arguments = [act, uuid4(), *(() if act == "show" else WHO), "--json"]
        assert answers(*arguments, expect=NO)["error"]["code"] == "operation.not_found"


def test_an_id_copied_too_short_is_refused(answers, waiting):
    assert answers("show", waiting[:7], "--json", expect=NO)["error"]["code"] == "operation.id_too_short"
    assert answers("show", waiting[:8], "--json")["id"] == waiting


def test_an_act_without_a_reason_is_wrong_use(answers, gateway, waiting):
    answers("withdraw", waiting, "--actor", "urzędnik", expect=USAGE)
    assert answering.shown(gateway.tools.store, answers("list", "--json")[0]["id"]).answer.step == "approve"

"""Decisions a clerk delivers: signed as they must be, sent against the addressee's receipt, which ends the wait."""

from __future__ import annotations

import base64
import threading
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from gateway import channels, operations, poll
from gateway.operations import answering, letters
from gateway.simulate.offices.client import Office
from gateway.simulate.pki import self_signed_with
from schemas.errors import OperationRefused
from schemas.submission import Submission
from tests.builders import pki
from tests.outboxes import CITIZEN_BOX, Correspondent, a_letter_writer, place_receipt
from tests.pdfs import signed_pdf, with_a_page

BY: dict[str, Any] = {"actor": "urzędnik", "reason": "test"}
PDF = b"%PDF-1.7\n% decyzja\n"
DECISION: dict[str, Any] = {"number": "FN.3120.9.2026", "dated": date(2026, 3, 2), "subject": "podatek za 2026 r."}


@pytest.fixture
def gateway(database, office: Office, tmp_path: Path) -> Correspondent:
    return a_letter_writer(database, office, tmp_path)


def received(gateway: Correspondent) -> Submission:
    """A declaration with a box for answers, processed."""
    submission = gateway.receive(reply_mailbox=CITIZEN_BOX)
    gateway.work_until_quiet()
    return submission


def approved(gateway: Correspondent, answer_id: UUID) -> None:
    view = answering.shown(gateway.tools.store, answer_id)
    digest = answering.answer_json(view.answer)["sha256"]
    answering.approve(gateway.tools.store, answer_id, sha256=digest, **BY)
    gateway.work_until_quiet()


def test_a_decision_goes_against_the_addressees_receipt_which_ends_the_wait(gateway, office):
    submission = received(gateway)
    signed = signed_pdf(pki().qualified)
    begun = letters.deliver_decision(gateway.tools, submission.id, ("decyzja.pdf", signed), **DECISION, **BY)
    gateway.work_until_quiet()
    assert base64.b64encode(signed) in answering.draft_of(gateway.tools.store, begun.id)
    approved(gateway, begun.id)
    (message,) = gateway.messages(submission)
    (effect,) = office.effects("delivered")
    assert (message.kind.value, message.state.value, effect["to"]) == ("dorecz", "sent", CITIZEN_BOX)
    place_receipt(office, effect["number"], "UPD")
    (box,) = channels.pull_boxes(gateway.tools.config)
    poll.drain(box, gateway.tools, threading.Event())
    view = operations.submission(gateway.tools.store, submission.id)
    assert [one.message.state.value for one in view.messages] == ["receipted"]
    assert [event.facts["kind"] for event in view.events if event.word == "reply_receipt"] == ["UPD"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<decyzja/>", "answers.not_a_pdf"),
        (PDF, "answers.decision_unsigned"),
        (signed_pdf(pki().qualified).replace(b"q Q", b"Q q", 1), "answers.decision_broken"),
        (with_a_page(signed_pdf(pki().qualified)), "answers.decision_partial"),
        (PDF + bytes(50_000_000), "answers.enclosure_too_large"),
    ],
    ids=["no PDF", "unsigned", "changed", "longer", "too large"],
)
def test_what_is_no_signed_decision_is_refused(gateway, content, code):
    submission = received(gateway)
    sure = {} if code == "answers.decision_unsigned" else {"unsigned": True, "signature_checked": True}
    with pytest.raises(OperationRefused) as caught:
        letters.deliver_decision(gateway.tools, submission.id, ("decyzja.pdf", content), **sure, **DECISION, **BY)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("content", "code", "sure"),
    [
        (PDF, "answers.decision_unsigned", "unsigned"),
        (signed_pdf(self_signed_with("rsa2048")), "answers.decision_untrusted", "signature_checked"),
        (PDF + b"/ByteRange [0 1 2 3]\n", "answers.decision_unchecked", "signature_checked"),
    ],
    ids=["unsigned", "a stranger's", "unreadable"],
)
def test_a_decision_in_doubt_goes_where_somebody_stands_for_it(gateway, content, code, sure):
    submission, file = received(gateway), ("decyzja.pdf", content)
    other = {"unsigned", "signature_checked"} - {sure}
    with pytest.raises(OperationRefused) as caught:
        letters.deliver_decision(gateway.tools, submission.id, file, **dict.fromkeys(other, True), **DECISION, **BY)
    assert caught.value.code == code
    begun = letters.deliver_decision(gateway.tools, submission.id, file, **{sure: True}, **DECISION, **BY)
    assert begun.state == "draft"
    with gateway.tools.store.begin() as transaction:
        noted = transaction.execute(
            text("SELECT asked->>'waived' FROM operator_action WHERE operation = 'deliver_decision'")
        )
        assert noted.scalars().all() == [code]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"is_test": True}, "answers.not_answerable"), ({"reply_mailbox": None}, "outbox.no_reply_mailbox")],
)
def test_what_cannot_be_answered_is_refused(gateway, changes, code):
    submission = gateway.receive(**changes)
    with pytest.raises(OperationRefused) as caught:
        letters.deliver_decision(gateway.tools, submission.id, ("d.pdf", PDF), unsigned=True, **DECISION, **BY)
    assert caught.value.code == code

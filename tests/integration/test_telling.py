"""Senders of polled documents are told by message: our receipt, or why it was rejected. Once, and only where wanted."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import operations, resources, sweep
from gateway.simulate.offices.client import Office
from schemas.ids import sha256
from tests.builders import a_signed_document
from tests.outboxes import CITIZEN_BOX, Correspondent, answering, configure, polled

ISSUE = '\n[receipt.issue]\npush = "own"\npull = "own"\nimport = "epuap"\nrest = "own"\n'
Make = Callable[..., Correspondent]


@pytest.fixture
def town(database, office: Office, tmp_path: Path) -> Make:
    """A gmina that issues receipts for what it polls, and tells senders of these channels."""

    def make(*tell: str) -> Correspondent:
        folder = configure(tmp_path, office, tenant='[answers]\noffice = "urzad/office.toml"\n')
        card = folder / "urzad" / "office.toml"
        card.parent.mkdir()
        shutil.copy(resources.folder("templates") / "answers" / "office.example.toml", card)
        file = folder / "gateway.toml"
        wanted = str(list(tell)).replace("'", '"')
        file.write_text(file.read_text("utf-8").replace("[receipt]\n", f"[receipt]\ntell = {wanted}\n", 1) + ISSUE)
        return answering(database, folder)

    return make


def work(gateway: Correspondent) -> None:
    for _ in range(2):
        sweep.sweep(gateway.tools)
        gateway.work_until_quiet()


def test_our_receipt_goes_into_the_senders_box_once(town, office):
    gateway = town("pull")
    submission = polled(gateway, office, a_signed_document("letter"))
    work(gateway)
    (effect,) = office.effects("sent")
    receipt = operations.receipt_of(gateway.tools.store, submission.id)
    assert (effect["to"], effect["sha256"]) == (CITIZEN_BOX, sha256(receipt.xml))
    assert "receipt_sent_by_message" in gateway.words(submission)
    assert [one.state.value for one in gateway.messages(submission)] == ["receipted"]


def test_a_rejection_is_told_with_its_reason_and_code(town, office):
    gateway = town("pull")
    submission = polled(gateway, office, a_signed_document(broken="digest"))
    work(gateway)
    (effect,) = office.effects("sent")
    letter = base64.b64decode(effect["content"]).decode()
    assert "nie został przyjęty" in letter
    assert f"Kod przyczyny: {submission.reason}" in letter
    assert effect["to"] == CITIZEN_BOX


@pytest.mark.parametrize("tell", [(), ("import",)], ids=["nobody", "another channel"])
def test_without_being_wanted_nobody_is_told(town, office, tell):
    gateway = town(*tell)
    polled(gateway, office, a_signed_document("letter"))
    polled(gateway, office, a_signed_document(broken="digest"))
    work(gateway)
    assert office.effects("sent") == []


def test_what_was_pushed_was_answered_and_is_not_told_again(town, office):
    gateway = town("pull")
    gateway.receive(a_signed_document("letter"))
    work(gateway)
    assert office.effects("sent") == []

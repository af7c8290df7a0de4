"""SIGKILL around the upload of a letter's file, in a real worker: one letter goes out, naming the recorded upload."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.operations import answering, letters
from gateway.simulate.offices.client import Office
from schemas.ids import sha256
from tests.bigfiles import files_toml
from tests.integration.test_reply_uploads import ADDRESS, BIG, BY, DECISION, attachments, downloaded
from tests.outboxes import CITIZEN_BOX, Correspondent, a_letter_writer
from tests.outboxes import answering as a_correspondent
from tests.processes import brama


@pytest.fixture
def gateway(database, office: Office, tmp_path: Path) -> Correspondent:
    """A gmina that can send little inside a letter."""
    a_letter_writer(database, office, tmp_path)
    with (tmp_path / "gateway.toml").open("a", encoding="utf-8") as file:
        file.write(files_toml(office, tmp_path, inline_limit_bytes=400_000, address=f'"{ADDRESS}"'))
    return a_correspondent(database, tmp_path)


def its_time_is_over(gateway: Correspondent) -> None:
    """The lease of whoever died has ended, and lost wake-ups are known to be lost."""
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE answer SET due_at = now(), woken_at = NULL WHERE due_at IS NOT NULL"))
    gateway.later()


def sent_once(gateway: Correspondent, office: Office, answer: Any) -> tuple[str, list[str]]:
    """Approve what is drafted; the address in the one letter that went out, and how the uploads ended."""
    view = answering.shown(gateway.tools.store, answer)
    if view.answer.step == "approve":
        digest = answering.answer_json(view.answer)["sha256"]
        answering.approve(gateway.tools.store, answer, sha256=digest, **BY)
    gateway.work_until_quiet()
    (effect,) = office.effects("delivered")
    address = attachments(base64.b64decode(effect["content"]))["decyzja.pdf"][1]
    (kept,) = (one for one in view.uploads if one.state.value == "kept")
    assert kept.file_id is not None
    assert address == ADDRESS.format(id=kept.file_id)
    return address, [one.state.value for one in view.uploads]


@pytest.mark.parametrize(
    ("point", "expected"),
    [("after_upload", ["orphaned", "kept"]), ("after_upload_kept", ["kept"])],
)
def test_killed_around_an_upload_the_letter_names_the_file_that_is_written_down(
    office, gateway, tmp_path, point, expected
):
    submission = gateway.receive(reply_mailbox=CITIZEN_BOX)
    gateway.work_until_quiet()
    new = letters.deliver_decision(gateway.tools, submission.id, ("decyzja.pdf", BIG), **DECISION, **BY)
    with brama("work", tmp_path, crash_at=point) as doomed:
        assert doomed.died_of_sigkill()
    its_time_is_over(gateway)
    gateway.work_until_quiet()
    address, uploads = sent_once(gateway, office, new.id)
    assert (uploads, len(office.effects("file"))) == (expected, len(expected))
    assert sha256(downloaded(gateway, address, tmp_path / "answer")) == sha256(BIG)


@pytest.mark.parametrize("point", ["before_send", "after_send"])
def test_killed_around_sending_the_letter_goes_out_once_with_the_one_upload(office, gateway, tmp_path, point):
    submission = gateway.receive(reply_mailbox=CITIZEN_BOX)
    gateway.work_until_quiet()
    new = letters.deliver_decision(gateway.tools, submission.id, ("decyzja.pdf", BIG), **DECISION, **BY)
    gateway.work_until_quiet()
    gateway.forget_deliveries()
    view = answering.shown(gateway.tools.store, new.id)
    digest = answering.answer_json(view.answer)["sha256"]
    answering.approve(gateway.tools.store, new.id, sha256=digest, **BY)
    with brama("work", tmp_path, crash_at=point) as doomed:
        assert doomed.died_of_sigkill()
    gateway.later()
    gateway.work_until_quiet()
    _, uploads = sent_once(gateway, office, new.id)
    assert (uploads, len(office.effects("file"))) == (["kept"], 1)

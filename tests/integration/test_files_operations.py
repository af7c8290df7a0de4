"""What a person may do about big files: look, save, ask again, accept, go without; each act is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.operations import files as operations
from gateway.simulate.offices.client import Office
from gateway.store.database import Store
from schemas.errors import OperationRefused
from schemas.submission import Submission
from tests.bigfiles import CONTENT, a_letter, address_of, configured, fetching, linked, uploaded
from tests.gateways import Gateway

WHO: dict[str, Any] = {"actor": "TEST", "reason": "próba"}


@pytest.fixture
def gateway(database: Store, office: Office, tmp_path: Path) -> Gateway:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return fetching(database, configured(tmp_path, office, url, refusals=1))


def received(gateway: Gateway, office: Office, content: bytes = CONTENT) -> tuple[Submission, UUID]:
    """A letter whose one file was worked on until nothing more could be done."""
    submission = gateway.receive(a_letter([address_of(uploaded(office, content))]))
    gateway.work_until_quiet()
    (file,) = linked(gateway, submission)
    assert file.id is not None
    return submission, file.id


def test_a_failed_file_is_asked_for_again_and_the_case_goes_on(office, gateway):
    office.tell("refuse", match="DownloadFileParam")
    submission, file = received(gateway, office)
    (view,) = operations.listed(gateway.tools.store)
    assert (view.id, view.state, view.submissions) == (file, "failed", (submission.id,))
    office.tell("up")
    assert operations.ask_again(gateway.tools.store, file, **WHO).state == "due"
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]
    assert operations.listed(gateway.tools.store) == []
    assert "file_asked_again" in gateway.words(submission)


def test_a_held_file_goes_on_once_a_person_has_accepted_it(office, gateway, tmp_path):
    submission, file = received(gateway, office, b"MZ" + bytes(3_000_000))
    assert operations.save(gateway.tools.store, file, tmp_path / "f") == 3_000_002
    assert (tmp_path / "f").read_bytes() == b"MZ" + bytes(3_000_000)
    operations.accept(gateway.tools.store, file, **WHO)
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]


def test_a_case_may_go_without_a_lost_file(office, gateway):
    office.tell("truncate", times=1, match="DownloadFileParam")
    submission, _ = received(gateway, office)
    assert linked(gateway, submission)[0].state == "lost"
    operations.go_without(gateway.tools.store, submission.id, **WHO)
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]
    with pytest.raises(OperationRefused) as caught:
        operations.go_without(gateway.tools.store, submission.id, **WHO)
    assert caught.value.code == "operation.no_file_awaited"


def test_what_does_not_fit_the_state_is_refused_and_so_is_an_act_of_nobody(office, gateway, tmp_path):
    store = gateway.tools.store
    _, file = received(gateway, office)
    for act in (operations.ask_again, operations.accept):
        with pytest.raises(OperationRefused) as caught:
            act(store, file, **WHO)
        assert caught.value.code == "operation.file_state"
        with pytest.raises(OperationRefused) as caught:
            act(store, uuid4(), **WHO)
        assert caught.value.code == "operation.not_found"
        with pytest.raises(OperationRefused) as caught:
            act(store, file, actor=" ", reason="x")
        assert caught.value.code == "operation.actor_and_reason"
    with pytest.raises(OperationRefused):
        operations.save(store, uuid4(), tmp_path / "f")


def test_the_command_line_shows_and_does_the_same(office, gateway, tmp_path):
    office.tell("truncate", times=1, match="DownloadFileParam")
    submission, file = received(gateway, office)

    def brama(*arguments: str) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--config", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.output

    (listed,) = json.loads(brama("files", "list", "--json"))
    assert (listed["id"], listed["state"], listed["last_code"]) == (str(file), "lost", "attachment.lost")
    assert "lost" in brama("files", "list")
    assert "attachment.lost" in brama("submissions", "show", str(submission.id))
    shown = json.loads(brama("submissions", "show", str(submission.id), "--json"))
    assert [one["state"] for one in shown["files"]] == ["lost"]
    brama("files", "retry", str(file), "--reason", "próba")
    brama("files", "without", str(submission.id), "--reason", "próba")
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]
    other, kept = received(gateway, office)
    assert gateway.states(other) == ["delivered"]
    brama("files", "save", str(kept), "--out", str(tmp_path / "zapisany"))
    assert (tmp_path / "zapisany").read_bytes() == CONTENT

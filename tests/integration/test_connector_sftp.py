"""The SFTP connector against a real OpenSSH server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from connectors.base import LookUpFailed
from connectors.registry import build
from connectors.sftp import SftpConnector, SftpOptions, SftpPlace
from gateway.testing.samples import DOCUMENT, a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import AttachmentFile, Delivered, Repeat, Unreachable, Unsettled
from schemas.errors import ConnectorError
from tests.sshd import Sshd, prepare


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    sshd = prepare(tmp_path_factory.mktemp("sshd"))
    sshd.start()
    yield sshd
    sshd.stop()


@pytest.fixture
def office(tmp_path: Path) -> Path:
    root = tmp_path / "urzad"
    root.mkdir()
    return root


def options_for(server: Sshd, office: Path, **changes: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "user": server.user,
        "private_key": str(server.private_key),
        "host_key": server.host_key,
        "root": str(office),
        "timeout_s": 30.0,
        **changes,
    }


def connector_for(server: Sshd, office: Path, **changes: Any) -> SftpConnector:
    connector = build("sftp", options_for(server, office, **changes))
    assert isinstance(connector, SftpConnector)
    return connector


def deliver(connector: SftpConnector, steps: MemorySteps | None = None) -> Any:
    return connector.deliver(a_record("k-1"), "k-1", steps or MemorySteps(Repeat.SAFE))


def test_a_case_and_its_documents_arrive(server: Sshd, office: Path) -> None:
    assert deliver(connector_for(server, office)) == Delivered("k-1.json")

    assert json.loads((office / "k-1.json").read_text("utf-8"))["fields"]["surname"] == "Łękołodzka-Żdźbło"
    assert (office / "k-1.files" / "01-wniosek.xml").read_bytes() == DOCUMENT
    assert list((office / ".brama" / "ready").iterdir()) == []


def test_an_empty_file_is_a_file(server: Sshd, office: Path) -> None:
    empty = AttachmentFile("pusty.txt", "text/plain", b"")
    connector = connector_for(server, office)

    outcome = connector.deliver(a_record("k-1", files=(empty,)), "k-1", MemorySteps(Repeat.SAFE))

    assert outcome == Delivered("k-1.json")
    assert (office / "k-1.files" / "01-pusty.txt").read_bytes() == b""


def test_a_case_the_office_took_away_is_not_sent_again(server: Sshd, office: Path) -> None:
    connector = connector_for(server, office)
    deliver(connector)
    (office / "k-1.json").unlink()

    assert connector.find("k-1") == "k-1.json"
    assert isinstance(deliver(connector), Delivered)
    assert not (office / "k-1.json").exists()


class LosingPlace(SftpPlace):
    """The line breaks when the last rename was done, and its answer is lost."""

    def rename(self, source: PurePosixPath, target: PurePosixPath) -> None:
        super().rename(source, target)
        if target.name.endswith(".json"):
            raise ConnectionError("line broke")


class OverALosingLine(SftpConnector):
    """The connector over such a line."""

    @contextmanager
    def open(self) -> Iterator[SftpPlace]:
        with super().open() as place:
            yield LosingPlace(place._client, place._root)


def test_a_rename_whose_answer_was_lost_is_settled_by_looking(server: Sshd, office: Path) -> None:
    steps = MemorySteps(Repeat.SAFE)

    outcome = deliver(OverALosingLine(SftpOptions.model_validate(options_for(server, office))), steps)

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "sftp.answer_lost"
    (office / "k-1.json").unlink()
    connector = connector_for(server, office)
    assert connector.find("k-1") == "k-1.json"
    assert isinstance(deliver(connector, steps.next_attempt()), Delivered)
    assert not (office / "k-1.json").exists()


def test_only_one_of_two_tries_may_claim_a_key(server: Sshd, office: Path) -> None:
    with connector_for(server, office).open() as place:
        for name in ("pierwsza", "druga"):
            place.write(PurePosixPath(f".brama/ready/{name}/k-1.json"), b"{}")
            place.write(PurePosixPath(f".brama/ready/{name}.claim"), name.encode())
        begun = PurePosixPath(".brama/begun/k-1")

        claims = [place.claim(PurePosixPath(f".brama/ready/{name}.claim"), begun) for name in ("pierwsza", "druga")]
        place.discard(PurePosixPath(".brama/ready/druga"))

    assert claims == [True, False]
    assert (office / ".brama" / "begun" / "k-1").read_text() == "pierwsza"
    assert [path.name for path in (office / ".brama" / "ready").iterdir()] == ["pierwsza"]


def test_a_folder_we_may_not_write_to_is_told(server: Sshd, office: Path) -> None:
    (office / ".brama").write_text("a file where our folder should be")

    outcome = deliver(connector_for(server, office))

    assert isinstance(outcome, Unreachable)
    assert not (office / "k-1.json").exists()


def test_a_server_that_is_down_was_surely_not_reached(server: Sshd, office: Path) -> None:
    connector = connector_for(server, office)
    server.stop()

    outcome = deliver(connector)
    with pytest.raises(LookUpFailed):
        connector.find("k-1")
    server.start()

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sftp.unreachable"
    assert isinstance(deliver(connector), Delivered)


def test_a_server_with_another_key_gets_nothing(server: Sshd, office: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    connector = connector_for(server, office, host_key=prepare(stranger).host_key)

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert "another key" in outcome.text
    assert list(office.iterdir()) == []


def test_a_key_the_server_does_not_know_is_told_by_check(server: Sshd, office: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()

    with pytest.raises(ConnectorError) as refused:
        connector_for(server, office, private_key=str(prepare(stranger).private_key)).check()

    assert refused.value.code == "sftp.unreachable"


def test_a_missing_folder_is_told_and_not_made(server: Sshd, tmp_path: Path) -> None:
    connector = connector_for(server, tmp_path / "nie-ma")

    assert isinstance(deliver(connector), Unreachable)
    with pytest.raises(ConnectorError):
        connector.check()
    assert not (tmp_path / "nie-ma").exists()


def test_a_host_key_that_is_none_is_refused_when_saved(server: Sshd, office: Path) -> None:
    with pytest.raises(ConnectorError) as refused:
        connector_for(server, office, host_key="zaufaj mi")

    assert "host_key: no public key" in refused.value.facts["problems"]

"""The folder: one file per case, once, also when the office takes it away."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from connectors import drop
from connectors.base import LookUpFailed
from connectors.folder import FolderConnector, FolderOptions, LocalPlace
from gateway.testing.samples import DOCUMENT, a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, Unreachable, Unsettled
from schemas.errors import ConnectorError


@pytest.fixture
def office(tmp_path: Path) -> Path:
    root = tmp_path / "urząd"
    root.mkdir()
    return root


@pytest.fixture
def connector(office: Path) -> FolderConnector:
    return FolderConnector(FolderOptions(root=office))


def safe_steps() -> MemorySteps:
    return MemorySteps(Repeat.SAFE)


def test_a_case_and_its_documents_arrive(connector: FolderConnector, office: Path) -> None:
    record = a_record("k-1")

    assert connector.deliver(record, "k-1", safe_steps()) == Delivered("k-1.json")

    case = json.loads((office / "k-1.json").read_text("utf-8"))
    assert case["fields"]["surname"] == "Łękołodzka-Żdźbło"
    assert case["fields"]["total"] == "1234.50"
    assert [item["role"] for item in case["files"]] == ["document", "attachment"]
    assert (office / case["files"][0]["path"]).read_bytes() == DOCUMENT
    assert (office / "k-1.files" / "02-załącznik nr 1.pdf").exists()


def test_repeating_leaves_one_file(connector: FolderConnector, office: Path) -> None:
    record = a_record("k-1")

    outcomes = [connector.deliver(record, "k-1", safe_steps()) for _ in range(3)]

    assert set(map(repr, outcomes)) == {repr(Delivered("k-1.json"))}
    assert [path.name for path in office.glob("*.json")] == ["k-1.json"]


def test_a_case_the_office_took_away_is_not_written_again(connector: FolderConnector, office: Path) -> None:
    record = a_record("k-1")
    connector.deliver(record, "k-1", safe_steps())
    (office / "k-1.json").unlink()

    assert connector.find("k-1") == "k-1.json"
    assert isinstance(connector.deliver(record, "k-1", safe_steps()), Delivered)
    assert not (office / "k-1.json").exists()


def test_what_was_prepared_before_a_crash_is_published_once(connector: FolderConnector, office: Path) -> None:
    record = a_record("k-1")
    connector.deliver(record, "k-1", safe_steps())
    chosen = (office / ".brama" / "begun" / "k-1").read_text()
    unpublished = office / ".brama" / "ready" / chosen
    unpublished.mkdir()
    (office / "k-1.json").rename(unpublished / "k-1.json")  # the crash came just before this rename

    assert connector.find("k-1") is None
    assert isinstance(connector.deliver(record, "k-1", safe_steps()), Delivered)
    assert (office / "k-1.json").exists()


def test_find_says_no_before_anything_was_sent(connector: FolderConnector) -> None:
    assert connector.find("k-1") is None


def test_a_missing_folder_is_unreachable_and_not_made(tmp_path: Path) -> None:
    connector = FolderConnector(FolderOptions(root=tmp_path / "unmounted"))

    outcome = connector.deliver(a_record("k-1"), "k-1", safe_steps())

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "folder.unwritable"
    assert not (tmp_path / "unmounted").exists()


def test_check_tells_of_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError) as refused:
        FolderConnector(FolderOptions(root=tmp_path / "unmounted")).check()

    assert refused.value.code == "folder.unwritable"


def test_an_empty_mount_point_is_not_taken_for_the_folder(office: Path) -> None:
    connector = FolderConnector(FolderOptions(root=office, sentinel=".to-jest-folder-urzedu"))

    assert isinstance(connector.deliver(a_record("k-1"), "k-1", safe_steps()), Unreachable)
    with pytest.raises(LookUpFailed):
        connector.find("k-1")
    with pytest.raises(ConnectorError):
        connector.check()
    (office / ".to-jest-folder-urzedu").touch()
    assert isinstance(connector.deliver(a_record("k-1"), "k-1", safe_steps()), Delivered)


def test_check_writes_nothing(connector: FolderConnector, office: Path) -> None:
    connector.check()

    assert list(office.iterdir()) == []


@pytest.mark.parametrize("key", ["../../etc/passwd", ".hidden", "a/b", "zażółć", "A:b"])
def test_no_key_leaves_the_folder(connector: FolderConnector, office: Path, key: str) -> None:
    assert isinstance(connector.deliver(a_record(key), key, safe_steps()), Delivered)

    files = [path for path in office.iterdir() if path.is_file()]
    assert len(files) == 1
    assert not files[0].name.startswith(".")


@pytest.mark.parametrize("key", ["", "x" * 300])
def test_a_key_that_is_no_file_name_is_refused(connector: FolderConnector, key: str) -> None:
    outcome = connector.deliver(a_record("k"), key, safe_steps())

    assert isinstance(outcome, Refused)
    assert outcome.code == "folder.key_unusable"


def test_a_rename_that_fails_has_delivered_nothing(connector: FolderConnector, office: Path) -> None:
    blocked = office / "k-1.files"
    blocked.mkdir()
    (blocked / "foreign.txt").write_text("not ours")

    outcome = connector.deliver(a_record("k-1"), "k-1", safe_steps())

    assert isinstance(outcome, Unreachable)
    assert not (office / "k-1.json").exists()
    (blocked / "foreign.txt").unlink()
    assert isinstance(connector.deliver(a_record("k-1"), "k-1", safe_steps()), Delivered)


class FailingDisk(LocalPlace):
    """A disk that fails after the renames."""

    def settle(self) -> None:
        raise OSError(5, "Input/output error")


class OnFailingDisk(FolderConnector):
    """The connector over such a disk."""

    def __init__(self, options: FolderOptions) -> None:
        super().__init__(options)
        self.place = FailingDisk(options.root)


def test_a_disk_that_fails_after_the_rename_leaves_a_doubt(connector: FolderConnector, office: Path) -> None:
    record = a_record("k-1")

    outcome = OnFailingDisk(FolderOptions(root=office)).deliver(record, "k-1", safe_steps())

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "folder.publish_in_doubt"
    assert isinstance(connector.deliver(record, "k-1", safe_steps()), Delivered)


def test_many_threads_write_each_case_once(connector: FolderConnector, office: Path) -> None:
    keys = [f"k-{number}" for number in range(12)] * 2
    outcomes: list[object] = []

    def work(key: str) -> None:
        outcomes.append(connector.deliver(a_record(key), key, safe_steps()))

    threads = [threading.Thread(target=work, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert len(list(office.glob("*.json"))) == 12
    assert list((office / ".brama" / "ready").iterdir()) == []


def test_a_late_twin_of_a_try_publishes_nothing(connector: FolderConnector, office: Path) -> None:
    """A worker stopped between preparing and publishing wakes up after another has delivered the case."""
    record = a_record("k-1")
    late = drop.Drop("k-1", "k-1.json", b"late", ())
    connector.deliver(record, "k-1", safe_steps())
    (office / "k-1.json").unlink()  # taken by the office

    drop.prepare(connector.place, late)
    drop.publish(connector.place, late)

    assert not (office / "k-1.json").exists()

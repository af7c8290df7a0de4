"""The simulated offices themselves: they must not hide a double, nor outlive a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from connectors.folder import FolderConnector, FolderOptions
from gateway.simulate.offices.client import Office
from gateway.simulate.offices.ledger import Ledger
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Repeat
from tests.waiting import wait_until


def test_a_double_is_seen(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.add("letter", "k-1", "k-1")
    ledger.add("letter", "k-2", "k-2")
    ledger.add("letter", "k-1", "k-1")

    assert ledger.counts() == {"keys": {"k-1": 2, "k-2": 1}, "doubled": ["letter k-1"]}
    assert Ledger(tmp_path).counts() == ledger.counts()


def test_a_case_taken_away_by_the_office_comes_once(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    connector = FolderConnector(FolderOptions(root=root))
    with Office("folder", tmp_path / "office", "--root", str(root)) as office:
        for _ in range(2):
            assert isinstance(connector.deliver(a_record("k-1"), "k-1", MemorySteps(Repeat.SAFE)), Delivered)
            wait_until(lambda: office.keys() and not (root / "k-1.json").exists())

        assert office.keys() == {"k-1": 1}
        assert office.effects("case")[0]["files"] == ["01-wniosek.xml", "02-załącznik nr 1.pdf"]


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    with Office("ezd", tmp_path) as office, pytest.raises(OSError, match="400"):
        office.tell("misbehave")


def test_an_office_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from gateway.simulate.offices.client import Office\n"
        f"office = Office('ezd', Path({str(tmp_path)!r})).start()\n"
        "print(office._process.pid, flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    office = int(starter.stdout.readline())

    starter.kill()
    starter.wait()
    starter.stdout.close()

    wait_until(lambda: not psutil.pid_exists(office) or psutil.Process(office).status() == psutil.STATUS_ZOMBIE)


def test_an_office_that_is_down_does_not_listen(tmp_path: Path) -> None:
    with Office("ezd", tmp_path) as office:
        office.tell("down")
        listening = {item.laddr.port for item in psutil.net_connections("tcp") if item.status == psutil.CONN_LISTEN}

        assert office.port not in listening
        assert office.control_port in listening

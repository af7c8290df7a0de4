"""A worker may be started before its database, on a machine whose clock is wrong; a wrong configuration ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway import operations
from gateway.store.database import Store
from gateway.store.schema import migrate
from gateway.store.waiting import Stopped, until_there
from schemas.errors import StoreUnavailable
from tests.gateways import GATEWAY_TOML, a_gateway, write_config
from tests.integration.test_engine_worker import own_postgres
from tests.processes import brama
from tests.require import program
from tests.scripted import claim_and_vanish
from tests.waiting import PATIENCE_S, wait_until

AWAY = "postgresql://postgres@127.0.0.1:1/brama"  # nobody listens there


def test_a_worker_started_before_its_database_waits_for_it_and_then_works(tmp_path: Path) -> None:
    with own_postgres() as (server, address):
        store = Store(address)
        migrate(store.engine)
        gateway = a_gateway(store, tmp_path, gateway=f'database_url = "{address}"\n{GATEWAY_TOML}')
        submission = gateway.receive()
        store.close()
        server.stop()
        with brama("work", tmp_path) as worker:
            wait_until(lambda: "store_away" in worker.log.read_text("utf-8"))
            server.start()
            wait_until(lambda: operations.books(store).delivered == 1)
        assert gateway.states(submission) == ["delivered"]
        store.close()


@pytest.mark.parametrize("options", [("--no-wait",), ("--wait", "0.3"), ("--until-quiet",)])
def test_a_worker_that_must_not_wait_ends_with_3(tmp_path: Path, options: tuple[str, ...]) -> None:
    write_config(tmp_path, gateway=f'database_url = "{AWAY}"\n{GATEWAY_TOML}')
    assert work(tmp_path, *options) == 3


def test_a_wrong_configuration_ends_a_worker_with_2_though_the_database_is_away(tmp_path: Path) -> None:
    write_config(tmp_path, gateway=f'database_url = "{AWAY}"\n{GATEWAY_TOML}')
    (tmp_path / "pki" / "upo-seal.p12").write_bytes(b"not a key")
    assert work(tmp_path) == 2


def test_a_worker_that_waits_can_be_asked_to_end(tmp_path: Path) -> None:
    write_config(tmp_path, gateway=f'database_url = "{AWAY}"\n{GATEWAY_TOML}')
    with brama("work", tmp_path) as worker:
        wait_until(lambda: "store_away" in worker.log.read_text("utf-8"))
        worker.popen.send_signal(signal.SIGTERM)
        assert worker.popen.wait(PATIENCE_S) == 0


def test_waiting_ends_when_the_time_is_over_and_says_why() -> None:
    tried, stop = [], Watch()

    def attempt() -> None:
        tried.append(stop.now_s)
        raise StoreUnavailable(reason="ConnectionTimeout")

    with pytest.raises(StoreUnavailable):
        until_there(attempt, 0.75, stop, lambda: stop.now_s)
    assert tried == [0.0, 0.5, 0.75]  # at once, after half a second, and at the very end


class Watch(threading.Event):
    """Nobody asks it to end; waiting for that takes the time it should, by a clock of its own."""

    now_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += timeout or 0.0
        return False


def test_a_migration_that_fails_is_not_tried_again() -> None:
    tried = []

    def attempt() -> None:
        tried.append(1)
        raise StoreUnavailable("store.migration_failed", reason="InsufficientPrivilege")

    with pytest.raises(StoreUnavailable):
        until_there(attempt, None, threading.Event())
    assert len(tried) == 1


def test_waiting_ends_at_once_when_asked_to() -> None:
    stop = threading.Event()
    stop.set()

    def attempt() -> None:
        raise StoreUnavailable(reason="ConnectionTimeout")

    with pytest.raises(Stopped):
        until_there(attempt, None, stop)


@pytest.mark.parametrize("wrong_by", ["+100m", "-100m"])
def test_a_worker_whose_clock_is_wrong_harms_nothing(
    tmp_path: Path, database: Store, database_url: str, wrong_by: str
) -> None:
    """Its neighbour's lease is not over, whatever its own clock says; what is due is due by the database's."""
    patient = GATEWAY_TOML.replace("lease_s = 30.0", "lease_s = 20.0")
    gateway = a_gateway(database, tmp_path, gateway=f'database_url = "{database_url}"\n{patient}')
    held, later, now, gone = (gateway.receive() for _ in range(4))
    for _ in range(4):
        gateway.work_one()  # only the cases are made
    claim_and_vanish(gateway, gone)
    with database.begin() as transaction:
        for change, one in (
            ("state = 'trying', fence = 1, worker = 'neighbour', lease_until = now() + interval '1 hour'", held),
            ("due_at = now() + interval '1 hour', woken_at = NULL", later),
        ):
            transaction.execute(text(f"UPDATE delivery SET {change} WHERE submission_id = :id"), {"id": one.id})
    with brama("work", tmp_path, before=with_a_clock(wrong_by)) as worker:
        wait_until(lambda: gateway.states(now) == ["delivered"])
        wait_until(lambda: gateway.states(gone) == ["delivered"])  # it has looked for lost leases and for what is due
    said = next(line for line in worker.log.read_text("utf-8").splitlines() if "worker_started" in line)
    believed = datetime.fromisoformat(json.loads(said)["timestamp"])
    assert abs((datetime.now(UTC) - believed).total_seconds()) > 3600  # its clock is wrong indeed
    (delivery,) = gateway.deliveries(held)
    assert (delivery.state, gateway.states(later)) == ("trying", ["due"])
    (attempt,) = gateway.attempts(now)
    with database.begin() as transaction:
        off_s = transaction.execute(text("SELECT extract(epoch FROM now() - :at)"), {"at": attempt.started_at})
        assert abs(float(off_s.scalar_one())) < 3600  # no time of its own is stored


def with_a_clock(wrong_by: str) -> tuple[str, ...]:
    """What runs a program with a clock wrong by that; the `faketime` program itself would stay between us and it."""
    told = subprocess.run([program("faketime"), "-f", wrong_by, "env"], capture_output=True, text=True, check=True)
    library = next(line for line in told.stdout.splitlines() if line.startswith("LD_PRELOAD="))
    return ("env", library, f"FAKETIME={wrong_by}", "FAKETIME_DONT_FAKE_MONOTONIC=1")


def work(folder: Path, *options: str) -> int:
    """The exit code of `brama work`."""
    command = [sys.executable, "-m", "gateway", "work", "--config", str(folder), *options]
    return subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, timeout=PATIENCE_S, check=False
    ).returncode

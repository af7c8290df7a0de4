"""The worker itself: woken by notifications, many at once, and alive when the database is not."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from connectors.rehearsal import Behaviour, RehearsalConnector, RehearsalOptions
from gateway import intake, operations, worker
from gateway.store.database import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.schema import migrate
from gateway.tools import Tools
from schemas.delivery import CaseRecord, Outcome, Steps
from schemas.errors import StoreUnavailable
from schemas.verification import Verification
from tests.builders import a_signed_document, an_envelope
from tests.gateways import GATEWAY_TOML, Gateway, a_gateway
from tests.scripted import claim_and_vanish, with_office
from tests.waiting import PATIENCE_S, wait_until


@contextmanager
def working(*tools: Tools) -> Iterator[None]:
    """Real workers in threads of this process."""
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run_worker, args=(one, stop)) for one in tools]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def test_a_worker_is_woken_at_once_and_not_by_polling(gateway: Gateway) -> None:
    with working(gateway.tools):
        took = [_delivering_s(gateway, number) for number in range(1, 5)]
    assert min(took[1:]) < 4.0  # the queue polls every 5 s only, and has just done so


def _delivering_s(gateway: Gateway, number: int) -> float:
    """Seconds from taking in one more document to its delivery, which is the `number`th."""
    started = time.monotonic()
    gateway.receive()
    wait_until(lambda: operations.books(gateway.tools.store).delivered == number)
    return time.monotonic() - started


def test_a_worker_whose_listener_could_not_come_back_begins_anew(gateway: Gateway, postgres: str) -> None:
    name = gateway.tools.store.engine.url.database
    with capture_logs() as logs, psycopg.connect(postgres, autocommit=True) as connection:

        def listeners(then: str) -> int:
            asked = f"SELECT {then} FROM pg_stat_activity WHERE datname = '{name}' AND query LIKE 'LISTEN%'"
            return len(connection.execute(asked).fetchall())

        with working(gateway.tools):
            wait_until(lambda: listeners("pid") == 1)
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            try:
                assert listeners("pg_terminate_backend(pid)") == 1
                wait_until(lambda: any(entry["event"] == "queue_lost" for entry in logs))
            finally:
                connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            wait_until(lambda: listeners("pid") == 1)


class Crowded(RehearsalConnector):
    """Answers nobody before more cases are there at once than one worker can bring."""

    def __init__(self, crowd: int) -> None:
        super().__init__(RehearsalOptions(behaviour=Behaviour.HANG_UP_AFTER, times=5))
        self._first, self._together = iter(range(crowd)), threading.Barrier(crowd)

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        if next(self._first, None) is not None:
            self._together.wait(PATIENCE_S)
        return super().deliver(record, key, steps)


def test_two_workers_share_the_work_and_double_nothing(gateway: Gateway) -> None:
    gateway = with_office(gateway, Crowded(gateway.tools.config.gateway.worker.concurrency + 1))
    second = gateway.with_tools(worker="second")
    with working(gateway.tools, second.tools):
        for _ in range(20):
            gateway.receive()
        wait_until(lambda: operations.books(gateway.tools.store).delivered == 20)
        wait_until(lambda: jobs_left(gateway) == 0)  # finished wake-ups are deleted

    assert operations.books(gateway.tools.store).balanced
    assert set(gateway.office.received.values()) == {1}
    with gateway.tools.store.begin() as transaction:
        workers = transaction.execute(text("SELECT count(DISTINCT worker) FROM attempt")).scalar_one()
    assert workers == 2


def jobs_left(gateway: Gateway) -> int:
    with gateway.tools.store.begin() as transaction:
        return int(transaction.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one())


def test_a_worker_needs_no_restart_when_it_finds_every_job_gone(gateway: Gateway) -> None:
    for _ in range(5):
        gateway.receive()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("TRUNCATE procrastinate_jobs CASCADE"))
    with working(gateway.tools):
        wait_until(lambda: operations.books(gateway.tools.store).delivered == 5)


def test_wake_ups_a_dead_worker_had_taken_are_given_to_others(gateway: Gateway) -> None:
    gateway.receive()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(
            text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
        )
        transaction.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
        )
    with working(gateway.tools):
        wait_until(lambda: operations.books(gateway.tools.store).delivered == 1)


def test_work_until_quiet_leaves_what_is_due_later(gateway: Gateway) -> None:
    gateway.office.behave(Behaviour.UNREACHABLE)
    submission = gateway.receive()
    config = gateway.tools.config
    patient = config.gateway.worker.model_copy(update={"retry_s": (3600.0,)})
    gateway = gateway.with_tools(
        config=config.model_copy(update={"gateway": config.gateway.model_copy(update={"worker": patient})})
    )
    worker.work_until_quiet(gateway.tools)

    assert gateway.states(submission) == ["waiting"]


def test_the_database_may_crash_and_come_back_without_a_restart_of_ours(tmp_path: Path) -> None:
    with own_postgres() as (server, address):
        store = Store(address)
        migrate(store.engine)
        gateway = a_gateway(store, tmp_path, gateway=GATEWAY_TOML.replace("lease_s = 30.0", "lease_s = 2.0"))
        with working(gateway.tools):
            gateway.receive()
            wait_until(lambda: operations.books(store).delivered == 1)
            kept = [gateway.receive() for _ in range(5)]
            server.crash()
            with pytest.raises(StoreUnavailable):
                gateway.receive(a_signed_document())
            server.start()
            wait_until(lambda: _delivered(store) == 6)
            again = gateway.receive()
            wait_until(lambda: _delivered(store) == 7)
        assert gateway.states(again) == ["delivered"]
        assert [gateway.states(one) for one in kept] == [["delivered"]] * 5
        assert set(gateway.office.received.values()) == {1}
        store.close()


def test_a_slow_sweep_does_not_keep_a_lost_lease_from_being_noticed(gateway: Gateway) -> None:
    """A document that takes long to judge is finished in one beat; leases are watched in another."""
    go_on, begun = threading.Event(), threading.Event()

    def slowly(*arguments: Any, **named: Any) -> Verification:
        begun.set()
        go_on.wait(PATIENCE_S)
        return gateway.tools.verify(*arguments, **named)

    kept = intake.keep(an_envelope(), gateway.tools.store, gateway.tools.config).submission
    submission = gateway.receive(a_signed_document("letter"))  # no taxpayer: it waits for nobody
    gateway.work_one()
    claim_and_vanish(gateway, submission, lease_s=3600)
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE submission SET busy_until = now() - interval '1 second'"))
    with working(gateway.with_tools(verify=slowly).tools):
        try:
            assert begun.wait(PATIENCE_S)
            assert gateway.states(submission) == ["trying"]
            with gateway.tools.store.begin() as transaction:
                transaction.execute(text("UPDATE delivery SET lease_until = now()"))
            wait_until(lambda: gateway.states(submission) == ["delivered"])
            assert not go_on.is_set()
        finally:
            go_on.set()
        wait_until(lambda: gateway.load(kept).state == "processed")


def test_a_queue_lost_by_a_bug_of_ours_is_an_error_in_the_log(gateway: Gateway) -> None:
    nameless = gateway.with_tools(worker=cast(str, None))  # nothing a queue can be opened with
    with capture_logs() as logged, working(nameless.tools):
        wait_until(lambda: any(entry["event"] == "queue_lost" for entry in logged))
    assert {entry["log_level"] for entry in logged if entry["event"] == "queue_lost"} == {"error"}


@contextmanager
def own_postgres() -> Iterator[tuple[EmbeddedServer, str]]:
    """A server of one test, to be killed and started."""
    folder = Path(tempfile.mkdtemp(prefix="brama-o-"))
    server = EmbeddedServer(folder)
    try:
        yield server, server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _delivered(store: Store) -> int:
    try:
        return operations.books(store).delivered
    except StoreUnavailable:
        return -1

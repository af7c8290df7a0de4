"""Leases, fencing and wake-ups: many workers, vanished and late ones, and a scheduler that may lose everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection, text

from gateway import flow, sweep
from gateway.clock import steady_s
from gateway.steps import Lease, LeaseLost
from gateway.store import sweeps
from gateway.store.database import Store
from schemas.delivery import (
    CaseRecord,
    Delivered,
    Outcome,
    Refused,
    Steps,
    outcome_word,
)
from schemas.errors import StoreUnavailable
from tests.gateways import Gateway
from tests.scripted import Scripted, claim_and_vanish, with_office


def test_workers_racing_for_one_delivery_send_it_once(gateway: Gateway) -> None:
    office = Scripted()
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_one()
    (delivery,) = gateway.deliveries(submission)
    together = threading.Barrier(6)

    def race(_: int) -> None:
        together.wait()
        flow.deliver(delivery.id, gateway.tools)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(race, range(6)))

    assert len(office.sent) == 1
    assert gateway.outcomes(submission) == ["delivered"]


def test_a_vanished_workers_delivery_is_asked_about_and_its_attempt_stays_visible(gateway: Gateway) -> None:
    office = Scripted(found="RPW/3")
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_one()
    claim_and_vanish(gateway, submission)
    gateway.work_until_quiet()

    first, second = gateway.attempts(submission)
    assert (first.outcome, first.code, first.worker) == ("unsettled", "delivery.worker_lost", "vanished")
    assert second.outcome == "delivered"
    assert (office.sent, len(office.asked)) == ([], 1)
    assert "worker_lost" in gateway.words(submission)


def test_a_late_workers_result_is_refused_and_noted(gateway: Gateway) -> None:
    """It thaws after its lease ended and another worker has taken over."""

    def frozen(_record: CaseRecord, _key: str, _steps: Steps) -> Outcome:
        with gateway.tools.store.begin() as transaction:
            transaction.execute(text("UPDATE delivery SET lease_until = now() - interval '1 second'"))
        sweep.tick(gateway.tools)
        return Refused("answer.refused", "said too late")

    office = Scripted(frozen, found="RPW/9")
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.states(submission) == ["delivered"]
    assert gateway.outcomes(submission) == ["unsettled", "delivered"]
    assert "late_outcome_refused" in gateway.words(submission)


@pytest.mark.parametrize("outcome", [Delivered("ref-1"), Refused("answer.refused")], ids=["one statement", "several"])
def test_an_outcome_whose_commit_was_not_confirmed_is_not_called_late(gateway: Gateway, outcome: Outcome) -> None:
    """The database stored it and went away before it said so: the worker writes again and finds its own words."""
    store = gateway.tools.store
    answers = ForgetfulStore(store.dsn)
    office = Scripted(lambda *_: answers.lose_the_next(outcome))
    submission = gateway.receive()
    with_office(gateway, office).with_tools(store=answers).work_until_quiet()
    answers.close()

    assert answers.lost == 1
    assert gateway.outcomes(submission) == [outcome_word(outcome)]
    assert gateway.words(submission).count("attempt_finished") == 1
    assert "late_outcome_refused" not in gateway.words(submission)


class ForgetfulStore(Store):
    """A real store whose server once goes away right after a commit."""

    losing, lost = False, 0

    def lose_the_next(self, outcome: Outcome) -> Outcome:
        self.losing = True
        return outcome

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with super().begin() as connection:
            yield connection
        self._lose()

    @contextmanager
    def direct(self) -> Iterator[psycopg.Connection[Any]]:
        with super().direct() as connection:
            yield connection
        self._lose()

    def _lose(self) -> None:
        if self.losing:
            self.losing, self.lost = False, self.lost + 1
            raise StoreUnavailable(reason="server closed the connection")


def test_a_worker_whose_lease_ends_before_the_calls_time_out_does_not_send(database: Store) -> None:
    lease = Lease(database, uuid4(), fence=1, seconds=30, asked_at=steady_s() - 29)
    with pytest.raises(LeaseLost):
        lease.ensure(5.0)  # nobody holds that delivery any more, so it cannot be renewed


def test_a_lease_that_is_long_enough_asks_nobody() -> None:
    store = Store("postgresql://postgres@/brama?host=/nonexistent")
    Lease(store, uuid4(), fence=1, seconds=30, asked_at=steady_s()).ensure(5.0)
    store.close()


def test_a_host_cut_from_the_database_stops_sending() -> None:
    store = Store("postgresql://postgres@/brama?host=/nonexistent")
    lease = Lease(store, uuid4(), fence=1, seconds=30, asked_at=steady_s() - 29)
    with pytest.raises(StoreUnavailable):
        lease.ensure(5.0)
    store.close()


# --- the scheduler may lose everything -------------------------------------------------------------------------------


def test_losing_every_job_row_loses_no_delivery(gateway: Gateway) -> None:
    submissions = [gateway.receive() for _ in range(3)]
    gateway.work_one()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("TRUNCATE procrastinate_jobs CASCADE"))
    assert not gateway.work_one()
    assert [gateway.states(one) for one in submissions] == [["due"], [], []]

    time.sleep(gateway.tools.config.gateway.worker.sweep_s + 0.1)
    sweep.sweep(gateway.tools)
    gateway.work_until_quiet()

    assert [gateway.states(one) for one in submissions] == [["delivered"]] * 3


def test_a_wake_up_taken_by_a_live_worker_that_lost_the_database_loses_nothing(gateway: Gateway) -> None:
    """The job stays `doing` for ever, its worker's heart beats, and yet the delivery must go on."""
    submission = gateway.receive()
    gateway.work_one()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
        transaction.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
        )
    time.sleep(gateway.tools.config.gateway.worker.sweep_s + 0.1)
    sweep.sweep(gateway.tools)
    gateway.work_until_quiet()

    assert gateway.states(submission) == ["delivered"]
    with gateway.tools.store.begin() as transaction:
        assert sweeps.drop_abandoned_jobs(transaction, after_s=3600) == 0
        assert sweeps.drop_abandoned_jobs(transaction, after_s=0) == 1


def test_wake_ups_without_work_end_quietly(gateway: Gateway) -> None:
    submission = gateway.receive()
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)
    for _ in range(2):
        flow.deliver(delivery.id, gateway.tools)
        flow.process(submission.id, gateway.tools)
        flow.deliver(uuid4(), gateway.tools)
        flow.process(uuid4(), gateway.tools)

    assert gateway.outcomes(submission) == ["delivered"]


def test_a_delivery_parked_behind_nobody_is_freed_by_the_sweep(gateway: Gateway) -> None:
    submission = gateway.receive()
    gateway.work_one()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE delivery SET parked = 'order', due_at = NULL, woken_at = NULL"))
        transaction.execute(text("TRUNCATE procrastinate_jobs CASCADE"))
    sweep.sweep(gateway.tools)
    gateway.work_until_quiet()

    assert gateway.states(submission) == ["delivered"]

"""The single statements of delivering: fenced, in order, and true together or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from gateway import flow, worker
from gateway.store import deliveries, delivering, events, jobs
from gateway.store.attempts import Said
from gateway.store.database import Store
from gateway.store.delivering import Claim
from schemas.delivery import Delivered, Repeat
from schemas.submission import Submission
from tests.builders import a_signed_document
from tests.gateways import Gateway
from tests.scripted import Scripted, with_office, with_worker

SAID = Said("delivered", None, None, 7, "d1", {"reference": "RPW/1"}, {"outcome": "delivered"})


def test_delivered_is_everything_at_once_and_a_second_time_nothing(gateway: Gateway) -> None:
    submission, claim = _claimed(gateway)

    assert _delivered(gateway, claim)
    before = _rows(gateway)
    assert not _delivered(gateway, claim)

    assert _rows(gateway) == before
    (delivery,) = gateway.deliveries(submission)
    (attempt,) = gateway.attempts(submission)
    assert (delivery.state, delivery.reference) == ("delivered", "RPW/1")
    assert (attempt.outcome, attempt.took_ms, attempt.digest_sent, attempt.references) == (
        "delivered", 7, "d1", {"reference": "RPW/1"},
    )  # fmt: skip
    assert gateway.words(submission)[-1] == "attempt_finished"
    with gateway.tools.store.begin() as transaction:
        assert events.broken_at(transaction, submission.id) is None


@pytest.mark.parametrize("changed", ["fence = fence + 1", "state = 'unsettled'"])
def test_delivered_is_not_stored_for_who_holds_it_no_more(gateway: Gateway, changed: str) -> None:
    _, claim = _claimed(gateway)
    _sql(gateway, f"UPDATE delivery SET {changed}")
    before = _rows(gateway)

    assert not _delivered(gateway, claim)
    assert _rows(gateway) == before


def test_delivered_sees_who_was_parked_behind_it_while_it_waited_for_the_lock(gateway: Gateway) -> None:
    """The order key is locked before the statement looks: what it freed by an older look would be nobody."""
    _, claim = _claimed(gateway, taxpayer=7)
    correction = gateway.receive(a_signed_document(taxpayer=7, purpose="2"))
    with ThreadPoolExecutor(1) as threads:
        with gateway.tools.store.begin() as transaction:
            new = deliveries.schedule(
                transaction, submission_id=correction.id, sequence=correction.sequence, tenant=correction.tenant or "",
                connector="office", form="f", kind="k", record=None, order_key=claim.delivery.order_key,
            )  # fmt: skip
            stored = threads.submit(_delivered, gateway, claim)
            _is_waiting(stored, gateway)
        assert stored.result(20)

    (freed,) = _sql(
        gateway, "SELECT parked, woken_at IS NOT NULL FROM delivery WHERE sequence = :s", s=correction.sequence
    )
    assert freed == (None, True)
    assert (str(new),) in _sql(gateway, "SELECT args ->> 'id' FROM procrastinate_jobs WHERE task_name = 'deliver'")


def test_delivered_waits_for_who_adds_to_the_history_and_follows_it(gateway: Gateway) -> None:
    submission, claim = _claimed(gateway)
    with ThreadPoolExecutor(1) as threads:
        with gateway.tools.store.begin() as transaction:
            events.append(transaction, submission.id, "noted")
            stored = threads.submit(_delivered, gateway, claim)
            _is_waiting(stored, gateway)
            lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 0))"
            assert _sql(gateway, lock, key=claim.delivery.order_key) == [(False,)]  # held until all is committed
        assert stored.result(20)

    assert gateway.words(submission)[-2:] == ["noted", "attempt_finished"]
    with gateway.tools.store.begin() as transaction:
        assert events.broken_at(transaction, submission.id) is None


def test_an_intent_leaves_a_lease_that_lasts_and_renews_it_when_told_to(gateway: Gateway) -> None:
    _, claim = _claimed(gateway)
    first = _lease_until(gateway)

    assert _intend(gateway, claim, "register")
    assert _lease_until(gateway) == first
    assert _intend(gateway, claim, "attach", lease_s=3600.0)
    assert _lease_until(gateway) > first


@pytest.mark.parametrize("lease_s", [None, 30.0])
def test_an_intent_is_not_recorded_for_who_holds_it_no_more(gateway: Gateway, lease_s: float | None) -> None:
    _, claim = _claimed(gateway)
    _sql(gateway, "UPDATE delivery SET fence = fence + 1")

    assert not _intend(gateway, claim, "register", lease_s)
    assert _sql(gateway, "SELECT name FROM step") == []


def test_the_first_result_of_a_step_stands(gateway: Gateway) -> None:
    _, claim = _claimed(gateway)
    _intend(gateway, claim, "register")
    for number in ("1", "2"):
        with gateway.tools.store.direct() as connection:
            delivering.keep_result(connection, claim.delivery.id, "register", {"number": number})

    assert _sql(gateway, "SELECT result FROM step") == [({"number": "1"},)]


def test_only_wake_ups_of_deliveries_are_taken_oldest_first(gateway: Gateway) -> None:
    first, second = (_scheduled(gateway, gateway.receive(a_signed_document("letter", seed=n))) for n in (5, 6))
    with gateway.tools.store.begin() as transaction:
        jobs.wake(transaction, jobs.PROCESS, [uuid4()])
    with gateway.tools.store.direct() as connection:
        taken = [delivering.take(connection) for _ in range(3)]

    assert [one[0] if one else None for one in taken] == [first, second, None]
    assert {name for (name,) in _sql(gateway, "SELECT task_name FROM procrastinate_jobs")} == {"process"}


def test_taking_does_not_hurry_the_commits_that_follow(gateway: Gateway) -> None:
    _scheduled(gateway, gateway.receive())
    with gateway.tools.store.direct() as connection:
        assert delivering.take(connection) is not None
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_wake_up_for_nothing_is_taken_and_ends_quietly(gateway: Gateway) -> None:
    with gateway.tools.store.begin() as transaction:
        jobs.wake(transaction, jobs.DELIVER, [uuid4()])

    assert flow.deliver_next(gateway.tools)
    assert not flow.deliver_next(gateway.tools)


def test_threads_that_take_what_is_next_deliver_all_and_nothing_twice(gateway: Gateway) -> None:
    office = Scripted()
    gateway = with_office(gateway, office)
    for seed in range(12):
        _scheduled(gateway, gateway.receive(a_signed_document("letter", seed=seed + 20)))
    together = threading.Barrier(4)

    def go_on() -> None:
        together.wait()
        while flow.deliver_next(gateway.tools):
            pass

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(go_on) for _ in range(4)]:
            done.result()

    assert len(set(office.sent)) == len(office.sent) == 12
    assert _sql(gateway, "SELECT count(*) FROM delivery WHERE state = 'delivered'") == [(12,)]


def test_a_worker_goes_on_with_what_is_ready_without_asking_the_queue_for_each(gateway: Gateway) -> None:
    gateway = with_worker(with_office(gateway, Scripted()), concurrency=1)
    for seed in range(6):
        _scheduled(gateway, gateway.receive(a_signed_document("letter", seed=seed + 40)))
    before = _noted_by_queue(gateway)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run_worker, args=(gateway.tools, stop))
    thread.start()
    try:
        while _sql(gateway, "SELECT count(*) FROM delivery WHERE state = 'delivered'") != [(6,)]:
            assert thread.is_alive()
            stop.wait(0.05)
    finally:
        stop.set()
        thread.join()

    assert 1 <= _noted_by_queue(gateway) - before <= 3  # a job of the queue is good for one more delivery at least


def test_a_connection_lent_while_the_store_was_closed_is_closed_when_it_comes_back(database_url: str) -> None:
    store = Store(database_url)
    with store.direct() as connection:
        store.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert connection.closed


def _claimed(gateway: Gateway, taxpayer: int = 1) -> tuple[Submission, Claim]:
    submission = gateway.receive(a_signed_document(taxpayer=taxpayer))
    delivery_id = _scheduled(gateway, submission)
    with gateway.tools.store.direct() as connection:
        claim = delivering.claim(
            connection, delivery_id, worker="w", lease_s=30.0, repeat=Repeat.SAFE, settle_s=0.0, message_id="m"
        )
    assert claim is not None
    return submission, claim


def _scheduled(gateway: Gateway, submission: Submission) -> UUID:
    """Processed, with the wake-up of its delivery alone in the queue."""
    flow.process(submission.id, gateway.tools)
    _sql(gateway, "DELETE FROM procrastinate_jobs WHERE task_name <> 'deliver'")
    (delivery,) = gateway.deliveries(submission)
    return delivery.id


def _delivered(gateway: Gateway, claim: Claim) -> bool:
    with gateway.tools.store.direct() as connection:
        return delivering.delivered(connection, claim, Delivered("RPW/1", {"case": "2"}), SAID)


def _intend(gateway: Gateway, claim: Claim, name: str, lease_s: float | None = None) -> bool:
    with gateway.tools.store.direct() as connection:
        return delivering.intend(connection, claim.delivery.id, name, claim.fence, lease_s)


def _lease_until(gateway: Gateway) -> datetime:
    ((until,),) = _sql(gateway, "SELECT lease_until FROM delivery")
    assert isinstance(until, datetime)
    return until


def _rows(gateway: Gateway) -> list[Any]:
    """Whatever an outcome may touch."""
    tables = ("delivery", "attempt", "event", "submission", "procrastinate_jobs")
    return [_sql(gateway, f"SELECT * FROM {table}") for table in tables]


def _noted_by_queue(gateway: Gateway) -> int:
    """How often a job of the queue was begun or put in; it notes both, and forgets them with the job."""
    ((number,),) = _sql(gateway, "SELECT last_value FROM procrastinate_events_id_seq")
    return int(number)


def _is_waiting(stored: Future[bool], gateway: Gateway) -> None:
    """Until its statement waits for a lock of somebody else."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while _sql(gateway, asked) == [(0,)]:
        assert not stored.done()


def _sql(gateway: Gateway, query: str, **given: Any) -> list[tuple[Any, ...]]:
    with gateway.tools.store.begin() as transaction:
        found = transaction.execute(text(query), given)
        return [tuple(row) for row in found] if found.returns_rows else []

"""Leaving offices alone: breaker, rate, places at a time, pauses."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from connectors.rehearsal import Behaviour
from gateway import flow, operations, sweep
from gateway.tools import Office
from schemas.delivery import CaseRecord, Delivered, Outcome, Refused, Steps, Unreachable, Unsettled
from schemas.errors import OperationRefused
from tests.builders import OTHER_MAILBOX, OTHER_TERYT, PROPERTY_RETURN, TERYT, a_signed_document
from tests.gateways import Gateway
from tests.scripted import Scripted, with_office, with_worker

WHO: dict[str, Any] = {"actor": "a.kowalska", "reason": "awaria w urzędzie"}


class One:
    """Every tenant's office, with limits."""

    def __init__(self, connector: Any, **limits: Any) -> None:
        self.office = Office(connector, 1.0, 0.0, **limits)

    def get(self, _tenant: str, _connector: str) -> Office:
        return self.office


OPEN_LONG = {"breaker_s": 600.0, "breaker_longest_s": 6000.0}  # no test waits for that: see `the_time_passes`


def the_time_passes(gateway: Gateway) -> None:
    """For which the office is left alone; whoever waits for just that is due."""
    with gateway.tools.store.begin() as transaction:
        waits = "d.tenant = o.tenant AND d.connector = o.connector AND d.due_at = o.open_until"
        transaction.execute(text(f"UPDATE delivery d SET due_at = now() FROM office o WHERE {waits}"))
        transaction.execute(text("UPDATE office SET open_until = now() - interval '1 second'"))


def work_all(gateway: Gateway) -> None:
    """Everything ready now, without waiting for anything."""
    sweep.tick(gateway.tools)
    while gateway.work_one():
        pass


# --- breaker ---------------------------------------------------------------------------------------------------------


def test_an_office_that_keeps_failing_is_left_alone_and_then_probed_once(gateway: Gateway) -> None:
    office = Scripted(*[Unreachable("http.not_sent")] * 3)
    gateway = with_worker(with_office(gateway, office), breaker_after=3, retry_s=(60.0,), **OPEN_LONG)
    submissions = [gateway.receive() for _ in range(6)]
    work_all(gateway)

    assert len(office.sent) == 3  # the other three were not even tried
    assert sum(len(gateway.attempts(one)) for one in submissions) == 3
    (view,) = operations.offices(gateway.tools.store)
    assert view.open_until is not None
    assert (view.failures, view.last_code, view.under_way) == (3, "http.not_sent", 6)

    the_time_passes(gateway)
    gateway.work_until_quiet()  # one probe succeeds, and what waited a minute goes at once

    assert [gateway.states(one) for one in submissions] == [["delivered"]] * 6
    (view,) = operations.offices(gateway.tools.store)
    assert (view.failures, view.open_until, view.delivered) == (0, None, 6)


def test_what_is_due_at_an_office_that_is_left_alone_waits_without_a_wake_up_each(gateway: Gateway) -> None:
    office = Scripted(Unreachable("http.not_sent"))
    gateway = with_worker(with_office(gateway, office), breaker_after=1, retry_s=(0.01,), **OPEN_LONG)
    submissions = [gateway.receive() for _ in range(3)]
    work_all(gateway)
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE delivery SET due_at = now() - interval '1 second', woken_at = NULL"))
    sweep.tick(gateway.tools)

    with gateway.tools.store.begin() as transaction:
        left = transaction.execute(text("SELECT count(*) FROM delivery d, office o WHERE d.due_at = o.open_until"))
        assert left.scalar_one() == 3
        assert transaction.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one() == 0
    the_time_passes(gateway)
    gateway.work_until_quiet()
    assert [gateway.states(one) for one in submissions] == [["delivered"]] * 3


def test_a_wake_up_that_claims_nothing_leaves_the_probe_to_others(gateway: Gateway) -> None:
    office = Scripted(*[Unreachable("http.not_sent")] * 3)
    gateway = with_worker(with_office(gateway, office), breaker_after=3, retry_s=(60.0,), **OPEN_LONG)
    submissions = [gateway.receive() for _ in range(4)]
    work_all(gateway)
    the_time_passes(gateway)

    (not_due,) = gateway.deliveries(submissions[0])
    flow.deliver(not_due.id, gateway.tools)  # a doubled wake-up: it waits a minute, so there is nothing to claim
    gateway.work_until_quiet()

    assert gateway.states(submissions[3]) == ["delivered"]


def test_when_an_office_is_back_what_was_in_doubt_is_asked_at_once_too(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.answer_lost"), *[Unreachable("http.not_sent")] * 2)
    gateway = with_worker(with_office(gateway, office), breaker_after=3, retry_s=(60.0,), **OPEN_LONG)
    submissions = [gateway.receive() for _ in range(4)]
    work_all(gateway)
    assert gateway.states(submissions[0]) == ["unsettled"]

    the_time_passes(gateway)
    gateway.work_until_quiet()  # the fourth is the probe; nobody waits out its own minute

    assert [gateway.states(one) for one in submissions] == [["delivered"]] * 4


def test_a_failed_probe_closes_the_door_for_longer(gateway: Gateway) -> None:
    office = Scripted(*[Unreachable("http.not_sent")] * 3)
    gateway = with_worker(with_office(gateway, office), breaker_after=2, retry_s=(0.01,), **OPEN_LONG)
    gateway.receive()
    gateway.receive()
    work_all(gateway)
    the_time_passes(gateway)
    work_all(gateway)
    assert len(office.sent) == 3
    with gateway.tools.store.begin() as transaction:
        left = transaction.execute(text("SELECT extract(epoch FROM open_until - now()) FROM office")).scalar_one()
    assert left > 900  # of 1,200


def test_a_refusal_is_an_answer_and_opens_nothing(gateway: Gateway) -> None:
    office = Scripted(*[Refused("answer.refused")] * 4)
    gateway = with_worker(with_office(gateway, office), breaker_after=2)
    for _ in range(4):
        gateway.receive()
    work_all(gateway)
    assert len(office.sent) == 4


def test_an_office_that_only_answers_later_is_not_left_alone(gateway: Gateway) -> None:
    office = Scripted(*[Unsettled("response.awaited", awaited=True)] * 4)
    gateway = with_worker(with_office(gateway, office), breaker_after=2, retry_s=(60.0,), **OPEN_LONG)
    submissions = [gateway.receive() for _ in range(4)]
    work_all(gateway)

    assert len(office.sent) == 4
    assert [gateway.states(one) for one in submissions] == [["unsettled"]] * 4
    assert [view.failures for view in operations.offices(gateway.tools.store)] == [0]


def test_another_gminas_office_is_not_touched_by_this_ones_failures(gateway: Gateway) -> None:
    gateway = with_worker(gateway, breaker_after=1, retry_s=(60.0,), **OPEN_LONG)
    gateway.office.behave(Behaviour.UNREACHABLE)
    gateway.receive()
    other = gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    work_all(gateway)
    assert gateway.states(other) == ["delivered"]


# --- rate and crowd --------------------------------------------------------------------------------------------------


def test_no_more_than_the_rate_reaches_an_office(gateway: Gateway) -> None:
    office = Scripted()
    gateway = gateway.with_tools(offices=One(office, rate_per_s=0.01, burst=2))
    submissions = [gateway.receive() for _ in range(3)]
    work_all(gateway)
    assert len(office.sent) == 2
    (third,) = gateway.deliveries(submissions[2])
    assert (third.state, third.attempts) == ("due", 0)

    with gateway.tools.store.begin() as transaction:  # a hundred seconds pass
        transaction.execute(text("UPDATE office SET tokens_at = tokens_at - interval '100 seconds'"))
        transaction.execute(text("UPDATE delivery SET due_at = now() WHERE due_at IS NOT NULL"))
    work_all(gateway)
    assert len(office.sent) == 3


def test_a_wake_up_that_claims_nothing_costs_the_office_no_turn(gateway: Gateway) -> None:
    office = Scripted(Unreachable("http.not_sent"))
    gateway = with_worker(gateway.with_tools(offices=One(office, rate_per_s=0.01, burst=2)), retry_s=(60.0,))
    submissions = [gateway.receive() for _ in range(2)]
    flow.process(submissions[0].id, gateway.tools)
    (not_due,) = gateway.deliveries(submissions[0])
    flow.deliver(not_due.id, gateway.tools)
    flow.deliver(not_due.id, gateway.tools)  # a doubled wake-up: it waits a minute, so there is nothing to claim
    work_all(gateway)

    assert gateway.states(submissions[1]) == ["delivered"]  # it got the second of the two turns


def test_no_more_than_its_places_are_at_an_office_at_a_time(gateway: Gateway) -> None:
    inside, most = [0], [0]
    lock = threading.Lock()

    def slowly(_record: CaseRecord, key: str, _steps: Steps) -> Outcome:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.1)
        with lock:
            inside[0] -= 1
        return Delivered(key)

    office = Scripted(*[slowly] * 8)
    gateway = gateway.with_tools(offices=One(office, max_concurrent=2))
    submissions = [gateway.receive() for _ in range(6)]
    for one in submissions:
        flow.process(one.id, gateway.tools)
    ids = [gateway.deliveries(one)[0].id for one in submissions]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda one: flow.deliver(one, gateway.tools), ids))
    gateway.work_until_quiet()

    assert most[0] <= 2
    assert [gateway.states(one) for one in submissions] == [["delivered"]] * 6


# --- pause -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what", [{"tenant": TERYT}, {"connector": "office", "tenant": TERYT}, {"form": PROPERTY_RETURN}]
)
def test_what_is_paused_waits_visibly_and_everything_else_flows(gateway: Gateway, what: dict[str, str]) -> None:
    store = gateway.tools.store
    paused = operations.pause(store, **what, **WHO)
    stopped = gateway.receive()
    other = gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    work_all(gateway)

    (view,) = operations.submission(store, stopped.id).deliveries
    assert (view.delivery.state, view.parked, view.attempts) == ("due", "pause", ())
    assert gateway.states(other) == ["delivered"]
    assert [item.id for item in operations.pauses(store)] == [paused.id]

    assert operations.resume(store, paused.id, **WHO) == 1
    gateway.work_until_quiet()
    assert gateway.states(stopped) == ["delivered"]
    assert operations.pauses(store) == []


def test_a_pause_needs_a_target_and_ends_once(gateway: Gateway) -> None:
    store = gateway.tools.store
    with pytest.raises(OperationRefused) as refused:
        operations.pause(store, **WHO)
    assert refused.value.code == "operation.pause_what"
    paused = operations.pause(store, tenant=OTHER_TERYT, **WHO)
    operations.resume(store, paused.id, **WHO)
    with pytest.raises(OperationRefused) as refused:
        operations.resume(store, paused.id, **WHO)
    assert refused.value.code == "operation.not_paused"

"""Delivering: outcomes, order, leases and fencing, remembered steps, and a scheduler that may lose everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from connectors.base import Capabilities, LookUpFailed, Options
from connectors.rehearsal import Behaviour
from gateway import flow, sweep
from gateway.clock import steady_s
from gateway.steps import Lease, LeaseLost, RememberedSteps
from gateway.store import attempts, sweeps
from gateway.store.database import Store
from gateway.tools import Office
from schemas.delivery import (
    CaseRecord,
    Delivered,
    Outcome,
    Refused,
    Repeat,
    StepInDoubt,
    Steps,
    StepStopped,
    Unreachable,
    Unsettled,
)
from schemas.errors import ConnectorError, MappingError, StoreUnavailable
from schemas.submission import Submission
from tests.builders import a_signed_document
from tests.gateways import Gateway


class Scripted:
    """An office of one test: says what the script says, counts what it got."""

    options_model = Options

    def __init__(self, *script: Any, repeat: Repeat = Repeat.FINDABLE, found: Any = None, look_up: bool = True) -> None:
        self.capabilities = Capabilities(repeat=repeat, look_up=look_up)
        self.script = list(script)
        self.found = found
        self.asked: list[str] = []
        self.sent: list[str] = []
        self.messages: list[str] = []

    def check(self) -> None: ...

    def find(self, key: str) -> str | None:
        self.asked.append(key)
        found = self.found() if callable(self.found) else self.found
        assert found is None or isinstance(found, str)
        return found

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        self.sent.append(key)
        self.messages.append(steps.message_id)
        says = self.script.pop(0) if self.script else Delivered(f"ref-{len(self.sent)}")
        if isinstance(says, Exception):
            raise says
        outcome: Outcome = says(record, key, steps) if callable(says) else says
        return outcome


class Offices:
    def __init__(self, connector: Any, settle_delay_s: float = 0.0, timeout_s: float = 1.0) -> None:
        self.office = Office(connector, timeout_s, settle_delay_s)

    def get(self, _tenant: str, _connector: str) -> Office:
        return self.office


def with_office(gateway: Gateway, office: Any, **options: float) -> Gateway:
    return gateway.with_tools(offices=Offices(office, **options))


def test_an_unreachable_office_is_tried_again_until_it_is_back(gateway: Gateway) -> None:
    office = Scripted(Unreachable("http.not_sent"), Unreachable("http.later", retry_after_s=0.2))
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unreachable", "unreachable", "delivered"]
    assert office.asked == []
    assert len(set(office.messages)) == 3  # the key stays, the message id is fresh
    assert set(office.sent) == set(gateway.keys(submission))


def test_a_refusal_waits_for_a_person_with_the_offices_reason(gateway: Gateway) -> None:
    gateway = with_office(gateway, Scripted(Refused("answer.refused", "Nie ma takiej teczki")))
    submission = gateway.receive()
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(submission)
    assert (delivery.state, delivery.last_code, delivery.last_text) == (
        "refused", "answer.refused", "Nie ma takiej teczki",
    )  # fmt: skip


def test_an_escaping_exception_is_recorded_and_never_repeated_blindly(gateway: Gateway) -> None:
    office = Scripted(ZeroDivisionError("our bug"), repeat=Repeat.SAFE)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    (attempt,) = gateway.attempts(submission)
    assert (attempt.outcome, attempt.code, attempt.text) == ("unsettled", "connector.escaped", "ZeroDivisionError")
    assert gateway.deliveries(submission)[0].due_at is None
    assert len(office.sent) == 1


def test_a_safe_connector_sends_again_after_a_lost_answer_where_it_cannot_ask(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), repeat=Repeat.SAFE, look_up=False)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unsettled", "delivered"]
    assert (len(office.sent), office.asked) == (2, [])


def test_what_may_be_there_is_not_called_surely_undelivered_because_the_office_went_away(gateway: Gateway) -> None:
    """Safe to repeat, so it is not asked; the repeat did not get through, and the first answer is still lost."""

    def away(*_: Any) -> Unreachable:
        time.sleep(2.5)  # past the time in which it is tried again
        return Unreachable("http.not_sent")

    office = Scripted(Unsettled("http.timeout"), away, repeat=Repeat.SAFE, look_up=False)
    gateway = with_worker(with_office(gateway, office, timeout_s=10), retry_for_h=2 / 3600)
    submission = gateway.receive()
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(submission)
    assert gateway.outcomes(submission) == ["unsettled", "unreachable"]
    assert (delivery.state, delivery.due_at) == ("unsettled", None)  # given up, and a person should look there


def with_worker(gateway: Gateway, **changes: Any) -> Gateway:
    """The same gateway with other settings of its workers."""
    config = gateway.tools.config
    worker = config.gateway.worker.model_copy(update=changes)
    return gateway.with_tools(
        config=config.model_copy(update={"gateway": config.gateway.model_copy(update={"worker": worker})})
    )


def test_a_findable_connector_is_asked_after_its_settle_delay_and_not_before(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), found="RPW/7")
    gateway = with_office(gateway, office, settle_delay_s=0.6)
    submission = gateway.receive()
    while gateway.work_one():
        pass
    started = time.monotonic()
    while not office.asked:
        sweep.tick(gateway.tools)
        gateway.work_one()

    assert time.monotonic() - started > 0.5
    assert gateway.states(submission) == ["delivered"]
    assert gateway.deliveries(submission)[0].reference == "RPW/7"
    assert len(office.sent) == 1


def test_a_findable_connector_sends_again_only_when_the_office_says_it_has_nothing(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), found=None)
    gateway = with_office(gateway, office)
    gateway.receive()
    gateway.work_until_quiet()

    assert (len(office.asked), len(office.sent)) == (1, 2)


def test_an_office_that_cannot_be_asked_is_asked_again_and_not_sent_to(gateway: Gateway) -> None:
    answers = iter([LookUpFailed("http.timeout"), OSError("boom"), None])

    def found() -> None:
        says = next(answers)
        if says:
            raise says

    office = Scripted(Unsettled("http.timeout"), found=found)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unsettled", "unsettled", "unsettled", "delivered"]
    assert [attempt.code for attempt in gateway.attempts(submission)][1:3] == [
        "http.timeout", "connector.look_up_failed",
    ]  # fmt: skip
    assert len(office.sent) == 2


def test_a_blind_connector_leaves_a_lost_answer_to_a_person(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), repeat=Repeat.BLIND, look_up=False)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unsettled"]
    assert gateway.deliveries(submission)[0].due_at is None


def test_a_connector_that_cannot_be_built_waits_for_a_better_configuration(gateway: Gateway) -> None:
    class Broken:
        def get(self, _tenant: str, _connector: str) -> Office:
            raise ConnectorError("connector.not_configured", tenant="x", connector="y")

    broken = gateway.with_tools(offices=Broken())
    submission = broken.receive()
    for _ in range(2):
        broken.work_one()
    assert (gateway.states(submission), gateway.attempts(submission)[0].code) == (
        ["waiting"], "connector.not_configured",
    )  # fmt: skip

    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]


def test_a_record_that_does_not_fit_is_refused_with_all_its_problems_and_not_sent(gateway: Gateway) -> None:
    def refuse(_case: dict[str, Any], _name: str) -> dict[str, Any]:
        raise MappingError("mapping.record_refused", problems=["title too long", "surname missing"])

    office = Scripted()
    gateway = with_office(gateway, office).with_tools(record=refuse)
    submission = gateway.receive()
    gateway.work_one()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE delivery SET record = 'any'"))
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(submission)
    assert (delivery.state, delivery.last_code) == ("refused", "mapping.record_refused")
    assert "surname missing" in (delivery.last_text or "")
    assert office.sent == []


def test_a_table_that_breaks_is_shown_and_nothing_is_sent(gateway: Gateway) -> None:
    def broken(_case: dict[str, Any], _name: str) -> dict[str, Any]:
        raise ZeroDivisionError

    office = Scripted()
    gateway = with_office(gateway, office).with_tools(record=broken)
    submission = gateway.receive()
    gateway.work_one()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE delivery SET record = 'any'"))
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(submission)
    assert (delivery.state, delivery.last_code) == ("refused", "delivery.record_failed")
    assert office.sent == []


# --- order -----------------------------------------------------------------------------------------------------------


def test_a_correction_waits_for_its_original_and_other_taxpayers_flow(gateway: Gateway) -> None:
    gateway.office.behave(Behaviour.REFUSE, times=1)
    original = gateway.receive(a_signed_document(taxpayer=7))
    gateway.work_until_quiet()
    correction = gateway.receive(a_signed_document(taxpayer=7, purpose="2"))
    other = gateway.receive(a_signed_document(taxpayer=8))
    gateway.work_until_quiet()

    assert gateway.states(original) == ["refused"]
    assert gateway.states(other) == ["delivered"]
    (waiting,) = gateway.deliveries(correction)
    assert waiting.state == "due"
    assert waiting.waits_for == gateway.deliveries(original)[0].id
    assert waiting.attempts == 0


def test_when_the_original_is_delivered_the_correction_follows_at_once(gateway: Gateway) -> None:
    gateway.office.behave(Behaviour.UNREACHABLE, times=2)
    documents = [a_signed_document(taxpayer=7) for _ in range(3)]
    submissions = [gateway.receive(document) for document in documents]
    gateway.work_until_quiet()

    assert [gateway.states(one) for one in submissions] == [["delivered"]] * 3
    assert list(gateway.office.received) == [gateway.keys(one)[0] for one in submissions]


def test_a_delivery_does_not_overtake_an_earlier_submission_that_is_not_processed_yet(gateway: Gateway) -> None:
    original = gateway.receive(a_signed_document(taxpayer=7))
    correction = gateway.receive(a_signed_document(taxpayer=7, purpose="2"))
    flow.process(correction.id, gateway.tools)
    (delivery,) = gateway.deliveries(correction)
    flow.deliver(delivery.id, gateway.tools)
    assert gateway.states(correction) == ["due"]

    gateway.work_until_quiet()
    assert list(gateway.office.received) == [gateway.keys(original)[0], gateway.keys(correction)[0]]


def test_a_letter_names_no_taxpayer_and_waits_for_nobody(gateway: Gateway) -> None:
    gateway.office.behave(Behaviour.REFUSE, times=1)
    gateway.receive(a_signed_document("letter", seed=5))
    second = gateway.receive(a_signed_document("letter", seed=6))
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(second)
    assert (delivery.order_key, delivery.state) == (None, "delivered")


# --- many workers ----------------------------------------------------------------------------------------------------


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


def test_an_outcome_whose_commit_was_not_confirmed_is_not_called_late(gateway: Gateway) -> None:
    """The database stored it and went away before it said so: the worker writes again and finds its own words."""
    store = gateway.tools.store
    answers = ForgetfulStore(store.dsn)
    office = Scripted(answers.lose_the_next)
    submission = gateway.receive()
    with_office(gateway, office).with_tools(store=answers).work_until_quiet()
    answers.close()

    assert answers.lost == 1
    assert gateway.outcomes(submission) == ["delivered"]
    assert gateway.words(submission).count("attempt_finished") == 1
    assert "late_outcome_refused" not in gateway.words(submission)


class ForgetfulStore(Store):
    """A real store whose server once goes away right after a commit."""

    losing, lost = False, 0

    def lose_the_next(self, _record: CaseRecord, key: str, _steps: Steps) -> Outcome:
        self.losing = True
        return Delivered(key)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with super().begin() as connection:
            yield connection
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


# --- remembered steps ------------------------------------------------------------------------------------------------


def test_a_retry_begins_at_the_first_missing_step(gateway: Gateway) -> None:
    calls: list[str] = []

    def step(name: str) -> dict[str, Any]:
        calls.append(name)
        if calls == ["register", "attach"]:
            raise StepStopped(Unreachable("http.later"))
        return {"number": name}

    def three(_record: CaseRecord, _key: str, steps: Steps) -> Outcome:
        try:
            results = [steps.once(name, lambda name=name: step(name)) for name in ("register", "attach", "open")]
        except StepStopped as stop:
            return stop.outcome
        return Delivered(results[0]["number"])

    gateway = with_office(gateway, Scripted(three, three))
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert calls == ["register", "attach", "attach", "open"]
    assert gateway.states(submission) == ["delivered"]


@pytest.mark.parametrize(("repeat", "called"), [(Repeat.SAFE, True), (Repeat.FINDABLE, False), (Repeat.BLIND, False)])
def test_a_step_in_doubt_without_a_look_up_runs_again_only_where_that_is_safe(
    gateway: Gateway, repeat: Repeat, called: bool
) -> None:
    steps = _steps(gateway, repeat)
    with pytest.raises(ConnectionError):
        steps.once("register", _lost)
    calls: list[int] = []
    again = _steps(gateway, repeat, steps)
    if called:
        assert again.once("register", lambda: calls.append(1) or {"n": "1"}) == {"n": "1"}
    else:
        with pytest.raises(StepInDoubt):
            again.once("register", lambda: calls.append(1) or {"n": "1"})
    assert bool(calls) == called


@pytest.mark.parametrize(("found", "expected", "called"), [({"n": "found"}, "found", 0), (None, "sent", 1)])
def test_a_step_in_doubt_is_looked_up_first(
    gateway: Gateway, found: dict[str, Any] | None, expected: str, called: int
) -> None:
    steps = _steps(gateway, Repeat.FINDABLE)
    with pytest.raises(ConnectionError):
        steps.once("register", _lost)
    calls: list[int] = []
    again = _steps(gateway, Repeat.FINDABLE, steps)

    assert again.once("register", lambda: calls.append(1) or {"n": "sent"}, lambda: found) == {"n": expected}
    assert len(calls) == called
    assert again.once("register", _lost) == {"n": expected}


@pytest.mark.parametrize("outcome", [Refused("no"), Unreachable("later")])
def test_a_step_that_surely_had_no_effect_is_not_in_doubt(gateway: Gateway, outcome: Outcome) -> None:
    def stopped() -> dict[str, Any]:
        raise StepStopped(outcome)

    steps = _steps(gateway, Repeat.BLIND)
    with pytest.raises(StepStopped):
        steps.once("register", stopped)

    assert _steps(gateway, Repeat.BLIND, steps).once("register", lambda: {"n": "1"}) == {"n": "1"}


def test_a_step_begun_by_a_worker_that_lost_its_lease_is_not_called(gateway: Gateway) -> None:
    steps = _steps(gateway, Repeat.SAFE)
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE delivery SET fence = fence + 1"))
    with pytest.raises(LeaseLost):
        steps.once("register", _lost)


def test_a_step_in_doubt_that_escapes_leaves_the_delivery_to_a_person(gateway: Gateway) -> None:
    def doubtful(_record: CaseRecord, _key: str, steps: Steps) -> Outcome:
        steps.once("register", _lost)
        raise AssertionError

    gateway = with_office(gateway, Scripted(doubtful, doubtful))
    submission = gateway.receive()
    gateway.work_until_quiet()
    with gateway.tools.store.begin() as transaction:  # the bug of the first try is mended: it may be tried again
        transaction.execute(text("UPDATE delivery SET due_at = now()"))
    gateway.work_until_quiet()

    assert [attempt.code for attempt in gateway.attempts(submission)] == [
        "connector.escaped", "delivery.step_in_doubt",
    ]  # fmt: skip
    assert gateway.deliveries(submission)[0].due_at is None


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


def _lost() -> dict[str, Any]:
    raise ConnectionError("the answer never came")


def claim_and_vanish(gateway: Gateway, submission: Submission, lease_s: float = -1) -> None:
    (delivery,) = gateway.deliveries(submission)
    with gateway.tools.store.begin() as transaction:
        claim = attempts.claim(
            transaction, delivery.id, worker="vanished", lease_s=lease_s, message_id="m",
            repeat=Repeat.FINDABLE, settle_s=0.0,
        )  # fmt: skip
    assert claim is not None


def _steps(gateway: Gateway, repeat: Repeat, earlier: RememberedSteps | None = None) -> RememberedSteps:
    """Steps of a claimed delivery, or of the next attempt at the same."""
    delivery_id: UUID
    if earlier is None:
        submission = gateway.receive()
        gateway.work_one()
        delivery_id = gateway.deliveries(submission)[0].id
        with gateway.tools.store.begin() as transaction:
            claim = attempts.claim(
                transaction, delivery_id, worker="w", lease_s=30, message_id="m", repeat=repeat, settle_s=0.0
            )
        assert claim is not None
        lease = Lease(gateway.tools.store, delivery_id, claim.fence, 30, steady_s())
    else:
        lease = earlier._lease
    with gateway.tools.store.begin() as transaction:
        known = attempts.steps_of(transaction, lease.delivery_id)
    return RememberedSteps(lease, repeat, 1.0, str(uuid4()), known)

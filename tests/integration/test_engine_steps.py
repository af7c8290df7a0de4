"""Remembered steps: a retry begins at the first that is missing, and one in doubt is looked up before it runs again."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from gateway.clock import steady_s
from gateway.steps import Lease, LeaseLost, RememberedSteps
from gateway.store import attempts, delivering
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
)
from tests.gateways import Gateway
from tests.scripted import Scripted, with_office


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


def test_a_step_begins_under_a_lease_that_lasts_as_long_as_it_may_take(gateway: Gateway) -> None:
    lease = _steps(gateway, Repeat.SAFE)._lease
    lease._ends -= 10  # of thirty seconds; more than half is left, but less than the step needs
    RememberedSteps(lease, Repeat.SAFE, 25.0, "m", {}).once("register", lambda: {"n": "1"})
    assert lease.left_s() > 20


def _lost() -> dict[str, Any]:
    raise ConnectionError("the answer never came")


def _steps(gateway: Gateway, repeat: Repeat, earlier: RememberedSteps | None = None) -> RememberedSteps:
    """Steps of a claimed delivery, or of the next attempt at the same."""
    delivery_id: UUID
    if earlier is None:
        submission = gateway.receive()
        gateway.work_one()
        delivery_id = gateway.deliveries(submission)[0].id
        with gateway.tools.store.direct() as connection:
            claim = delivering.claim(
                connection, delivery_id, worker="w", lease_s=30, message_id="m", repeat=repeat, settle_s=0.0
            )
        assert claim is not None
        lease = Lease(gateway.tools.store, delivery_id, claim.fence, 30, steady_s())
    else:
        lease = earlier._lease
    with gateway.tools.store.begin() as transaction:
        known = attempts.steps_of(transaction, lease.delivery_id)
    return RememberedSteps(lease, repeat, 1.0, str(uuid4()), known)

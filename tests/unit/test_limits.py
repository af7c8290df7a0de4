"""Breaker and bucket: when an office may be called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.limits import CLOSED, BreakerPolicy, Circuit, Go, Wait, after_failure, may_call, take_token

NOW = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
POLICY = BreakerPolicy(after=3, open_s=30, longest_s=100)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_closed_circuit_lets_everything_through() -> None:
    assert may_call(CLOSED, NOW, 45) == Go()
    assert may_call(Circuit(failures=2), NOW, 45) == Go()


def test_an_open_circuit_lets_nothing_through_until_its_time() -> None:
    assert may_call(Circuit(3, open_until=after(1)), NOW, 45) == Wait(after(1))


def test_past_its_time_one_probe_goes_and_the_others_wait_for_it() -> None:
    half_open = Circuit(3, open_until=NOW)
    answer = may_call(half_open, NOW, 45)
    assert answer == Go(Circuit(3, NOW, after(45)))
    assert isinstance(answer, Go)
    assert answer.circuit is not None
    assert may_call(answer.circuit, after(1), 45) == Wait(after(45))


def test_a_probe_that_vanished_is_followed_by_another() -> None:
    assert may_call(Circuit(3, NOW, after(45)), after(45), 45) == Go(Circuit(3, NOW, after(90)))


def test_failures_open_it_only_when_there_are_enough_in_a_row() -> None:
    circuit = CLOSED
    for _ in range(2):
        circuit = after_failure(circuit, NOW, POLICY)
        assert circuit.open_until is None
    assert after_failure(circuit, NOW, POLICY) == Circuit(3, after(30))


@pytest.mark.parametrize(("failures", "seconds"), [(2, 30), (3, 60), (4, 100), (500, 100)])
def test_each_failed_probe_doubles_the_time_up_to_the_longest(failures: int, seconds: float) -> None:
    assert after_failure(Circuit(failures), NOW, POLICY).open_until == after(seconds)


def test_a_bucket_never_used_is_full() -> None:
    assert take_token(None, None, NOW, rate_per_s=2, burst=3) == (2, None)


def test_an_empty_bucket_says_when_the_next_token_comes() -> None:
    assert take_token(0, NOW, NOW, rate_per_s=2, burst=3) == (0, Wait(after(0.5)))


@pytest.mark.parametrize(("passed", "left"), [(0.5, 0.0), (1.0, 1.0), (99.0, 2.0)])
def test_a_bucket_fills_with_its_rate_and_no_higher_than_its_burst(passed: float, left: float) -> None:
    assert take_token(0, NOW, after(passed), rate_per_s=2, burst=3) == (left, None)

"""When to try again: every outcome, every way to repeat, at every edge of the schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.retry import (
    ESCAPED,
    STEP_IN_DOUBT,
    AskAt,
    Done,
    GiveUp,
    RetryAt,
    RetryPolicy,
    WaitForPerson,
    lost_worker,
    next_ask,
    next_try,
)
from schemas.delivery import Delivered, Outcome, Refused, Repeat, Unreachable, Unsettled

FIRST = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
NO_LUCK = 0.5
WAITS = (5.0, 60.0, 3600.0)


def policy(repeat: Repeat = Repeat.SAFE, jitter: float = 0.0) -> RetryPolicy:
    return RetryPolicy(WAITS, give_up_after_s=100 * 3600, jitter=jitter, repeat=repeat, settle_delay_s=90)


def after(seconds: float) -> datetime:
    return FIRST + timedelta(seconds=seconds)


@pytest.mark.parametrize("repeat", list(Repeat))
def test_delivered_is_done_whatever_the_connector(repeat: Repeat) -> None:
    assert next_try(Delivered("EZD/1"), 1, FIRST, FIRST, policy(repeat), NO_LUCK) == Done()


@pytest.mark.parametrize("repeat", list(Repeat))
def test_a_refusal_waits_for_a_person_whatever_the_connector(repeat: Repeat) -> None:
    assert next_try(Refused("answer.refused"), 1, FIRST, FIRST, policy(repeat), NO_LUCK) == WaitForPerson()


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize(("attempt", "wait"), [(1, 5.0), (2, 60.0), (3, 3600.0), (4, 3600.0), (99, 3600.0)])
def test_an_unreachable_office_is_tried_on_the_schedule_and_the_last_wait_repeats(
    repeat: Repeat, attempt: int, wait: float
) -> None:
    found = next_try(Unreachable("http.not_sent"), attempt, FIRST, FIRST, policy(repeat), NO_LUCK)
    assert found == RetryAt(after(wait))


def test_an_office_that_names_a_longer_time_gets_it() -> None:
    named = Unreachable("http.later", retry_after_s=600)
    assert next_try(named, 1, FIRST, FIRST, policy(), NO_LUCK) == RetryAt(after(600))


@pytest.mark.parametrize("named", [1e7, 1e300, float("inf")])
def test_an_office_that_names_years_gets_a_day(named: float) -> None:
    found = next_try(Unreachable("http.later", retry_after_s=named), 1, FIRST, FIRST, policy(), NO_LUCK)
    assert found == RetryAt(after(86400))


def test_an_office_that_names_a_shorter_time_does_not_hurry_the_schedule() -> None:
    named = Unreachable("http.later", retry_after_s=1)
    assert next_try(named, 2, FIRST, FIRST, policy(), NO_LUCK) == RetryAt(after(60))


@pytest.mark.parametrize(("luck", "wait"), [(0.0, 48.0), (0.5, 60.0), (0.999999, 72.0)])
def test_jitter_moves_a_wait_by_its_share_and_no_more(luck: float, wait: float) -> None:
    found = next_try(Unreachable("x"), 2, FIRST, FIRST, policy(jitter=0.2), luck)
    assert isinstance(found, RetryAt)
    assert (found.at - FIRST).total_seconds() == pytest.approx(wait, abs=0.001)


def test_the_last_try_falls_on_the_deadline_itself() -> None:
    now = after(100 * 3600 - 10)
    assert next_try(Unreachable("x"), 9, FIRST, now, policy(), NO_LUCK) == RetryAt(after(100 * 3600))


@pytest.mark.parametrize("late", [0, 1])
def test_after_the_deadline_it_is_given_up(late: float) -> None:
    assert next_try(Unreachable("x"), 9, FIRST, after(100 * 3600 + late), policy(), NO_LUCK) == GiveUp()


def test_a_time_named_beyond_the_deadline_is_still_honoured() -> None:
    named = Unreachable("http.later", retry_after_s=7200)
    now = after(100 * 3600 - 10)
    assert next_try(named, 9, FIRST, now, policy(), NO_LUCK) == RetryAt(now + timedelta(seconds=7200))


@pytest.mark.parametrize(
    ("repeat", "follows"),
    [
        (Repeat.SAFE, RetryAt(after(5))),
        (Repeat.FINDABLE, AskAt(after(90))),  # never before the settle delay, though the schedule says 5 s
        (Repeat.BLIND, WaitForPerson()),
    ],
)
def test_a_lost_answer_is_repeated_asked_about_or_left_to_a_person(repeat: Repeat, follows: object) -> None:
    assert next_try(Unsettled("http.timeout"), 1, FIRST, FIRST, policy(repeat), NO_LUCK) == follows


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("code", [ESCAPED, STEP_IN_DOUBT])
def test_a_bug_or_a_doubtful_step_is_never_repeated_by_itself(repeat: Repeat, code: str) -> None:
    assert next_try(Unsettled(code), 1, FIRST, FIRST, policy(repeat), NO_LUCK) == WaitForPerson()


def test_a_safe_connector_whose_answers_keep_getting_lost_is_given_up_in_the_end() -> None:
    assert next_try(Unsettled("x"), 9, FIRST, after(100 * 3600), policy(), NO_LUCK) == GiveUp()


def test_an_office_that_cannot_be_asked_is_asked_again_on_the_schedule() -> None:
    found = next_ask(3, FIRST, FIRST, policy(Repeat.FINDABLE), NO_LUCK)
    assert found == AskAt(after(3600))


def test_an_office_that_can_never_be_asked_ends_with_a_person_and_not_with_giving_up() -> None:
    assert next_ask(9, FIRST, after(100 * 3600), policy(Repeat.FINDABLE), NO_LUCK) == WaitForPerson()


@pytest.mark.parametrize(
    ("repeat", "follows"),
    [(Repeat.SAFE, RetryAt(FIRST)), (Repeat.FINDABLE, AskAt(after(90))), (Repeat.BLIND, WaitForPerson())],
)
def test_a_vanished_worker_may_have_sent_until_its_lease_ended(repeat: Repeat, follows: object) -> None:
    assert lost_worker(FIRST, repeat, settle_delay_s=90) == follows


@pytest.mark.parametrize("outcome", [Delivered(), Refused("x"), Unreachable("x"), Unsettled("x")])
@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("attempt", [1, 2, 50])
@pytest.mark.parametrize("age_s", [0, 3599, 100 * 3600 - 1, 100 * 3600, 10**7])
def test_nothing_is_ever_due_in_the_past(outcome: Outcome, repeat: Repeat, attempt: int, age_s: float) -> None:
    now = after(age_s)
    follows = next_try(outcome, attempt, FIRST, now, policy(repeat, jitter=1.0), 0.0)
    if isinstance(follows, RetryAt | AskAt):
        assert follows.at >= now

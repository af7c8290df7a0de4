"""When to try again, as pure functions: an outcome and times in, a decision out. Nothing here sleeps or writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.delivery import Delivered, Outcome, Refused, Repeat, Unreachable, Unsettled

LONGEST_PAUSE_S = 86400.0  # an office that asks for more has a wrong clock; nothing lies unseen for years
ESCAPED = "connector.escaped"  # an exception came out of a connector: our bug
STEP_IN_DOUBT = "delivery.step_in_doubt"  # a step was begun, its result lost, and nobody can be asked about it


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient we are. Durations in seconds."""

    waits_s: tuple[float, ...]  # after the 1st, 2nd … failure; the last one repeats
    give_up_after_s: float  # counted from the round's first try
    jitter: float  # 0.2: each wait is 80 % to 120 % of its value, so that offices are not called in step
    repeat: Repeat
    settle_delay_s: float  # ask no sooner than this after a lost answer


@dataclass(frozen=True, slots=True)
class Done:
    """The office has it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Send again then; for a `safe` connector also when the answer was lost."""

    at: datetime


@dataclass(frozen=True, slots=True)
class AskAt:
    """The answer was lost: ask the office then, and send only if it says no."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Retries are used up; it stays visible and a person may replay it."""


@dataclass(frozen=True, slots=True)
class WaitForPerson:
    """Nothing the gateway may do by itself is safe or useful."""


Next = Done | RetryAt | AskAt | GiveUp | WaitForPerson


def next_try(
    outcome: Outcome, attempt_no: int, first_tried_at: datetime, now: datetime, policy: RetryPolicy, rng_value: float
) -> Next:
    """What follows from one finished attempt.

    Args: attempt_no: of this round, from 1. first_tried_at, now: aware, both by the database's clock.
          rng_value: from [0, 1); 0.5 means no jitter.
    """
    match outcome:
        case Delivered():
            return Done()
        case Refused():
            return WaitForPerson()
        case Unreachable(retry_after_s=named):
            pause = min(named or 0.0, LONGEST_PAUSE_S)
            return _again(attempt_no, first_tried_at, now, policy, rng_value, pause)
        case Unsettled(code=code):
            return _settle(code, attempt_no, first_tried_at, now, policy, rng_value)


def next_ask(asked: int, first_tried_at: datetime, now: datetime, policy: RetryPolicy, rng_value: float) -> Next:
    """The office could not be asked whether it has the case: ask again later, in the end let a person decide.

    Never sooner than the settle delay: a slow office may still be storing it.
    """
    later = _again(asked, first_tried_at, now, policy, rng_value, policy.settle_delay_s)
    return AskAt(later.at) if isinstance(later, RetryAt) else WaitForPerson()


def lost_worker(lease_until: datetime, repeat: Repeat, settle_delay_s: float) -> Next:
    """A worker vanished while trying: it may have sent until its lease ended, and not after."""
    match repeat:
        case Repeat.SAFE:
            return RetryAt(lease_until)
        case Repeat.FINDABLE:
            return AskAt(lease_until + timedelta(seconds=settle_delay_s))
        case Repeat.BLIND:
            return WaitForPerson()


def _settle(
    code: str, attempt_no: int, first_tried_at: datetime, now: datetime, policy: RetryPolicy, rng_value: float
) -> Next:
    if code in (ESCAPED, STEP_IN_DOUBT):
        return WaitForPerson()  # repeating a bug, or a step nobody can ask about, is blind
    match policy.repeat:
        case Repeat.SAFE:
            return _again(attempt_no, first_tried_at, now, policy, rng_value, 0.0)
        case Repeat.FINDABLE:
            return next_ask(attempt_no, first_tried_at, now, policy, rng_value)
        case Repeat.BLIND:
            return WaitForPerson()


def _again(
    attempt_no: int,
    first_tried_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    rng_value: float,
    at_least_s: float,
) -> RetryAt | GiveUp:
    """The scheduled wait, never shorter than what the office asked for; the last try falls on the deadline itself."""
    deadline = first_tried_at + timedelta(seconds=policy.give_up_after_s)
    if now >= deadline:
        return GiveUp()
    scheduled = policy.waits_s[min(attempt_no, len(policy.waits_s)) - 1]
    jittered = scheduled * (1 + policy.jitter * (2 * rng_value - 1))
    earliest = now + timedelta(seconds=at_least_s)
    return RetryAt(max(earliest, min(now + timedelta(seconds=jittered), deadline)))

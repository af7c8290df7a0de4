"""May this office be called now? Circuit breaker and token bucket as pure functions over stored values.

The state is one row per connector instance, shared by all workers; times are the database's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Circuit:
    """closed: no `open_until`; open: until then nobody calls; half open: past it, one probe at a time."""

    failures: int = 0
    open_until: datetime | None = None
    probe_until: datetime | None = None

    @property
    def clean(self) -> bool:
        """Nothing to remember."""
        return self == CLOSED


CLOSED = Circuit()


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """`after` failures in a row open the circuit for `open_s`, doubled with each failed probe up to `longest_s`."""

    after: int
    open_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class Go:
    """Call it; `circuit` is what to store first, if that changed (a probe begins)."""

    circuit: Circuit | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before then."""

    until: datetime


def may_call(circuit: Circuit, now: datetime, probe_s: float) -> Go | Wait:
    """Go, probe, or wait. `probe_s`: how long a probe may take before another one may begin."""
    if circuit.open_until is None:
        return Go()
    if now < circuit.open_until:
        return Wait(circuit.open_until)
    if circuit.probe_until is not None and now < circuit.probe_until:
        return Wait(circuit.probe_until)
    return Go(Circuit(circuit.failures, circuit.open_until, now + timedelta(seconds=probe_s)))


def after_failure(circuit: Circuit, now: datetime, policy: BreakerPolicy) -> Circuit:
    """One more failure: count it, and open the circuit when there are enough; each further one opens it longer."""
    failures = circuit.failures + 1
    if failures < policy.after:
        return Circuit(failures)
    doubled = policy.open_s * 2 ** min(failures - policy.after, 20)
    return Circuit(failures, now + timedelta(seconds=min(doubled, policy.longest_s)))


def take_token(
    tokens: float | None, at: datetime | None, now: datetime, rate_per_s: float, burst: int
) -> tuple[float, Wait | None]:
    """Take one token of a bucket that fills with `rate_per_s` up to `burst`: what is left, and a wait if none was.

    Args: tokens, at: what was left and when; None for a bucket never used, which is full.
    """
    full = float(burst)
    have = full if tokens is None or at is None else min(full, tokens + (now - at).total_seconds() * rate_per_s)
    if have >= 1:
        return have - 1, None
    return have, Wait(now + timedelta(seconds=(1 - have) / rate_per_s))

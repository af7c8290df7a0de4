"""May a delivery go to its office now? Asks the office's breaker, rate and crowd, and remembers how calls ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping

from gateway import limits
from gateway.config import WorkerConfig
from gateway.store import offices
from gateway.store.offices import OfficeRow
from gateway.tools import Office
from schemas.delivery import Outcome, Unreachable, Unsettled

_CROWDED_S = 0.5  # until a place at a crowded office is looked for again


def circuit_of(known: OfficeRow) -> limits.Circuit:
    """The breaker's state in a row."""
    return limits.Circuit(known.failures, known.open_until, known.probe_until)


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to call an office. `before`: its locked row as it was, where a token was taken or a probe begun."""

    before: OfficeRow | None = None


def must_ask(known: OfficeRow, office: Office) -> bool:
    """Is there anything to decide? Most offices have no limits, and no open circuit."""
    return known.open_until is not None or office.rate_per_s is not None or office.max_concurrent is not None


def ask(transaction: Connection, known: OfficeRow, office: Office, lease_s: float) -> Admission | datetime:
    """Ask circuit breaker, rate and concurrency of the office: leave to call it, or the time to look again.

    The row is locked only where there is something to decide.
    """
    if not must_ask(known, office):
        return Admission()
    known = offices.locked(transaction, known.tenant, known.connector)
    named = (known.tenant, known.connector)
    answer = limits.may_call(circuit_of(known), known.now, lease_s)
    if isinstance(answer, limits.Wait):
        return answer.until
    if office.max_concurrent is not None and offices.being_tried(transaction, *named) >= office.max_concurrent:
        return known.now + timedelta(seconds=_CROWDED_S)
    if office.rate_per_s is not None:
        left, wait = limits.take_token(known.tokens, known.tokens_at, known.now, office.rate_per_s, office.burst)
        if wait is not None:
            return wait.until
        offices.save(transaction, *named, tokens=left, tokens_at=known.now)
    if answer.circuit is not None:
        offices.save(transaction, *named, probe_until=answer.circuit.probe_until)
    return Admission(known)


def give_back(transaction: Connection, admission: Admission) -> None:
    """Nobody calls after all: token and probe are as they were. In the transaction that took them, under its lock.

    A doubled wake-up comes this way; without it the office would lose a token, or be left alone for a whole lease.
    """
    before = admission.before
    if before is not None:
        offices.save(
            transaction, before.tenant, before.connector,
            tokens=before.tokens, tokens_at=before.tokens_at, probe_until=before.probe_until,
        )  # fmt: skip


def remember(
    transaction: Connection, circuit: limits.Circuit, row: RowMapping, outcome: Outcome, worker: WorkerConfig
) -> None:
    """Count failures in a row; an answer, even a no, closes the circuit and wakes what waits for the office.

    Args: circuit: as it was when the delivery (`row`) was claimed; a clean one costs a success nothing.
    """
    named = (row["tenant"], row["connector"])
    failed = isinstance(outcome, Unreachable) or (isinstance(outcome, Unsettled) and not outcome.awaited)
    if circuit.clean and not failed:
        return
    known = offices.locked(transaction, *named)
    if failed:
        policy = limits.BreakerPolicy(worker.breaker_after, worker.breaker_s, worker.breaker_longest_s)
        now = limits.after_failure(limits.Circuit(known.failures), known.now, policy)
        offices.save(
            transaction, *named, failures=now.failures, open_until=now.open_until, probe_until=None,
            last_failure_at=known.now, last_code=getattr(outcome, "code", None),
        )  # fmt: skip
        return
    offices.save(transaction, *named, failures=0, open_until=None, probe_until=None)
    if circuit.open_until is not None:
        offices.wake_waiting(transaction, *named)

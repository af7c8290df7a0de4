"""What changes something: each act names an actor and a reason, is recorded for ever, and refuses what would harm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from gateway.operations.look import DeliveryFilter, filtered_deliveries
from gateway.operations.plain import plain
from gateway.store import attempts, deliveries, events, jobs, submissions
from gateway.store import tables as t
from gateway.store.database import Store
from schemas.delivery import DeliveryState, Repeat
from schemas.errors import OperationRefused
from schemas.submission import Submission, SubmissionState

D, S = t.delivery.c, t.submission.c

REPLAYED_BY_DEFAULT = ("refused", "unsettled", "given_up")  # what a filter without a state means
_BATCH = 100

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One delivery that was not touched, and why."""

    id: UUID
    code: str


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did, or with `dry_run` would do."""

    matched: int
    replayed: tuple[UUID, ...]
    refused: tuple[Refusal, ...]
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """The contract of `replay --json`."""
        result: dict[str, Any] = plain(self)
        return result


@dataclass(frozen=True, slots=True)
class ActionResult:
    """One thing acted on, and its state now."""

    id: UUID
    state: str

    def to_json(self) -> dict[str, Any]:
        """The contract of settle, set-aside, release and close with --json."""
        result: dict[str, Any] = plain(self)
        return result


def replay(
    store: Store,
    wanted: DeliveryFilter | Iterable[UUID],
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ReplayResult:
    """Open a new round for each; the key and all old attempts stay, and the office is asked before anything is sent.

    A filter without a state means what waits for a person. Delivered ones, and ones being tried now, are refused; an
    unsettled one whose office cannot be asked must be settled by a person first.

    Args: dry_run: only count and say what would be refused. progress: told (done, total) after each batch.
    """
    named(actor, reason)
    with store.begin() as transaction:
        ids = _matching(transaction, wanted)
    replayed: list[UUID] = []
    refused: list[Refusal] = []
    action = None if dry_run else _record(store, "replay", actor, reason, wanted, len(ids))
    for start in range(0, len(ids), _BATCH):
        with store.begin() as transaction:
            for one in ids[start : start + _BATCH]:
                code = _replay(transaction, one, actor, action)
                if code is None:
                    replayed.append(one)
                else:
                    refused.append(Refusal(one, code))
        if progress is not None:
            progress(min(start + _BATCH, len(ids)), len(ids))
    return ReplayResult(len(ids), tuple(replayed), tuple(refused), dry_run)


def settle(
    store: Store,
    delivery_id: UUID,
    verdict: Literal["delivered", "not_delivered"],
    *,
    actor: str,
    reason: str,
    reference: str | None = None,
) -> ActionResult:
    """A person found out whether the office has it. `not_delivered` lets it be sent again in a new round.

    Raises: OperationRefused: `operation.already_delivered`, `operation.being_tried`, `operation.not_found`.
    """
    named(actor, reason)
    with store.begin() as transaction:
        row = _changeable(transaction, delivery_id)
        action = note(transaction, "settle", actor, reason, {"delivery": str(delivery_id), "verdict": verdict}, 1)
        if verdict == "delivered":
            deliveries.settle(
                transaction, delivery_id, DeliveryState.DELIVERED, reference=reference, in_doubt=False, last_code=None
            )
            deliveries.wake_next(transaction, row["order_key"])
        else:
            attempts.withdraw(transaction, delivery_id)
            open_round(transaction, row, in_doubt=False)
        events.append(
            transaction, row["submission_id"], "settled", actor,
            delivery=str(delivery_id), verdict=verdict, action=action,
        )  # fmt: skip
    return ActionResult(delivery_id, "delivered" if verdict == "delivered" else "due")


def set_aside(store: Store, delivery_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """Nobody will deliver this one; what waits behind it may go. Raises OperationRefused as `settle`."""
    named(actor, reason)
    with store.begin() as transaction:
        row = _changeable(transaction, delivery_id)
        action = note(transaction, "set_aside", actor, reason, {"delivery": str(delivery_id)}, 1)
        deliveries.settle(transaction, delivery_id, DeliveryState.SET_ASIDE)
        events.append(transaction, row["submission_id"], "set_aside", actor, delivery=str(delivery_id), action=action)
        deliveries.wake_next(transaction, row["order_key"])
    return ActionResult(delivery_id, "set_aside")


def release(store: Store, submission_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """Let a held submission go on: a quarantined one is processed, an undecided one decided, a failed one tried again.

    Raises: OperationRefused: `operation.not_held`, `operation.no_tenant` (nobody's mailbox), `operation.no_form`.
    """
    named(actor, reason)
    with store.begin() as transaction:
        found = _held(transaction, submission_id)
        action = note(transaction, "release", actor, reason, {"submission": str(submission_id)}, 1)
        state = SubmissionState.KEPT if found.decision is None else SubmissionState.DECIDED
        if state is SubmissionState.DECIDED:
            _processable(found)
            jobs.wake(transaction, jobs.PROCESS, [submission_id])
        transaction.execute(
            update(t.submission)
            .where(S.id == submission_id)
            .values(state=state.value, released=True, busy_until=None, tries=0)
        )
        events.append(transaction, submission_id, "released", actor, action=action)
    return ActionResult(submission_id, state.value)


def close(store: Store, submission_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """Nothing more happens to a held submission; it stays kept and shown."""
    named(actor, reason)
    with store.begin() as transaction:
        _held(transaction, submission_id)
        action = note(transaction, "close", actor, reason, {"submission": str(submission_id)}, 1)
        submissions.move(transaction, submission_id, SubmissionState.CLOSED)
        events.append(transaction, submission_id, "closed", actor, action=action)
    return ActionResult(submission_id, "closed")


def _matching(transaction: Connection, wanted: DeliveryFilter | Iterable[UUID]) -> list[UUID]:
    if not isinstance(wanted, DeliveryFilter):
        return list(dict.fromkeys(wanted))
    query = filtered_deliveries(wanted).with_only_columns(D.id).order_by(D.sequence)
    if wanted.state is None:
        query = query.where(D.state.in_(REPLAYED_BY_DEFAULT))
    return list(transaction.execute(query).scalars())


def _replay(transaction: Connection, delivery_id: UUID, actor: str, action: int | None) -> str | None:
    """Open a round; the code of a refusal instead. `action` None: look only."""
    try:
        row = _changeable(transaction, delivery_id)
    except OperationRefused as refused:
        return refused.code
    blind = row["repeat"] == Repeat.BLIND.value
    if row["in_doubt"] and blind:
        return "operation.settle_first"
    if action is not None:
        open_round(transaction, row, in_doubt=row["repeat"] is not None and not blind)
        events.append(
            transaction, row["submission_id"], "replayed", actor,
            delivery=str(delivery_id), round=row["round"] + 1, action=action,
        )  # fmt: skip
    return None


def open_round(transaction: Connection, row: RowMapping, *, in_doubt: bool) -> None:
    """Due at once, unless a lost answer is younger than the settle delay: then not before."""
    due = row["now"]
    if in_doubt and row["doubt_since"] is not None:
        due = max(due, row["doubt_since"] + timedelta(seconds=row["settle_s"] or 0))
    now = due <= row["now"]
    deliveries.settle(
        transaction,
        row["id"],
        DeliveryState.DUE,
        round=row["round"] + 1,
        attempts=0,
        first_tried_at=None,
        in_doubt=in_doubt,
        due_at=due,
        woken_at=func.now() if now else None,
    )
    if now:
        jobs.wake(transaction, jobs.DELIVER, [row["id"]])


def _changeable(transaction: Connection, delivery_id: UUID) -> RowMapping:
    """The locked row of a delivery a person may act on."""
    row = locked(transaction, delivery_id)
    if row["state"] == "delivered":
        raise OperationRefused("operation.already_delivered", id=delivery_id)
    if row["state"] == "trying":
        raise OperationRefused("operation.being_tried", id=delivery_id)
    return row


def locked(transaction: Connection, delivery_id: UUID) -> RowMapping:
    """The locked row of a delivery, with the database's time as `now`."""
    query = select(t.delivery, func.now().label("now")).where(D.id == delivery_id).with_for_update()
    row = transaction.execute(query).mappings().first()
    if row is None:
        raise OperationRefused("operation.not_found", id=delivery_id)
    return row


def _held(transaction: Connection, submission_id: UUID) -> Submission:
    transaction.execute(select(S.id).where(S.id == submission_id).with_for_update())
    found = submissions.load(transaction, submission_id)
    if found is None:
        raise OperationRefused("operation.not_found", id=submission_id)
    if found.state is not SubmissionState.HELD:
        raise OperationRefused("operation.not_held", id=submission_id, state=found.state.value)
    return found


def _processable(found: Submission) -> None:
    if found.tenant is None:
        raise OperationRefused("operation.no_tenant", id=found.id)
    if found.form_namespace is None:
        raise OperationRefused("operation.no_form", id=found.id)


def named(actor: str, reason: str) -> None:
    if not actor.strip() or not reason.strip():
        raise OperationRefused("operation.actor_and_reason")


def _record(store: Store, operation: str, actor: str, reason: str, wanted: Any, affected: int) -> int:
    asked = plain(wanted) if isinstance(wanted, DeliveryFilter) else {"ids": affected}
    with store.begin() as transaction:
        return note(transaction, operation, actor, reason, asked, affected)


def note(transaction: Connection, operation: str, actor: str, reason: str, asked: dict[str, Any], affected: int) -> int:
    """The reason stands here and not in the event: people write names into reasons, and events never forget."""
    new: int = transaction.execute(
        insert(t.operator_action)
        .values(operation=operation, actor=actor, reason=reason, asked=asked, affected=affected)
        .returning(t.operator_action.c.id)
    ).scalar_one()
    return new

"""Rows of deliveries: scheduling in order, the claim, outcomes, remembered steps. Every time is the database's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, RowMapping, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import jobs
from gateway.store import tables as t
from schemas.delivery import Attempt, Delivery, DeliveryState, Repeat

D = t.delivery.c
_OPEN = ("due", "waiting", "unsettled")  # states that go on by themselves once due
_DONE = ("delivered", "set_aside")  # states that let the next of an order key go

# One statement decides who may try (due, in order, not paused; everything it asks is indexed), begins the attempt, and
# brings what it needs: the steps taken so far and the newest case.
_CLAIM = text("""
WITH claimable AS (
    SELECT d.id, d.state AS was
      FROM delivery d
     WHERE d.id = :id
       AND d.state IN ('due', 'waiting', 'unsettled')
       AND d.due_at <= now()
       AND (d.order_key IS NULL OR (
               NOT EXISTS (SELECT 1 FROM delivery e
                            WHERE e.order_key = d.order_key AND e.sequence < d.sequence
                              AND e.state NOT IN ('delivered', 'set_aside'))
           AND NOT EXISTS (SELECT 1 FROM submission s
                            WHERE s.tenant = d.tenant AND s.sequence < d.sequence
                              AND s.state IN ('kept', 'decided'))))
       AND NOT EXISTS (SELECT 1 FROM pause p
                        WHERE p.resumed_at IS NULL
                          AND (p.tenant IS NULL OR p.tenant = d.tenant)
                          AND (p.connector IS NULL OR p.connector = d.connector)
                          AND (p.form IS NULL OR p.form = d.form))
       FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE delivery d
       SET state = 'trying', fence = d.fence + 1, attempts = d.attempts + 1, worker = :worker,
           lease_until = now() + make_interval(secs => :lease_s), repeat = :repeat, settle_s = :settle_s,
           first_tried_at = coalesce(d.first_tried_at, now()), due_at = NULL, woken_at = NULL, parked = NULL,
           updated_at = now()
      FROM claimable c
     WHERE d.id = c.id
 RETURNING d.*, c.was
), begun AS (
    INSERT INTO attempt (delivery_id, round, number, fence, message_id, worker)
    SELECT id, round, attempts, fence, :message_id, :worker FROM claimed
)
SELECT claimed.*, s.file_name, s.is_test, v.stored AS case_json,
       (SELECT jsonb_object_agg(step.name, step.result) FROM step WHERE step.delivery_id = claimed.id) AS steps
  FROM claimed
  JOIN submission s ON s.id = claimed.submission_id
  LEFT JOIN LATERAL (SELECT stored FROM case_version WHERE submission_id = claimed.submission_id
                      ORDER BY version DESC LIMIT 1) v ON true
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to one attempt."""

    delivery: Delivery
    fence: int
    was: DeliveryState
    in_doubt: bool
    record: str | None
    first_tried_at: datetime
    message_id: str
    steps: dict[str, dict[str, Any] | None]  # remembered from earlier attempts; None: begun, result lost
    case_json: dict[str, Any]  # the newest version
    file_name: str
    is_test: bool


def schedule(
    connection: Connection,
    *,
    submission_id: UUID,
    sequence: int,
    tenant: str,
    connector: str,
    form: str,
    kind: str,
    record: str | None,
    order_key: str | None,
) -> UUID | None:
    """Insert one delivery and wake it, or park it behind an earlier one; None if it is scheduled already.

    The id, and so the business key, follows from submission and connector: scheduling twice changes nothing.
    """
    new = uuid5(submission_id, connector)
    if order_key is not None:
        _lock_order(connection, order_key)
    behind = order_key is not None and _earlier_open(connection, order_key, sequence)
    done = connection.execute(
        pg_insert(t.delivery)
        .values(
            id=new,
            submission_id=submission_id,
            tenant=tenant,
            connector=connector,
            form=form,
            kind=kind,
            record=record,
            key=str(new),
            order_key=order_key,
            sequence=sequence,
            due_at=None if behind else func.now(),
            woken_at=None if behind else func.now(),
            parked="order" if behind else None,
        )
        .on_conflict_do_nothing(index_elements=["submission_id", "connector"])
        .returning(D.id)
    ).scalar()
    if done is not None and not behind:
        jobs.wake(connection, jobs.DELIVER, [new])
    return done


def claim(
    connection: Connection,
    delivery_id: UUID,
    *,
    worker: str,
    lease_s: float,
    repeat: Repeat,
    settle_s: float,
    message_id: str,
) -> Claim | None:
    """Take the delivery for one attempt, by compare-and-set; None if it is not due, not in order, paused or taken."""
    asked = {
        "id": delivery_id, "worker": worker, "lease_s": lease_s, "repeat": repeat.value, "settle_s": settle_s,
        "message_id": message_id,
    }  # fmt: skip
    row = connection.execute(_CLAIM, asked).mappings().first()
    if row is None:
        _park_if_blocked(connection, delivery_id)
        return None
    return Claim(
        delivery=from_row(row),
        fence=row["fence"],
        was=DeliveryState(row["was"]),
        in_doubt=row["in_doubt"],
        record=row["record"],
        first_tried_at=row["first_tried_at"],
        message_id=message_id,
        steps=row["steps"] or {},
        case_json=row["case_json"],
        file_name=row["file_name"],
        is_test=row["is_test"],
    )


def renew(connection: Connection, delivery_id: UUID, fence: int, lease_s: float) -> bool:
    """Hold the delivery for another `lease_s`; False if somebody else has it."""
    done = connection.execute(
        update(t.delivery)
        .where(D.id == delivery_id, D.fence == fence, D.state == "trying")
        .values(lease_until=_in(lease_s))
    )
    return done.rowcount == 1


def still_held(connection: Connection, delivery_id: UUID, fence: int) -> RowMapping | None:
    """The locked row with the database's time as `now`, if this fencing number still holds it."""
    return (
        connection.execute(
            select(t.delivery, func.now().label("now"))
            .where(D.id == delivery_id, D.fence == fence, D.state == "trying")
            .with_for_update()
        )
        .mappings()
        .first()
    )


def settle(connection: Connection, delivery_id: UUID, state: DeliveryState, **values: Any) -> None:
    """Write how an attempt, or a person, left the delivery; `due_at` is NULL unless given."""
    connection.execute(
        update(t.delivery)
        .where(D.id == delivery_id)
        .values(
            {
                "due_at": None,
                "lease_until": None,
                "woken_at": None,
                "parked": None,
                **values,
                "state": state.value,
                "updated_at": func.now(),
            }
        )
    )


def finish_attempt(connection: Connection, delivery_id: UUID, fence: int, **values: Any) -> None:
    """Fill in how the attempt of this fencing number ended; once."""
    a = t.attempt.c
    connection.execute(
        update(t.attempt).where(a.delivery_id == delivery_id, a.fence == fence, a.outcome.is_(None)).values(**values)
    )


def wake_next(connection: Connection, order_key: str | None) -> UUID | None:
    """The head of an order key is done: let the next one go, in the same transaction."""
    if order_key is None:
        return None
    _lock_order(connection, order_key)
    head = (
        select(D.id, D.parked)
        .where(D.order_key == order_key, D.state.not_in(_DONE))
        .order_by(D.sequence)
        .limit(1)
        .subquery()
    )
    freed: UUID | None = connection.execute(
        update(t.delivery)
        .where(D.id == head.c.id, head.c.parked == "order")
        .values(parked=None, due_at=func.now(), woken_at=func.now())
        .returning(D.id)
    ).scalar()
    if freed is not None:
        jobs.wake(connection, jobs.DELIVER, [freed])
    return freed


def steps_of(connection: Connection, delivery_id: UUID) -> dict[str, dict[str, Any] | None]:
    """Every step ever begun, with its result, or None where it was lost."""
    query = select(t.step.c.name, t.step.c.result).where(t.step.c.delivery_id == delivery_id)
    return {row.name: row.result for row in connection.execute(query)}


def postpone(connection: Connection, delivery_id: UUID, until: datetime) -> None:
    """Its office must not be called now: look again then; this is no attempt."""
    connection.execute(
        update(t.delivery)
        .where(D.id == delivery_id, D.state.in_(_OPEN), D.due_at <= func.now())
        .values(due_at=until, woken_at=None)
    )


def leave_for_fetch(connection: Connection, delivery_id: UUID) -> UUID | None:
    """Nobody tries it until its office has come for it; its submission's id, None if it was not due."""
    return connection.execute(
        update(t.delivery)
        .where(D.id == delivery_id, D.state.in_(_OPEN), D.due_at <= func.now())
        .values(state="due", due_at=None, woken_at=None, parked="fetch", updated_at=func.now())
        .returning(D.submission_id)
    ).scalar()


def intend(connection: Connection, delivery_id: UUID, name: str, fence: int, lease_s: float) -> bool:
    """Record that the step is about to be taken and hold the delivery longer; False if it is held no more."""
    if not renew(connection, delivery_id, fence, lease_s):
        return False
    connection.execute(
        pg_insert(t.step)
        .values(delivery_id=delivery_id, name=name, fence=fence)
        .on_conflict_do_update(
            index_elements=["delivery_id", "name"],
            set_={"fence": fence, "intended_at": func.now()},
            where=t.step.c.result.is_(None),
        )
    )
    return True


def keep_result(connection: Connection, delivery_id: UUID, name: str, result: dict[str, Any]) -> None:
    """Store what a step gave. The effect has happened, so this is not fenced; the first result stands."""
    s = t.step.c
    connection.execute(
        update(t.step)
        .where(s.delivery_id == delivery_id, s.name == name, s.result.is_(None))
        .values(result=result, done_at=func.now())
    )


def withdraw(connection: Connection, delivery_id: UUID, name: str | None = None, fence: int | None = None) -> None:
    """Forget intents that surely had no effect: one of ours, or (a person said so) all without a result."""
    s = t.step.c
    query = delete(t.step).where(s.delivery_id == delivery_id, s.result.is_(None))
    if name is not None:
        query = query.where(s.name == name, s.fence == fence)
    connection.execute(query)


def forget_steps(connection: Connection, delivery_id: UUID) -> None:
    """The office has nothing of it any more: every step is to be taken again."""
    connection.execute(delete(t.step).where(t.step.c.delivery_id == delivery_id))


def load(connection: Connection, delivery_id: UUID) -> Delivery | None:
    """One delivery, with what it waits for."""
    row = connection.execute(select(t.delivery).where(D.id == delivery_id)).mappings().first()
    return from_row(row, waits_for(connection, row)) if row else None


def waits_for(connection: Connection, row: RowMapping) -> UUID | None:
    """The earliest delivery of the same order key that is not done and comes before this one."""
    if row["order_key"] is None or row["state"] in _DONE:
        return None
    return connection.execute(
        select(D.id)
        .where(D.order_key == row["order_key"], D.sequence < row["sequence"], D.state.not_in(_DONE))
        .order_by(D.sequence)
        .limit(1)
    ).scalar()


def attempts_of(connection: Connection, delivery_id: UUID) -> list[Attempt]:
    """Every attempt there ever was, oldest first."""
    a = t.attempt.c
    rows = connection.execute(
        select(t.attempt).where(a.delivery_id == delivery_id).order_by(a.round, a.number)
    ).mappings()
    return [
        Attempt(
            **{name: row[name] for name in Attempt.__slots__ if name != "references"},
            references=row["remote_references"],
        )
        for row in rows
    ]


def from_row(row: RowMapping, waits: UUID | None = None) -> Delivery:
    """A row of `delivery` as the shape. `case_id` is the submission's id: a delivery takes its newest case version."""
    values = {name: row[name] for name in Delivery.__slots__ if name not in ("case_id", "waits_for")}
    values["state"] = DeliveryState(row["state"])
    return Delivery(**values, case_id=row["submission_id"], waits_for=waits)


def _park_if_blocked(connection: Connection, delivery_id: UUID) -> None:
    """A due delivery that could not be claimed: park it where something else will wake it, or look again soon."""
    row = (
        connection.execute(select(t.delivery).where(D.id == delivery_id, D.state.in_(_OPEN), D.due_at <= func.now()))
        .mappings()
        .first()
    )
    if row is None:
        return
    values: dict[str, Any] = {"due_at": _in(1.0), "woken_at": None}
    if row["order_key"] is not None:
        _lock_order(connection, row["order_key"])
        if _earlier_open(connection, row["order_key"], row["sequence"]):
            values = {"due_at": None, "woken_at": None, "parked": "order"}
    if "parked" not in values and _paused(connection, row):
        values = {"due_at": None, "woken_at": None, "parked": "pause"}
    connection.execute(
        update(t.delivery).where(D.id == delivery_id, D.fence == row["fence"], D.state.in_(_OPEN)).values(values)
    )


def _paused(connection: Connection, row: RowMapping) -> bool:
    p = t.pause.c
    return bool(
        connection.execute(
            select(p.id)
            .where(
                p.resumed_at.is_(None),
                p.tenant.is_(None) | (p.tenant == row["tenant"]),
                p.connector.is_(None) | (p.connector == row["connector"]),
                p.form.is_(None) | (p.form == row["form"]),
            )
            .limit(1)
        ).scalar()
    )


def _earlier_open(connection: Connection, order_key: str, sequence: int) -> bool:
    query = select(D.id).where(D.order_key == order_key, D.sequence < sequence, D.state.not_in(_DONE)).limit(1)
    return connection.execute(query).scalar() is not None


def _lock_order(connection: Connection, order_key: str) -> None:
    """One at a time decides who is next of an order key, or a delivery could be parked behind nobody."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(order_key, 0))))


def _in(seconds: float) -> Any:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)

"""Rows of deliveries: scheduled in order, parked, freed, settled by people. attempts.py has the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, RowMapping, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import jobs
from gateway.store import tables as t
from schemas.delivery import Attempt, Delivery, DeliveryState
from schemas.files import WAITS

D = t.delivery.c
_OPEN = ("due", "waiting", "unsettled")  # states that go on by themselves once due
_DONE = ("delivered", "set_aside")  # states that let the next of an order key go

_FREE_NEXT = text("""
UPDATE delivery d SET parked = NULL, due_at = now(), woken_at = now()
  FROM (SELECT id, parked FROM delivery
         WHERE order_key = :order_key AND state NOT IN ('delivered', 'set_aside') ORDER BY sequence LIMIT 1) head
 WHERE d.id = head.id AND head.parked = 'order'
RETURNING d.id
""")


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
    files: str | None = None,
) -> UUID | None:
    """Insert one delivery and wake it, or park it behind an earlier one; None if it is scheduled already.

    The id, and so the business key, follows from submission and connector: scheduling twice changes nothing.
    Args: files: `waited_for` parks it until its files are here (see file_tables).
    """
    new = uuid5(submission_id, connector)
    if order_key is not None:
        _lock_order(connection, order_key)
    behind = order_key is not None and _earlier_open(connection, order_key, sequence)
    parked = "order" if behind else "files" if files == "waited_for" else None
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
            due_at=None if parked else func.now(),
            woken_at=None if parked else func.now(),
            parked=parked,
            files=files,
            last_code=WAITS if files == "waited_for" else None,
        )
        .on_conflict_do_nothing(index_elements=["submission_id", "connector"])
        .returning(D.id)
    ).scalar()
    if done is not None and not parked:
        jobs.wake(connection, jobs.DELIVER, [new])
    return done


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
    freed: UUID | None = connection.execute(_FREE_NEXT, {"order_key": order_key}).scalar()
    if freed is not None:
        jobs.wake(connection, jobs.DELIVER, [freed])
    return freed


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


def from_row(row: Mapping[Any, Any], waits: UUID | None = None) -> Delivery:
    """A row of `delivery` as the shape. `case_id` is the submission's id: a delivery takes its newest case version."""
    values = {name: row[name] for name in Delivery.__slots__ if name not in ("case_id", "waits_for")}
    values["state"] = DeliveryState(row["state"])
    return Delivery(**values, case_id=row["submission_id"], waits_for=waits)


def park_if_blocked(connection: Connection, delivery_id: UUID) -> None:
    """A due delivery that could not be claimed: park it where something else will wake it, or look again soon."""
    row = (
        connection.execute(select(t.delivery).where(D.id == delivery_id, D.state.in_(_OPEN), D.due_at <= func.now()))
        .mappings()
        .first()
    )
    if row is None:
        return
    values: dict[str, Any] = {"due_at": in_(1.0), "woken_at": None}
    if row["order_key"] is not None:
        _lock_order(connection, row["order_key"])
        if _earlier_open(connection, row["order_key"], row["sequence"]):
            values = {"due_at": None, "woken_at": None, "parked": "order"}
    if "parked" not in values and row["files"] == "waited_for":
        values = {"due_at": None, "woken_at": None, "parked": "files", "last_code": WAITS}
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


def in_(seconds: float) -> Any:
    """A time from now, by the database's clock."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)

"""One row per connector instance: its circuit breaker and token bucket, shared by all workers. And what is paused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import tables as t

O, D, P = t.office.c, t.delivery.c, t.pause.c  # noqa: E741 - the table's initial, as everywhere in the store


@dataclass(frozen=True, slots=True)
class OfficeRow:
    """What is remembered of one connector instance; `now` is the database's time."""

    tenant: str
    connector: str
    now: datetime
    failures: int
    open_until: datetime | None
    probe_until: datetime | None
    tokens: float | None
    tokens_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pause:
    """What a person stopped for a while; None means any."""

    id: int
    tenant: str | None
    connector: str | None
    form: str | None
    actor: str
    reason: str
    paused_at: datetime


def locked(connection: Connection, tenant: str, connector: str) -> OfficeRow:
    """The row, made if need be, locked: whoever changes it does so one at a time."""
    connection.execute(pg_insert(t.office).values(tenant=tenant, connector=connector).on_conflict_do_nothing())
    row = connection.execute(
        select(
            O.tenant, O.connector, func.now(), O.failures, O.open_until, O.probe_until, O.tokens, O.tokens_at
        ).where(O.tenant == tenant, O.connector == connector).with_for_update()
    ).one()  # fmt: skip
    return OfficeRow(*row)


def save(connection: Connection, tenant: str, connector: str, **values: Any) -> None:
    """Change the locked row."""
    connection.execute(update(t.office).where(O.tenant == tenant, O.connector == connector).values(**values))


def being_tried(connection: Connection, tenant: str, connector: str) -> int:
    """How many deliveries to this office are under way."""
    query = select(func.count()).where(D.tenant == tenant, D.connector == connector, D.state == "trying")
    return connection.execute(query).scalar_one()


def wake_waiting(connection: Connection, tenant: str, connector: str) -> int:
    """The office is back: what waits for it need not wait for its own schedule. Settle delays stay as they are."""
    ours = (D.tenant == tenant, D.connector == connector, D.due_at > func.now())
    waiting = connection.execute(
        update(t.delivery).where(*ours, D.state.in_(("due", "waiting"))).values(due_at=func.now(), woken_at=None)
    )
    settled = D.doubt_since + func.make_interval(0, 0, 0, 0, 0, 0, func.coalesce(D.settle_s, 0))
    unsettled = connection.execute(
        update(t.delivery)
        .where(*ours, D.state == "unsettled")
        .values(due_at=func.least(D.due_at, func.greatest(func.now(), settled)), woken_at=None)
    )
    return waiting.rowcount + unsettled.rowcount


def pause(
    connection: Connection, tenant: str | None, connector: str | None, form: str | None, actor: str, reason: str
) -> int:
    """Stop claiming what matches; what is under way ends normally."""
    new: int = connection.execute(
        insert(t.pause)
        .values(tenant=tenant, connector=connector, form=form, actor=actor, reason=reason)
        .returning(P.id)
    ).scalar_one()
    return new


def resume(connection: Connection, pause_id: int, actor: str) -> bool:
    """End a pause; False if it is not in force."""
    done = connection.execute(
        update(t.pause).where(P.id == pause_id, P.resumed_at.is_(None)).values(resumed_at=func.now(), resumed_by=actor)
    )
    return done.rowcount == 1


def pauses(connection: Connection) -> list[Pause]:
    """Those in force, oldest first."""
    rows = connection.execute(select(t.pause).where(P.resumed_at.is_(None)).order_by(P.id)).mappings()
    return [Pause(**{name: row[name] for name in Pause.__slots__}) for row in rows]

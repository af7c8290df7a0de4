"""Receipts that ePUAP has given the sender and we have yet to obtain: who is asked for when, and what came of it.

A row stands while the receipt is missing. `due_at` NULL with a code: given up, shown to clerks; asking again is theirs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Text, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import jobs
from gateway.store import mail_tables as t
from gateway.store.tables import receipt, submission

W, S = t.receipt_wanted.c, submission.c
_KINDS = ("accepted", "quarantined")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One receipt to be asked for; `tries` counts this one."""

    submission_id: UUID
    tries: int


def note_new(
    connection: Connection, channels: Collection[str], within: timedelta, first_after_s: float, limit: int = 500
) -> int:
    """Want the receipts of what came within this time through these channels and has none."""
    query = (
        select(S.id, S.tenant, _in(first_after_s))
        .where(
            S.received_at > func.now() - within,
            S.channel.in_(channels),
            S.decision.in_(_KINDS),
            S.tenant.is_not(None),
            S.is_test.is_(False),
            ~exists(select(literal(1)).where(W.submission_id == S.id)),
            ~exists(select(literal(1)).where(receipt.c.submission_id == S.id)),
        )
        .limit(limit)
    )
    done = connection.execute(
        pg_insert(t.receipt_wanted)
        .from_select(["submission_id", "tenant", "due_at"], query)
        .on_conflict_do_nothing()
        .returning(W.submission_id)
    )
    return len(done.all())


def wake_due(connection: Connection) -> list[UUID]:
    """One wake-up for each gmina with something due: whoever comes asks for all of it."""
    first = select(func.min(W.submission_id.cast(Text)).label("id")).where(W.due_at <= func.now()).group_by(W.tenant)
    found = [UUID(one) for one in connection.execute(first).scalars()]
    jobs.wake(connection, jobs.RECEIPTS, found)
    return found


def claim(connection: Connection, one: UUID, lease_s: float, limit: int = 200) -> tuple[str, list[Wanted]] | None:
    """The gmina of this submission and what of it is due, ours until the lease ends; None if nothing is."""
    tenant = connection.execute(select(W.tenant).where(W.submission_id == one, W.due_at <= func.now())).scalar()
    if tenant is None:
        return None
    due = (
        select(W.submission_id)
        .where(W.tenant == tenant, W.due_at <= func.now())
        .order_by(W.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = connection.execute(
        update(t.receipt_wanted)
        .where(W.submission_id.in_(due))
        .values(due_at=_in(lease_s), tries=W.tries + 1, updated_at=func.now())
        .returning(W.submission_id, W.tries)
    )
    return tenant, [Wanted(row.submission_id, row.tries) for row in taken]


def obtained(connection: Connection, submission_id: UUID) -> None:
    """It is here: nothing is wanted any more."""
    connection.execute(delete(t.receipt_wanted).where(W.submission_id == submission_id))


def missed(connection: Connection, submission_id: UUID, code: str, again_after_s: float | None) -> None:
    """Not this time; None: given up."""
    due = None if again_after_s is None else _in(again_after_s)
    connection.execute(
        update(t.receipt_wanted)
        .where(W.submission_id == submission_id)
        .values(due_at=due, last_code=code, updated_at=func.now())
    )


def given_up(connection: Connection, submission_id: UUID) -> str | None:
    """The code of the last try, where nobody asks any more."""
    query = select(W.last_code).where(W.submission_id == submission_id, W.due_at.is_(None))
    found: str | None = connection.execute(query).scalar()
    return found


def _in(seconds: float) -> ColumnElement[datetime]:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)

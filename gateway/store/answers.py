"""Rows of answers: the plan and the drafted octets beside it. Every time is the database's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, RowMapping, Select, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import jobs
from gateway.store import mail_tables as t

A = t.answer.c
_OWN = [column for column in t.answer.c if column.name != "enclosure"]  # which is read in pieces, where it is wanted
ENDED = frozenset({"sent", "withdrawn"})  # steps of gateway.answers.plan after which nothing more happens
_SMALL = [column for column in _OWN if column.name != "octets"]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One answer as stored; `plan` is AnswerPlan's JSON."""

    id: UUID
    submission_id: UUID
    tenant: str
    service: str
    step: str
    plan: dict[str, Any]
    tries: int
    fence: int
    last_code: str | None
    created_at: datetime
    updated_at: datetime
    cid: str | None
    asked: dict[str, Any] = field(default_factory=dict)  # by the clerk who began it; may hold personal data
    octets: bytes | None = None


def begin(
    connection: Connection,
    submission_id: UUID,
    tenant: str,
    service: str,
    plan: dict[str, Any],
    *,
    asked: dict[str, Any] | None = None,
    enclosure: bytes | None = None,
    again: bool = False,
) -> UUID | None:
    """An answer to be worked on now; None if the submission has one already.

    Args: again: an earlier one of the service that has ended does not count; the caller holds the submission's row.
    """
    new = uuid5(submission_id, service)
    if again:
        steps = list(connection.execute(_steps_of(submission_id, service)).scalars())
        if not ENDED.issuperset(steps):
            return None
        new = uuid5(submission_id, f"{service}/{len(steps)}") if steps else new
    done = connection.execute(
        pg_insert(t.answer)
        .values(
            id=new, submission_id=submission_id, tenant=tenant, service=service, step=plan["step"], plan=plan,
            asked=asked or {}, due_at=func.now(), woken_at=func.now(),
        )
        .on_conflict_do_nothing()
        .returning(A.id)
    ).scalar()  # fmt: skip
    if done is not None and enclosure is not None:
        connection.execute(update(t.answer).where(A.id == new).values(enclosure=enclosure))
    if done is not None:
        jobs.wake(connection, jobs.ANSWER, [new])
    return done


def _steps_of(submission_id: UUID, service: str) -> Select[Any]:
    return select(A.step).where(A.submission_id == submission_id, A.service == service)


def enclosure_size(connection: Connection, answer_id: UUID) -> int:
    """Of the file that goes with the letter, in bytes; 0 where there is none."""
    query = select(func.coalesce(func.octet_length(t.answer.c.enclosure), 0)).where(A.id == answer_id)
    return int(connection.execute(query).scalar_one())


def enclosure_piece(connection: Connection, answer_id: UUID, at: int, size: int) -> bytes:
    """`size` octets of it, from the `at`-th on, counted from 0."""
    query = select(func.substring(t.answer.c.enclosure, at + 1, size)).where(A.id == answer_id)
    return bytes(connection.execute(query).scalar_one())


def claim(connection: Connection, answer_id: UUID, lease_s: float) -> StoredAnswer | None:
    """Take it for one step; it is due again when the time is over. None if it is not due or somebody has it."""
    until = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s)
    taken = (
        update(t.answer)
        .where(A.id == answer_id, A.due_at <= func.now())
        .values(fence=A.fence + 1, tries=A.tries + 1, woken_at=None, due_at=until, updated_at=func.now())
        .returning(*_OWN)
    )
    row = connection.execute(taken).mappings().first()
    return _from_row(row) if row else None


def renew(connection: Connection, answer_id: UUID, fence: int, lease_s: float) -> bool:
    """More time for the step under way, from now; locks the row. False if somebody else has it by now."""
    until = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s)
    done = connection.execute(update(t.answer).where(A.id == answer_id, A.fence == fence).values(due_at=until))
    return done.rowcount == 1


def move(
    connection: Connection, answer_id: UUID, fence: int, plan: dict[str, Any], *, wait_s: float | None, **values: Any
) -> bool:
    """Store where it stands; False if somebody else has it by now. Whoever else was at it comes late from here on.

    Args: wait_s: when it is worked on again; None: a person must act, or it is done.
    """
    now = wait_s == 0.0
    done = connection.execute(
        update(t.answer)
        .where(A.id == answer_id, A.fence == fence)
        .values(
            plan=plan,
            step=plan["step"],
            fence=fence + 1,
            due_at=None if wait_s is None else func.now() + func.make_interval(0, 0, 0, 0, 0, 0, wait_s),
            woken_at=func.now() if now else None,
            updated_at=func.now(),
            **values,
        )
    )
    if done.rowcount == 1 and now:
        jobs.wake(connection, jobs.ANSWER, [answer_id])
    return done.rowcount == 1


def locked(connection: Connection, answer_id: UUID) -> StoredAnswer | None:
    """Locked for the caller to change; with its octets."""
    row = connection.execute(select(*_OWN).where(A.id == answer_id).with_for_update()).mappings().first()
    return _from_row(row) if row else None


def load(connection: Connection, answer_id: UUID) -> StoredAnswer | None:
    """One answer with its octets."""
    row = connection.execute(select(*_OWN).where(A.id == answer_id)).mappings().first()
    return _from_row(row) if row else None


def listed(connection: Connection, *, tenant: str | None, step: str | None, limit: int) -> list[StoredAnswer]:
    """Oldest first: who waits longest is seen first. Without octets."""
    query = select(*_SMALL).order_by(A.created_at, A.id)
    for column, value in ((A.tenant, tenant), (A.step, step)):
        query = query if value is None else query.where(column == value)
    return [_from_row(row) for row in connection.execute(query.limit(limit)).mappings()]


def of_submission(connection: Connection, submission_id: UUID) -> list[StoredAnswer]:
    """The answers to one submission, oldest first. Without octets."""
    query = select(*_SMALL).where(A.submission_id == submission_id).order_by(A.created_at)
    return [_from_row(row) for row in connection.execute(query).mappings()]


def promote(connection: Connection, again_after_s: float, limit: int = 200) -> list[UUID]:
    """Due answers get a wake-up; those woken long ago get another."""
    late = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, again_after_s)
    due = (
        select(A.id)
        .where(A.due_at <= func.now(), or_(A.woken_at.is_(None), A.woken_at < late))
        .order_by(A.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    woken = connection.execute(update(t.answer).where(A.id.in_(due)).values(woken_at=func.now()).returning(A.id))
    found = list(woken.scalars())
    jobs.wake(connection, jobs.ANSWER, found)
    return found


def _from_row(row: RowMapping) -> StoredAnswer:
    values: dict[str, Any] = {name: row.get(name) for name in StoredAnswer.__slots__}
    return StoredAnswer(**values)

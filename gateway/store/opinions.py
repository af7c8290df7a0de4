"""Second opinions on signatures: who is to be asked about, and what was said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Connection, Index, Integer, Table, Text, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from gateway.store.tables import _of_submission, _time, metadata

second_opinion = Table(
    "second_opinion",
    metadata,
    _of_submission(primary_key=True),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    _time("due_at"),  # NULL: answered, or given up (`last_code`)
    _time("answered_at"),
    Column("service", Text),
    Column("stored", JSONB),
    Column("agrees", Boolean),  # NULL: one of the two does not commit itself
    Column("last_code", Text),
    Index("ix_second_opinion_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_second_opinion_agrees", "answered_at", postgresql_where=text("agrees = false")),
)

C = second_opinion.c

_NEW = text("""
INSERT INTO second_opinion (submission_id, due_at)
SELECT s.id, now() FROM submission s JOIN verification v ON v.submission_id = s.id
 WHERE s.received_at > now() - make_interval(secs => :within_s) AND s.tenant IS NOT NULL
   AND jsonb_array_length(v.stored -> 'signatures') > 0
   AND NOT EXISTS (SELECT FROM second_opinion o WHERE o.submission_id = s.id)
 ORDER BY s.sequence LIMIT :most
ON CONFLICT DO NOTHING
""")
# whoever took one has five minutes, then another try follows
_TAKE = text("""
UPDATE second_opinion SET tries = tries + 1, due_at = now() + interval '5 minutes'
 WHERE submission_id = (SELECT submission_id FROM second_opinion WHERE due_at <= now()
                         ORDER BY due_at FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING submission_id, tries
""")


@dataclass(frozen=True, slots=True)
class OpinionRow:
    """One second opinion, or that there is none."""

    submission_id: UUID
    tries: int
    answered_at: datetime | None
    service: str | None
    stored: dict[str, Any] | None
    agrees: bool | None
    last_code: str | None


def note_new(connection: Connection, within_s: float, most: int = 100) -> int:
    """Signed documents that were judged lately and are not yet asked about."""
    return connection.execute(_NEW, {"within_s": within_s, "most": most}).rowcount


def take(connection: Connection) -> tuple[UUID, int] | None:
    """One that is due, and how often it was tried, this time included; nobody else gets it meanwhile."""
    row = connection.execute(_TAKE).one_or_none()
    return None if row is None else (row[0], row[1])


def answered(
    connection: Connection, submission_id: UUID, service: str, stored: dict[str, Any], agrees: bool | None
) -> None:
    """What was said."""
    _set(
        connection, submission_id, due_at=None, answered_at=text("now()"), service=service, stored=stored,
        agrees=agrees, last_code=None,
    )  # fmt: skip


def failed(connection: Connection, submission_id: UUID, code: str, *, again: bool) -> None:
    """Nothing was said; `again`: it will be asked later, else never."""
    later = text("now() + interval '5 minutes' * second_opinion.tries") if again else None
    _set(connection, submission_id, due_at=later, last_code=code)


def listed(connection: Connection, *, differing: bool, most: int) -> list[OpinionRow]:
    """The newest first."""
    wanted = select(C.submission_id, C.tries, C.answered_at, C.service, C.stored, C.agrees, C.last_code)
    if differing:
        wanted = wanted.where(C.agrees.is_(False))
    rows = connection.execute(wanted.order_by(C.answered_at.desc().nulls_last()).limit(most)).mappings()
    return [OpinionRow(**row) for row in rows]


def _set(connection: Connection, submission_id: UUID, **values: Any) -> None:
    connection.execute(update(second_opinion).where(C.submission_id == submission_id).values(**values))

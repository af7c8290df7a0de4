"""What back offices fetch: cases in the order they became visible, what was acknowledged, and the keys to ask with.

    publication  one row per version of a case, written by a trigger in the transaction that stores the version
                 number NULL ──► n         given when somebody first reads past it, under the tenant's counter
A sequence would number rows when they are inserted, and a transaction that commits late would slip in behind a reader
who is past it. Here only committed rows are numbered, one numberer at a time, each seeing what the one before it
committed: whoever has read up to n has read everything that ever gets a number up to n.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import tables as t


def _time(name: str, **options: Any) -> Column[Any]:
    return Column(name, DateTime(timezone=True), **options)


publication = Table(
    "publication",
    t.metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("submission_id", UUID_TYPE(as_uuid=True), ForeignKey("submission.id"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("version", Integer, nullable=False),
    _time("received_at", nullable=False),
    Column("number", BigInteger),  # order of publication within the tenant; NULL: nobody has read so far yet
    UniqueConstraint("submission_id", "version"),
    UniqueConstraint("tenant", "number"),
    Index("ix_publication_unnumbered", "tenant", "id", postgresql_where=text("number IS NULL")),
)

publication_counter = Table(
    "publication_counter",
    t.metadata,
    Column("tenant", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

acknowledgement = Table(  # the office that fetches said that it has the case
    "acknowledgement",
    t.metadata,
    Column("submission_id", UUID_TYPE(as_uuid=True), ForeignKey("submission.id"), primary_key=True),
    _time("at", nullable=False, server_default=func.now()),
    Column("reference", Text),  # the office's own number
    Column("api_key", Text, nullable=False),
)

api_key = Table(  # who may ask; of the secret only its SHA-256
    "api_key",
    t.metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("scopes", JSONB, nullable=False),
    Column("sha256", Text, nullable=False),
    _time("created_at", nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False),
    _time("expires_at"),
    _time("revoked_at"),
    Column("revoked_by", Text),
    _time("last_used_at"),  # to the hour
)

P, A = publication.c, acknowledgement.c
_BATCH = 5000  # numbered at a time: the first reader of a long history must not hold the counter for long

_NUMBER = text("""
WITH new AS (
    SELECT id, row_number() OVER (ORDER BY id) AS place
      FROM (SELECT id FROM publication WHERE tenant = :tenant AND number IS NULL ORDER BY id LIMIT :batch) unnumbered
), numbered AS (
    UPDATE publication p SET number = c.last + new.place
      FROM new, publication_counter c
     WHERE p.id = new.id AND c.tenant = :tenant
 RETURNING p.number
)
UPDATE publication_counter SET last = greatest(last, (SELECT coalesce(max(number), 0) FROM numbered))
 WHERE tenant = :tenant
""")


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a case as the list shows it. Times aware UTC."""

    number: int
    id: UUID
    version: int
    kind: str
    form: str
    received_at: datetime
    sha256: str
    size_bytes: int
    acknowledged_at: datetime | None
    reference: str | None


def number_new(connection: Connection, tenant: str, batch: int = _BATCH) -> None:
    """Give every committed, not yet numbered version its place; nothing to do costs one look into an index."""
    waiting = select(P.id).where(P.tenant == tenant, P.number.is_(None)).limit(1)
    if connection.execute(waiting).scalar() is None:
        return
    connection.execute(pg_insert(publication_counter).values(tenant=tenant, last=0).on_conflict_do_nothing())
    counter = select(publication_counter).where(publication_counter.c.tenant == tenant).with_for_update()
    connection.execute(counter).one()  # the next statement sees whatever the numberer before us has committed
    connection.execute(_NUMBER, {"tenant": tenant, "batch": batch})


def last_number(connection: Connection, tenant: str) -> int:
    """The highest number given so far; 0 where there is none."""
    query = select(publication_counter.c.last).where(publication_counter.c.tenant == tenant)
    return connection.execute(query).scalar() or 0


def page(
    connection: Connection, tenant: str, *, after: int, since: datetime | None, unacknowledged: bool, limit: int
) -> list[Published]:
    """Numbered versions past `after`, in order. `since`: received then or later."""
    s, v = t.submission, t.case_version
    query = (
        select(
            P.number,
            P.submission_id.label("id"),
            P.version,
            v.c.stored["kind"].astext.label("kind"),
            s.c.form_namespace.label("form"),
            P.received_at,
            s.c.sha256,
            s.c.size_bytes,
            A.at.label("acknowledged_at"),
            A.reference,
        )
        .join(s, s.c.id == P.submission_id)
        .join(v, (v.c.submission_id == P.submission_id) & (v.c.version == P.version))
        .outerjoin(acknowledgement, A.submission_id == P.submission_id)
        .where(P.tenant == tenant, P.number > after)
        .order_by(P.number)
        .limit(limit)
    )
    if since is not None:
        query = query.where(P.received_at >= since)
    if unacknowledged:
        query = query.where(A.submission_id.is_(None))
    return [Published(**row) for row in connection.execute(query).mappings()]


def is_published(connection: Connection, tenant: str, submission_id: UUID) -> bool:
    """Is this a case of the tenant's? Everything one case shows asks this first."""
    query = select(P.id).where(P.submission_id == submission_id, P.tenant == tenant).limit(1)
    return connection.execute(query).scalar() is not None


def acknowledge(connection: Connection, submission_id: UUID, reference: str | None, key: str) -> tuple[Any, bool]:
    """The acknowledgement that stands (row), and whether it is this one; a concurrent twin waits for the first."""
    new = connection.execute(
        pg_insert(acknowledgement)
        .values(submission_id=submission_id, reference=reference, api_key=key)
        .on_conflict_do_nothing()
        .returning(A.submission_id)
    ).scalar()
    return acknowledged(connection, submission_id), new is not None


def acknowledged(connection: Connection, submission_id: UUID) -> Any:
    """The acknowledgement (row with `at`, `reference`), or None."""
    return connection.execute(select(acknowledgement).where(A.submission_id == submission_id)).first()

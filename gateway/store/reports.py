"""Validation reports of submissions, append-only, and when their signatures are to be looked at again.

Certificates, CRLs and OCSP answers inside a report are kept once each, by digest: the same list serves thousands.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
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
    LargeBinary,
    Table,
    Text,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store.tables import metadata

evidence = Table(
    "evidence",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("der", LargeBinary, nullable=False),
)

validation_report = Table(
    "validation_report",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("submission_id", PG_UUID(as_uuid=True), ForeignKey("submission.id"), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("stored", JSONB, nullable=False),
    Column("recheck_at", DateTime(timezone=True)),
    Index("ix_validation_report_submission_id", "submission_id", "id"),
    Index("ix_validation_report_recheck_at", "recheck_at", postgresql_where=text("recheck_at IS NOT NULL")),
)

R = validation_report.c
_LEASE = text("interval '10 minutes'")


def add(connection: Connection, submission_id: UUID, report: dict[str, Any], recheck_at: datetime | None) -> None:
    """Store a report; from now on only its own `recheck_at` counts for this submission."""
    stored, pieces = apart(report)
    if pieces:
        rows = [{"sha256": name, "der": der} for name, der in sorted(pieces.items())]
        connection.execute(pg_insert(evidence).values(rows).on_conflict_do_nothing())
    connection.execute(
        update(validation_report).where(R.submission_id == submission_id).values(recheck_at=None)
    )  # fmt: skip
    connection.execute(
        insert(validation_report).values(submission_id=submission_id, stored=stored, recheck_at=recheck_at)
    )


def apart(report: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A report as it is stored, and what was taken out of its `evidence`: SHA-256 → DER."""
    pieces: dict[str, bytes] = {}
    return {**report, "evidence": _lighter(report["evidence"], pieces)}, pieces


def latest(connection: Connection, submission_id: UUID) -> dict[str, Any] | None:
    """The newest report, whole again; None where there is none (a pinned seal needs no evidence)."""
    query = select(R.stored).where(R.submission_id == submission_id).order_by(R.id.desc()).limit(1)
    stored: dict[str, Any] | None = connection.execute(query).scalar()
    if stored is None:
        return None
    names = {piece["sha256"] for piece in _pieces(stored["evidence"])}
    rows = connection.execute(select(evidence.c.sha256, evidence.c.der).where(evidence.c.sha256.in_(names)))
    known = {name: base64.b64encode(der).decode() for name, der in rows}
    for piece in _pieces(stored["evidence"]):
        piece["der"] = known[piece["sha256"]]
    return stored


def take_due(connection: Connection, limit: int = 20) -> list[UUID]:
    """Submissions whose signatures are to be looked at again, leased: a process that dies loses nothing."""
    due = select(R.id).where(R.recheck_at <= func.now()).order_by(R.recheck_at).limit(limit)
    taken = (
        update(validation_report)
        .where(R.id.in_(due.with_for_update(skip_locked=True)))
        .values(recheck_at=func.now() + _LEASE)
        .returning(R.submission_id)
    )
    return list(connection.execute(taken).scalars())


def postpone(connection: Connection, submission_id: UUID, recheck_at: datetime | None) -> None:
    """Nothing new was found: look again then, or never (None)."""
    waiting = (R.submission_id == submission_id) & R.recheck_at.is_not(None)
    connection.execute(update(validation_report).where(waiting).values(recheck_at=recheck_at))


def _pieces(part: Any) -> Iterator[dict[str, str]]:
    """Every `{"sha256", "der"}` in the evidence of a report."""
    if isinstance(part, dict):
        if "sha256" in part and part.keys() <= {"sha256", "der"}:
            yield part
        else:
            for inner in part.values():
                yield from _pieces(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _pieces(inner)


def _lighter(part: Any, pieces: dict[str, bytes]) -> Any:
    """The same without the bytes, which go into `pieces`."""
    if isinstance(part, list):
        return [_lighter(inner, pieces) for inner in part]
    if not isinstance(part, dict):
        return part
    if "sha256" in part and part.keys() <= {"sha256", "der"}:
        pieces[part["sha256"]] = base64.b64decode(part["der"])
        return {"sha256": part["sha256"]}
    return {name: _lighter(inner, pieces) for name, inner in part.items()}

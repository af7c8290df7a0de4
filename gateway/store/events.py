"""The timeline of a submission: append-only events, each carrying the hash of the one before.

Whoever changes, drops or reorders an event breaks every hash after it. Facts are codes, digests, numbers and ids;
names, PESEL and texts of citizens or offices have no place here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update

from gateway.store.tables import event, submission

_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `at` aware UTC by the database's clock; `actor` None is the gateway itself."""

    number: int
    at: datetime
    word: str
    actor: str | None
    facts: dict[str, Any]
    prev_hash: str | None
    hash: str


def append(connection: Connection, submission_id: UUID, word: str, actor: str | None = None, **facts: Any) -> None:
    """Add one event in the caller's transaction; appends to one submission queue up behind its row."""
    head = connection.execute(
        select(submission.c.events, submission.c.head_hash, func.now())
        .where(submission.c.id == submission_id)
        .with_for_update(key_share=True)
    ).one()
    entry = next_entry(submission_id, head[0], head[1], head[2], word, facts, actor)
    connection.execute(insert(event).values(**entry, actor=actor))
    connection.execute(
        update(submission)
        .where(submission.c.id == submission_id)
        .values(events=entry["number"], head_hash=entry["hash"])
    )


def next_entry(
    submission_id: UUID,
    events: int,
    head_hash: str | None,
    at: datetime,
    word: str,
    facts: dict[str, Any],
    actor: str | None = None,
) -> dict[str, Any]:
    """The row that follows a locked head: for those who write it together with other things."""
    number = events + 1
    return {
        "submission_id": submission_id,
        "number": number,
        "at": at,
        "word": word,
        "facts": facts,
        "prev_hash": head_hash,
        "hash": hash_of(submission_id, number, at, word, actor, facts, head_hash),
    }


def timeline(connection: Connection, submission_id: UUID) -> list[Event]:
    """All events of a submission, oldest first."""
    rows = connection.execute(
        select(event).where(event.c.submission_id == submission_id).order_by(event.c.number)
    ).mappings()
    return [Event(**{name: row[name] for name in Event.__slots__}) for row in rows]


def broken_at(connection: Connection, submission_id: UUID) -> int | None:
    """The number of the first event that does not follow from the one before, or None: the chain holds.

    A chain cut short is found by the head kept on the submission: the number returned is then one past the last event.
    """
    previous: str | None = None
    events = timeline(connection, submission_id)
    for expected, item in enumerate(events, start=1):
        digest = hash_of(submission_id, expected, item.at, item.word, item.actor, item.facts, previous)
        if item.number != expected or item.prev_hash != previous or item.hash != digest:
            return expected
        previous = item.hash
    head = connection.execute(select(submission.c.head_hash).where(submission.c.id == submission_id)).scalar_one()
    return None if head == previous else len(events) + 1


def hash_of(
    submission_id: UUID,
    number: int,
    at: datetime,
    word: str,
    actor: str | None,
    facts: dict[str, Any],
    previous: str | None,
) -> str:
    """SHA-256 over the canonical JSON of everything an event says, hex."""
    said = [str(submission_id), number, at.isoformat(), word, actor, facts, previous]
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON in one spelling, so that the same facts have the same hash."""
    return _CANONICAL.encode(value)


def hash_sql(submission_id: str, number: str, word: str, said: str, previous: str) -> str:
    """`hash_of` as an SQL expression, for statements that add an event of the gateway's own together with other things.

    Args: expressions of uuid, integer, and text (canonical JSON of the facts; hash or NULL); `at` is now().
    """
    at = """replace(to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || '+00:00'"""
    before = f"""'["' || {submission_id} || '",' || {number} || ',"' || {at}"""
    after = f"""'","{word}",null,' || {said} || ',' || coalesce('"' || {previous} || '"', 'null') || ']'"""
    return f"encode(sha256(convert_to({before} || {after}, 'UTF8')), 'hex')"

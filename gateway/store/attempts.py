"""The long way of an attempt, in transactions: leases renewed, outcomes of every kind stored, steps withdrawn.

What every delivery passes through is in delivering.py. Every time is the database's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, DateTime, RowMapping, Text, bindparam, delete, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from gateway.store import events
from gateway.store import tables as t
from gateway.store.deliveries import in_
from schemas.delivery import DeliveryState

D = t.delivery.c
FINISHED = "attempt_finished"  # the word of the event

_STILL_HELD = text("""
SELECT d.*, now() AS now, s.events, s.head_hash,
       CASE WHEN d.order_key IS NOT NULL THEN pg_advisory_xact_lock(hashtextextended(d.order_key, 0)) END AS locked
  FROM delivery d JOIN submission s ON s.id = d.submission_id
 WHERE d.id = :id AND d.fence = :fence AND d.state = 'trying'
   FOR UPDATE OF d FOR NO KEY UPDATE OF s
""")

_FINISH = text("""
WITH left_as AS (
    UPDATE delivery
       SET state = :state, due_at = :due_at, lease_until = NULL, woken_at = NULL, parked = NULL, in_doubt = :in_doubt,
           doubt_since = CASE WHEN :doubtful THEN now() ELSE doubt_since END, last_code = :last_code,
           last_text = :last_text, reference = :reference, details = :details, updated_at = now()
     WHERE id = :id
), ended AS (
    UPDATE attempt
       SET outcome = :outcome, code = :code, text = :text, took_ms = :took_ms, digest_sent = :digest_sent,
           remote_references = :remote_references
     WHERE delivery_id = :id AND fence = :fence AND outcome IS NULL
), happened AS (
    INSERT INTO event (submission_id, number, at, word, facts, prev_hash, hash)
    VALUES (:submission_id, :number, :at, :word, :facts, :prev_hash, :hash)
)
UPDATE submission SET events = :number, head_hash = :hash WHERE id = :submission_id
""").bindparams(
    *(bindparam(name, type_=JSONB) for name in ("details", "remote_references", "facts")),
    bindparam("due_at", type_=DateTime(timezone=True)),
    *(bindparam(name, type_=Text) for name in ("last_code", "last_text", "reference", "code", "text", "digest_sent")),
)


@dataclass(frozen=True, slots=True)
class Said:
    """What one attempt has to say of itself: for the attempt's row and for the timeline."""

    outcome: str
    code: str | None
    text: str | None
    took_ms: int
    digest_sent: str | None
    references: dict[str, str]
    facts: dict[str, Any]


def renew(connection: Connection, delivery_id: UUID, fence: int, lease_s: float) -> bool:
    """Hold the delivery for another `lease_s`; False if somebody else has it."""
    done = connection.execute(
        update(t.delivery)
        .where(D.id == delivery_id, D.fence == fence, D.state == "trying")
        .values(lease_until=in_(lease_s))
    )
    return done.rowcount == 1


def still_held(connection: Connection, delivery_id: UUID, fence: int) -> RowMapping | None:
    """The locked row, if this fencing number still holds it: with the database's time as `now` and the timeline's head.

    Also takes the lock of its order key, so that what follows sees who is next.
    """
    return connection.execute(_STILL_HELD, {"id": delivery_id, "fence": fence}).mappings().first()


def ended_as(connection: Connection, delivery_id: UUID, fence: int) -> tuple[str | None, str | None]:
    """(outcome, code) stored for the attempt of this fencing number; nothing while it is open."""
    a = t.attempt.c
    found = connection.execute(
        select(a.outcome, a.code).where(a.delivery_id == delivery_id, a.fence == fence)
    ).first()  # fmt: skip
    return (found.outcome, found.code) if found else (None, None)


def finish(connection: Connection, row: RowMapping, state: DeliveryState, said: Said, values: dict[str, Any]) -> None:
    """How an attempt left its delivery, the finished attempt and the event, in one statement.

    Args: row: from `still_held`. values: due_at, in_doubt, doubtful, last_code, last_text, reference, details.
    """
    entry = events.next_entry(row["submission_id"], row["events"], row["head_hash"], row["now"], FINISHED, said.facts)
    written = {
        "due_at": None, "in_doubt": False, "doubtful": False, "last_code": None, "last_text": None,
        "reference": row["reference"], "details": row["details"], **values,
    }  # fmt: skip
    connection.execute(
        _FINISH,
        {
            **written,
            **entry,
            "id": row["id"],
            "fence": row["fence"],
            "state": state.value,
            "outcome": said.outcome,
            "code": said.code,
            "text": said.text,
            "took_ms": said.took_ms,
            "digest_sent": said.digest_sent,
            "remote_references": said.references,
        },
    )


def steps_of(connection: Connection, delivery_id: UUID) -> dict[str, dict[str, Any] | None]:
    """Every step ever begun, with its result, or None where it was lost."""
    query = select(t.step.c.name, t.step.c.result).where(t.step.c.delivery_id == delivery_id)
    return {row.name: row.result for row in connection.execute(query)}


def withdraw(connection: Connection, delivery_id: UUID, name: str | None = None, fence: int | None = None) -> None:
    """Forget intents that surely had no effect: one of ours, or (a person said so) all without a result."""
    s = t.step.c
    query = delete(t.step).where(s.delivery_id == delivery_id, s.result.is_(None))
    if name is not None:
        query = query.where(s.name == name, s.fence == fence)
    connection.execute(query)

"""The hot path of delivering: claim, remembered steps, outcome; one statement each, every time the database's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, DateTime, RowMapping, Text, bindparam, delete, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from gateway.store import events
from gateway.store import tables as t
from gateway.store.deliveries import from_row, in_, park_if_blocked
from schemas.delivery import Delivery, DeliveryState, Repeat

D = t.delivery.c

# One statement decides who may try (due, in order, not paused; everything it asks is indexed), begins the attempt, and
# brings what it needs: the steps taken so far and the newest case.
_CLAIM = text("""
WITH claimable AS (
    SELECT d.id, d.state AS was
      FROM delivery d
     WHERE d.id = :id
       AND d.state IN ('due', 'waiting', 'unsettled')
       AND d.due_at <= now()
       AND d.files IS DISTINCT FROM 'waited_for'
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

_INTEND = text("""
WITH held AS (
    UPDATE delivery SET lease_until = now() + make_interval(secs => :lease_s)
     WHERE id = :id AND fence = :fence AND state = 'trying'
 RETURNING id
)
INSERT INTO step (delivery_id, name, fence) SELECT id, :name, :fence FROM held
    ON CONFLICT (delivery_id, name) DO UPDATE SET fence = excluded.fence, intended_at = now()
 WHERE step.result IS NULL
RETURNING name
""")

_KEEP_RESULT = text("""
UPDATE step SET result = :result, done_at = now() WHERE delivery_id = :id AND name = :name AND result IS NULL
""").bindparams(bindparam("result", type_=JSONB))


@dataclass(frozen=True, slots=True)
class Said:
    """What one attempt has to say of itself: for the attempt's row and for the timeline."""

    outcome: str
    code: str | None
    text: str | None
    took_ms: int
    digest_sent: str | None
    references: dict[str, str]
    word: str
    facts: dict[str, Any]


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
    has_files: bool  # big files, kept beside the document


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
        park_if_blocked(connection, delivery_id)
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
        has_files=row["files"] is not None,
    )


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
    entry = events.next_entry(row["submission_id"], row["events"], row["head_hash"], row["now"], said.word, said.facts)
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


def intend(connection: Connection, delivery_id: UUID, name: str, fence: int, lease_s: float) -> bool:
    """Record that the step is about to be taken and hold the delivery longer; False if it is held no more."""
    asked = {"id": delivery_id, "name": name, "fence": fence, "lease_s": lease_s}
    return connection.execute(_INTEND, asked).first() is not None


def keep_result(connection: Connection, delivery_id: UUID, name: str, result: dict[str, Any]) -> None:
    """Store what a step gave. The effect has happened, so this is not fenced; the first result stands."""
    connection.execute(_KEEP_RESULT, {"id": delivery_id, "name": name, "result": result})


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

"""The statements every delivery passes through: taken, claimed, intent and result of each step, delivered.

They go to the driver directly, which prepares them, and each is one round trip and one commit; every time in them is
the database's. Whatever is out of the ordinary goes the long way, through transactions (see attempts.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from gateway.store import attempts, events, jobs
from gateway.store.attempts import Said
from gateway.store.deliveries import from_row
from gateway.store.offices import OfficeRow
from schemas.delivery import Delivered, Delivery, DeliveryState, Repeat

_OFFICE_OF = """
       d.tenant, d.connector, now(), coalesce(o.failures, 0), o.open_until, o.probe_until, o.tokens, o.tokens_at
"""
_OFFICE = f"""
SELECT {_OFFICE_OF}
  FROM delivery d LEFT JOIN office o ON o.tenant = d.tenant AND o.connector = d.connector
 WHERE d.id = %(id)s
"""  # noqa: S608 - made of constants

# This commit, alone of all here, does not wait for the disk: a wake-up too many finds nothing to claim, and one whose
# taker died before the claim is replaced by the sweep.
_TAKE = f"""
WITH taken AS ({jobs.TAKE_DELIVERY})
SELECT set_config('synchronous_commit', 'off', true), taken.id, {_OFFICE_OF}
  FROM taken LEFT JOIN delivery d ON d.id = taken.id
  LEFT JOIN office o ON o.tenant = d.tenant AND o.connector = d.connector
"""  # noqa: S608 - made of constants

# Decides who may try (due, in order, not paused; everything it asks is indexed), begins the attempt, and brings what it
# needs: the steps taken so far and the newest case. No lock of the order key: what is done stays done, so a snapshot
# that is a moment old can only refuse, and then the delivery is parked under that lock.
_CLAIM = """
WITH claimable AS (
    SELECT d.id, d.state AS was
      FROM delivery d
     WHERE d.id = %(id)s
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
       SET state = 'trying', fence = d.fence + 1, attempts = d.attempts + 1, worker = %(worker)s,
           lease_until = now() + make_interval(secs => %(lease_s)s), repeat = %(repeat)s, settle_s = %(settle_s)s,
           first_tried_at = coalesce(d.first_tried_at, now()), due_at = NULL, woken_at = NULL, parked = NULL,
           updated_at = now()
      FROM claimable c
     WHERE d.id = c.id
 RETURNING d.*, c.was
), begun AS (
    INSERT INTO attempt (delivery_id, round, number, fence, message_id, worker)
    SELECT id, round, attempts, fence, %(message_id)s, %(worker)s FROM claimed
)
SELECT claimed.*, s.file_name, s.is_test, v.stored AS case_json,
       (SELECT jsonb_object_agg(step.name, step.result) FROM step WHERE step.delivery_id = claimed.id) AS steps
  FROM claimed
  JOIN submission s ON s.id = claimed.submission_id
  LEFT JOIN LATERAL (SELECT stored FROM case_version WHERE submission_id = claimed.submission_id
                      ORDER BY version DESC LIMIT 1) v ON true
"""

# A lease that lasts is only locked: renewing it writes the whole row and its indexes anew.
_INTEND = """
WITH held AS ({held})
INSERT INTO step (delivery_id, name, fence) SELECT id, %(name)s, %(fence)s FROM held
    ON CONFLICT (delivery_id, name) DO UPDATE SET fence = excluded.fence, intended_at = now()
 WHERE step.result IS NULL
RETURNING name
"""
_INTEND_ONLY = _INTEND.format(
    held="SELECT id FROM delivery WHERE id = %(id)s AND fence = %(fence)s AND state = 'trying' FOR NO KEY UPDATE"
)
_INTEND_AND_RENEW = _INTEND.format(
    held="""
    UPDATE delivery SET lease_until = now() + make_interval(secs => %(lease_s)s)
     WHERE id = %(id)s AND fence = %(fence)s AND state = 'trying'
 RETURNING id"""
)

_KEEP_RESULT = """
UPDATE step SET result = %(result)s, done_at = now()
 WHERE delivery_id = %(id)s AND name = %(name)s AND result IS NULL
"""

# Apart from `_DELIVERED`, and before it: that statement must see what others committed under this lock before us.
_LOCK_ORDER = "SELECT pg_advisory_xact_lock(hashtextextended(%(order_key)s::text, 0))"

# The outcome, its attempt, the event, and the next of the order key, which is let go if it waits for this one.
_HASH = events.hash_sql("submission_id", "number", attempts.FINISHED, "%(facts)s::text", "head_hash")
_DELIVERED = f"""
WITH held AS (
    SELECT d.id, d.order_key, d.submission_id, s.events + 1 AS number, s.head_hash
      FROM delivery d JOIN submission s ON s.id = d.submission_id
     WHERE d.id = %(id)s AND d.fence = %(fence)s AND d.state = 'trying'
       FOR NO KEY UPDATE OF d, s
), entry AS (
    SELECT submission_id, number, head_hash, {_HASH} AS hash FROM held
), left_as AS (
    UPDATE delivery d
       SET state = 'delivered', reference = %(reference)s, details = %(details)s, due_at = NULL, lease_until = NULL,
           woken_at = NULL, parked = NULL, in_doubt = false, last_code = NULL, last_text = NULL, updated_at = now()
      FROM held WHERE d.id = held.id
), ended AS (
    UPDATE attempt a
       SET outcome = 'delivered', took_ms = %(took_ms)s, digest_sent = %(digest_sent)s,
           remote_references = %(references)s
      FROM held WHERE a.delivery_id = held.id AND a.fence = %(fence)s AND a.outcome IS NULL
), happened AS (
    INSERT INTO event (submission_id, number, at, word, facts, prev_hash, hash)
    SELECT submission_id, number, now(), '{attempts.FINISHED}', %(facts)s::text::jsonb, head_hash, hash FROM entry
), noted AS (
    UPDATE submission s SET events = entry.number, head_hash = entry.hash
      FROM entry WHERE s.id = entry.submission_id
), next AS (
    SELECT d.id
      FROM held JOIN delivery d ON d.order_key = held.order_key AND d.id <> held.id
     WHERE d.state NOT IN ('delivered', 'set_aside') ORDER BY d.sequence LIMIT 1
), freed AS (
    UPDATE delivery d SET parked = NULL, due_at = now(), woken_at = now()
      FROM next WHERE d.id = next.id AND d.parked = 'order'
 RETURNING d.id
)
SELECT (SELECT {jobs.wake_sql(jobs.DELIVER, "freed.id")} FROM freed) FROM held
"""  # noqa: S608 - made of constants


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


def office_of(connection: psycopg.Connection[Any], delivery_id: UUID) -> OfficeRow | None:
    """The office a delivery goes to; fresh values where it has no row yet. None: no such delivery."""
    row = connection.execute(_OFFICE, {"id": delivery_id}).fetchone()
    return OfficeRow(*row) if row else None


def take(connection: psycopg.Connection[Any]) -> tuple[UUID, OfficeRow | None] | None:
    """Remove the oldest wake-up of a delivery: its id and, as `office_of`, its office; None if there is none."""
    row = connection.execute(_TAKE).fetchone()
    if row is None:
        return None
    _, delivery_id, tenant, *_ = row
    return delivery_id, OfficeRow(*row[2:]) if tenant is not None else None


def claim(
    connection: psycopg.Connection[Any],
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
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_CLAIM, asked).fetchone()
    if row is None:
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


def intend(
    connection: psycopg.Connection[Any], delivery_id: UUID, name: str, fence: int, lease_s: float | None = None
) -> bool:
    """Record that the step is about to be taken, and hold the delivery for `lease_s` from now on where that is given.

    Returns: False if it is held no more: then nothing was recorded.
    """
    asked = {"id": delivery_id, "name": name, "fence": fence}
    if lease_s is None:
        return connection.execute(_INTEND_ONLY, asked).fetchone() is not None
    return connection.execute(_INTEND_AND_RENEW, {**asked, "lease_s": lease_s}).fetchone() is not None


def keep_result(connection: psycopg.Connection[Any], delivery_id: UUID, name: str, result: dict[str, Any]) -> None:
    """Store what a step gave. The effect has happened, so this is not fenced; the first result stands."""
    connection.execute(_KEEP_RESULT, {"id": delivery_id, "name": name, "result": Jsonb(result)})


def delivered(connection: psycopg.Connection[Any], claimed: Claim, outcome: Delivered, said: Said) -> bool:
    """The office has it: everything that follows, in one commit. False if somebody else holds the delivery by now."""
    given = {
        "id": claimed.delivery.id,
        "fence": claimed.fence,
        "reference": outcome.reference,
        "details": Jsonb(outcome.details),
        "took_ms": said.took_ms,
        "digest_sent": said.digest_sent,
        "references": Jsonb(said.references),
        "facts": events.canonical(said.facts),
    }
    with connection.pipeline():  # sent together, and one transaction, which ends where the pipeline does
        connection.execute(_LOCK_ORDER, {"order_key": claimed.delivery.order_key})
        done = connection.execute(_DELIVERED, given)
    return done.fetchone() is not None

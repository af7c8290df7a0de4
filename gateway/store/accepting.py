"""The two statements every document passes through, keep and decide: one round trip and one commit each.

They go to the driver directly, which prepares them; everything in a statement becomes true together, or nothing does.
Big octets travel by COPY in the same transaction: in pieces, so that libpq's buffers, which grow with what is sent in
one message and never shrink, stay small.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from gateway.store import events, jobs, reports
from gateway.store.submissions import plain
from schemas.receipt import Receipt
from schemas.submission import Decision, Envelope, SenderBlock, Submission, SubmissionState
from schemas.verification import Verification

PIECE_BYTES = 256 * 1024  # octets beyond this go by COPY
_SENT_BYTES = 128 * 1024  # at a time
_COPY_HEAD, _COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), struct.pack("!h", -1)  # no flags, no extension

# A document that came before, in whatever mailbox, inserts nothing: what it is needs more than one statement.
_HASH = events.hash_sql("%(id)s::uuid", "1", "kept", "%(said)s::text", "NULL")
_KEEP = f"""
WITH new AS (
    INSERT INTO submission (id, tenant, mailbox, channel, sha256, size_bytes, file_name, content_type, is_test,
           posted_at, reply_mailbox, epuap_document_id, sender, caller, busy_until, events, head_hash)
    SELECT %(id)s::uuid, %(tenant)s, %(mailbox)s, %(channel)s, %(sha256)s, %(size_bytes)s, %(file_name)s,
           %(content_type)s, %(is_test)s, %(posted_at)s::timestamptz, %(reply_mailbox)s, %(epuap_document_id)s,
           %(sender)s, %(caller)s, now() + make_interval(secs => %(busy_s)s), 1,
           {_HASH}
     WHERE NOT EXISTS (SELECT FROM submission WHERE sha256 = %(sha256)s)
    ON CONFLICT (mailbox, sha256) DO NOTHING
    RETURNING id, sequence, received_at, head_hash
), said AS (
    INSERT INTO event (submission_id, number, at, word, facts, hash)
    SELECT id, 1, now(), 'kept', %(said)s::text::jsonb, head_hash FROM new
){{content}}
SELECT sequence, received_at FROM new
"""  # noqa: S608 - made of constants
_CONTENT = """, octets AS (
    INSERT INTO content (submission_id, document, envelope) SELECT id, %(document)b, %(envelope)b FROM new
)"""
_KEEP_WHOLE, _KEEP_BIG = _KEEP.format(content=_CONTENT), _KEEP.format(content="")

# Locked first: an arrival of the same document may be adding to its history.
_NEXT_HASH = events.hash_sql("id", "number", "decided", "%(said)s::text", "head_hash")
_DECIDE = f"""
WITH head AS (
    SELECT id, events + 1 AS number, head_hash FROM submission
     WHERE id = %(id)s AND state = 'kept' FOR NO KEY UPDATE
), entry AS (
    SELECT id, number, head_hash, {_NEXT_HASH} AS hash FROM head
), moved AS (
    UPDATE submission s
       SET state = %(state)s, decision = %(decision)s, reason = %(reason)s, form_namespace = %(form_namespace)s,
           tries = 0, busy_until = now(), events = entry.number, head_hash = entry.hash
      FROM entry WHERE s.id = entry.id
    RETURNING s.id
), said AS (
    INSERT INTO event (submission_id, number, at, word, facts, prev_hash, hash)
    SELECT id, number, now(), 'decided', %(said)s::text::jsonb, head_hash, hash FROM entry
), validated AS (
    INSERT INTO validation (submission_id, stored) SELECT id, %(validation)s FROM moved
), evidenced AS (
    INSERT INTO evidence (sha256, der)
    SELECT piece.* FROM moved, unnest(%(names)s::text[], %(ders)s::bytea[]) AS piece
    ON CONFLICT DO NOTHING
), reported AS (
    INSERT INTO validation_report (submission_id, stored, recheck_at)
    SELECT id, %(report)s::jsonb, %(recheck_at)s::timestamptz FROM moved WHERE %(report)s::jsonb IS NOT NULL
), sealed AS (
    INSERT INTO receipt (submission_id, kind, origin, identifier, stored, xml)
    SELECT id, %(kind)s, 'own', %(identifier)s, %(receipt)s::jsonb, %(xml)b FROM moved
     WHERE %(identifier)s::text IS NOT NULL
){{verified}}
SELECT CASE WHEN %(wake)s THEN {jobs.wake_sql(jobs.PROCESS, "id")} END FROM moved
"""  # noqa: S608 - made of constants
_VERIFIED = """, verified AS (
    INSERT INTO verification (submission_id, stored, signed_xml) SELECT id, %(verification)s, %(signed_xml)b FROM moved
)"""
_DECIDE_WHOLE, _DECIDE_BIG = _DECIDE.format(verified=_VERIFIED), _DECIDE.format(verified="")


@dataclass(frozen=True, slots=True)
class Found:
    """What was decided about one submission and why, as it is to be stored; `said`: the facts of its event."""

    state: SubmissionState
    decision: Decision
    reason: str
    form_namespace: str | None
    verification: Verification
    validation: dict[str, Any]
    receipt: Receipt | None
    said: dict[str, Any]


def keep(
    connection: psycopg.Connection[Any],
    envelope: Envelope,
    tenant: str,
    said: dict[str, Any],
    busy_s: float,
) -> Submission | None:
    """A new document with its bytes, its first event, and whoever keeps it busy with it; None if we have its octets.

    Args: said: the facts of the event, `sha256` and `size_bytes` of the document among them.
    """
    new = _described(envelope, tenant, said)
    sender = {name: plain(value) for name, value in envelope.sender.to_json().items()}
    small = len(envelope.document) + len(envelope.raw) <= PIECE_BYTES
    given = {
        **new,
        "content_type": plain(envelope.content_type),
        "sender": Jsonb(sender),
        "caller": envelope.caller,
        "busy_s": busy_s,
        "said": events.canonical(said),
        "document": envelope.document,
        "envelope": envelope.raw,
    }
    with _one_commit(connection, needed=not small):
        row = connection.execute(_KEEP_WHOLE if small else _KEEP_BIG, given).fetchone()
        if row is None:
            return None
        if not small:
            copy_content(connection, new["id"], envelope)
    new |= {"channel": envelope.channel, "sender": SenderBlock(**sender), "document": envelope.document}
    return Submission(
        **new, sequence=row[0], received_at=row[1], state=SubmissionState.KEPT,
        decision=None, reason=None, form_namespace=None,
    )  # fmt: skip


def copy_content(connection: psycopg.Connection[Any], submission_id: UUID, envelope: Envelope) -> None:
    """The octets of a submission, in the caller's transaction."""
    row = (submission_id.bytes, envelope.document, envelope.raw)
    _copy(connection, "COPY content (submission_id, document, envelope)", row)


def decide(connection: psycopg.Connection[Any], submission_id: UUID, found: Found) -> bool:
    """Everything a decision is, the wake-up of its processing included; False if somebody was faster."""
    verification, receipt = found.verification, found.receipt
    small = len(verification.signed_xml or b"") <= PIECE_BYTES
    given = {
        "id": submission_id,
        "state": found.state.value,
        "decision": found.decision.value,
        "reason": found.reason,
        "form_namespace": found.form_namespace,
        "said": events.canonical(found.said),
        "validation": Jsonb(found.validation),
        "kind": receipt.kind.value if receipt else None,
        "identifier": receipt.id if receipt else None,
        "receipt": Jsonb(receipt.to_json()) if receipt else None,
        "xml": receipt.xml if receipt else None,
        "wake": found.state is SubmissionState.DECIDED,
        "verification": Jsonb(verification.to_json()),
        "signed_xml": verification.signed_xml,
        **_reported(verification),
    }
    with _one_commit(connection, needed=not small):
        moved = connection.execute(_DECIDE_WHOLE if small else _DECIDE_BIG, given).fetchone() is not None
        if moved and not small:
            stored = b"\x01" + json.dumps(verification.to_json()).encode()  # jsonb on the wire: version 1, then text
            row = (submission_id.bytes, stored, verification.signed_xml or b"")
            _copy(connection, "COPY verification (submission_id, stored, signed_xml)", row)
    return moved


def _described(envelope: Envelope, tenant: str, said: dict[str, Any]) -> dict[str, Any]:
    """What a row and the shape have in common."""
    return {
        "id": uuid4(),
        "tenant": tenant,
        "mailbox": envelope.mailbox,
        "channel": envelope.channel.value,
        "sha256": said["sha256"],
        "size_bytes": said["size_bytes"],
        "file_name": plain(envelope.file_name),
        "is_test": envelope.is_test,
        "posted_at": envelope.posted_at,
        "reply_mailbox": plain(envelope.reply_mailbox),
        "epuap_document_id": plain(envelope.epuap_document_id),
    }


def _reported(verification: Verification) -> dict[str, Any]:
    """The validation report, apart from the certificates and lists in it."""
    if verification.report is None:
        return {"report": None, "recheck_at": None, "names": [], "ders": []}
    stored, pieces = reports.apart(verification.report)
    names = sorted(pieces)  # in one order everywhere: two transactions that add the same ones cannot block each other
    ders = [pieces[name] for name in names]
    return {"report": Jsonb(stored), "recheck_at": verification.recheck_at, "names": names, "ders": ders}


@contextmanager
def _one_commit(connection: psycopg.Connection[Any], *, needed: bool) -> Iterator[None]:
    """A single statement on a connection in autocommit is its own transaction; more than one needs a block."""
    if not needed:
        yield
        return
    with connection.transaction():
        yield


def _copy(connection: psycopg.Connection[Any], into: str, row: tuple[bytes, ...]) -> None:
    """One row in COPY's binary format, each field with its length before it; octets go as they lie, in pieces."""
    with connection.cursor() as cursor, cursor.copy(f"{into} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(_COPY_HEAD + struct.pack("!h", len(row)))
        for field in row:
            copy.write(struct.pack("!i", len(field)))
            for at in range(0, len(field), _SENT_BYTES):
                copy.write(memoryview(field)[at : at + _SENT_BYTES])
        copy.write(_COPY_END)

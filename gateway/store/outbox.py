"""Rows of messages: into the outbox, the claim, outcomes, receipts. Every time is the database's."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, and_, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import jobs
from gateway.store import mail_tables as t
from schemas.outgoing import Message, MessageKind, MessageState
from schemas.receipt import Receipt

M, R = t.message.c, t.message_receipt.c

_CLAIM = text("""
UPDATE message SET state = 'trying', fence = fence + 1, attempts = attempts + 1, due_at = NULL, woken_at = NULL,
       lease_until = now() + make_interval(secs => :lease_s), first_tried_at = coalesce(first_tried_at, now()),
       updated_at = now()
 WHERE id = :id AND state IN ('due', 'unsettled') AND due_at <= now()
RETURNING *
""")

_MATCHABLE = text("""
SELECT r.id AS receipt, (array_agg(m.id))[1] AS message
  FROM message_receipt r
  JOIN submission s ON s.id = r.submission_id
  JOIN message m ON m.remote_document_id IN (r.stored ->> 'document_id',
                                             substring(r.stored ->> 'document_id' FROM '^DOK(.+)$'))
                AND m.reply_to = s.mailbox
 WHERE r.message_id IS NULL
 GROUP BY r.id HAVING count(*) = 1
 ORDER BY r.id LIMIT :limit
""")
_HEALTH = text("""
SELECT tenant,
       count(*) FILTER (WHERE state = 'receipted') AS receipted,
       count(*) FILTER (WHERE state = 'sent') AS awaiting_receipt,
       count(*) FILTER (WHERE state IN ('due', 'trying') OR (state = 'unsettled' AND due_at IS NOT NULL)) AS under_way,
       count(*) FILTER (WHERE state = 'unsettled') AS unsettled,
       count(*) FILTER (WHERE state IN ('refused', 'given_up') OR (state = 'unsettled' AND due_at IS NULL))
           AS for_a_person,
       count(*) FILTER (WHERE state = 'set_aside') AS set_aside,
       min(created_at) FILTER (WHERE state IN ('due', 'trying', 'unsettled', 'refused', 'given_up')) AS oldest_unsent,
       min(sent_at) FILTER (WHERE state = 'sent') AS oldest_unreceipted,
       (array_agg(last_code ORDER BY updated_at DESC) FILTER (WHERE last_code IS NOT NULL
           AND state IN ('due', 'unsettled', 'refused', 'given_up')))[1] AS last_code
  FROM message GROUP BY tenant ORDER BY tenant
""")
NEEDS_A_PERSON = or_(M.state.in_(("refused", "given_up")), and_(M.state == "unsettled", M.due_at.is_(None)))
_SMALL = [column for column in t.message.c if column.name != "document"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to one try at one message; the message has its document."""

    message: Message
    fence: int
    in_doubt: bool  # an earlier try may have sent it: look first


def put(connection: Connection, message: Message, answer_id: UUID | None, canonical_sha256: str | None) -> bool:
    """A signed document into the outbox, due now; False if it is there already."""
    values = {name: getattr(message, name) for name in Message.__slots__ if name not in ("created_at", "state")}
    done = connection.execute(
        pg_insert(t.message)
        .values(
            **values,
            answer_id=answer_id,
            canonical_sha256=canonical_sha256,
            due_at=func.now(),
            woken_at=func.now(),
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(M.id)
    ).scalar()
    if done is not None:
        jobs.wake(connection, jobs.SEND, [message.id])
    return done is not None


def claim(connection: Connection, message_id: UUID, *, worker: str, lease_s: float) -> Claim | None:
    """Take a message for one try, by compare-and-set; None if it is not due or somebody has it."""
    row = connection.execute(_CLAIM, {"id": message_id, "lease_s": lease_s}).mappings().first()
    if row is None:
        return None
    connection.execute(
        insert(t.message_attempt).values(
            message_id=message_id, number=row["attempts"], fence=row["fence"], worker=worker
        )
    )
    return Claim(from_row(row, bytes(row["document"])), row["fence"], row["in_doubt"])


def still_held(connection: Connection, message_id: UUID, fence: int) -> RowMapping | None:
    """The locked row with the database's time as `now`, if this fencing number still holds it."""
    query = select(t.message, func.now().label("now")).where(M.id == message_id, M.fence == fence, M.state == "trying")
    return connection.execute(query.with_for_update()).mappings().first()


def locked(connection: Connection, message_id: UUID) -> RowMapping | None:
    """The locked row, with the database's time as `now`."""
    query = select(t.message, func.now().label("now")).where(M.id == message_id).with_for_update()
    return connection.execute(query).mappings().first()


def settle(connection: Connection, message_id: UUID, state: MessageState, **values: Any) -> None:
    """Write how a try, a receipt or a person left the message; `due_at` is NULL unless given."""
    plain = {"due_at": None, "lease_until": None, "woken_at": None, **values}
    connection.execute(
        update(t.message).where(M.id == message_id).values({**plain, "state": state.value, "updated_at": func.now()})
    )


def finish_attempt(connection: Connection, message_id: UUID, fence: int, **values: Any) -> None:
    """Fill in how the try of this fencing number ended; once."""
    a = t.message_attempt.c
    connection.execute(
        update(t.message_attempt)
        .where(a.message_id == message_id, a.fence == fence, a.outcome.is_(None))
        .values(**values)
    )


def expired(connection: Connection, limit: int = 100) -> list[RowMapping]:
    """Messages whose worker vanished, locked for the caller to recover."""
    query = select(t.message).where(M.state == "trying", M.lease_until < func.now()).order_by(M.lease_until)
    return list(connection.execute(query.limit(limit).with_for_update(skip_locked=True)).mappings())


def promote(connection: Connection, again_after_s: float, limit: int = 200) -> list[UUID]:
    """Due messages get a wake-up; those woken long ago get another (a doubled one finds nothing to claim)."""
    late = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, again_after_s)
    due = (
        select(M.id)
        .where(M.state.in_(("due", "unsettled")), M.due_at <= func.now(), or_(M.woken_at.is_(None), M.woken_at < late))
        .order_by(M.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    woken = connection.execute(update(t.message).where(M.id.in_(due)).values(woken_at=func.now()).returning(M.id))
    found = list(woken.scalars())
    jobs.wake(connection, jobs.SEND, found)
    return found


def load(connection: Connection, message_id: UUID, *, with_document: bool = False) -> Message | None:
    """One message; its octets only where they are needed."""
    row = connection.execute(select(t.message).where(M.id == message_id)).mappings().first()
    return from_row(row, bytes(row["document"]) if with_document else b"") if row else None


def of_submission(connection: Connection, submission_id: UUID, answer_id: UUID | None = None) -> list[Message]:
    """What was, or is to be, sent about one submission, or as one answer to it; oldest first. Without octets."""
    query = select(*_SMALL).where(M.submission_id == submission_id).order_by(M.created_at, M.id)
    query = query if answer_id is None else query.where(M.answer_id == answer_id)
    return [from_row(row) for row in connection.execute(query).mappings()]


def listed(connection: Connection, *, tenant: str | None, state: str | None, limit: int) -> list[Message]:
    """Messages, who waits longest first; without octets."""
    query = select(*_SMALL).order_by(M.created_at, M.id)
    for column, value in ((M.tenant, tenant), (M.state, state)):
        query = query if value is None else query.where(column == value)
    return [from_row(row) for row in connection.execute(query.limit(limit)).mappings()]


def health(connection: Connection) -> list[RowMapping]:
    """For each gmina: how its messages stand, since when the oldest waits for what, and the code in the way."""
    return list(connection.execute(_HEALTH).mappings())


def for_a_person(connection: Connection, submission_id: UUID) -> list[Message]:
    """Messages about one submission that nobody goes on with but a person."""
    query = select(*_SMALL).where(M.submission_id == submission_id, NEEDS_A_PERSON).order_by(M.created_at, M.id)
    return [from_row(row) for row in connection.execute(query).mappings()]


def attempts_of(connection: Connection, message_id: UUID) -> list[dict[str, Any]]:
    """Every try at one message, oldest first."""
    a = t.message_attempt
    query = select(a).where(a.c.message_id == message_id).order_by(a.c.number)
    return [dict(row) for row in connection.execute(query).mappings()]


# --- receipts --------------------------------------------------------------------------------------------------------


def by_digests(connection: Connection, digests: Collection[str]) -> list[UUID]:
    """Messages whose octets, or canonical form, have one of these SHA-256."""
    if not digests:
        return []
    query = select(M.id).where(or_(M.sha256.in_(digests), M.canonical_sha256.in_(digests)))
    return list(connection.execute(query).scalars())


def by_document_id(connection: Connection, identifiers: Collection[str], reply_to: str | None) -> list[UUID]:
    """Messages with one of these ids, ours or the channel's; `reply_to`: only those whose receipts come there."""
    query = select(M.id).where(or_(M.document_id.in_(identifiers), M.remote_document_id.in_(identifiers)))
    return list(connection.execute(query if reply_to is None else query.where(M.reply_to == reply_to)).scalars())


def by_cid(connection: Connection, cid: str, reply_to: str | None) -> list[UUID]:
    """Messages whose document has this CID."""
    query = select(M.id).where(M.cid == cid)
    return list(connection.execute(query if reply_to is None else query.where(M.reply_to == reply_to)).scalars())


def add_receipt(connection: Connection, receipt: Receipt, sha256: str, **values: Any) -> int | None:
    """Store a receipt; None if these octets are here already."""
    new: int | None = connection.execute(
        pg_insert(t.message_receipt)
        .values(
            kind=receipt.kind.value,
            identifier=receipt.id,
            stored=receipt.to_json(),
            xml=receipt.xml,
            sha256=sha256,
            **values,
        )
        .on_conflict_do_nothing(index_elements=["sha256"])
        .returning(R.id)
    ).scalar()
    return new


def bind_receipt(connection: Connection, receipt_id: int, message_id: UUID, **values: Any) -> None:
    """Say which message a receipt is for."""
    connection.execute(update(t.message_receipt).where(R.id == receipt_id).values(message_id=message_id, **values))


def receipts_of(connection: Connection, message_ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """Every receipt for these messages, oldest first."""
    query = select(t.message_receipt).where(R.message_id.in_(list(message_ids))).order_by(R.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def receipt(connection: Connection, receipt_id: int) -> dict[str, Any] | None:
    """One receipt, locked, for whoever binds it."""
    found = connection.execute(select(t.message_receipt).where(R.id == receipt_id).with_for_update()).mappings().first()
    return dict(found) if found else None


def unmatched_receipts(connection: Connection, limit: int = 200) -> list[dict[str, Any]]:
    """Receipts nobody knows the message of, newest first."""
    query = select(t.message_receipt).where(R.message_id.is_(None)).order_by(R.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def matchable_now(connection: Connection, limit: int = 50) -> list[tuple[int, UUID]]:
    """Receipts of unknown messages whose document id is by now the channel's number of one: (receipt, message).

    The number becomes known with the answer to sending, or in the list of what was sent: after the receipt, if that was
    faster. Only messages whose receipts come to the box the receipt came to; more than one candidate is none.
    """
    return [(row.receipt, row.message) for row in connection.execute(_MATCHABLE, {"limit": limit})]


def from_row(row: RowMapping, document: bytes = b"") -> Message:
    """A row of `message` as the shape."""
    values = {name: row[name] for name in Message.__slots__ if name != "document"}
    values["kind"], values["state"] = MessageKind(row["kind"]), MessageState(row["state"])
    return Message(**values, document=document)

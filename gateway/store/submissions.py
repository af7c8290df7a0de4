"""Rows of submissions ↔ the shapes of `schemas`: kept bytes, verdicts, receipts, cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, RowMapping, Select, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import tables as t
from schemas.receipt import Receipt
from schemas.submission import Channel, Decision, Envelope, SenderBlock, Submission, SubmissionState

S = t.submission.c


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt as stored: the signed XML and what it says."""

    kind: str
    origin: str  # own | epuap
    identifier: str
    stored_at: Any
    stored: dict[str, Any]
    xml: bytes


def insert_new(
    connection: Connection, envelope: Envelope, digest: str, tenant: str | None, same_as: UUID | None, busy_s: float
) -> UUID | None:
    """Insert a document without its bytes; None if this mailbox has these octets already.

    A concurrent twin makes this wait until the twin's transaction has ended.
    """
    new = uuid4()
    return connection.execute(
        pg_insert(t.submission)
        .values(
            id=new,
            tenant=tenant,
            mailbox=envelope.mailbox,
            channel=envelope.channel.value,
            sha256=digest,
            size_bytes=len(envelope.document),
            file_name=plain(envelope.file_name),
            content_type=plain(envelope.content_type),
            is_test=envelope.is_test,
            posted_at=envelope.posted_at,
            reply_mailbox=plain(envelope.reply_mailbox),
            epuap_document_id=plain(envelope.epuap_document_id),
            sender={name: plain(value) for name, value in envelope.sender.to_json().items()},
            caller=envelope.caller,
            same_as=same_as,
            busy_until=_in(busy_s),
        )
        .on_conflict_do_nothing(index_elements=["mailbox", "sha256"])
        .returning(S.id)
    ).scalar()


def first_with_content(connection: Connection, sha256: str, tenant: str | None) -> UUID | None:
    """The first submission of the tenant with these octets, whatever its mailbox."""
    return connection.execute(
        select(S.id).where(S.sha256 == sha256, S.tenant == tenant).order_by(S.sequence).limit(1)
    ).scalar()


def by_identity(connection: Connection, mailbox: str, sha256: str) -> Submission | None:
    """By what makes a submission the same one."""
    return _one(connection, _base().where(S.mailbox == mailbox, S.sha256 == sha256))


def load(connection: Connection, submission_id: UUID, with_document: bool = False) -> Submission | None:
    """One submission; its bytes only where a step needs them."""
    found = _one(connection, _base().where(S.id == submission_id))
    if found is None or not with_document:
        return found
    fields = {name: getattr(found, name) for name in Submission.__slots__}
    return Submission(**{**fields, "document": document_of(connection, submission_id)})


def document_of(connection: Connection, submission_id: UUID) -> bytes:
    """The original octets."""
    query = select(t.content.c.document).where(t.content.c.submission_id == submission_id)
    return bytes(connection.execute(query).scalar_one())


def add_arrival(connection: Connection, first: Submission, envelope: Envelope, envelope_sha256: str) -> list[str]:
    """Record that a document we have came again; returns what differs from the first time."""
    flags = [
        name
        for name, differs in (
            ("channel", envelope.channel is not first.channel),
            ("posted_at", envelope.posted_at != first.posted_at),
            ("epuap_document_id", plain(envelope.epuap_document_id) != first.epuap_document_id),
        )
        if differs
    ]
    connection.execute(
        insert(t.arrival).values(
            submission_id=first.id,
            channel=envelope.channel.value,
            posted_at=envelope.posted_at,
            epuap_document_id=plain(envelope.epuap_document_id),
            caller=envelope.caller,
            envelope_sha256=envelope_sha256,
            flags=flags,
        )
    )
    return flags


def count_unknown_mailbox(connection: Connection, caller: str, allowance: int) -> bool:
    """Take one from the caller's allowance of today (UTC); False when it is used up. Nothing can race past it."""
    if allowance <= 0:
        return False
    use = t.quarantine_use
    taken = connection.execute(
        pg_insert(use)
        .values(caller=caller, day=func.to_char(func.now(), "YYYY-MM-DD"), kept=1)
        .on_conflict_do_update(
            index_elements=["caller", "day"], set_={"kept": use.c.kept + 1}, where=use.c.kept < allowance
        )
        .returning(use.c.kept)
    ).scalar()
    return taken is not None


def take(connection: Connection, submission_id: UUID, state: SubmissionState, busy_s: float) -> Submission | None:
    """Become the one who carries it on from `state`; None if somebody else is at it or it has moved on."""
    taken = connection.execute(
        update(t.submission)
        .where(S.id == submission_id, S.state == state.value, (S.busy_until.is_(None)) | (S.busy_until < func.now()))
        .values(busy_until=_in(busy_s), tries=S.tries + 1)
        .returning(S.id)
    ).scalar()
    return load(connection, submission_id, with_document=True) if taken else None


def give_back(connection: Connection, submission_id: UUID) -> None:
    """Deciding it failed here: whoever comes next may try at once."""
    connection.execute(update(t.submission).where(S.id == submission_id, S.state == "kept").values(busy_until=None))


def tries_of(connection: Connection, submission_id: UUID) -> int:
    """How often the step it stands before was begun by the sweep."""
    found: int = connection.execute(select(S.tries).where(S.id == submission_id)).scalar_one()
    return found


def held_for_content(connection: Connection, submission_id: UUID) -> bool:
    """Did the tenant get these octets before, in another mailbox, and has no person let this one go on?

    Asked anew: `same_as` was written when it was kept, and two kept at the same moment did not see each other.
    """
    other = t.submission.alias().c
    before = (other.sequence < S.sequence) | (other.state == SubmissionState.PROCESSED.value)
    same = (other.tenant == S.tenant) & (other.sha256 == S.sha256) & (other.id != S.id)
    query = select(~S.released & exists(select(other.id).where(same & before))).where(S.id == submission_id)
    return bool(connection.execute(query).scalar())


def still(connection: Connection, submission_id: UUID, state: SubmissionState) -> bool:
    """Does it still stand there? Locks it, so that only one goes on from here."""
    query = select(S.id).where(S.id == submission_id, S.state == state.value).with_for_update()
    return connection.execute(query).scalar() is not None


def unfinished(connection: Connection, state: SubmissionState, limit: int = 100) -> list[UUID]:
    """Submissions nobody carries on, oldest first: the process that did died, or its wake-up is lost."""
    query = (
        select(S.id)
        .where(S.state == state.value, (S.busy_until.is_(None)) | (S.busy_until < func.now()))
        .order_by(S.sequence)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def save_decision(
    connection: Connection,
    submission_id: UUID,
    state: SubmissionState,
    decision: Decision,
    reason: str,
    form_namespace: str | None,
    wake_after_s: float = 0,
) -> bool:
    """Move a kept submission on; False if somebody else did it meanwhile (their decision stands)."""
    done = connection.execute(
        update(t.submission)
        .where(S.id == submission_id, S.state == "kept")
        .values(
            state=state.value,
            decision=decision.value,
            reason=reason,
            form_namespace=form_namespace,
            tries=0,
            busy_until=_in(wake_after_s),
        )
    )
    return done.rowcount == 1


def save_receipt(connection: Connection, submission_id: UUID, receipt: Receipt, origin: str) -> None:
    """Bind a receipt to its submission; one per kind and origin, the first stands."""
    connection.execute(
        pg_insert(t.receipt)
        .values(
            submission_id=submission_id,
            kind=receipt.kind.value,
            origin=origin,
            identifier=receipt.id,
            stored=receipt.to_json(),
            xml=receipt.xml,
        )
        .on_conflict_do_nothing()
    )


def receipts_of(connection: Connection, submission_id: UUID) -> list[StoredReceipt]:
    """Every receipt of a submission, oldest first."""
    rows = connection.execute(
        select(t.receipt).where(t.receipt.c.submission_id == submission_id).order_by(t.receipt.c.id)
    ).mappings()
    return [StoredReceipt(**{name: row[name] for name in StoredReceipt.__slots__}) for row in rows]


def verdicts_of(connection: Connection, submission_id: UUID) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Stored verification and validation, as JSON; None where nothing was decided yet."""
    verification = connection.execute(
        select(t.verification.c.stored).where(t.verification.c.submission_id == submission_id)
    ).scalar()
    validation = connection.execute(
        select(t.validation.c.stored).where(t.validation.c.submission_id == submission_id)
    ).scalar()
    return verification, validation


def signed_xml_of(connection: Connection, submission_id: UUID) -> bytes | None:
    """The signed content as verified when it was decided; None for unsigned documents."""
    query = select(t.verification.c.signed_xml).where(t.verification.c.submission_id == submission_id)
    found = connection.execute(query).scalar()
    return bytes(found) if found is not None else None


def save_case(
    connection: Connection,
    submission_id: UUID,
    stored: dict[str, Any],
    actor: str | None = None,
    reason: str | None = None,
    changes: dict[str, Any] | None = None,
) -> UUID:
    """Add a version of the case; earlier ones stay."""
    new = uuid4()
    version = select(func.coalesce(func.max(t.case_version.c.version), 0) + 1).where(
        t.case_version.c.submission_id == submission_id
    )
    connection.execute(
        insert(t.case_version).values(
            id=new,
            submission_id=submission_id,
            version=version.scalar_subquery(),
            stored=stored,
            actor=actor,
            reason=reason,
            changes=changes,
        )
    )
    return new


def latest_case(connection: Connection, submission_id: UUID) -> tuple[UUID, dict[str, Any]] | None:
    """The version deliveries use: the newest."""
    row = connection.execute(
        select(t.case_version.c.id, t.case_version.c.stored)
        .where(t.case_version.c.submission_id == submission_id)
        .order_by(t.case_version.c.version.desc())
        .limit(1)
    ).first()
    return (row[0], row[1]) if row else None


def move(connection: Connection, submission_id: UUID, state: SubmissionState, reason: str | None = None) -> None:
    """Set where it stands; the reason stays what it was unless a new one is given."""
    values: dict[str, Any] = {"state": state.value, "busy_until": None, "tries": 0}
    if reason is not None:
        values["reason"] = reason
    connection.execute(update(t.submission).where(S.id == submission_id).values(values))


def from_row(row: RowMapping) -> Submission:
    """A row of `submission` as the shape."""
    values = {name: row[name] for name in Submission.__slots__ if name != "document"}
    values["channel"] = Channel(row["channel"])
    values["state"] = SubmissionState(row["state"])
    values["decision"] = Decision(row["decision"]) if row["decision"] else None
    values["sender"] = SenderBlock(**row["sender"])
    return Submission(**values)


def _base() -> Select[Any]:
    return select(t.submission)


def _one(connection: Connection, query: Select[Any]) -> Submission | None:
    row = connection.execute(query).mappings().first()
    return from_row(row) if row else None


def _in(seconds: float) -> Any:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def plain(value: str | None) -> str | None:
    """Text PostgreSQL can hold: it has no NUL, and no halves of characters."""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd") if value is not None else None

"""Keep a document before anything else happens to it: original octets, raw envelope, who sent it, in one commit.

Identity is (mailbox, SHA-256) under a unique constraint. The same document again is a further arrival of the same
submission: recorded, flagged where the circumstances differ, and answered like the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from gateway.config import Config
from gateway.store import events, submissions
from gateway.store.database import Store
from schemas.errors import QuarantineFull
from schemas.ids import sha256
from schemas.submission import Envelope, Submission

log = structlog.get_logger()

BIG_BYTES = 4 * 1024 * 1024
DECIDE_WITHIN_S = 20.0  # whoever keeps a document decides it within this time; then others may (harmlessly twice)


@dataclass(frozen=True, slots=True)
class Kept:
    """A durable submission; `is_new` is True for exactly one arrival of it."""

    submission: Submission
    is_new: bool


def keep(envelope: Envelope, store: Store, config: Config) -> Kept:
    """Make one document durable, once.

    Raises: StoreUnavailable: nothing is known to be kept; do not acknowledge.
            QuarantineFull: the mailbox is nobody's and the caller has used up its allowance of today.
    """
    tenant = config.tenant_of(envelope.mailbox)
    teryt = tenant.teryt if tenant else None
    with store.begin() as transaction:
        if len(envelope.raw) > BIG_BYTES:
            transaction.detach()  # not reused: libpq's buffers grow with what is sent and never shrink
        kept = _insert(transaction, envelope, teryt, config) or _arrived_again(transaction, envelope)
    log.info(
        "submission_kept" if kept.is_new else "submission_arrived_again",
        submission=str(kept.submission.id),
        tenant=teryt,
        size_bytes=len(envelope.document),
    )
    return kept


def _insert(transaction: Connection, envelope: Envelope, teryt: str | None, config: Config) -> Kept | None:
    same = submissions.first_with_content(transaction, envelope.digest, teryt)
    new = submissions.insert_new(transaction, envelope, teryt, same, DECIDE_WITHIN_S)
    if new is None:
        return None
    if teryt is None:
        _take_allowance(transaction, envelope, config.gateway.push.unknown_mailbox_allowance)
    events.append(
        transaction,
        new,
        "kept",
        channel=envelope.channel.value,
        sha256=envelope.digest,
        size_bytes=len(envelope.document),
        envelope_sha256=sha256(envelope.raw),
    )
    if same is not None:
        events.append(transaction, new, "same_content", first=str(same))
        events.append(transaction, same, "same_content_again", other=str(new))
    stored = submissions.load(transaction, new)
    assert stored is not None
    return Kept(replace(stored, document=envelope.document), is_new=True)  # the octets are at hand: not read back


def _take_allowance(transaction: Connection, envelope: Envelope, allowance: int) -> None:
    """Unknown mailboxes are kept too, but no caller may fill the disk with them; raising rolls the insert back."""
    if not submissions.count_unknown_mailbox(transaction, envelope.caller or "unknown", allowance):
        raise QuarantineFull(allowance=allowance)


def _arrived_again(transaction: Connection, envelope: Envelope) -> Kept:
    first = submissions.by_identity(transaction, envelope.mailbox, envelope.digest)
    assert first is not None, "the unique constraint said that it is there, and nothing is ever deleted"
    flags = submissions.add_arrival(transaction, first, envelope, sha256(envelope.raw))
    events.append(transaction, first.id, "arrived_again", channel=envelope.channel.value, differs=flags)
    return Kept(first, is_new=False)

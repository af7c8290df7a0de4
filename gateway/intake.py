"""Keep a document before anything else happens to it: original octets, raw envelope, who sent it, in one commit.

Identity is (mailbox, SHA-256) under a unique constraint. The same document again is a further arrival of the same
submission: recorded, flagged where the circumstances differ, and answered like the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Connection

from gateway.config import Config
from gateway.store import accepting, events, submissions
from gateway.store.database import Store, driver_connection
from schemas.errors import QuarantineFull
from schemas.ids import sha256
from schemas.submission import Envelope, Submission

log = structlog.get_logger()

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
    said = _facts(envelope)
    kept = _keep_new(envelope, teryt, said, store) or _keep_unusual(envelope, teryt, said, store, config)
    log.info(
        "submission_kept" if kept.is_new else "submission_arrived_again",
        submission=str(kept.submission.id),
        tenant=teryt,
        size_bytes=len(envelope.document),
    )
    return kept


def _facts(envelope: Envelope) -> dict[str, Any]:
    """What the timeline says of an arrival; here every octet is hashed, once."""
    digest = envelope.digest
    return {
        "channel": envelope.channel.value,
        "sha256": digest,
        "size_bytes": len(envelope.document),
        "envelope_sha256": digest if envelope.raw is envelope.document else sha256(envelope.raw),
    }


def _keep_new(envelope: Envelope, teryt: str | None, said: dict[str, Any], store: Store) -> Kept | None:
    """Nearly every document: for a mailbox of ours, with octets nobody sent before; one statement."""
    if teryt is None:
        return None
    with store.direct() as connection:
        new = accepting.keep(connection, envelope, teryt, said, DECIDE_WITHIN_S)
    return Kept(new, is_new=True) if new else None


def _keep_unusual(envelope: Envelope, teryt: str | None, said: dict[str, Any], store: Store, config: Config) -> Kept:
    with store.begin() as transaction:
        return _insert(transaction, envelope, teryt, said, config) or _arrived_again(transaction, envelope, said)


def _insert(
    transaction: Connection, envelope: Envelope, teryt: str | None, said: dict[str, Any], config: Config
) -> Kept | None:
    same = submissions.first_with_content(transaction, said["sha256"], teryt)
    new = submissions.insert_new(transaction, envelope, said["sha256"], teryt, same, DECIDE_WITHIN_S)
    if new is None:
        return None
    if teryt is None:
        _take_allowance(transaction, envelope, config.gateway.push.unknown_mailbox_allowance)
    accepting.copy_content(driver_connection(transaction), new, envelope)
    events.append(transaction, new, "kept", **said)
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


def _arrived_again(transaction: Connection, envelope: Envelope, said: dict[str, Any]) -> Kept:
    first = submissions.by_identity(transaction, envelope.mailbox, said["sha256"])
    assert first is not None, "the unique constraint said that it is there, and nothing is ever deleted"
    flags = submissions.add_arrival(transaction, first, envelope, said["envelope_sha256"])
    events.append(transaction, first.id, "arrived_again", channel=envelope.channel.value, differs=flags)
    return Kept(first, is_new=False)

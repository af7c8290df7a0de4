"""Our receipt, or why a document was rejected, into the sender's box: where no answer of the channel carries it.

A pushed document is answered at once; a polled or imported one is not. Found by what is missing, so that no crash
between a decision and its message leaves a sender untold; sent once like every message.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid5

import structlog
from sqlalchemy import Connection

from gateway.config import TenantConfig
from gateway.outbox.window import lately
from gateway.receipts.digests import canonical_sha256
from gateway.store import events, outbox, submissions, telling
from gateway.tools import Tools
from schemas.ids import sha256
from schemas.outgoing import Message, MessageKind, MessageState
from schemas.submission import Submission

log = structlog.get_logger()

Reject = Callable[[Connection, UUID, Tools], None]


def sweep(tools: Tools, reject: Reject) -> int:
    """Put what senders are to be told into the outbox. Returns how many there were.

    Args: reject: begins the letter that says why a document was rejected (gateway.reply).
    """
    channels = [channel.value for channel in tools.config.gateway.receipt.tell]
    if tools.mail is None or not channels:
        return 0
    with tools.store.begin() as transaction:
        found = telling.untold(transaction, channels, list(tools.config.tenants), lately(tools.clock.now()))
    for submission_id, rejected in found:
        with tools.store.begin() as transaction:
            (reject if rejected else _send_receipt)(transaction, submission_id, tools)
    if found:
        log.info("senders_told", count=len(found))
    return len(found)


def _send_receipt(transaction: Connection, submission_id: UUID, tools: Tools) -> None:
    submission = submissions.load(transaction, submission_id)
    assert submission is not None
    own = next(one for one in submissions.receipts_of(transaction, submission_id) if one.origin == "own")
    message = _message(submission, own.xml, tools.config.tenants[submission.tenant or ""], tools)
    if outbox.put(transaction, message, None, canonical_sha256(own.xml)):
        events.append(
            transaction, submission_id, "receipt_sent_by_message", message=str(message.id), receipt=own.identifier
        )


def _message(submission: Submission, receipt: bytes, tenant: TenantConfig, tools: Tools) -> Message:
    document_id = f"{telling.DOCUMENT_ID}{submission.id}"
    return Message(
        id=uuid5(submission.id, "receipt"),
        submission_id=submission.id,
        tenant=tenant.teryt,
        kind=MessageKind.SUBMIT,
        to=submission.reply_mailbox or "",
        reply_to=tenant.answers.reply_mailbox or tenant.mailboxes[0],
        file_name=f"{document_id}.xml",
        document_id=document_id,
        case_id=str(submission.id),
        cid=None,
        sha256=sha256(receipt),
        state=MessageState.DUE,
        attempts=0,
        created_at=tools.clock.now(),
        document=receipt,
    )

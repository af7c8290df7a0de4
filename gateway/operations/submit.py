"""Documents from a gmina's own portal: the same envelope and the same steps as from ePUAP, answered over REST."""

from __future__ import annotations

import json
from uuid import UUID

from sqlalchemy import Connection, select

from gateway import flow
from gateway.config import Config
from gateway.operations.exchange import receipt_file
from gateway.store import submissions
from gateway.store import tables as t
from gateway.tools import Tools
from schemas.api import Caller, FileContent, SubmissionView, SubmitQuery, Submitted
from schemas.errors import ApiRefused
from schemas.submission import Channel, Envelope, SenderBlock, Submission
from schemas.texts import text

_ADDRESS = "/api/v1/submissions"


def submit(tools: Tools, caller: Caller, document: bytes, query: SubmitQuery) -> Submitted:
    """Keep and decide one document; the same octets again get the same answer.

    Raises: ApiRefused: `api.document_empty`, `api.mailbox_unknown` (not of the caller's gmina); StoreUnavailable,
            IntakeRefused: nothing is acknowledged.
    """
    if not document:
        raise ApiRefused("api.document_empty")
    mailbox = _mailbox(tools.config, caller, query.mailbox)
    envelope = Envelope(
        channel=Channel.REST,
        mailbox=mailbox,
        document=document,
        raw=json.dumps(query.model_dump(mode="json"), ensure_ascii=False).encode(),
        file_name=query.file_name,
        sender=SenderBlock(system=f"api:{caller.key_id}"),
        reply_mailbox=query.reply_mailbox,
        is_test=query.test,
        caller=f"api:{caller.key_id}",
    )
    with tools.store.begin() as transaction:
        before = submissions.by_identity(transaction, mailbox, envelope.digest)
    flow.accept(envelope, tools)
    with tools.store.begin() as transaction:
        found = submissions.by_identity(transaction, mailbox, envelope.digest)
        assert found is not None, "accept has committed it, and nothing is ever deleted"
        has_receipt = bool(submissions.receipts_of(transaction, found.id))
    return Submitted(_view(found, has_receipt), before is None)


def submission(tools: Tools, caller: Caller, submission_id: UUID) -> SubmissionView:
    """What became of it. Raises ApiRefused `api.not_found`: nothing of the caller's gmina that came over REST."""
    with tools.store.begin() as transaction:
        found = _handed_in(transaction, caller, submission_id)
        has_receipt = bool(submissions.receipts_of(transaction, submission_id))
    return _view(found, has_receipt)


def submission_receipt(tools: Tools, caller: Caller, submission_id: UUID) -> FileContent:
    """Its receipt (UPO). Raises ApiRefused `api.not_found`."""
    with tools.store.begin() as transaction:
        _handed_in(transaction, caller, submission_id)
        return receipt_file(transaction, submission_id)


def _mailbox(config: Config, caller: Caller, wanted: str | None) -> str:
    tenant = config.tenants.get(caller.tenant)
    if tenant is None or (wanted is not None and wanted not in tenant.mailboxes):
        raise ApiRefused("api.mailbox_unknown")
    return wanted or tenant.mailboxes[0]


def _handed_in(transaction: Connection, caller: Caller, submission_id: UUID) -> Submission:
    """A document of the caller's gmina that came over REST, the first time or again."""
    found = submissions.load(transaction, submission_id)
    if found is None or found.tenant != caller.tenant:
        raise ApiRefused("api.not_found")
    a = t.arrival.c
    again = select(a.id).where(a.submission_id == submission_id, a.channel == Channel.REST.value).limit(1)
    if found.channel is not Channel.REST and transaction.execute(again).scalar() is None:
        raise ApiRefused("api.not_found")
    return found


def _view(found: Submission, has_receipt: bool) -> SubmissionView:
    decided = found.decision.value if found.decision else "undecided"
    facts = {lang: text(found.reason or "api.undecided", lang) for lang in ("pl", "en")}
    return SubmissionView(
        id=found.id,
        decision=found.decision,
        reason=found.reason,
        message_pl=_sentence(decided, "pl", facts["pl"]),
        message_en=_sentence(decided, "en", facts["en"]),
        mailbox=found.mailbox,
        sha256=found.sha256,
        received_at=found.received_at,
        receipt_href=f"{_ADDRESS}/{found.id}/receipt" if has_receipt else None,
    )


def _sentence(decided: str, lang: str, reason: str) -> str:
    return text(f"answer.{decided}", lang, reason=reason) if decided != "undecided" else reason

"""Receipts that ePUAP gave the senders: wanted for each document of a channel it issues for, obtained where it can be.

A document is bound to its receipt by the digest the receipt's seal covers, never by a name or a number alone. What
cannot be had is asked for again, ever later, and then given up in sight: books, `submissions show`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID

import structlog

from gateway.outbox.window import lately
from gateway.receipts.read import read_receipt
from gateway.store import events, receipts_wanted, submissions
from gateway.store.receipts_wanted import Wanted
from gateway.tools import Tools
from schemas.errors import BramaError, ReceiptError, StoreUnavailable
from schemas.receipt import Receipt
from schemas.submission import Submission
from schemas.verification import Indication

log = structlog.get_logger()

NOT_THERE = "receipt.not_there"
NOT_BELIEVED = "receipt.not_believed"
ESCAPED = "flow.escaped"
_LEASE_S = 900.0  # for one list and all the receipts it names

Candidates = Callable[[Submission], Iterator[bytes]]


def sweep(tools: Tools) -> int:
    """Want what came lately and has no receipt, and wake whoever asks for what is due."""
    settings = tools.config.gateway.receipt
    channels = [channel.value for channel, issuer in settings.issue.items() if issuer == "epuap"]
    if tools.mail is None or tools.mail.receipts is None or not (channels and settings.obtain.sources):
        return 0
    with tools.store.begin() as transaction:
        new = receipts_wanted.note_new(transaction, channels, lately(tools.clock.now()), settings.obtain.first_after_s)
    with tools.store.begin() as transaction:
        return new + len(receipts_wanted.wake_due(transaction))


def obtain(submission_id: UUID, tools: Tools) -> None:
    """Ask for everything that is due of this submission's gmina; nothing if somebody else does."""
    with tools.store.begin() as transaction:
        claimed = receipts_wanted.claim(transaction, submission_id, _LEASE_S)
    if claimed is None or tools.mail is None or tools.mail.receipts is None:
        return
    tenant, wanted = claimed
    try:
        candidates = tools.mail.receipts(tenant).open()
    except Exception as error:  # noqa: BLE001 - whatever it is: asked again later, with its code in sight
        _missed(wanted, _code(error), tools)
        return
    for one in wanted:
        _ask(one, candidates, tools)


def _ask(one: Wanted, candidates: Candidates, tools: Tools) -> None:
    with tools.store.begin() as transaction:
        submission = submissions.load(transaction, one.submission_id, with_document=True)
    assert submission is not None
    try:
        found, code = _first_for(submission, candidates, tools)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one document's trouble must not stop the others
        _missed([one], _code(error), tools)
        return
    if found is None:
        _missed([one], code, tools)
        return
    with tools.store.begin() as transaction:
        submissions.save_receipt(transaction, submission.id, found, origin="epuap")
        receipts_wanted.obtained(transaction, submission.id)
        events.append(transaction, submission.id, "receipt_obtained", receipt=found.id, kind=found.kind.value)
    log.info("receipt_obtained", submission=str(submission.id))


def _first_for(submission: Submission, candidates: Candidates, tools: Tools) -> tuple[Receipt | None, str]:
    """The first whose seal is believed and covers the digest of this document; else why there is none."""
    assert tools.mail is not None
    code = NOT_THERE
    for octets in candidates(submission):
        try:
            receipt = read_receipt(octets)
        except ReceiptError as error:
            code = error.code
            continue
        checked = tools.mail.check(octets, submission.document)
        if checked.binding == "is_for" and checked.verification.indication is Indication.PASSED:
            return receipt, ""
        code = NOT_BELIEVED if checked.binding == "is_for" else code
    return None, code


def _missed(wanted: list[Wanted], code: str, tools: Tools) -> None:
    """Asked again after a while; given up when the waits are used up, which stands in the timeline."""
    waits = tools.config.gateway.receipt.obtain.retry_s
    with tools.store.begin() as transaction:
        for one in wanted:
            again = waits[one.tries - 1] if one.tries <= len(waits) else None
            receipts_wanted.missed(transaction, one.submission_id, code, again)
            if again is None:
                events.append(transaction, one.submission_id, "receipt_given_up", code=code)
    log.warning("receipt_missed", count=len(wanted), code=code)


def _code(error: Exception) -> str:
    return error.code if isinstance(error, BramaError) else ESCAPED

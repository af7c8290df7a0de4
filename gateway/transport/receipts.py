"""ePUAP's receipts for what came to us: ePUAP gave them to the senders; where it shows them to us too, they are had.

The portal's RECEIVED store names the receipt of each document (idUPO). ObslugaUPP issues one for a document we have, to
accounts with a right that most lack. Neither says for certain which document a receipt is for: its digest does, and
whoever asks compares it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from schemas.receipt import ReceiptParty
from schemas.submission import Submission

from .send import Portal, ReceiptService, StoredDocument

RECEIVED = "RECEIVED"
_APART = timedelta(minutes=10)  # between the portal's time of sending and that of the pull answer
_MOST_READ = 5  # receipts fetched for one document: names repeat


class EpuapReceipts:
    """One institution's receipts; see `schemas.outgoing.ReceiptSource`."""

    def __init__(self, portal: Portal | None, service: ReceiptService | None) -> None:
        """Either may be None: it is not asked then."""
        self._portal, self._service = portal, service

    def open(self) -> Callable[[Submission], Iterator[bytes]]:
        """List the store once, for any number of documents. Raises ServiceError: nothing can be had now."""
        listed: dict[str, list[StoredDocument]] = {}  # by number and by name: a store grows for years
        for one in self._portal.listing(RECEIVED) if self._portal else ():
            if one.receipt_id is not None:
                for key in {str(one.id), one.name}:
                    listed.setdefault(key, []).append(one)
        return lambda submission: self._candidates(submission, listed)

    def _candidates(self, submission: Submission, listed: dict[str, list[StoredDocument]]) -> Iterator[bytes]:
        """Likely ones first; the next is fetched only when the one before was not it. Raises ServiceError."""
        keyed = [*listed.get(submission.epuap_document_id or "", ()), *listed.get(submission.file_name, ())]
        fitting = [one for one in dict.fromkeys(keyed) if _may_be(one, submission)]
        for one in sorted(fitting, key=lambda one: str(one.id) != submission.epuap_document_id)[:_MOST_READ]:
            assert self._portal is not None
            assert one.receipt_id is not None
            yield self._portal.content(one.receipt_id)
        issued = self._issued(submission)
        if issued is not None:
            yield issued

    def _issued(self, submission: Submission) -> bytes | None:
        if self._service is None:
            return None
        block = submission.sender
        name = " ".join(part for part in (block.first_name, block.name) if part)
        sender = ReceiptParty(name or block.identifier or "", block.identifier, "ePUAP-ID")
        return self._service.issue(submission.document, submission.file_name, sender)


def _may_be(stored: StoredDocument, submission: Submission) -> bool:
    """By number, or by box, name and time, as far as the portal says them."""
    if submission.epuap_document_id and str(stored.id) == submission.epuap_document_id:
        return True
    if stored.name != submission.file_name or stored.addressee not in (None, submission.mailbox):
        return False
    posted = submission.posted_at
    return posted is None or stored.sent_at is None or abs(stored.sent_at - posted) <= _APART

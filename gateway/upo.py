"""What our own UPP says about a submission: who got it, who sent it, when it was kept."""

from __future__ import annotations

from gateway.config import Config
from gateway.receipt import UppFacts
from schemas.receipt import ReceiptParty
from schemas.submission import SenderBlock, Submission

EPUAP_ID = "ePUAP-ID"


def facts_of(submission: Submission, config: Config) -> UppFacts:
    """The facts of an UPP (poświadczenie przedłożenia); its id follows from the submission's, so it has only one."""
    tenant = config.tenants.get(submission.tenant or "")
    holder = submission.mailbox.strip("/").partition("/")[0]
    return UppFacts(
        receipt_id=f"BRAMA-UPP-{submission.id}",
        addressee=ReceiptParty(tenant.name if tenant else submission.mailbox, holder, EPUAP_ID),
        sender=_sender(submission.sender),
        document_id=submission.epuap_document_id or str(submission.id),
        submission_id=str(submission.id),
        file_name=submission.file_name,
        received_at=submission.received_at,
        is_test=submission.is_test,
        document_sha256=submission.sha256,
    )


def _sender(sender: SenderBlock) -> ReceiptParty | None:
    names = [part for part in (sender.first_name, sender.name) if part]
    name = " ".join(names) or sender.user or sender.identifier
    return ReceiptParty(name, sender.identifier, EPUAP_ID if sender.identifier else None) if name else None

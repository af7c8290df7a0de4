"""Values that a table read, and what is known of the arrival, become a case."""

from __future__ import annotations

from pydantic import ValidationError

from gateway.mapping.reader import Reading
from gateway.mapping.table import Table
from schemas.case import Case, FormRef, MessageFacts, MessageInfo, SignatureInfo
from schemas.errors import MappingError
from schemas.verification import Verification


def build(reading: Reading, table: Table, message: MessageFacts, left: tuple[str, ...] = ()) -> Case:
    """A case of what was read. Raises MappingError `mapping.value_wrong` where a value does not fit the case."""
    try:
        case = Case.model_validate(
            {
                **reading.values,
                "id": message.case_id,
                "kind": table.kind,
                "form": FormRef(namespace=table.form, mapping=table.name, **reading.values.get("form", {})),
                "message": _message(message),
                "authority": {**reading.values.get("authority", {}), "teryt": message.tenant},
                "signature": _signature(message.verification),
            }
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(step) for step in first["loc"])
        raise MappingError("mapping.value_wrong", file=f"{table.name}.toml", key=key, reason=first["type"]) from None
    if reading.sources or left:  # our own words, in need of no validation
        case = case.model_copy(update={"sources": reading.sources, "unmapped": left})
    return case


def _message(message: MessageFacts) -> MessageInfo:
    return MessageInfo(
        submission_id=message.submission_id,
        epuap_document_id=message.epuap_document_id,
        mailbox=message.mailbox,
        receipt_id=message.receipt_id,
        received_at=message.received_at,
        submitted_at=message.posted_at,
        document_sha256=message.document_sha256,
        sender=message.sender.to_json() if message.sender else None,
    )


def _signature(verification: Verification | None) -> SignatureInfo | None:
    if verification is None:
        return None
    first = next(iter(verification.signatures), None)
    signer = first.signer if first else None
    return SignatureInfo(
        indication=verification.indication.value,
        level=signer.kind if signer else None,
        signer_pesel=signer.pesel if signer else None,
        signer_name=signer.name if signer else None,
        signing_time=first.signing_time if first else None,
    )

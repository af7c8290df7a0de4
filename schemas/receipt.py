"""Receipts (UPO): UPP says the office has the document, UPD says the addressee has it. Channel-neutral."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from schemas.shallow import shallow


class ReceiptKind(StrEnum):
    """UPP: urzędowe poświadczenie przedłożenia. UPD: urzędowe poświadczenie doręczenia."""

    UPP = "UPP"
    UPD = "UPD"


OF_LODGING = ReceiptKind.UPP  # the office has it: what we issue, and what ends the wait for something put into a box
OF_DELIVERY = ReceiptKind.UPD  # the addressee has it: what ends the wait for something delivered against a receipt


@dataclass(frozen=True, slots=True)
class ReceiptParty:
    """Addressee or sender on a receipt, with an identifier and its kind (ePUAP-ID, NIP, TERYT ...)."""

    name: str
    identifier: str | None = None
    identifier_kind: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt, read or issued. Times aware UTC; None where left out, nil or of the year 0001."""

    kind: ReceiptKind
    id: str  # identyfikator poświadczenia
    addressee: ReceiptParty
    sender: ReceiptParty | None
    delivered_at: datetime | None
    issued_at: datetime | None
    document_id: str | None
    case_id: str | None = None  # UPD only: identyfikator sprawy
    cid: str | None = None
    supplementary: dict[str, str] = field(default_factory=dict)
    xml: bytes = field(default=b"", repr=False)

    def to_json(self) -> dict[str, Any]:
        """The contract of `brama receipt show --json`, without the XML; times ISO 8601 UTC."""
        shown = shallow(self)
        shown.pop("xml")
        shown |= {
            "kind": self.kind.value,
            "addressee": shallow(self.addressee),
            "sender": shallow(self.sender) if self.sender else None,
        }
        for name in ("delivered_at", "issued_at"):
            shown[name] = shown[name].isoformat() if shown[name] else None
        return shown

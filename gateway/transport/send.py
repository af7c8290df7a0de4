"""Sending through ePUAP: Skrytka (to a box), Doręczyciel (against a receipt), portal stores.

The interface has no idempotency key: after ServiceUnsettled a sender looks into the SENT store, or waits for the
receipt, before it does anything again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from lxml import etree

from schemas import xmldoc
from schemas.errors import EnvelopeUnreadable
from schemas.ids import Mailbox
from schemas.receipt import ReceiptParty

from . import fields
from .client import Endpoint, ServiceAnswer, ServiceClient, status_of

OK = 1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One document to send. `reply_mailbox` is ours: receipts and answers come there."""

    to: Mailbox
    reply_mailbox: Mailbox
    document: bytes = field(repr=False)
    file_name: str
    content_type: str = "application/xml"
    is_trial: bool = False  # czyProbne: nothing reaches the addressee


@dataclass(frozen=True, slots=True)
class Sent:
    """What ePUAP says about a document it took."""

    document_id: str | None
    receipt_id: str | None = None  # identyfikatorUpp
    receipt: bytes | None = field(default=None, repr=False)  # zalacznik: the UPP, where the box issues one
    order_id: str | None = None  # identyfikatorZlecenia of Doręczyciel
    recipient_code: int | None = None  # statusOdbiorcy, where the recipient's system answered at once
    recipient_text: str | None = None


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One line of a portal store. Times aware UTC: what the portal writes there is GMT."""

    id: int
    name: str
    receipt_id: int | None
    sender: str | None  # address of the box
    addressee: str | None
    sent_at: datetime | None
    folder: str | None


class Sender:
    """Skrytka and Doręczyciel of one institution (`subject`: its identifier, podmiot, in ePUAP)."""

    def __init__(self, box: Endpoint, delivery: Endpoint, subject: str) -> None:
        self._box = ServiceClient("skrytka.wsdl", box)
        self._delivery = ServiceClient("doreczyciel.wsdl", delivery)
        self._subject = subject

    def submit(self, outgoing: Outgoing) -> Sent:
        """Put a document into a box (Skrytka.nadaj). Raises ServiceError; ServiceUnsettled: look before repeating."""
        answer = self._box.call("nadaj", _file(outgoing), self._headers(outgoing))
        return self._sent(answer, self._box)

    def submit_inline(self, outgoing: Outgoing) -> Sent:
        """The same with the XML as it is (nadajAny). Never for signed documents: they are serialised anew."""
        headers = {**self._headers(outgoing), "nazwaPliku": outgoing.file_name}
        content = xmldoc.parse(outgoing.document).getroot()
        return self._sent(self._box.call("nadajAny", content, headers), self._box)

    def deliver(self, outgoing: Outgoing, *, due: datetime, document_id: str, case_id: str) -> Sent:
        """Deliver a signed document against an UPD (Doręczyciel.dorecz).

        Args: due: terminDoreczenia. document_id, case_id: of the office; both come back in the UPD.
        """
        headers = self._headers(outgoing) | {
            "terminDoreczenia": due,
            "identyfikatorDokumentu": document_id,
            "identyfikatorSprawy": case_id,
        }
        return self._sent(self._delivery.call("dorecz", _file(outgoing), headers), self._delivery)

    def collect(self, signed_receipt: Outgoing) -> None:
        """Hand in a signed UPD to get what was delivered to us (Doręczyciel.odbierz)."""
        headers = {"podmiot": self._subject, "czyProbne": signed_receipt.is_trial, "daneDodatkowe": b""}
        answer = self._delivery.call("odbierz", _file(signed_receipt), headers)
        _expect_ok(answer, self._delivery, path="")

    def _headers(self, outgoing: Outgoing) -> dict[str, object]:
        return {
            "podmiot": self._subject,
            "adresSkrytki": str(outgoing.to),
            "adresOdpowiedzi": str(outgoing.reply_mailbox),
            "czyProbne": outgoing.is_trial,
            "daneDodatkowe": b"",
        }

    def _sent(self, answer: ServiceAnswer, client: ServiceClient) -> Sent:
        _expect_ok(answer, client)
        element = answer.element
        encoded = element.findtext("zalacznik/zawartosc")
        relayed = element.find("statusOdbiorcy")
        return Sent(
            document_id=fields.text(element.find("identyfikatorDokumentu")),
            receipt_id=fields.text(element.find("identyfikatorUpp")),
            order_id=fields.text(element.find("identyfikatorZlecenia")),
            receipt=_lenient(encoded),
            recipient_code=None if relayed is None else status_of(answer, "statusOdbiorcy")[0],
            recipient_text=None if relayed is None else relayed.findtext("komunikat", ""),
        )


class ReceiptService:
    """ObslugaUPP: needs a right that most accounts do not have."""

    def __init__(self, endpoint: Endpoint, subject: str) -> None:
        self._client = ServiceClient("obsluga-upp.wsdl", endpoint)
        self._subject = subject

    def issue(self, document: bytes, file_name: str, sender: ReceiptParty) -> bytes | None:
        """Let ePUAP issue an UPP for a document we have; None where it took the document and attached none."""
        values = {
            "podmiot": self._subject,
            "nadawca": {
                "identyfikator": sender.identifier or "",
                "typIdentyfikatora": sender.identifier_kind or "ePUAP-ID",
                "nazwa": sender.name,
            },
            "dokument": {"nazwaPliku": file_name, "typPliku": "application/xml", "zawartosc": document},
        }
        answer = self._client.call("dajUpp", values)
        _expect_ok(answer, self._client)
        encoded = answer.element.findtext("upp/zawartosc")
        return fields.octets(encoded, "upp") if encoded else None


class Portal:
    """ZarzadzanieDokumentami: RECEIVED, SENT and DRAFT, for reconciliation."""

    def __init__(self, endpoint: Endpoint, subject: str) -> None:
        self._client = ServiceClient("zarzadzanie-dokumentami.wsdl", endpoint)
        self._subject = subject

    def listing(self, store: str) -> list[StoredDocument]:
        """What is in a store (zawartoscSkladu): RECEIVED, SENT, DRAFT."""
        answer = self._client.call("zawartoscSkladu", {"sklad": {"nazwa": store, "podmiot": self._subject}})
        return [_stored(item) for item in answer.element.iter("SzczegolyDokumentuTyp")]

    def content(self, document_id: int) -> bytes:
        """One document's octets (pobierzDokument)."""
        answer = self._client.call("pobierzDokument", {"idDokumentu": document_id, "podmiot": self._subject})
        return fields.octets(answer.element.findtext(".//tresc", ""), "tresc")


def _file(outgoing: Outgoing) -> dict[str, object]:
    return {
        "nazwaPliku": outgoing.file_name,
        "typPliku": outgoing.content_type,
        "zawartosc": outgoing.document,
    }


def _expect_ok(answer: ServiceAnswer, client: ServiceClient, path: str = "status") -> None:
    number, words = status_of(answer, path)
    if number != OK:
        raise client.refusal(number, words)


def _lenient(encoded: str | None) -> bytes | None:
    """The attached receipt; one that cannot be decoded does not undo that the document was sent."""
    try:
        return fields.octets(encoded, "zalacznik") if encoded else None
    except EnvelopeUnreadable:
        return None


def _stored(item: etree._Element) -> StoredDocument:
    receipt, sent = fields.text(item.find("idUPO")), fields.text(item.find("dataNadania"))
    return StoredDocument(
        id=int(item.findtext("id", "0") or 0),
        name=item.findtext("nazwa", ""),
        receipt_id=int(receipt) if receipt and receipt.isdigit() else None,
        sender=fields.text(item.find("nadawca/adres")),
        addressee=fields.text(item.find("adresat/adres")),
        sent_at=_gmt(sent),
        folder=fields.text(item.find("folder")),
    )


def _gmt(written: str | None) -> datetime | None:
    """Without a zone it is GMT here, unlike everywhere else on this wire."""
    if written is None:
        return None
    read = datetime.fromisoformat(written)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)

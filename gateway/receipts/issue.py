"""Issue our own UPP and UPD, sealed together with the original octets of what they are about.

UPP: the office has the document. UPD: the addressee has the document we sent; it is issued when they collect it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from gateway.clock import WARSAW
from gateway.receipts.seal import SealKey, TimeStamper
from gateway.receipts.sign import sign
from schemas.ids import sha256
from schemas.receipt import Receipt, ReceiptKind, ReceiptParty
from schemas.xmldoc import STR_2008, UPO, XSI, qname

_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNKNOWN = ReceiptParty("Nadawca nieustalony")

SOURCE = "Poświadczenie wystawione automatycznie przez system teleinformatyczny adresata (Brama)."
NOTICE = "Poświadczenie potwierdza, że dokument wpłynął do adresata; nie rozstrzyga o skuteczności jego wniesienia."
TEST = "Poświadczenie testowe: dotyczy przesyłki oznaczonej jako testowa i nie wywołuje skutków prawnych."


@dataclass(frozen=True, slots=True)
class UppFacts:
    """What an UPP states. `received_at` aware; `file_name` as the document came; `cid` echoed from the document."""

    receipt_id: str
    addressee: ReceiptParty
    sender: ReceiptParty | None
    document_id: str
    submission_id: str
    file_name: str
    received_at: datetime
    cid: str | None = None
    is_test: bool = False
    document_sha256: str | None = None  # hex, where it is known already: of the original octets


def issue_upp(
    facts: UppFacts, document: bytes, key: SealKey, at: datetime, time_stamp: TimeStamper | None = None
) -> Receipt:
    """Build and seal an UPP (urzędowe poświadczenie przedłożenia).

    Args:    document: the original octets; the seal covers their SHA-256 as a detached reference.
             at: when the receipt is made, aware. time_stamp: adds an RFC 3161 time-stamp (XAdES-T).
    Returns: the receipt with its XML. The UPP holds Polish wall time without a zone, as ePUAP writes it.
    Source:  the UPO template 2008/05/09 as ePUAP fills it in.
    """
    digest = facts.document_sha256 or sha256(document)
    supplementary = _supplementary(facts, digest)
    root = _document(facts.cid)
    upp = _add(root, "UPP")
    _add(upp, "IdentyfikatorPoswiadczenia", facts.receipt_id)
    _party(upp, "Adresat", facts.addressee)
    _party(upp, "Nadawca", facts.sender or _UNKNOWN)
    _add(upp, "DataDoreczenia", wall_time(facts.received_at))
    _add(upp, "DataWytworzeniaPoswiadczenia", wall_time(at))
    _add(upp, "IdentyfikatorDokumentu", facts.document_id)
    for kind, text in supplementary.items():
        _add(upp, "InformacjaUzupelniajaca", text).set("TypInformacjiUzupelniajacej", kind)
    return Receipt(
        kind=ReceiptKind.UPP,
        id=facts.receipt_id,
        addressee=facts.addressee,
        sender=facts.sender,
        delivered_at=facts.received_at,
        issued_at=at,
        document_id=facts.document_id,
        cid=facts.cid,
        supplementary=supplementary,
        xml=sign(root, {facts.file_name: digest}, key, at, time_stamp=time_stamp),
    )


@dataclass(frozen=True, slots=True)
class UpdFacts:
    """What an UPD states. `received_at`: when the addressee collected the document, aware."""

    receipt_id: str
    issuer: ReceiptParty
    addressee: ReceiptParty
    document_id: str
    case_id: str
    file_name: str
    received_at: datetime
    cid: str | None = None
    supplementary: Mapping[str, str] = field(default_factory=dict)


def issue_upd(
    facts: UpdFacts, document: bytes, key: SealKey, at: datetime, time_stamp: TimeStamper | None = None
) -> Receipt:
    """Build and seal an UPD (urzędowe poświadczenie doręczenia); the addressee's own signature may follow ours.

    Args and returns as `issue_upp`; the receipt's sender is who issues it.
    """
    digest = sha256(document)
    supplementary = {
        "Nazwa pliku": facts.file_name,
        "Skrót SHA-256 pliku": digest,
        **facts.supplementary,
    }
    root = _document(facts.cid)
    upd = _add(root, "UPD")
    _add(upd, "IdentyfikatorPoswiadczenia", facts.receipt_id)
    _party(upd, "PodmiotWystawiajacyPoswiadczenie", facts.issuer)
    _party(upd, "Adresat", facts.addressee)
    _add(upd, "DataOdbioru", wall_time(facts.received_at))
    _add(upd, "DataUtworzeniaPoswiadczenia", wall_time(at))
    _add(upd, "IdentyfikatorSprawy", facts.case_id)
    _add(upd, "IdentyfikatorDokumentu", facts.document_id)
    for kind, text in supplementary.items():
        _add(upd, "InformacjaUzupelniajaca", text).set("TypInformacjiUzupelniajacej", kind)
    return Receipt(
        kind=ReceiptKind.UPD,
        id=facts.receipt_id,
        addressee=facts.addressee,
        sender=facts.issuer,
        delivered_at=facts.received_at,
        issued_at=at,
        document_id=facts.document_id,
        case_id=facts.case_id,
        cid=facts.cid,
        supplementary=supplementary,
        xml=sign(root, {facts.file_name: digest}, key, at, time_stamp=time_stamp, others_follow=True),
    )


def wall_time(moment: datetime) -> str:
    """Polish wall time to the millisecond, without a zone: how every UPO writes it."""
    return moment.astimezone(WARSAW).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _supplementary(facts: UppFacts, digest: str) -> dict[str, str]:
    listed = {
        "Źródło": SOURCE,
        "Identyfikator zgłoszenia": facts.submission_id,
        "Nazwa pliku": facts.file_name,
        "Skrót SHA-256 pliku": digest,
        "Informacja": NOTICE,
    }
    return {"Tryb testowy": TEST, **listed} if facts.is_test else listed


def _document(cid: str | None) -> etree._Element:
    root = etree.Element(qname(UPO, "Dokument"), nsmap={"pos": UPO, "str": STR_2008, "xsi": XSI})
    root.set(qname(XSI, "schemaLocation"), f"{UPO} {UPO}schemat.xsd")
    if cid:
        described = _add(root, "OpisDokumentu")
        etree.SubElement(described, qname(STR_2008, "CID")).text = _clean(cid)
    return root


def _party(parent: etree._Element, name: str, party: ReceiptParty) -> None:
    element = _add(parent, name)
    _add(element, "Nazwa", party.name)
    identifier = _add(element, "IdentyfikatorPodmiotu", party.identifier or "")
    identifier.set("TypIdentyfikatora", _clean(party.identifier_kind or "ePUAP-ID"))


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, qname(UPO, name))
    if text is not None:
        element.text = _clean(text)
    return element


def _clean(text: str) -> str:
    """Without characters XML cannot hold: names come from outside."""
    return _NOT_XML.sub("\ufffd", text)

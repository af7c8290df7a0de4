"""Issue our own UPP and UPD, sealed together with the original octets of what they are about.

UPP: the office has the document. UPD: the addressee has the document we sent; it is issued when they collect it.
Both are written in canonical form (exclusive C14N) at once, as the seal wants it; see `sign`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.clock import WARSAW
from gateway.receipts.seal import SealKey, TimeStamper
from gateway.receipts.sign import sign
from schemas.ids import sha256
from schemas.receipt import Receipt, ReceiptKind, ReceiptParty
from schemas.xmldoc import STR_2008, UPO, XSI

_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IN_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}  # `&` first
_IN_ATTRIBUTE = {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
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
    written = _document(
        facts.cid,
        "UPP",
        _field("IdentyfikatorPoswiadczenia", facts.receipt_id),
        _party("Adresat", facts.addressee),
        _party("Nadawca", facts.sender or _UNKNOWN),
        _field("DataDoreczenia", wall_time(facts.received_at)),
        _field("DataWytworzeniaPoswiadczenia", wall_time(at)),
        _field("IdentyfikatorDokumentu", facts.document_id),
        *_further(supplementary),
    )
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
        xml=sign(written, {facts.file_name: digest}, key, at, time_stamp=time_stamp),
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
    written = _document(
        facts.cid,
        "UPD",
        _field("IdentyfikatorPoswiadczenia", facts.receipt_id),
        _party("PodmiotWystawiajacyPoswiadczenie", facts.issuer),
        _party("Adresat", facts.addressee),
        _field("DataOdbioru", wall_time(facts.received_at)),
        _field("DataUtworzeniaPoswiadczenia", wall_time(at)),
        _field("IdentyfikatorSprawy", facts.case_id),
        _field("IdentyfikatorDokumentu", facts.document_id),
        *_further(supplementary),
    )
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
        xml=sign(written, {facts.file_name: digest}, key, at, time_stamp=time_stamp, others_follow=True),
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


def _document(cid: str | None, kind: str, *fields: str) -> bytes:
    described = ""
    if cid:
        described = f'<pos:OpisDokumentu><str:CID xmlns:str="{STR_2008}">{_text(cid)}</str:CID></pos:OpisDokumentu>'
    return (
        f'<pos:Dokument xmlns:pos="{UPO}" xmlns:xsi="{XSI}" xsi:schemaLocation="{UPO} {UPO}schemat.xsd">'
        f"{described}<pos:{kind}>{''.join(fields)}</pos:{kind}></pos:Dokument>"
    ).encode()


def _party(name: str, party: ReceiptParty) -> str:
    kind = _attribute(party.identifier_kind or "ePUAP-ID")
    identifier = _field("IdentyfikatorPodmiotu", party.identifier or "", f' TypIdentyfikatora="{kind}"')
    return f"<pos:{name}>{_field('Nazwa', party.name)}{identifier}</pos:{name}>"


def _further(supplementary: Mapping[str, str]) -> Iterator[str]:
    for kind, text in supplementary.items():
        yield _field("InformacjaUzupelniajaca", text, f' TypInformacjiUzupelniajacej="{_attribute(kind)}"')


def _field(name: str, text: str, attribute: str = "") -> str:
    return f"<pos:{name}{attribute}>{_text(text)}</pos:{name}>"


def _text(value: str) -> str:
    """As C14N writes text, without characters XML cannot hold: names come from outside."""
    return _escaped(value, _IN_TEXT)


def _attribute(value: str) -> str:
    """As C14N writes the value of an attribute, `>` and all."""
    return _escaped(value, _IN_ATTRIBUTE)


def _escaped(value: str, signs: Mapping[str, str]) -> str:
    value = _NOT_XML.sub("\ufffd", value)
    for character, name in signs.items():
        value = value.replace(character, name)
    return value

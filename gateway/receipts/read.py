"""Read receipts, whoever issued them, leniently: what is absent, nil or of the year 0001 is simply not known."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lxml import etree

from gateway.clock import WARSAW
from schemas.errors import DocumentUnreadable, ReceiptError
from schemas.receipt import Receipt, ReceiptKind, ReceiptParty
from schemas.xmldoc import STR, STR_2008, UPO, XSI, parse, qname

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:[.](\d{1,9}))?\s*(Z|[+-]\d\d:\d\d)?")
_TEXT = etree.XPath("string()")


def is_receipt(root: etree._Element) -> bool:
    """Whether a document is an UPO: it came as ordinary mail, but it is not a submission."""
    return root.tag == qname(UPO, "Dokument")


def read_receipt(xml: bytes) -> Receipt:
    """Read an UPP or UPD; the signature is not looked at.

    Args:    xml: as issued, with or without a BOM.
    Raises:  ReceiptError: `receipt.unreadable` (not XML we read), `receipt.not_upo` (another kind of document),
             `receipt.incomplete` (an UPO without its UPP or UPD, or without an identifier).
    """
    try:
        root = parse(xml).getroot()
    except DocumentUnreadable as error:
        raise ReceiptError("receipt.unreadable", why=error.code) from error
    if not is_receipt(root):
        raise ReceiptError("receipt.not_upo")
    upp, upd = root.find(qname(UPO, "UPP")), root.find(qname(UPO, "UPD"))
    body = upp if upp is not None else upd
    identifier = _text(body, "IdentyfikatorPoswiadczenia")
    if body is None or not identifier:
        raise ReceiptError("receipt.incomplete")
    is_upp = upp is not None
    return Receipt(
        kind=ReceiptKind.UPP if is_upp else ReceiptKind.UPD,
        id=identifier,
        addressee=_party(body, "Adresat") or ReceiptParty(""),
        sender=_party(body, "Nadawca" if is_upp else "PodmiotWystawiajacyPoswiadczenie"),
        delivered_at=_moment(body, "DataDoreczenia" if is_upp else "DataOdbioru"),
        issued_at=_moment(body, "DataWytworzeniaPoswiadczenia" if is_upp else "DataUtworzeniaPoswiadczenia"),
        document_id=_text(body, "IdentyfikatorDokumentu") or None,
        case_id=_text(body, "IdentyfikatorSprawy") or None,
        cid=_cid(root),
        supplementary=_supplementary(body),
        xml=xml,
    )


def _text(parent: etree._Element | None, name: str) -> str:
    found = None if parent is None else parent.find(qname(UPO, name))
    return "" if found is None else str(_TEXT(found)).strip()


def _party(body: etree._Element, name: str) -> ReceiptParty | None:
    element = body.find(qname(UPO, name))
    if element is None:
        return None
    identifier = element.find(qname(UPO, "IdentyfikatorPodmiotu"))
    kind = None if identifier is None else identifier.get("TypIdentyfikatora")
    return ReceiptParty(_text(element, "Nazwa"), _text(element, "IdentyfikatorPodmiotu") or None, kind)


def _moment(body: etree._Element, name: str) -> datetime | None:
    """Polish wall time when no zone is given; None for nil, the year 0001, or what is not a time."""
    element = body.find(qname(UPO, name))
    if element is None or element.get(qname(XSI, "nil")) in ("true", "1"):
        return None
    found = _TIME.fullmatch(str(_TEXT(element)).strip())
    if not found or found[1].startswith("0001"):
        return None
    date, time, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}.{(fraction or '0')[:6].ljust(6, '0')}")
        if zone:
            return datetime.fromisoformat(moment.isoformat() + zone.replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        return None
    return moment.replace(tzinfo=WARSAW).astimezone(UTC)


def _cid(root: etree._Element) -> str | None:
    for namespace in (STR_2008, STR):
        found = root.find(f"{qname(UPO, 'OpisDokumentu')}/{qname(namespace, 'CID')}")
        if found is not None:
            return str(_TEXT(found)).strip() or None
    return None


def _supplementary(body: etree._Element) -> dict[str, str]:
    """By type; a type that occurs again gets a number, so that nothing is lost."""
    found: dict[str, str] = {}
    for element in body.iterchildren(qname(UPO, "InformacjaUzupelniajaca")):
        kind = key = element.get("TypInformacjiUzupelniajacej") or ""
        number = 2
        while key in found:
            key, number = f"{kind} ({number})", number + 1
        found[key] = str(_TEXT(element)).strip()
    return found

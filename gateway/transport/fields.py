"""How single values stand on ePUAP's wire, wherever they occur: base64, times, parties, the document's id."""

from __future__ import annotations

import binascii
from datetime import UTC, datetime

from lxml import etree

from gateway.clock import WARSAW
from schemas import xmldoc
from schemas.errors import DocumentUnreadable, EnvelopeUnreadable
from schemas.octets import from_base64
from schemas.submission import SenderBlock

_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_PARTY = {
    "identifier": "identyfikator",
    "person_kind": "typOsoby",
    "first_name": "imieSkrot",
    "name": "nazwiskoNazwa",
    "nip": "nip",
    "pesel": "pesel",
    "regon": "regon",
}


def text(element: etree._Element | None) -> str | None:
    """Its text without white space around it; None when absent or empty."""
    return None if element is None else (element.text or "").strip() or None


def octets(encoded: str, part: str, line: int = 0) -> bytes:
    """Strict base64; XML white space between the characters is allowed, nothing else is.

    Raises: EnvelopeUnreadable: `intake.base64_invalid` with the part's name and line.
    """
    found = _strict(encoded)
    if found is None:
        found = _strict("".join(encoded.split()))
    if found is None:
        raise EnvelopeUnreadable("intake.base64_invalid", part=part, line=line)
    return found


def lenient_octets(encoded: bytes) -> bytes:
    """What decoders that skip what is not base64 make of it; good for guessing a digest, and for nothing else."""
    kept = bytes(one for one in encoded if one in _ALPHABET)
    kept = kept[: len(kept) - (len(kept) % 4 == 1)]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def _strict(encoded: str) -> bytes | None:
    try:
        return from_base64(encoded)
    except ValueError:
        return None


def moment(written: str) -> datetime:
    """xs:dateTime to aware UTC; without a zone it is Polish wall time. Raises ValueError, OverflowError.

    XSD allows 24:00:00 and years beyond 9999, Python's datetime does not.
    """
    read = datetime.fromisoformat(written)
    return (read if read.tzinfo else read.replace(tzinfo=WARSAW)).astimezone(UTC)


def sender(party: etree._Element | None, account: etree._Element | None) -> SenderBlock:
    """danePodmiotu (on whose behalf) and daneNadawcy (which account), as far as they are given."""
    known = {} if party is None else {ours: text(party.find(theirs)) for ours, theirs in _PARTY.items()}
    if account is not None:
        known |= {"user": text(account.find("uzytkownik")), "system": text(account.find("system"))}
    return SenderBlock(**known)


def document_id(further: bytes) -> str | None:
    """The last un-namespaced `IdentyfikatorDokumentu` leaf in daneDodatkowe: an XML text nobody has defined.

    Unreadable, it says nothing; nothing that the citizen is owed depends on it, and the raw message keeps it.
    """
    try:
        found = xmldoc.parse(further).getroot().iter("IdentyfikatorDokumentu")
    except DocumentUnreadable:
        return None
    leaves = [text(item) for item in found if len(item) == 0]
    return leaves[-1] if leaves else None

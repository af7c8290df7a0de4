"""What the services of the simulated ePUAP share: how each may behave, how it refuses, what it reads."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from schemas.xmldoc import OBI, SOAP11, qname

EXT = OBI + "ext/"
FILES = "http://wsdl.epuap.gov.pl/filerepocore/"
STORES = "http://ws.epuap.gov.pl/zarzadzanieDokumentami"
Operation = Callable[[etree._Element, dict[str, str]], str]  # Body element, header blocks → answer as markup
Operations = dict[tuple[str, str], Operation]  # by service (end of its path) and Body element


class Refusal(Exception):
    """ePUAP says no, with a number and a text."""

    def __init__(self, number: int, text: str) -> None:
        self.number, self.text = number, text
        super().__init__(text)


@dataclass(frozen=True)
class Options:
    """How this ePUAP behaves where the real one is not documented."""

    empty: str = "short"  # an empty queue: `short` (kod 0, status only) | `wordy` (all elements, empty) | `one` (kod 1)
    digest: str = "sha1"  # how potwierdzOdebranie names a document
    sign_faults: bool = False
    allowed: frozenset[str] = frozenset()  # SHA-256 of client certificates; empty: any
    mtom: bool = False  # downloads in parts
    uploaded: str = "{id}"  # what the answer to an upload says: the id, or an address that holds it


def headers_of(body: etree._Element) -> dict[str, str]:
    """The text of every header block beside a Body element, by local name."""
    blocks = body.getroottree().getroot().iterfind(f"{qname(SOAP11, 'Header')}/*")
    return {etree.QName(block).localname: (block.text or "").strip() for block in blocks}


def sent_file(body: etree._Element, headers: dict[str, str]) -> tuple[str, bytes]:
    """Name and octets of a DokumentTyp; of the XML itself with nadajAny."""
    if etree.QName(body).namespace == EXT:
        return headers.get("NazwaPliku", "dokument.xml"), etree.tostring(body[0], with_tail=False)
    return body.findtext("nazwaPliku", ""), base64.b64decode(body.findtext("zawartosc", ""))


def party(mailbox: str) -> tuple[str, str]:
    """Name and identifier of whoever has a box."""
    return mailbox, mailbox.strip("/").partition("/")[0]

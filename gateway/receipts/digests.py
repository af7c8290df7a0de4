"""Which file is a receipt about? The digests its signatures hold, and the digests a file of ours may be known by."""

from __future__ import annotations

import base64
import binascii
import hashlib

from lxml import etree

from schemas import xmldoc
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import DS, XADES, qname


def detached_digests(receipt: bytes) -> frozenset[str]:
    """What the receipt's signatures say of files outside it, hex; only a hint until `check_receipt` agrees."""
    root = xmldoc.parse(receipt).getroot()
    found = set()
    for reference in root.iter(qname(DS, "Reference")):
        address = reference.get("URI", "")
        if address and not address.startswith("#"):
            try:
                found.add(base64.b64decode(reference.findtext(qname(DS, "DigestValue"), "")).hex())
            except binascii.Error:
                continue
    return frozenset(found)


def canonical_sha256(document: bytes) -> str | None:
    """As ePUAP's receipts digest XML: inclusive C14N without XAdES unsigned properties; None for what is no XML."""
    try:
        tree = xmldoc.parse(document)
    except DocumentUnreadable:
        return None
    for unsigned in list(tree.iter(qname(XADES, "UnsignedProperties"))):
        _cut(unsigned)
    return hashlib.sha256(etree.tostring(tree, method="c14n", with_comments=False)).hexdigest()


def _cut(element: etree._Element) -> None:
    """Remove an element and keep the text after it; a document that is nothing else stays whole."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if element.tail:
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)

"""Seal a whole document of ours without touching an octet of it: the signature is set in before the root's end tag."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from lxml import etree

from gateway.receipts.seal import SealKey, TimeStamper
from gateway.receipts.sign import sign
from schemas import xmldoc
from schemas.xmldoc import DS, qname


def seal_document(octets: bytes, key: SealKey, at: datetime, time_stamp: TimeStamper | None = None) -> bytes:
    """XAdES over the document as it stands, with what precedes its root (a stylesheet, as ePUAP's documents have).

    Args:    octets: UTF-8; nothing follows the root's end tag. at: aware.
    Returns: the same octets with one `ds:Signature` as last child of the root.
    """
    tree = xmldoc.parse(octets)
    digest = hashlib.sha256(etree.tostring(tree, method="c14n", exclusive=True, with_comments=False)).digest()
    signed = sign(tree.getroot(), {}, key, at, time_stamp=time_stamp, own_digest=base64.b64encode(digest).decode())
    signature = xmldoc.parse(signed).getroot()[-1]
    assert signature.tag == qname(DS, "Signature")
    end = octets.rindex(b"</")
    return octets[:end] + etree.tostring(signature, with_tail=False) + octets[end:]

"""Seal a whole document of ours without touching an octet of it: the signature is set in before the root's end tag."""

from __future__ import annotations

import hashlib
from datetime import datetime

from lxml import etree

from gateway.receipts.seal import SealKey, TimeStamper
from gateway.receipts.sign import set_in, signature
from schemas import xmldoc


def seal_document(octets: bytes, key: SealKey, at: datetime, time_stamp: TimeStamper | None = None) -> bytes:
    """XAdES over the document as it stands, with what precedes its root (a stylesheet, as ePUAP's documents have).

    Args:    octets: UTF-8; nothing follows the root's end tag. at: aware.
    Returns: the same octets with one `ds:Signature` as last child of the root.
    """
    canonical = etree.tostring(xmldoc.parse(octets), method="c14n", exclusive=True, with_comments=False)
    return set_in(octets, signature(hashlib.sha256(canonical).digest(), {}, key, at, time_stamp=time_stamp))

"""The signed-file wrapper (podpisanyPlik): a document inside a document. The inside decides which form it is."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from gateway.mapping.table import Table
from gateway.mapping.transforms import decode_base64
from schemas.errors import DocumentUnreadable
from schemas.xmldoc import parse


@dataclass(frozen=True, slots=True)
class Inside:
    """The only XML document inside a wrapper, as its own octets."""

    document: bytes
    tree: etree._ElementTree

    @property
    def namespace(self) -> str:
        """Of its root element."""
        return etree.QName(self.tree.getroot()).namespace or ""


def inside_of(root: etree._Element, table: Table | None) -> Inside | None:
    """What is inside, if exactly one file is and it is XML we read; None otherwise, and for forms that wrap nothing."""
    if table is None or table.inside is None:
        return None
    found = table.inside(root)
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], etree._Element):
        return None
    try:
        document = decode_base64(found[0].text or "")
        return Inside(document, parse(document))
    except (ValueError, DocumentUnreadable):
        return None

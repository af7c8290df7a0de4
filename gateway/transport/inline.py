"""Octets of an XML document that stands inline in another one, as they were sent.

Only for what `schemas.xmldoc` has already read and accepted: expat merely says at which byte things begin and end.
"""

from __future__ import annotations

from itertools import islice
from xml.parsers import expat  # offsets only; the data was accepted by xmldoc (no DTD, within limits)

from lxml import etree

from schemas import xmldoc
from schemas.errors import DocumentUnreadable


def content_of(raw: bytes, element: etree._Element) -> bytes:
    """The content of `element` as a document of its own.

    Args:    raw: the octets `element` was parsed from.
    Returns: the original octets between its tags, outer white space dropped, when they stand alone; that keeps
             signatures over inclusive C14N whole. Otherwise (prefixes declared further out, an encoding other than
             UTF-8) its one child element, serialised anew as UTF-8: the signature may break, and verifying shows it.
    """
    try:
        octets = _slice(raw, element).strip()
        xmldoc.parse(octets)
    except (expat.ExpatError, DocumentUnreadable):
        whole = xmldoc.parse(raw).getroot()  # anew: whoever read the message has taken its comments out
        again = next(islice(whole.iter(etree.Element), _number(element), None))
        return etree.tostring(next(again.iterchildren(tag=etree.Element)), encoding="UTF-8", with_tail=False)
    return octets


def _number(element: etree._Element) -> int:
    """Which element of its document it is, in document order."""
    root = element.getroottree().getroot()
    return next(number for number, item in enumerate(root.iter(etree.Element)) if item is element)


def _slice(raw: bytes, element: etree._Element) -> bytes:
    finder = _Finder(_number(element))
    finder.parser.Parse(raw, True)
    return raw[finder.start : finder.end]


class _Finder:
    """Walks the octets again and notes where the content of the `wanted`-th element begins and ends."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.start: int | None = None
        self.end: int | None = None
        self._count = -1
        self._open: list[int] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = False
        self.parser.StartElementHandler = self._started
        self.parser.EndElementHandler = self._ended
        self.parser.DefaultHandler = lambda _data: self._inside()
        self.parser.CharacterDataHandler = lambda _data: self._inside()

    def _inside(self) -> None:
        if self.start is None and self._count >= self.wanted:  # the first thing after the wanted start tag
            self.start = self.parser.CurrentByteIndex

    def _started(self, _name: str, _attributes: dict[str, str]) -> None:
        self._inside()
        self._count += 1
        self._open.append(self._count)

    def _ended(self, _name: str) -> None:
        self._inside()
        if self._open.pop() == self.wanted:
            self.end = self.parser.CurrentByteIndex

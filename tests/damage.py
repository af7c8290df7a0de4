"""A sealed document with one letter changed, wherever a letter is sealed."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LETTERS = re.compile(rb">[^<>\w]*(\w)[^<>]*(?=</)|(?:URI|Typ\w+)=\"[^\w\"]*(\w)")


def changes(xml: bytes) -> Iterator[bytes]:
    """One copy for each text, each URI and each type: its first letter or digit is another.

    KeyInfo stays: it is bound by the signing certificate's digest, not sealed as octets.
    """
    start, end = xml.index(b"<ds:KeyInfo>"), xml.index(b"</ds:KeyInfo>")
    for found in _LETTERS.finditer(xml):
        at = found.start(1) if found[1] else found.start(2)
        if not start < at < end:
            yield xml[:at] + (b"1" if xml[at : at + 1] != b"1" else b"2") + xml[at + 1 :]

"""Canonicalize around an attachment instead of through it.

libxml2 copies, escapes and writes text one octet at a time: for an attachment of megabytes that costs more than all
other work together, and changes nothing, since base64 is already in its canonical form. So long runs of such octets
are taken out of the source, short marks stand for them while the rest is parsed and canonicalized, and the runs are
put back where their marks have come out.

What makes it exact: a run lies between a `>` and the next `<` and holds neither, nor `&`, nor a carriage return, and is
ASCII. Inside a well-formed document without a DTD such octets can only be text, or stand in a CDATA section, a comment
or a processing instruction; in each of these canonicalization writes them as they are. A mark is letters and digits,
which hold in the same places, and nobody can know it beforehand.
"""

from __future__ import annotations

import codecs
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

LEAST = 64 * 1024  # octets; for less a second parse is not worth it

_END = b"z"  # of a mark, after its number
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Hollow:
    """A document without its long runs: octets to parse, and what belongs where the marks are."""

    source: bytes = field(repr=False)
    _mark: bytes
    _runs: tuple[memoryview, ...] = field(repr=False)

    def filled(self, canonical: bytes) -> bytes:
        """The canonical octets with every run in its place; one whose mark is gone was cut with its element."""
        before, *others = canonical.split(self._mark)
        parts: list[bytes | memoryview] = [before]
        for other in others:
            number, _, after = other.partition(_END)
            parts += [self._runs[int(number)], after]
        return b"".join(parts)


def hollow(source: bytes, least: int = LEAST) -> Hollow | None:
    """The document around its runs of `least` octets and more; None where it has none. `source`: well-formed."""
    found = [] if source.startswith(_WIDE) else list(_runs(source, least))
    if not found:
        return None
    view, mark = memoryview(source), b"x%sn" % secrets.token_hex(16).encode()
    parts: list[bytes | memoryview] = []
    at = 0
    for number, (start, end) in enumerate(found):
        parts += [view[at:start], b"%s%d%s" % (mark, number, _END)]
        at = end
    return Hollow(b"".join([*parts, view[at:]]), mark, tuple(view[start:end] for start, end in found))


def _runs(source: bytes, least: int) -> Iterator[tuple[int, int]]:
    """From where to where; looks for `<` backwards from one `least` ahead, so dense markup is leapt over."""
    at = 0
    while at + least <= len(source):
        nearer = source.rfind(b"<", at, at + least)
        if nearer >= at:
            at = nearer + 1
            continue
        end = source.find(b"<", at + least)
        if end < 0:
            return
        start = source.rfind(b">", at, end) + 1
        if start and end - start >= least and _is_plain(source, start, end):
            yield start, end
        at = end + 1


def _is_plain(source: bytes, start: int, end: int) -> bool:
    written_otherwise = any(source.find(octet, start, end) >= 0 for octet in (b"&", b"\r"))
    return not written_otherwise and source[start:end].isascii()

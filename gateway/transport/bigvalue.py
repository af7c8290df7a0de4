"""Answers too big for memory: read from a file as a small envelope and the one big value that stands in it.

The value of `file` is cut out before the envelope is parsed and a mark stands in its place: what has a structure goes
through the one parser, what is only octets goes past it. In parts (MTOM) the value is a part of its own, else it is
base64 between its tags. Memory stays the same whatever the size; the file is read as often as needed.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import HTTP
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from connectors.mtom import INCLUDE
from schemas.errors import EnvelopeUnreadable

PIECE = 3 * 64 * 1024  # read at a time; base64 of whole pieces can be joined
ENVELOPE_BYTES = 1024 * 1024  # everything but the value: token, signature, names
_PARTS = 16
_HEADERS_BYTES = 16 * 1024
_OPENS = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?file(?:\s[^<>]*)?>")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]")


@dataclass(frozen=True, slots=True)
class Region:
    """Octets of a file from `start` up to `end`."""

    path: Path
    start: int
    end: int

    def read(self) -> Iterator[bytes]:
        """Piece by piece."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            left = self.end - self.start
            while left > 0 and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece


@dataclass(frozen=True, slots=True)
class Value:
    """The big value. `in_place`: its base64 stands in the envelope; otherwise `region` are its octets."""

    region: Region
    in_place: bool

    def octets(self) -> Iterator[bytes]:
        """The value itself. Raises EnvelopeUnreadable `intake.base64_invalid`, at the latest with the last piece."""
        return _decoded(self.region.read()) if self.in_place else self.region.read()

    def text(self) -> Iterator[bytes]:
        """As it stands in the canonical envelope: what a signature over it digests."""
        if not self.in_place:
            return (base64.b64encode(piece) for piece in self.region.read())
        return _one_kind_of_line_end(self.region.read())


@dataclass(frozen=True, slots=True)
class BigAnswer:
    """An answer's envelope with `mark` where `value` stood; without a value it is whole."""

    envelope: bytes
    mark: bytes
    value: Value | None


def read(path: Path, content_type: str) -> BigAnswer:
    """Take an answer apart; nothing but its outline is looked at.

    Args:   content_type: the HTTP header; anything but multipart/related means that the file is the envelope.
    Raises: EnvelopeUnreadable: `intake.part_missing`: cut off, or no part where one is referred to; `.body_too_large`.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if not content_type.lower().startswith("multipart/related"):
            return _taken_apart(file, Region(path, 0, size), {})
        kind = Message()
        kind["Content-Type"] = content_type
        parts = dict(_parts(file, path, str(kind.get_param("boundary") or ""), size))
        if not parts:
            raise EnvelopeUnreadable("intake.part_missing", part="multipart/related")
        root = parts.get(_cid(kind.get_param("start")), next(iter(parts.values())))
        return _taken_apart(file, root, parts)


def _taken_apart(file: BinaryIO, root: Region, parts: dict[str, Region]) -> BigAnswer:
    head = _slice(file, root.start, min(root.end, root.start + ENVELOPE_BYTES))
    opens = _OPENS.search(head)
    if opens is None:
        _refuse_over(root.end - root.start)
        return BigAnswer(_with_small_parts(file, head, parts), b"", None)
    start = root.start + opens.end()
    end = _find(file, b"<", start, root.end)
    if end is None:
        raise EnvelopeUnreadable("intake.part_missing", part="file")
    _refuse_over(root.end - end)
    tail = _slice(file, end, root.end)
    include = INCLUDE.match(tail)
    value = Value(Region(root.path, start, end), in_place=True)
    if include is not None:
        value, tail = Value(_named(include, parts), in_place=False), tail[include.end() :]
    mark = secrets.token_hex(16).encode()
    envelope = head[: opens.end()] + mark + tail
    return BigAnswer(_with_small_parts(file, envelope, parts), mark, value)


def _with_small_parts(file: BinaryIO, envelope: bytes, parts: dict[str, Region]) -> bytes:
    """Tokens and signature values may stand in parts, too."""

    def include(found: re.Match[bytes]) -> bytes:
        part = _named(found, parts)
        _refuse_over(part.end - part.start)
        return base64.b64encode(_slice(file, part.start, part.end))

    return INCLUDE.sub(include, envelope)


def _named(include: re.Match[bytes], parts: dict[str, Region]) -> Region:
    name = unquote(include.group(1).decode("latin-1"))
    if name not in parts:
        raise EnvelopeUnreadable("intake.part_missing", part=f"cid:{name[:80]}")
    return parts[name]


def _parts(file: BinaryIO, path: Path, boundary: str, size: int) -> Iterator[tuple[str, Region]]:
    """(Content-ID, octets) of each part, in order. Source: RFC 2046, section 5.1.1."""
    line = b"--" + boundary.encode("latin-1", "replace")
    at = 0 if _slice(file, 0, len(line)) == line else _after(_find(file, b"\r\n" + line, 0, size), 2)
    for _ in range(_PARTS):
        begins = at + len(line)
        head = _slice(file, begins, min(size, begins + _HEADERS_BYTES))
        if head.startswith(b"--"):
            return
        ends = _after(_find(file, b"\r\n" + line, begins, size), 2)
        split = head.find(b"\r\n\r\n")
        if split < 0:
            raise EnvelopeUnreadable("intake.part_missing", part="multipart/related")
        headers = BytesHeaderParser(policy=HTTP).parsebytes(head[:split].lstrip() + b"\r\n\r\n")
        if str(headers["Content-Transfer-Encoding"] or "binary").lower() not in ("binary", "8bit", "7bit"):
            raise EnvelopeUnreadable("intake.part_missing", part="Content-Transfer-Encoding")
        yield _cid(headers["Content-ID"]), Region(path, begins + split + 4, ends - 2)
        at = ends
    raise EnvelopeUnreadable("intake.part_missing", part="multipart/related")


def _after(found: int | None, more: int) -> int:
    if found is None:
        raise EnvelopeUnreadable("intake.part_missing", part="multipart/related")
    return found + more


def _find(file: BinaryIO, wanted: bytes, start: int, end: int) -> int | None:
    """Where `wanted` first stands at or after `start`; only pieces are in memory."""
    file.seek(start)
    at, kept = start, b""
    while at < end and (piece := file.read(min(PIECE, end - at))):
        found = (kept + piece).find(wanted)
        if found >= 0:
            return at - len(kept) + found
        at += len(piece)
        kept = (kept + piece)[-(len(wanted) - 1) :] if len(wanted) > 1 else b""
    return None


def _slice(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _refuse_over(size: int) -> None:
    if size > ENVELOPE_BYTES:
        raise EnvelopeUnreadable("intake.body_too_large", limit_bytes=ENVELOPE_BYTES)


def _decoded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Strict base64; XML white space between the characters is allowed, nothing else is."""
    held = b""
    for piece in pieces:
        held += b"".join(piece.split())
        whole = max(0, len(held) - 1) // 4 * 4  # padding stands at the very end only: the last characters wait for it
        if b"=" in held[:whole]:
            raise EnvelopeUnreadable("intake.base64_invalid", part="file", line=0)
        yield _strictly(held[:whole])
        held = held[whole:]
    yield _strictly(held)


def _strictly(encoded: bytes) -> bytes:
    try:
        if len(encoded) % 4 or encoded.endswith(b"==="):
            raise ValueError("length")
        return binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError as error:
        raise EnvelopeUnreadable("intake.base64_invalid", part="file", line=0) from error


def _one_kind_of_line_end(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """As a parser hands it to canonicalization: CR LF and CR alone become LF. Anything but base64 is refused."""
    after_cr = False
    for piece in pieces:
        if _NOT_BASE64.search(piece):
            raise EnvelopeUnreadable("intake.base64_invalid", part="file", line=0)
        text = piece[1:] if after_cr and piece.startswith(b"\n") else piece
        after_cr = piece.endswith(b"\r")
        yield text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _cid(value: object) -> str:
    return str(value or "").strip().removeprefix("<").removesuffix(">")

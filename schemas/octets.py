"""Octets of attachments, of megabytes: from base64, strictly and fast; and in pieces, where memory is dear."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pybase64

PIECE = 3 * 256 * 1024  # bytes read at a time; base64 of whole pieces can be joined


@dataclass(frozen=True, slots=True)
class Octets:
    """Many octets whose number is known before they are read: piece by piece, as often as wanted.

    An HTTP client takes it for a body and states its length.
    """

    size: int
    pieces: Callable[[], Iterable[bytes]]

    @classmethod
    def of(cls, content: bytes) -> Octets:
        """Octets that are in memory anyway."""
        view = memoryview(content)
        return cls(len(content), lambda: (bytes(view[at : at + PIECE]) for at in range(0, len(view), PIECE)))

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        """Raises ValueError: there are more or fewer of them than was said."""
        left = self.size
        for piece in self.pieces():
            left -= len(piece)
            yield piece
        if left:
            raise ValueError("size")

    def base64(self) -> Octets:
        """Their base64 on one line."""
        return Octets((self.size + 2) // 3 * 4, self._encoded)

    def sha256(self) -> str:
        """In hex; they are read for it."""
        digest = hashlib.sha256()
        for piece in self:
            digest.update(piece)
        return digest.hexdigest()

    def between(self, head: bytes, tail: bytes) -> Octets:
        """The same with something before and after."""

        def pieces() -> Iterator[bytes]:
            yield head
            yield from self
            yield tail

        return Octets(len(head) + self.size + len(tail), pieces)

    def _encoded(self) -> Iterator[bytes]:
        held = b""
        for piece in self:
            held += piece
            whole = len(held) // 3 * 3
            yield pybase64.b64encode(held[:whole])
            held = held[whole:]
        yield pybase64.b64encode(held)


def from_base64(written: str | bytes) -> bytes:
    """Decode RFC 4648 base64: no white space, no other character, exactly the padding that is due.

    Raises: ValueError `base64`.
    """
    try:
        return pybase64.b64decode(written, validate=True)  # unlike binascii's strict mode, it refuses surplus padding
    except ValueError as error:
        raise ValueError("base64") from error

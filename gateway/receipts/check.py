"""Is this receipt for this document? Answered by the digest the receipt's signature covers, not by what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.signatures import TrustPolicy, verify
from schemas.verification import Crypto, ReferenceVerdict, SignatureVerdict, Verification

Binding = Literal["is_for", "is_not", "unresolved"]


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """`binding` is arithmetic; whether the issuer is believed is in `verification`, and both are needed."""

    binding: Binding
    verification: Verification


def check_receipt(
    xml: bytes, document: bytes | None, trust: TrustPolicy, *, at: datetime | None = None
) -> ReceiptCheck:
    """Compare a receipt with a document.

    Args:    xml: the receipt as issued. document: the original octets as submitted, None when not at hand.
    Returns: `is_for` when an intact signature over the whole receipt holds this document's digest, `is_not` when it
             holds only other digests, `unresolved` when the receipt is not intact or names no file.
    """
    alone = verify(xml, trust, at=at)
    candidates = [item for item in alone.signatures if item.crypto is Crypto.INTACT and item.covers_document]
    if document is None or not any(_detached(item) for item in candidates):
        return ReceiptCheck("unresolved", alone)
    together = verify(xml, trust, at=at, detached=_AnyName(document))
    answers = [
        reference.intact
        for before, after in zip(alone.signatures, together.signatures, strict=True)
        if before in candidates
        for reference in _detached(after)
    ]
    if True in answers:
        return ReceiptCheck("is_for", together if len(answers) == 1 else alone)
    return ReceiptCheck("is_not" if all(answer is False for answer in answers) else "unresolved", alone)


def _detached(verdict: SignatureVerdict) -> list[ReferenceVerdict]:
    return [item for item in verdict.references if item.uri and not item.uri.startswith("#")]


class _AnyName(Mapping[str, bytes]):
    """One document under whatever name the receipt gives it: names are not kept on the way, octets are."""

    def __init__(self, document: bytes) -> None:
        self._document = document

    def __getitem__(self, name: str) -> bytes:
        return self._document

    def __iter__(self) -> Iterator[str]:
        return iter(("",))

    def __len__(self) -> int:
        return 1

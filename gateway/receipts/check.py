"""Is this receipt for this document? Answered by the digest the receipt's signature covers, not by what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.signatures import TrustPolicy, verify
from schemas.verification import Crypto, Indication, ReferenceVerdict, SignatureVerdict, Verification

Binding = Literal["is_for", "is_not", "unresolved"]


# What a verdict may say without saying anything against the issuer.
_NOT_OF_THE_ISSUER = frozenset(
    {
        "signature.detached_missing",
        "signature.manifest_unchecked",
        "signature.sha1_allowed",
        "signature.certificate_digest_sha1",
        "signature.time_stamp_unusable",
    }
)


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """`binding` is arithmetic; whether the issuer is believed is another question, and both are needed."""

    binding: Binding
    verification: Verification

    @property
    def intact(self) -> bool:
        """Whether an intact signature covers the whole receipt."""
        return bool(self._sealing())

    @property
    def issuer_trusted(self) -> bool | None:
        """Whether the policy believes who sealed it; None where nothing intact says who that is, or it is not known
        yet, say whether the certificate was revoked."""
        answers = [_believed(item) for item in self._sealing()]
        return True if True in answers else None if None in answers or not answers else False

    def _sealing(self) -> list[SignatureVerdict]:
        return [item for item in self.verification.signatures if _seals(item)]


def check_receipt(
    xml: bytes, document: bytes | None, trust: TrustPolicy, *, at: datetime | None = None
) -> ReceiptCheck:
    """Compare a receipt with a document.

    Args:    xml: the receipt as issued. document: the original octets as submitted, None when not at hand.
    Returns: `is_for` when an intact signature over the whole receipt holds this document's digest, `is_not` when it
             holds only other digests, `unresolved` when the receipt is not intact or names no file.
    """
    alone = verify(xml, trust, at=at)
    candidates = [item for item in alone.signatures if _seals(item)]
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


def _seals(verdict: SignatureVerdict) -> bool:
    return verdict.crypto is Crypto.INTACT and verdict.covers_document


def _believed(verdict: SignatureVerdict) -> bool | None:
    """Also of a receipt whose file is not at hand: what remains then must speak for the issuer, or it is not known."""
    if verdict.indication is Indication.PASSED:
        return True
    if verdict.signer is None or verdict.signer.kind == "unknown":
        return False
    against = {item.code for item in verdict.reasons} - _NOT_OF_THE_ISSUER
    if any(code.startswith(("trust.", "timestamp.")) for code in against):
        return None
    return not against


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

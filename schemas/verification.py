"""What we found out about the signatures of one document; a stored value, never control flow.

Terms follow ETSI EN 319 102-1. Three questions are kept apart: is it intact (`crypto`, `references`), does it cover
what we use (`covers_document`), do we trust who signed (`indication` with `scope` full).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from schemas.shallow import shallow


class Indication(StrEnum):
    """ETSI EN 319 102-1 main indication."""

    PASSED = "TOTAL-PASSED"
    INDETERMINATE = "INDETERMINATE"
    FAILED = "TOTAL-FAILED"


class Crypto(StrEnum):
    """Whether SignedInfo and every resolvable reference hold mathematically."""

    INTACT = "intact"
    BROKEN = "broken"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is: a documented code (`signature.*`) and facts without personal data."""

    code: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, as far as covered content and the certificate say. Personal data: never logged."""

    kind: str  # trusted_profile | qualified | personal | seal | unknown
    name: str | None = None
    pesel: str | None = None
    certificate_sha256: str | None = None
    first_name: str | None = None
    surname: str | None = None
    organisation_id: str | None = None  # organizationIdentifier of the certificate, e.g. VATPL-…, NTRPL-…


@dataclass(frozen=True, slots=True)
class ReferenceVerdict:
    """One ds:Reference: intact True/False, None where it could not be resolved."""

    uri: str | None
    intact: bool | None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """One ds:Signature. `signing_time` is the signer's claim (aware, UTC) and only given when covered."""

    id: str | None
    indication: Indication
    sub_indication: str | None
    crypto: Crypto
    covers_document: bool
    level: str | None  # XML-DSig | XAdES-BES | XAdES-EPES | XAdES-B-B | XAdES-T ...
    signing_time: datetime | None
    signer: Signer | None
    references: tuple[ReferenceVerdict, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """All signatures of one document. `indication` is the worst of them; unsigned is FAILED with `signature.none`.

    `signed_xml` is the signed content as a fresh document (everything but the signatures), present only when at least
    one intact signature covers the whole document; later steps read nothing else. It is not part of the JSON.
    """

    indication: Indication
    signatures: tuple[SignatureVerdict, ...]
    scope: str  # full | crypto
    reasons: tuple[Reason, ...] = ()
    signed_xml: bytes | None = field(default=None, repr=False)
    report: dict[str, Any] | None = field(default=None, repr=False, compare=False)  # kept beside it, not in its JSON
    recheck_at: datetime | None = field(default=None, compare=False)  # newer revocation data may change or settle it

    def to_json(self) -> dict[str, Any]:
        """The contract of `brama verify --json`; times in UTC. Holds personal data: store, show, never log."""
        return {
            "indication": self.indication.value,
            "signatures": [_signature_json(verdict) for verdict in self.signatures],
            "reasons": [shallow(reason) for reason in self.reasons],
            "scope": self.scope,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any], signed_xml: bytes | None = None) -> Verification:
        """Read back what `to_json` wrote."""
        return cls(
            indication=Indication(stored["indication"]),
            signatures=tuple(_signature(item) for item in stored["signatures"]),
            scope=stored["scope"],
            reasons=tuple(Reason(**reason) for reason in stored["reasons"]),
            signed_xml=signed_xml,
        )


def _signature_json(verdict: SignatureVerdict) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "indication": verdict.indication.value,
        "sub_indication": verdict.sub_indication,
        "crypto": verdict.crypto.value,
        "covers_document": verdict.covers_document,
        "level": verdict.level,
        "signing_time": verdict.signing_time.isoformat() if verdict.signing_time else None,
        "signer": shallow(verdict.signer) if verdict.signer else None,
        "references": [shallow(reference) for reference in verdict.references],
        "reasons": [shallow(reason) for reason in verdict.reasons],
    }


def _signature(stored: dict[str, Any]) -> SignatureVerdict:
    return SignatureVerdict(
        id=stored["id"],
        indication=Indication(stored["indication"]),
        sub_indication=stored["sub_indication"],
        crypto=Crypto(stored["crypto"]),
        covers_document=stored["covers_document"],
        level=stored["level"],
        signing_time=datetime.fromisoformat(stored["signing_time"]) if stored["signing_time"] else None,
        signer=Signer(**stored["signer"]) if stored["signer"] else None,
        references=tuple(ReferenceVerdict(**item) for item in stored["references"]),
        reasons=tuple(Reason(**item) for item in stored["reasons"]),
    )

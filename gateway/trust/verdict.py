"""The shapes of a trust decision: what goes in (anchors, rules, evidence) and what comes out (a stored value).

Terms follow ETSI EN 319 102-1. All times are aware UTC. A verdict carries the certificates, CRLs and OCSP answers it
rests on as bytes, so that the same decision can be reached years later without any network.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from schemas.shallow import shallow
from schemas.verification import Indication, Reason

UNREADABLE = (  # what foreign certificates, lists and answers may raise, also late: parsing them is lazy
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    NotImplementedError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_PARSING = threading.Lock()
_DURATIONS = ("grace", "retry", "answer_age")


class Freshness(StrEnum):
    """Which revocation data settles a signature's status."""

    CURRENT = "current"  # data valid now are enough; the verdict says when to look again
    AFTER_POE = "after_poe"  # only data issued after the proof of existence (and the grace period); else TRY_LATER


class Standing(StrEnum):
    """What is known of one certificate of the chain as of the proof of existence."""

    ANCHOR = "anchor"  # trusted by configuration, not by revocation data
    GOOD = "good"
    REVOKED = "revoked"
    REVOKED_LATER = "revoked_later"  # revoked, but after the signature existed
    ON_HOLD = "on_hold"
    UNKNOWN = "unknown"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A certificate trusted by configuration or by a trusted list, within the given times (None: no bound).

    `at_issue`: what it issued outside these times does not count either (qualified authorities of a trusted list).
    """

    certificate: x509.Certificate
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    source: str = "configuration"
    at_issue: bool = False

    def trusted_at(self, moment: datetime) -> bool:
        """Whether the trust in it held at `moment`."""
        started = self.valid_from is None or self.valid_from <= moment
        return started and (self.valid_until is None or moment < self.valid_until)


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """Our thin policy over RFC 5280.

    `usages`: one of these KeyUsage bits must be set (qualified certificates usually carry nonRepudiation alone).
    `extended_usage`: dotted OID the certificate must be made for, e.g. time-stamping; None: not asked.
    `grace`: how long after the proof of existence a CA may take to publish a revocation.
    `retry`: when to look again if revocation data say nothing better.
    """

    revocation: bool = True
    freshness: Freshness = Freshness.CURRENT
    grace: timedelta = timedelta(0)
    retry: timedelta = timedelta(hours=1)
    answer_age: timedelta = timedelta(minutes=30)  # how long an OCSP answer without nextUpdate counts as current
    usages: frozenset[str] = frozenset({"digital_signature", "content_commitment"})
    extended_usage: str | None = None
    min_rsa_bits: int = 2048
    max_certificates: int = 32
    max_paths: int = 16

    def to_json(self) -> dict[str, Any]:
        """Flat JSON: durations in seconds, sets sorted."""
        shown = shallow(self)
        shown |= {name: shown[name].total_seconds() for name in _DURATIONS}
        return {**shown, "freshness": self.freshness.value, "usages": sorted(self.usages)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> PathPolicy:
        """Read back what `to_json` wrote."""
        durations = {name: timedelta(seconds=stored[name]) for name in _DURATIONS}
        rules = {"freshness": Freshness(stored["freshness"]), "usages": frozenset(stored["usages"])}
        return cls(**{**stored, **durations, **rules})


@dataclass(frozen=True, slots=True)
class RevocationEvidence:
    """DER bytes: CRLs, OCSP answers, and further certificates that may help (OCSP responders, CRL issuers)."""

    crls: tuple[bytes, ...] = field(default=(), repr=False)
    ocsps: tuple[bytes, ...] = field(default=(), repr=False)
    certificates: tuple[bytes, ...] = field(default=(), repr=False)

    def __add__(self, other: RevocationEvidence) -> RevocationEvidence:
        """Both together, each piece once."""
        return RevocationEvidence(
            crls=_once(self.crls + other.crls),
            ocsps=_once(self.ocsps + other.ocsps),
            certificates=_once(self.certificates + other.certificates),
        )

    def to_json(self) -> dict[str, list[dict[str, str]]]:
        """Each piece as base64 with its SHA-256."""
        return {"crls": _packed(self.crls), "ocsps": _packed(self.ocsps), "certificates": _packed(self.certificates)}

    @classmethod
    def from_json(cls, stored: dict[str, list[dict[str, str]]]) -> RevocationEvidence:
        """Read back what `to_json` wrote. Raises ValueError when a piece does not have its digest."""
        return cls(*(_unpacked(stored[name]) for name in ("crls", "ocsps", "certificates")))


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """What was found about one certificate; `evidence_sha256` names the CRL or OCSP answer it rests on.

    `cause` for UNKNOWN: none | stale | unverifiable | expired_dropped | unknown_to_responder.
    """

    certificate_sha256: str
    standing: Standing
    source: str | None = None  # crl | ocsp
    evidence_sha256: str | None = None
    issued_at: datetime | None = None  # thisUpdate
    next_update: datetime | None = None
    revoked_at: datetime | None = None
    revocation_reason: str | None = None
    cause: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Flat JSON, times ISO 8601."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        shown["standing"] = self.standing.value
        return {name: _time_out(value) for name, value in shown.items()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> CertificateStatus:
        """Read back what `to_json` wrote."""
        times = {name: _time_in(stored[name]) for name in ("issued_at", "next_update", "revoked_at")}
        return cls(**{**stored, **times, "standing": Standing(stored["standing"])})


@dataclass(frozen=True, slots=True)
class AnchorNote:
    """Why the chain's last certificate was trusted: by whose word, and for which time."""

    source: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    at_issue: bool = False

    def to_json(self) -> dict[str, Any]:
        """Flat JSON, times ISO 8601."""
        return {name: _time_out(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> AnchorNote:
        """Read back what `to_json` wrote."""
        times = {name: _time_in(stored[name]) for name in ("valid_from", "valid_until")}
        return cls(**{**stored, **times})


@dataclass(frozen=True, slots=True)
class TrustVerdict:
    """Whether a certificate may be believed for a signature that existed at `poe`, judged as of `at`.

    `chain`: DER, the signer first, the anchor last; empty when none was found. `statuses` follow its order.
    `recheck_at`: when newer revocation data could change or settle the answer; None: final.
    Holds personal data (certificates): store, show, never log.
    """

    indication: Indication
    sub_indication: str | None
    at: datetime
    poe: datetime
    created_after: datetime | None = None
    chain: tuple[bytes, ...] = field(default=(), repr=False)
    anchor: AnchorNote | None = None
    statuses: tuple[CertificateStatus, ...] = ()
    reasons: tuple[Reason, ...] = ()
    evidence: RevocationEvidence = field(default=RevocationEvidence(), repr=False)
    recheck_at: datetime | None = None

    @property
    def passed(self) -> bool:
        """Believed."""
        return self.indication is Indication.PASSED

    def to_json(self) -> dict[str, Any]:
        """Everything, bytes as base64 with digests; enough to judge again offline."""
        return {
            "indication": self.indication.value,
            "sub_indication": self.sub_indication,
            "at": self.at.isoformat(),
            "poe": self.poe.isoformat(),
            "created_after": _time_out(self.created_after),
            "chain": _packed(self.chain),
            "anchor": self.anchor.to_json() if self.anchor else None,
            "statuses": [status.to_json() for status in self.statuses],
            "reasons": [{"code": reason.code, "facts": reason.facts} for reason in self.reasons],
            "evidence": self.evidence.to_json(),
            "recheck_at": _time_out(self.recheck_at),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> TrustVerdict:
        """Read back what `to_json` wrote. Raises ValueError when a piece does not have its digest."""
        return cls(
            indication=Indication(stored["indication"]),
            sub_indication=stored["sub_indication"],
            at=datetime.fromisoformat(stored["at"]),
            poe=datetime.fromisoformat(stored["poe"]),
            created_after=_time_in(stored["created_after"]),
            chain=_unpacked(stored["chain"]),
            anchor=AnchorNote.from_json(stored["anchor"]) if stored["anchor"] else None,
            statuses=tuple(CertificateStatus.from_json(item) for item in stored["statuses"]),
            reasons=tuple(Reason(**item) for item in stored["reasons"]),
            evidence=RevocationEvidence.from_json(stored["evidence"]),
            recheck_at=_time_in(stored["recheck_at"]),
        )


def certificate_of(data: bytes) -> x509.Certificate:
    """Read a certificate. Raises ValueError. Oddities of old issuers, such as negative numbers, are let pass."""
    with _PARSING, warnings.catch_warnings():  # the filter is the whole process's, hence the lock
        warnings.simplefilter("ignore")
        try:
            return x509.load_der_x509_certificate(data)
        except x509.InvalidVersion as error:  # not a ValueError there
            raise ValueError("certificate of an unknown version") from error


def der(certificate: x509.Certificate) -> bytes:
    """The certificate's bytes."""
    return certificate.public_bytes(Encoding.DER)


def fingerprint(data: bytes | x509.Certificate) -> str:
    """SHA-256 in hex: how certificates and evidence are named everywhere."""
    return hashlib.sha256(der(data) if isinstance(data, x509.Certificate) else data).hexdigest()


def _once(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(pieces))


def _packed(pieces: tuple[bytes, ...]) -> list[dict[str, str]]:
    return [{"sha256": fingerprint(piece), "der": base64.b64encode(piece).decode()} for piece in pieces]


def _unpacked(stored: list[dict[str, str]]) -> tuple[bytes, ...]:
    pieces = tuple(base64.b64decode(item["der"], validate=True) for item in stored)
    for piece, item in zip(pieces, stored, strict=True):
        if fingerprint(piece) != item["sha256"]:
            raise ValueError(f"stored evidence {item['sha256'][:16]} does not have its digest")
    return pieces


def _time_out(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _time_in(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None

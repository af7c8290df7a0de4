"""Whom we trust, for what, pinned by certificate; loaded once, frozen.

environment = "production"            # shown in reports, so that a test's trust is never mistaken for the real one
allow_sha1 = false                    # let SHA-1 signatures pass, marked; for receipts of old issuers

[[trusted_profile_seal]]              # the minister's seal under podpis zaufany: one certificate, all citizens
certificate = "minister-2026.pem"     # a PEM file (one or several certificates), relative to this file

[[qualified_anchor]]                  # a certification authority of qualified certificates
[[personal_anchor]]                   # the authority of podpis osobisty (e-dowód)
[[seal]]                              # seals of offices and of issuers of receipts
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from gateway import timestamps
from gateway.signatures.keys import Certificate
from gateway.trust.verdict import RevocationEvidence, TrustVerdict
from schemas.errors import ConfigError
from schemas.verification import Reason

_LISTS = ("trusted_profile_seal", "qualified_anchor", "personal_anchor", "seal")
_ELSEWHERE = ("revocation", "lists", "time_stamp")  # tables that gateway.trust.settings reads
_MOST_ISSUERS = 4096
_KEYS = {"environment": str, "allow_sha1": bool, "minimum_rsa_bits": int}


class Judge(Protocol):
    """Builds paths and weighs revocation; a `gateway.trust` service."""

    def explain(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate],
        *,
        at: datetime,
        poe: datetime | None = None,
        evidence: RevocationEvidence = ...,
    ) -> tuple[TrustVerdict, tuple[Reason, ...]]:
        """The verdict, and what could not be fetched on the way."""
        ...


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Pinned certificates by purpose, and who judges the others. An empty policy trusts nobody.

    Without `judge`, a qualified certificate counts when a pinned `qualified_anchors` issued it directly, and its
    revocation is not asked. Without `stamp_judge`, time-stamps on incoming signatures prove nothing.
    """

    environment: str = "none"
    trusted_profile_seals: tuple[x509.Certificate, ...] = ()
    qualified_anchors: tuple[x509.Certificate, ...] = ()
    personal_anchors: tuple[x509.Certificate, ...] = ()
    seals: tuple[x509.Certificate, ...] = ()
    allow_sha1: bool = False
    minimum_rsa_bits: int = 2048
    judge: Judge | None = field(default=None, repr=False, compare=False)
    stamp_judge: timestamps.Judge | None = field(default=None, repr=False, compare=False)
    _profile_digests: frozenset[str] = field(init=False, repr=False, compare=False)
    _seal_digests: frozenset[str] = field(init=False, repr=False, compare=False)
    _issuers: dict[Certificate, x509.Certificate | None] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )  # who issued which, as found before: a citizen's certificate comes with many documents

    def __post_init__(self) -> None:
        object.__setattr__(self, "_profile_digests", _digests(self.trusted_profile_seals))
        object.__setattr__(self, "_seal_digests", _digests(self.seals))

    @classmethod
    def load(cls, path: Path) -> TrustPolicy:
        """Read a trust file. Raises ConfigError naming every problem in it."""
        try:
            raw = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError([f"{path}: {error}"]) from error
        problems = [f"{path}: unknown key {key}" for key in raw if key not in (*_KEYS, *_LISTS, *_ELSEWHERE)]
        problems += [
            f"{path}: {key} must be of type {kind.__name__}"
            for key, kind in _KEYS.items()
            if key in raw and type(raw[key]) is not kind
        ]
        listed = {name: _certificates(path, name, raw.get(name, []), problems) for name in _LISTS}
        if problems:
            raise ConfigError(problems)
        return cls(
            **{key: raw[key] for key in _KEYS if key in raw},
            trusted_profile_seals=listed["trusted_profile_seal"],
            qualified_anchors=listed["qualified_anchor"],
            personal_anchors=listed["personal_anchor"],
            seals=listed["seal"],
        )

    def is_trusted_profile_seal(self, certificate: Certificate) -> bool:
        """Whether this very certificate is pinned as podpis zaufany's seal; names do not count."""
        return certificate.sha256 in self._profile_digests

    def is_seal(self, certificate: Certificate) -> bool:
        """Whether this very certificate is pinned as a seal."""
        return certificate.sha256 in self._seal_digests

    def anchor_of(self, certificate: Certificate) -> x509.Certificate | None:
        """The pinned authority that issued this certificate, by its signature."""
        if certificate not in self._issuers:
            if len(self._issuers) >= _MOST_ISSUERS:
                self._issuers.clear()
            anchors = (*self.qualified_anchors, *self.personal_anchors)
            self._issuers[certificate] = next((item for item in anchors if _issued_by(certificate, item)), None)
        return self._issuers[certificate]

    def is_personal(self, certificate: Certificate) -> bool:
        """Whether an authority of podpis osobisty (e-dowód) issued it."""
        return bool(self.personal_anchors) and self.anchor_of(certificate) in self.personal_anchors


def _issued_by(certificate: Certificate, anchor: x509.Certificate) -> bool:
    try:
        certificate.x509.verify_directly_issued_by(anchor)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _digests(certificates: tuple[x509.Certificate, ...]) -> frozenset[str]:
    return frozenset(item.fingerprint(hashes.SHA256()).hex() for item in certificates)


def _certificates(path: Path, name: str, entries: Any, problems: list[str]) -> tuple[x509.Certificate, ...]:
    found: list[x509.Certificate] = []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{path}: {name} must be a list of tables ([[{name}]])")
        return ()
    for number, entry in enumerate(entries, 1):
        where = f"{path}: [[{name}]] {number}"
        problems += [f"{where}: unknown key {key}" for key in entry if key != "certificate"]
        file_name = entry.get("certificate")
        if not isinstance(file_name, str):
            problems.append(f"{where}: certificate is missing")
            continue
        try:
            found += x509.load_pem_x509_certificates((path.parent / file_name).read_bytes())
        except (OSError, ValueError) as error:
            problems.append(f"{where}: {file_name}: {error}")
    return tuple(found)

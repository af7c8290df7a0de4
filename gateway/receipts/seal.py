"""The key a receipt is sealed with: loaded once, shared by all threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from schemas.errors import ReceiptError

TimeStamper = Callable[[bytes], bytes]
"""Octets to stamp → RFC 3161 time-stamp token, DER. Raises ReceiptError `receipt.time_stamp_unavailable`."""


@dataclass(frozen=True, slots=True)
class SealKey:
    """A private key with its certificate. `key` may live in an HSM: anything with cryptography's `sign`."""

    certificate: x509.Certificate
    key: Any = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()  # intermediates, put into KeyInfo after the certificate

    @classmethod
    def from_pkcs12(cls, path: Path, password: str) -> SealKey:
        """Raises ReceiptError: `receipt.key_unreadable` (no file, wrong password), `receipt.key_unfit`."""
        try:
            key, certificate, chain = pkcs12.load_key_and_certificates(path.read_bytes(), password.encode())
        except (OSError, ValueError) as error:
            raise ReceiptError("receipt.key_unreadable", file=path.name) from error
        if key is None or certificate is None:
            raise ReceiptError("receipt.key_unreadable", file=path.name)
        return cls.of(key, certificate, tuple(item for item in chain if item.subject != item.issuer))

    @classmethod
    def of(cls, key: Any, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...] = ()) -> SealKey:
        """Check that key and certificate belong together. Raises ReceiptError `receipt.key_unfit`."""
        public = key.public_key()
        if not isinstance(public, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) or public != certificate.public_key():
            raise ReceiptError("receipt.key_unfit")
        return cls(certificate, key, chain)

    def remaining(self, at: datetime) -> timedelta:
        """How long the certificate still is valid; negative when it no longer is."""
        return self.certificate.not_valid_after_utc - at

    @property
    def algorithm(self) -> str:
        """The signature method, as signxml names it: SHA-256, or with EC the hash that fits the curve."""
        public = self.certificate.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            return {384: "ECDSA_SHA384", 521: "ECDSA_SHA512"}.get(public.key_size, "ECDSA_SHA256")
        return "RSA_SHA256"

"""The key a receipt is sealed with: loaded once, shared by all threads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import pkcs12

from schemas.errors import ReceiptError

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"

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
    def method(self) -> str:
        """The signature method's address: RSA with SHA-256, or ECDSA with the hash that fits the curve."""
        return _method(self.certificate).address

    def sign(self, octets: bytes) -> bytes:
        """The value as XML signatures hold it: of RSA PKCS#1 v1.5, of ECDSA r and s side by side."""
        method = _method(self.certificate)
        if method.half_octets is None:
            value: bytes = self.key.sign(octets, padding=padding.PKCS1v15(), algorithm=method.hash)
            return value
        halves = decode_dss_signature(self.key.sign(octets, signature_algorithm=ec.ECDSA(method.hash)))
        return b"".join(half.to_bytes(method.half_octets, "big") for half in halves)


@dataclass(frozen=True, slots=True)
class _Method:
    address: str
    hash: hashes.HashAlgorithm
    half_octets: int | None  # of each of r and s; None: RSA


@functools.lru_cache(maxsize=16)
def _method(certificate: x509.Certificate) -> _Method:
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return _Method(f"{_MORE}rsa-sha256", hashes.SHA256(), None)
    fitting: dict[int, hashes.HashAlgorithm] = {384: hashes.SHA384(), 521: hashes.SHA512()}
    algorithm = fitting.get(public.key_size, hashes.SHA256())
    return _Method(f"{_MORE}ecdsa-{algorithm.name}", algorithm, (public.key_size + 7) // 8)

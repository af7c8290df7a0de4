"""Signing keys: from a PKCS#12 file, PEM files, or a token behind PKCS#11; loaded once, rolled over in time.

A key looks like cryptography's: `sign` and `public_key`, so that signxml, cryptography's builders and our own code take
any of them. What is on a token never leaves it; all threads share one session behind one lock, because python-pkcs11
breaks under concurrent use (`gateway.tokens`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.tokens import open_key
from schemas.errors import TrustError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
WARN_DAYS = 30


class PrivateKey(Protocol):
    """The part of cryptography's private keys that signing needs."""

    @property
    def key_size(self) -> int:
        """Bits: of the modulus, or of the curve."""
        ...

    def public_key(self) -> Any:
        """Its public half."""
        ...

    def sign(self, data: bytes, *how: Any, **named: Any) -> bytes:
        """RSA: `padding, algorithm`; EC: `signature_algorithm`, answered as DER."""
        ...


class KeyOptions(BaseModel):
    """Where a signing key is. Secrets are given here resolved, never written into a configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pkcs12", "pem", "pkcs11"] = "pkcs12"
    file: Path | None = Field(default=None, description="PKCS#12, or PEM with the private key.")
    certificate: Path | None = Field(default=None, description="PEM: the certificate, then those above it.")
    password: SecretStr = SecretStr("")
    module: Path | None = Field(default=None, description="The token maker's PKCS#11 library.")
    token: str = Field(default="", description="Label of the token.")
    label: str = Field(default="", description="Label of the key on it.")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its certificate and the certificates above it (without the root)."""

    key: PrivateKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def of(cls, key: Any, certificate: x509.Certificate, chain: Sequence[x509.Certificate] = ()) -> SigningKey:
        """Check that they belong together. Raises TrustError `key.unfit`: other key, weak, or not RSA or EC."""
        public = key.public_key()
        if not isinstance(public, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) or public != certificate.public_key():
            raise TrustError("key.unfit")
        if public.key_size < (2048 if isinstance(public, rsa.RSAPublicKey) else 256):
            raise TrustError("key.unfit")
        return cls(key, certificate, tuple(item for item in chain if item.subject != item.issuer))

    def valid_at(self, at: datetime) -> bool:
        """Whether its certificate is valid."""
        return self.certificate.not_valid_before_utc <= at <= self.certificate.not_valid_after_utc

    def expires_in_days(self, at: datetime) -> int:
        """Whole days left; negative once it has expired."""
        return (self.certificate.not_valid_after_utc - at) // timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The present key and, around a roll-over, the one before or after it.

    The newest valid certificate signs, so a successor takes over by itself the moment it becomes valid; the old one is
    still recognised as ours.
    """

    keys: tuple[SigningKey, ...]

    def signing(self, at: datetime) -> SigningKey:
        """The key to sign with now. Raises TrustError `key.none_valid`."""
        valid = [key for key in self.keys if key.valid_at(at)]
        if not valid:
            raise TrustError("key.none_valid", known=len(self.keys))
        return max(valid, key=lambda key: key.certificate.not_valid_before_utc)

    def recognises(self, certificate: x509.Certificate) -> bool:
        """Whether this is one of our certificates, valid or not."""
        return any(key.certificate == certificate for key in self.keys)

    def expires_in_days(self, at: datetime) -> int:
        """Whole days until we can no longer sign: the last end among keys that follow without a gap."""
        end = at
        for key in sorted(self.keys, key=lambda item: item.certificate.not_valid_before_utc):
            if key.certificate.not_valid_before_utc <= end:
                end = max(end, key.certificate.not_valid_after_utc)
        return (end - at) // timedelta(days=1) if end > at else -1

    def warns(self, at: datetime, days: int = WARN_DAYS) -> bool:
        """Whether somebody should see to a new certificate."""
        return self.expires_in_days(at) <= days


def load(options: KeyOptions, folder: Path = Path()) -> SigningKey:
    """Load one key; relative paths start at `folder`.

    Raises: TrustError: `key.unreadable` (file or password), `key.unfit`, `key.token_*`.
    """
    if options.kind == "pkcs12":
        return from_pkcs12(folder / _given(options.file), options.password.get_secret_value())
    if options.kind == "pem":
        certificate = options.certificate or options.file
        return from_pem(
            folder / _given(options.file), folder / _given(certificate), options.password.get_secret_value()
        )
    return from_token(options, folder / _given(options.certificate))


def load_ring(options: Sequence[KeyOptions], folder: Path = Path()) -> KeyRing:
    """Load all of them. Raises as `load`."""
    return KeyRing(tuple(load(item, folder) for item in options))


def from_pkcs12(path: Path, password: str) -> SigningKey:
    """Key, certificate and chain from one container. Raises TrustError `key.unreadable`, `key.unfit`."""
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(path.read_bytes(), password.encode() or None)
    except (OSError, ValueError) as error:
        raise TrustError("key.unreadable", file=path.name) from error
    if key is None or certificate is None:
        raise TrustError("key.unreadable", file=path.name)
    return SigningKey.of(key, certificate, chain)


def from_pem(key_file: Path, certificate_file: Path, password: str = "") -> SigningKey:
    """A PEM private key and a PEM file with its certificate first. Raises as `from_pkcs12`."""
    try:
        key = load_pem_private_key(key_file.read_bytes(), password.encode() or None)
    except (OSError, ValueError, TypeError) as error:  # TypeError: a password too many or missing
        raise TrustError("key.unreadable", file=key_file.name) from error
    certificate, *chain = _certificates(certificate_file)
    return SigningKey.of(key, certificate, chain)


def from_token(options: KeyOptions, certificate_file: Path) -> SigningKey:
    """A key that stays on its token; proven to be the certificate's by a signature. Raises TrustError `key.*`."""
    certificate, *chain = _certificates(certificate_file)
    public = certificate.public_key()
    if not isinstance(public, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        raise TrustError("key.unfit")
    pin = options.password.get_secret_value()
    key = open_key(str(_given(options.module)), options.token, pin, options.label, public)
    found = SigningKey.of(key, certificate, chain)
    _prove(found)
    return found


def _prove(signing: SigningKey) -> None:
    challenge = b"brama: does this key belong to this certificate?"
    public = signing.certificate.public_key()
    try:
        if isinstance(public, rsa.RSAPublicKey):
            value = signing.key.sign(challenge, padding.PKCS1v15(), hashes.SHA256())
            public.verify(value, challenge, padding.PKCS1v15(), hashes.SHA256())
        else:
            assert isinstance(public, ec.EllipticCurvePublicKey)
            value = signing.key.sign(challenge, ec.ECDSA(hashes.SHA256()))
            public.verify(value, challenge, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise TrustError("key.unfit") from error


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TrustError("key.unreadable", file=path.name) from error


def _given(path: Path | None) -> Path:
    if path is None:
        raise TrustError("key.unreadable", file="?")
    return path

"""Keys on a PKCS#11 token (HSM, smart card): they look like cryptography's private keys and never leave the token.

Measured here with python-pkcs11 0.10: concurrent threads make the library fail with GeneralError and poison the whole
process, even with a session each; and login is per process, so a second one is refused. Hence one session per token
and process, and one lock. Hashing is done here, so the document never travels to the token and any token will do.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pkcs11
from asn1crypto import algos
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from pkcs11 import KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import NoSuchKey, NoSuchToken, PKCS11Error, UserAlreadyLoggedIn

from schemas.errors import TrustError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_PSS = {
    "sha256": (Mechanism.SHA256, pkcs11.MGF.SHA256),
    "sha384": (Mechanism.SHA384, pkcs11.MGF.SHA384),
    "sha512": (Mechanism.SHA512, pkcs11.MGF.SHA512),
}
_tokens: dict[tuple[str, str], Token] = {}
_opening = threading.Lock()


class Token:
    """One token of this process, logged in. Everything on it happens under its lock."""

    def __init__(self, module: str, label: str, pin: str) -> None:
        self._module, self._label, self._pin = module, label, pin
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._session = self._open()

    def use(self, work: Callable[[Any], bytes]) -> bytes:
        """Do `work(session)` alone; a lost session is opened anew, once, and the work done again.

        Raises: TrustError: `key.token_failed`; `key.token_forked` in a process forked after opening.
        """
        if os.getpid() != self._owner:
            raise TrustError("key.token_forked")
        with self._lock:
            try:
                return work(self._session)
            except NoSuchKey as error:
                raise TrustError("key.token_key_missing", token=self._label) from error
            except PKCS11Error:
                try:
                    self._session = self._open()
                    return work(self._session)
                except PKCS11Error as error:
                    raise TrustError("key.token_failed", token=self._label, reason=type(error).__name__) from error

    def _open(self) -> Any:
        try:
            token = pkcs11.lib(self._module).get_token(token_label=self._label)
        except NoSuchToken as error:
            raise TrustError("key.token_missing", token=self._label) from error
        except (PKCS11Error, RuntimeError, OSError) as error:  # RuntimeError: the library file cannot be loaded
            raise TrustError("key.token_failed", token=self._label, reason=type(error).__name__) from error
        try:
            return token.open(user_pin=self._pin)
        except UserAlreadyLoggedIn:  # login is the process's, not the session's
            return token.open()
        except PKCS11Error as error:
            raise TrustError("key.token_refused", token=self._label, reason=type(error).__name__) from error


@dataclass(frozen=True)
class TokenKey:
    """A private key on a token, with the interface of cryptography's; `public` comes from the certificate."""

    token: Token = field(repr=False)
    label: str
    public: PublicKey

    @property
    def key_size(self) -> int:
        """Bits, as cryptography counts them."""
        return self.public.key_size

    def public_key(self) -> PublicKey:
        """The public half."""
        return self.public

    def sign(
        self,
        data: bytes,
        padding: padding.AsymmetricPadding | ec.EllipticCurveSignatureAlgorithm | None = None,
        algorithm: hashes.HashAlgorithm | None = None,
        *,
        signature_algorithm: ec.EllipticCurveSignatureAlgorithm | None = None,
    ) -> bytes:
        """RSA: PKCS#1 v1.5, or PSS with a salt as long as the hash; EC: ECDSA, DER. Raises TrustError `key.*`."""
        if isinstance(self.public, rsa.RSAPublicKey):
            assert not isinstance(padding, ec.EllipticCurveSignatureAlgorithm)
            assert padding is not None
            assert algorithm is not None
            return self._rsa(data, padding, algorithm)
        method = signature_algorithm or padding  # cryptography's EC keys take it as second positional argument
        assert isinstance(method, ec.ECDSA)
        assert isinstance(method.algorithm, hashes.HashAlgorithm)
        raw = self._on_token(_digest(method.algorithm, data), Mechanism.ECDSA, None)
        half = len(raw) // 2
        return utils.encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def _rsa(self, data: bytes, how: padding.AsymmetricPadding, algorithm: hashes.HashAlgorithm) -> bytes:
        digest = _digest(algorithm, data)
        if isinstance(how, padding.PKCS1v15):
            info = algos.DigestInfo({"digest_algorithm": {"algorithm": algorithm.name}, "digest": digest})
            return self._on_token(info.dump(), Mechanism.RSA_PKCS, None)
        return self._on_token(digest, Mechanism.RSA_PKCS_PSS, (*_PSS[algorithm.name], algorithm.digest_size))

    def _on_token(self, octets: bytes, mechanism: Mechanism, parameter: Any) -> bytes:
        kind = KeyType.RSA if isinstance(self.public, rsa.RSAPublicKey) else KeyType.EC

        def work(session: Any) -> bytes:
            key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, key_type=kind, label=self.label)
            return bytes(key.sign(octets, mechanism=mechanism, mechanism_param=parameter))

        return self.token.use(work)


def open_key(module: str, token: str, pin: str, label: str, public: PublicKey) -> TokenKey:
    """The key `label` on a token; the token is opened once per process.

    Raises: TrustError: `key.token_missing`, `key.token_refused` (PIN), `key.token_failed`.
    """
    with _opening:
        known = _tokens.get((module, token))
        if known is None:
            known = _tokens[module, token] = Token(module, token, pin)
    return TokenKey(known, label, public)


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    return hashlib.new(algorithm.name, data).digest()

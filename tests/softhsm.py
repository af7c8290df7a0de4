"""A software token (Debian: softhsm2) made for one test run, with keys generated on it."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pkcs11
from asn1crypto.keys import ECDomainParameters, PublicKeyInfo, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, KeyType
from pkcs11.util.ec import encode_ec_public_key
from pkcs11.util.rsa import encode_rsa_public_key

from gateway.tokens import PublicKey, Token, TokenKey, open_key
from tests.require import missing, program

PIN = "brama-pin"
LABEL = "brama-test"
_LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True)
class SoftHsm:
    """The token's library and its keys by label: `rsa` (2048 bits) and `p256`."""

    module: str
    publics: dict[str, PublicKey]

    def key(self, label: str) -> TokenKey:
        """A key as the gateway sees it."""
        return open_key(self.module, LABEL, PIN, label, self.publics[label])


@functools.cache
def soft_hsm() -> SoftHsm:
    """One token per test process: the library is initialized once and remembers its configuration."""
    tool = program("softhsm2-util")
    module = next((path for path in _LIBRARIES if Path(path).exists()), None)
    if module is None:
        missing("libsofthsm2.so is not installed")
        raise AssertionError("unreachable")
    home = Path(tempfile.mkdtemp(prefix="brama-softhsm-"))
    (home / "tokens").mkdir()
    (home / "softhsm2.conf").write_text(
        f"directories.tokendir = {home}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(home / "softhsm2.conf")
    made = [tool, "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "brama-so"]
    subprocess.run(made, check=True, capture_output=True)
    with pkcs11.lib(module).get_token(token_label=LABEL).open(user_pin=PIN, rw=True) as session:
        publics = {"rsa": _rsa(session), "p256": _p256(session)}
    return SoftHsm(module, publics)


def the_session(key: TokenKey) -> Any:
    """The live session behind a key, for tests that break it."""
    token: Token = key.token
    return token._session


def _rsa(session: Any) -> PublicKey:
    public, _ = session.generate_keypair(KeyType.RSA, 2048, store=True, label="rsa")
    return load_der_public_key(_public_key_info(public))  # type: ignore[return-value]


def _p256(session: Any) -> PublicKey:
    named = ECDomainParameters(name="named", value="1.2.840.10045.3.1.7").dump()
    domain = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: named}, local=True)
    public, _ = domain.generate_keypair(store=True, label="p256")
    return load_der_public_key(encode_ec_public_key(public))  # type: ignore[return-value]


def _public_key_info(public: Any) -> bytes:
    """SubjectPublicKeyInfo of an RSA key on a token."""
    return PublicKeyInfo.wrap(RSAPublicKey.load(encode_rsa_public_key(public)), "rsa").dump()  # type: ignore[no-any-return]

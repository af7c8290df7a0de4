"""An identity provider for tests: really listening, with keys of its own; it gives tokens out for client credentials.

Tokens are written here by hand with `cryptography`, so that wrong ones can be written too, and so that what verifies
them is not judged by itself.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.oauth.issuer import IssuerKeys
from schemas.errors import ApiRefused
from tests.builders import TERYT
from tests.running import running

AUDIENCE = "brama"
EVERY_SCOPE = "brama:read brama:acknowledge brama:submit"


@dataclass
class SigningKey:
    """A private key under a name; `jwk` is its public half."""

    kid: str
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    further: dict[str, Any] = field(default_factory=dict)

    @property
    def jwk(self) -> dict[str, Any]:
        numbers = self.private.public_key().public_numbers()
        if isinstance(numbers, rsa.RSAPublicNumbers):
            shape = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        else:
            shape = {"kty": "EC", "crv": "P-256", "x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}
        return {"kid": self.kid, "use": "sig", **shape, **self.further}

    @property
    def pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def sign(self, algorithm: str, signed: bytes) -> bytes:
        """By RS256, PS256 or ES256; HS256 with the public key as the secret; `none` not at all."""
        if algorithm == "none":
            return b""
        if algorithm == "HS256":
            code = hmac.HMAC(self.pem, hashes.SHA256())
            code.update(signed)
            return code.finalize()
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = utils.decode_dss_signature(self.private.sign(signed, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return self.private.sign(signed, pss if algorithm == "PS256" else padding.PKCS1v15(), hashes.SHA256())


@dataclass
class Issuer:
    """What it publishes, whom it knows, how it misbehaves."""

    base: str
    keys: list[SigningKey]
    clients: dict[str, str] = field(default_factory=lambda: {"ezd": "hasło"})
    fetches: int = 0
    down: bool = False
    slow_s: float = 0.0
    published: bytes | None = None

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Of a valid token; None takes a claim away."""
        now = int(time.time())
        whole = {
            "iss": self.base, "aud": AUDIENCE, "iat": now, "exp": now + 300, "sub": "konto-ezd", "client_id": "ezd",
            "scope": EVERY_SCOPE, "brama_tenants": [TERYT],
        }  # fmt: skip
        return {name: value for name, value in (whole | changes).items() if value is not None}

    def token(
        self,
        algorithm: str = "RS256",
        key: SigningKey | None = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A valid token, but for what is changed."""
        key = key or self.keys[0]
        top = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid} | (header or {})
        top = {name: value for name, value in top.items() if value is not None}
        signed = f"{_text(json.dumps(top).encode())}.{_text(json.dumps(self.claims(**claims)).encode())}"
        return f"{signed}.{_text(key.sign(algorithm, signed.encode()))}"


def a_key_named(kid: str, **further: Any) -> SigningKey:
    """An RSA key; making one takes a moment."""
    return SigningKey(kid, rsa.generate_private_key(65537, 2048), further)


def an_ec_key(kid: str) -> SigningKey:
    """A key on P-256."""
    return SigningKey(kid, ec.generate_private_key(ec.SECP256R1()))


@contextmanager
def an_issuer(*keys: SigningKey) -> Iterator[Issuer]:
    """It listens for the length of the block."""
    issuer = Issuer("", list(keys) or [a_key_named("k1")])

    def jwks(_request: Request) -> Response:
        issuer.fetches += 1
        time.sleep(issuer.slow_s)
        if issuer.down:
            return Response(status_code=503)
        listed = {"keys": [key.jwk for key in issuer.keys]}
        return Response(issuer.published or json.dumps(listed), media_type="application/json")

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if issuer.clients.get(form.get("client_id", "")) != form.get("client_secret"):
            return JSONResponse({"error": "invalid_client"}, 401)
        given = issuer.token(client_id=form["client_id"], scope=form.get("scope", EVERY_SCOPE))
        return JSONResponse({"access_token": given, "token_type": "Bearer", "expires_in": 300})

    routes = [Route("/jwks", jwks), Route("/token", token, methods=["POST"])]
    with running(Starlette(routes=routes)) as base:
        issuer.base = base
        yield issuer


def _number(value: int, length: int | None = None) -> str:
    return _text(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def code_of(keys: IssuerKeys, kid: str) -> str | None:
    """How a look-up of this key ends; None: it is there."""
    try:
        keys.find(kid)
    except ApiRefused as error:
        return error.code
    return None


PUBLIC = a_key_named("k1")
EC_KEY = an_ec_key("e1")

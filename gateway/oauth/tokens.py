"""Verifying an access token: algorithm, key, signature, then issuer, audience and times; every refusal has its code.

The algorithm must be on our list before any key is looked for, and a key only ever verifies algorithms of its own kind:
neither `none` nor an HMAC keyed with a public key gets as far as a signature.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from joserfc import jws, jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwt import JWTClaimsRegistry

from gateway.api_settings import OAuthConfig
from gateway.oauth.issuer import IssuerKeys
from schemas.errors import ApiRefused

_MAX_LENGTH = 16 * 1024
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
_CLAIM_CODES = {
    "iss": "api.token_issuer",
    "aud": "api.token_audience",
    "nbf": "api.token_not_yet",
    "iat": "api.token_not_yet",
}
_ESSENTIAL = ("iss", "aud", "exp")


class Tokens:
    """One issuer's tokens for this gateway. Safe for threads."""

    def __init__(self, settings: OAuthConfig, keys: IssuerKeys, now: Callable[[], datetime]) -> None:
        self._settings, self._keys, self._now = settings, keys, now
        self._allowed = list(settings.algorithms)

    def claims(self, shown: str) -> dict[str, Any]:
        """What a valid token says.

        Raises: ApiRefused: `api.token_*` whatever is wrong with it; `api.issuer_unavailable`: cannot tell now.
        """
        header = _header(shown)
        if header.get("alg") not in self._allowed:
            raise ApiRefused("api.token_algorithm", allowed=", ".join(self._allowed))
        if str(header.get("typ", "jwt")).lower() not in _TYPES:
            raise ApiRefused("api.token_malformed")
        kid = header.get("kid")
        key = self._keys.find(None if kid is None else str(kid))
        try:
            claims = jwt.decode(shown, key, algorithms=self._allowed, decoder_cls=_Strict).claims
        except BadSignatureError:
            raise ApiRefused("api.token_signature") from None
        except (JoseError, ValueError):  # the key is of another kind than the algorithm, or the payload is no object
            raise ApiRefused("api.token_malformed") from None
        self._check(claims)
        return claims

    def _check(self, claims: dict[str, Any]) -> None:
        settings = self._settings
        rules = JWTClaimsRegistry(
            now=lambda: int(self._now().timestamp()),
            leeway=settings.leeway_s,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
        )
        try:
            rules.validate(claims)
        except ExpiredTokenError:
            raise ApiRefused("api.token_expired") from None
        except InvalidClaimError as error:
            raise ApiRefused(_CLAIM_CODES.get(error.claim, "api.token_malformed")) from None
        except MissingClaimError:
            missing = next(name for name in _ESSENTIAL if claims.get(name) is None)
            raise ApiRefused(_CLAIM_CODES.get(missing, "api.token_malformed")) from None


class _Strict(json.JSONDecoder):
    """JSON as the standard has it: no NaN, no Infinity."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _header(shown: str) -> dict[str, Any]:
    try:
        if len(shown) > _MAX_LENGTH:
            raise ValueError("too long")
        return jws.extract_compact(shown.encode("ascii")).headers()
    except (JoseError, ValueError, RecursionError):
        raise ApiRefused("api.token_malformed") from None

"""From verified claims to a caller: which gminas, which rights. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from gateway.api_settings import OAuthConfig
from schemas.api import OAUTH, TENANT_HEADER, Caller
from schemas.errors import ApiRefused
from schemas.ids import sha256

_NAME_LENGTH = 100


def caller_of(claims: dict[str, Any], settings: OAuthConfig, served: Collection[str], wanted: str | None) -> Caller:
    """Who asks, for one gmina.

    Args:   served: TERYT codes this gateway serves. wanted: the one the request names; None where it names none.
    Raises: ApiRefused: `api.token_no_tenant`: no gmina of ours in it; `api.tenant_needed`: several, and none is named;
            `api.not_found`: the one named is not among them, which looks like one that never was.
    """
    tenants = _tenants(claims, settings) & frozenset(served)
    if not tenants:
        raise ApiRefused("api.token_no_tenant")
    if wanted is None and len(tenants) > 1:
        raise ApiRefused("api.tenant_needed", header=TENANT_HEADER)
    if wanted is not None and wanted not in tenants:
        raise ApiRefused("api.not_found")
    client = client_of(claims)
    named = values_of(claims, settings.scope_claim)
    scopes = frozenset(scope for scope, name in settings.scopes.items() if name in named)
    return Caller(f"{OAUTH}{client}", wanted or next(iter(tenants)), client, scopes)


def values_of(claims: dict[str, Any], name: str) -> frozenset[str]:
    """The texts of a claim: a list's, or a text's words (as `scope` is written). `a.b`: claim b inside claim a."""
    value: Any = claims
    for part in [name] if name in claims else name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, str):
        return frozenset(value.split())
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()


def client_of(claims: dict[str, Any]) -> str:
    """The program the token was given to. A subject may be a person, so it is shown as a digest only."""
    for name in ("client_id", "azp"):
        if isinstance(claims.get(name), str) and claims[name]:
            return re.sub(r"[^\x21-\x7e]", "?", claims[name])[:_NAME_LENGTH]
    return sha256(str(claims.get("sub", "")).encode())[:16]


def _tenants(claims: dict[str, Any], settings: OAuthConfig) -> frozenset[str]:
    values = values_of(claims, settings.tenant_claim)
    if not settings.tenants:
        return values
    return frozenset(code for value in values for code in settings.tenants.get(value, ()))

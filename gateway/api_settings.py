"""Settings of the REST interface: how fast callers may ask, and whose access tokens are believed beside our keys."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.api import Scope
from schemas.errors import IdentifierInvalid
from schemas.ids import Teryt

ScopeToken = Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")]  # RFC 6749, 3.3
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"]


class OAuthConfig(BaseModel):
    """`[api.oauth]`: access tokens (JWT, RFC 9068) of one issuer; no issuer, no tokens.

    There is no symmetric algorithm to choose and no way to switch a check off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(default="", description="`iss` of every token, letter for letter.")
    audience: str = Field(default="", description="Must be in `aud`.")
    jwks: str = Field(default="", description="The issuer's public keys: https://… or a file.")
    ca_file: Path | None = Field(default=None, description="CA certificates (PEM) of that address; none: the system's.")
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "PS256", "ES256"), min_length=1)
    leeway_s: int = Field(default=30, ge=0, le=120, description="By how much the issuer's clock may differ.")
    timeout_s: float = Field(default=5.0, gt=0, le=30, description="Of one fetch of the keys.")
    refresh_s: float = Field(default=3600.0, ge=60, description="Keys older than this are fetched again.")
    refetch_s: float = Field(default=30.0, ge=1, description="Least time between fetches, whatever tokens name.")
    stale_s: float = Field(default=86400.0, ge=0, description="How long known keys hold while the issuer is away.")
    scope_claim: str = Field(default="scope", min_length=1, description="Claim with the rights; a.b looks inside.")
    scopes: dict[Scope, ScopeToken] = Field(
        default={scope: f"brama:{scope}" for scope in Scope}, description="How the issuer names our rights."
    )
    tenant_claim: str = Field(default="brama_tenants", min_length=1, description="Claim that leads to the gminas.")
    tenants: dict[str, tuple[str, ...]] = Field(
        default={}, description="Value of that claim = TERYT codes; empty: the values are TERYT codes themselves."
    )
    token_url: str = Field(default="", description="Shown in the OpenAPI document; nothing else.")

    @property
    def enabled(self) -> bool:
        """Whether tokens are taken at all."""
        return bool(self.issuer)

    @field_validator("jwks")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        """Keys over plain HTTP would let anybody on the way sign for the issuer."""
        if value.startswith("http://") and not _loopback(urlsplit(value).hostname or ""):
            raise ValueError("https://… albo plik / https://… or a file")
        return value

    @field_validator("tenants")
    @classmethod
    def _are_teryt(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        try:
            return {name: tuple(Teryt(code) for code in codes) for name, codes in value.items()}
        except IdentifierInvalid as error:
            raise ValueError(f"oczekiwano {error.facts['expected']} / expected {error.facts['expected']}") from error

    @model_validator(mode="after")
    def _is_whole(self) -> OAuthConfig:
        missing = [name for name in ("audience", "jwks") if self.issuer and not getattr(self, name)]
        if missing:
            raise ValueError(f"brak {', '.join(missing)} / missing")
        return self


class ApiConfig(BaseModel):
    """`[api]`: for back offices that fetch and portals that hand in (docs/api.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=False, description="Serve /api/v1.")
    rate_per_s: float = Field(default=20.0, gt=0, description="Requests per second of one caller, in each process.")
    burst: int = Field(default=60, ge=1, description="How many may follow each other at once within the rate.")
    oauth: OAuthConfig = OAuthConfig()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""Keys for the REST interface: made for one tenant, shown once, revoked by name, checked with every request.

A key is `brama_<id>_<secret>`: the id finds the row, the secret (256 random bits) is compared by its SHA-256 in
constant time. A wrong, expired, revoked or unknown key gets one and the same refusal.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gateway.config import Config
from gateway.operations.plain import plain
from gateway.store import api_keys
from gateway.store.database import Store
from schemas.api import ApiKey, Caller, Scope
from schemas.errors import ApiRefused, OperationRefused
from schemas.ids import sha256

PREFIX = "brama_"
_KEY = re.compile(PREFIX + r"([0-9a-f]{16})_([0-9A-Za-z_-]{43})")
_NOBODY = sha256(b"")  # compared against where there is no such key, so that both take the same time


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key. `secret` is the whole key as the caller must send it; it cannot be shown again."""

    key: ApiKey
    secret: str = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The contract of `api-key new --json`."""
        return {**plain(self.key), "secret": self.secret}


def new_key(
    store: Store,
    config: Config,
    *,
    tenant: str,
    scopes: tuple[Scope, ...],
    label: str,
    actor: str,
    expires_after: timedelta | None = None,
) -> NewKey:
    """Make a key for one tenant.

    Raises: OperationRefused: `api.tenant_unknown`, `api.no_scope`, `operation.actor_and_reason` (nobody named).
    """
    if tenant not in config.tenants:
        raise OperationRefused("api.tenant_unknown", tenant=tenant)
    if not scopes:
        raise OperationRefused("api.no_scope")
    if not actor.strip() or not label.strip():
        raise OperationRefused("operation.actor_and_reason")
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    with store.begin() as transaction:
        key = api_keys.add(
            transaction,
            key_id=key_id,
            tenant=tenant,
            label=label.strip(),
            scopes=tuple(dict.fromkeys(scopes)),
            sha256=sha256(secret.encode()),
            created_by=actor.strip(),
            expires_after=expires_after,
        )
    return NewKey(key, f"brama_{key_id}_{secret}")


def keys(store: Store, tenant: str | None = None) -> list[ApiKey]:
    """Every key, revoked ones too, oldest first."""
    with store.begin() as transaction:
        return api_keys.all_of(transaction, tenant)


def revoke_key(store: Store, key_id: str, *, actor: str) -> ApiKey:
    """From the next request on it opens nothing. Raises OperationRefused `operation.not_found`."""
    if not actor.strip():
        raise OperationRefused("operation.actor_and_reason")
    with store.begin() as transaction:
        revoked = api_keys.revoke(transaction, key_id, actor.strip())
    if revoked is None:
        raise OperationRefused("operation.not_found", id=key_id)
    return revoked


def authenticate(store: Store, shown: str) -> Caller:
    """Who shows this key? Raises ApiRefused `api.key_invalid`, whatever is wrong with it."""
    parts = _KEY.fullmatch(shown)
    if parts is None:
        raise ApiRefused("api.key_invalid")
    with store.begin() as transaction:
        found = api_keys.usable(transaction, parts[1])
        expected = found[1] if found else _NOBODY
        if not hmac.compare_digest(sha256(parts[2].encode()), expected) or found is None:
            raise ApiRefused("api.key_invalid")
        api_keys.note_use(transaction, found[0])
    key = found[0]
    return Caller(key.id, key.tenant, key.label, frozenset(key.scopes))

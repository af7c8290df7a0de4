"""Rows of API keys: only the SHA-256 of a key's secret is stored; 256 random bits need no slow hash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from gateway.store.publishing import api_key
from schemas.api import ApiKey, Scope

K = api_key.c
_USED_EVERY = timedelta(hours=1)  # how exactly the last use is known: a write per request would be one too many


def add(
    connection: Connection,
    *,
    key_id: str,
    tenant: str,
    label: str,
    scopes: tuple[Scope, ...],
    sha256: str,
    created_by: str,
    expires_after: timedelta | None,
) -> ApiKey:
    """Insert a key; its times are the database's."""
    row = connection.execute(
        insert(api_key)
        .values(
            id=key_id,
            tenant=tenant,
            label=label,
            scopes=[scope.value for scope in scopes],
            sha256=sha256,
            created_by=created_by,
            expires_at=None if expires_after is None else func.now() + expires_after,
        )
        .returning(api_key)
    ).mappings()
    return from_row(row.one())


def usable(connection: Connection, key_id: str) -> tuple[ApiKey, str] | None:
    """A key that is neither revoked nor expired, with the SHA-256 of its secret; its use is noted, to the hour."""
    query = select(api_key, func.now().label("now")).where(
        K.id == key_id, K.revoked_at.is_(None), K.expires_at.is_(None) | (K.expires_at > func.now())
    )
    row = connection.execute(query).mappings().first()
    return (from_row(row), row["sha256"]) if row else None


def note_use(connection: Connection, key: ApiKey) -> None:
    """Remember that it is in use, at most once an hour."""
    connection.execute(
        update(api_key)
        .where(K.id == key.id, K.last_used_at.is_(None) | (K.last_used_at < func.now() - _USED_EVERY))
        .values(last_used_at=func.now())
    )


def all_of(connection: Connection, tenant: str | None = None) -> list[ApiKey]:
    """Every key there ever was, oldest first."""
    query = select(api_key).order_by(K.created_at, K.id)
    if tenant is not None:
        query = query.where(K.tenant == tenant)
    return [from_row(row) for row in connection.execute(query).mappings()]


def revoke(connection: Connection, key_id: str, actor: str) -> ApiKey | None:
    """Never valid again; the first revocation stands. None: there is no such key."""
    connection.execute(
        update(api_key).where(K.id == key_id, K.revoked_at.is_(None)).values(revoked_at=func.now(), revoked_by=actor)
    )
    row = connection.execute(select(api_key).where(K.id == key_id)).mappings().first()
    return from_row(row) if row else None


def from_row(row: RowMapping | Any) -> ApiKey:
    """A row as the shape; scopes we do not know any more are left out, so they allow nothing."""
    known = {scope.value for scope in Scope}
    values = {name: row[name] for name in ApiKey.__slots__ if name != "scopes"}
    return ApiKey(**values, scopes=tuple(Scope(word) for word in row["scopes"] if word in known))

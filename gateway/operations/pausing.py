"""Stop deliveries for a while, and see which offices are in trouble. Durable, and shared by all workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import text

from gateway.config import Config
from gateway.operations.act import named, note
from gateway.operations.plain import plain
from gateway.store import offices as rows
from gateway.store import sweeps
from gateway.store.database import Store
from gateway.store.offices import Pause
from schemas.errors import OperationRefused

_OFFICES = text("""
SELECT d.tenant, d.connector,
       coalesce(max(o.failures), 0) AS failures, max(o.open_until) AS open_until, max(o.last_code) AS last_code,
       max(o.last_failure_at) AS last_failure_at,
       count(*) FILTER (WHERE d.state = 'delivered') AS delivered,
       count(*) FILTER (WHERE d.state IN ('due', 'trying', 'waiting')) AS under_way,
       count(*) FILTER (WHERE d.state IN ('refused', 'unsettled', 'given_up')) AS for_a_person,
       min(d.created_at) FILTER (WHERE d.state IN ('due', 'trying', 'waiting')) AS oldest_under_way
  FROM delivery d LEFT JOIN office o ON o.tenant = d.tenant AND o.connector = d.connector
 GROUP BY d.tenant, d.connector ORDER BY d.tenant, d.connector
""")


@dataclass(frozen=True, slots=True)
class OfficeView:
    """One connector instance as its deliveries show it. `open_until`: left alone until then, after failures."""

    tenant: str
    connector: str
    failures: int
    open_until: datetime | None
    last_code: str | None
    last_failure_at: datetime | None
    delivered: int
    under_way: int
    for_a_person: int
    oldest_under_way: datetime | None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        result: dict[str, Any] = plain(self)
        return result


def pause(
    store: Store,
    *,
    actor: str,
    reason: str,
    tenant: str | None = None,
    connector: str | None = None,
    form: str | None = None,
) -> Pause:
    """Nothing that matches is tried until it is resumed; what is under way ends normally. None means any.

    Raises: OperationRefused `operation.pause_what`: everything at once is stopped by stopping the workers.
    """
    named(actor, reason)
    if tenant is None and connector is None and form is None:
        raise OperationRefused("operation.pause_what")
    with store.begin() as transaction:
        new = rows.pause(transaction, tenant, connector, form, actor, reason)
        note(transaction, "pause", actor, reason, {"pause": new}, 1)
        return next(item for item in rows.pauses(transaction) if item.id == new)


def known_office(config: Config, tenant: str | None, connector: str | None) -> None:
    """A pause of what does not exist would stop nothing, and nobody would notice.

    Raises: OperationRefused `operation.no_such_office`, with the nearest name.
    """
    tenants = [config.tenants[tenant]] if tenant in config.tenants else list(config.tenants.values())
    connectors = {name for one in tenants for name in one.connector}
    for given, known in ((tenant, set(config.tenants)), (connector, connectors)):
        if given is not None and given not in known:
            near = get_close_matches(given, known, n=1) or sorted(known)[:1] or ["—"]
            raise OperationRefused("operation.no_such_office", name=given, near=near[0])


def resume(store: Store, pause_id: int, *, actor: str, reason: str) -> int:
    """End a pause; returns how many deliveries go on. Raises OperationRefused `operation.not_paused`."""
    named(actor, reason)
    with store.begin() as transaction:
        if not rows.resume(transaction, pause_id, actor):
            raise OperationRefused("operation.not_paused", id=pause_id)
        freed = sweeps.unpark(transaction)
        note(transaction, "resume", actor, reason, {"pause": pause_id}, len(freed))
    return len(freed)


def pauses(store: Store) -> list[Pause]:
    """Those in force, oldest first."""
    with store.begin() as transaction:
        return rows.pauses(transaction)


def offices(store: Store) -> list[OfficeView]:
    """Every connector instance that ever got a delivery."""
    with store.begin() as transaction:
        return [OfficeView(**row) for row in transaction.execute(_OFFICES).mappings()]

"""What Firebird's driver and its SQLAlchemy dialect leave to us: whose base it is, and how long to wait.

The dialect keeps a process-wide list of bases by path alone, so that two offices whose bases have one path on two
servers would share the server that was named last. And neither the driver nor Firebird 3 ends a statement in time:
a lock is waited for without end, and a line that went silent is listened to for hours.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

_LOCK = threading.Lock()


def address(url: sa.URL, timeout_s: float, arguments: dict[str, Any]) -> None:
    """Connect to the base at exactly this address, and give up connecting in time."""
    from firebird.driver import driver_config

    if url.host is None:
        return
    host = f"[{url.host}]" if ":" in url.host else url.host
    dsn = f"{host}/{url.port or 3050}:{url.database}"
    name = f"brama {timeout_s} {dsn}"
    with _LOCK:
        base = driver_config.get_database(name) or driver_config.register_database(name)
        base.dsn.value = dsn
        base.timeout.value = max(1, round(timeout_s))
    arguments["database"] = name


def prepare(connection: Any, timeout_s: float) -> None:
    """A fresh connection waits for a lock no longer than `timeout_s`; what cannot be closed politely is aborted."""
    from firebird.driver import Isolation, tpb

    connection.main_transaction.default_tpb = tpb(Isolation.SNAPSHOT, lock_timeout=max(1, round(timeout_s)))
    connection.terminate = lambda: abort(connection)  # SQLAlchemy's dialect calls it, the driver has none


def abort(connection: Any) -> None:
    """End whatever the connection is waiting for, from another thread; it is of no use afterwards."""
    from firebird.driver.types import CancelType, DatabaseError

    with suppress(DatabaseError):  # it had ended by itself
        connection._att.cancel_operation(CancelType.ABORT)

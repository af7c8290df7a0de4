"""Locks that hold as long as a session does: one holder of a name at a time, over all machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.store.database import Store
from schemas.errors import StoreUnavailable


@contextmanager
def held(store: Store, name: str) -> Iterator[Callable[[], bool] | None]:
    """Try to take `name`; None if somebody else has it. Otherwise a question: is it still ours?

    The lock belongs to a connection of its own; PostgreSQL frees it when that ends, however it ends. Needs a direct
    connection: a pooler between us would lend the session to others.
    """
    try:
        connection = store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except DBAPIError as error:
        raise StoreUnavailable(reason=type(error.orig).__name__) from error

    def still_ours() -> bool:
        try:
            connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True

    try:
        query = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
        taken = bool(connection.execute(query, {"name": name}).scalar_one())
        yield still_ours if taken else None
    except DBAPIError as error:
        raise StoreUnavailable(reason=type(error.orig).__name__) from error
    finally:
        connection.invalidate()  # ends the session, and with it the lock
        connection.close()

"""The connection to PostgreSQL: one engine, transactions that speak our errors, the database's own clock."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from schemas.errors import StoreUnavailable

# A peer that falls silent (a pulled cable, a machine that is gone) is noticed within this, and not after the hours
# that TCP grants: here, so that no thread waits for it; at the server, so that what a lost machine had locked is free
# again before its leases are over. On a Unix socket these say nothing.
LIVELY: dict[str, str | int] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # ms
}
SESSION = (
    "-c timezone=UTC -c idle_in_transaction_session_timeout=30s -c tcp_user_timeout=15s"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
_OURS: dict[str, Any] = {**LIVELY, "application_name": "brama", "options": SESSION}
_PLACE_WITHIN_S = 10.0  # else the store counts as away: somebody holds all connections for long

# Errors that say "the server", not "our statement": the same work may succeed a little later.
_SERVER = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InFailedSqlTransaction)


class Store:
    """Everything remembered: `begin()` is a transaction of several statements, `direct()` is for single ones."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        """`url`: postgresql://…, a direct connection (transaction pooling breaks LISTEN and session locks)."""
        self.dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self.engine = open_engine(url, pool_size)
        self._drivers = _Drivers(self.dsn, most=2 * pool_size)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction, READ COMMITTED, durable when the block has ended without an error.

        Raises: StoreUnavailable: the server is away or refuses work; nothing of the block is known to be kept.
        """
        with _our_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def direct(self) -> Iterator[psycopg.Connection[Any]]:
        """The driver's own connection, in autocommit: for the few statements every document and delivery pass through.

        Each is its own transaction, durable when it returns, at one round trip.
        Raises: StoreUnavailable, as `begin`.
        """
        with _our_errors(), self._drivers.lend() as connection:
            yield connection

    def ping(self) -> datetime:
        """The database's time; raises StoreUnavailable."""
        with self.begin() as connection:
            return database_now(connection)

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()
        self._drivers.close()


@contextmanager
def _our_errors() -> Iterator[None]:
    """The driver's errors as StoreUnavailable where the server is to blame, as they are where we are."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise StoreUnavailable(reason=_reason(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, _SERVER):
            raise StoreUnavailable(reason=_reason(error)) from error
        raise
    except (psycopg.OperationalError, psycopg.InterfaceError, *_SERVER) as error:  # statements past SQLAlchemy
        raise StoreUnavailable(reason=type(error).__name__) from error


def open_engine(url: str, pool_size: int = 10) -> Engine:
    """An engine on psycopg 3; closed connections are noticed before use: a restarted server needs no restart here."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=_PLACE_WITHIN_S,
        connect_args=_OURS,
    )
    event.listen(engine, "connect", _durable)
    event.listen(engine, "checkout", _alive)
    return engine


class _Drivers:
    """Connections of the driver in autocommit; the last one given back is lent first, with all it has prepared.

    One is asked for with each statement, nine times a delivery; in a pool of SQLAlchemy that costs as much as sending.
    """

    def __init__(self, dsn: str, most: int) -> None:
        self._dsn = dsn
        self._idle: list[psycopg.Connection[Any]] = []  # used at its end only: append and pop need no lock
        self._places = threading.BoundedSemaphore(most)
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[psycopg.Connection[Any]]:
        """One that is not lost, for this block alone; after an error in it nobody gets it again. Raises as psycopg."""
        if not self._places.acquire(timeout=_PLACE_WITHIN_S):
            raise PoolTimeout
        try:
            connection = self._alive() or self._open()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
        finally:
            self._places.release()
            if self._closed:
                self.close()

    def close(self) -> None:
        """Those that are lent are closed when they come back."""
        self._closed = True
        while (connection := self._pop()) is not None:
            connection.close()

    def _alive(self) -> psycopg.Connection[Any] | None:
        while (connection := self._pop()) is not None:
            if not _is_lost(connection):
                return connection
            connection.close()
        return None

    def _pop(self) -> psycopg.Connection[Any] | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _open(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._dsn, autocommit=True, **_OURS)
        _durable(connection, None)
        return connection


def _alive(connection: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
    if _is_lost(connection):
        raise DisconnectionError


def _is_lost(connection: psycopg.Connection[Any]) -> bool:
    """An idle connection with something to read has been closed by the server; asking it would cost a round trip."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _durable(connection: psycopg.Connection[Any], _record: object) -> None:
    """A commit of ours means "on disk", also on a server that is set to hurry; one set to more stays so."""
    before, connection.autocommit = connection.autocommit, True
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.autocommit = before


def database_now(connection: Connection) -> datetime:
    """Time of this transaction by the database's clock, aware UTC: all machines agree on it."""
    now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    return now


def driver_connection(connection: Connection) -> Any:
    """The psycopg connection of this transaction, for those who do not speak SQLAlchemy."""
    return connection.connection.driver_connection


def _reason(error: Exception) -> str:
    """The driver's class name: its text may hold addresses and values."""
    return type(getattr(error, "orig", None) or error).__name__

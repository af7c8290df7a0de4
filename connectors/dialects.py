"""Everything in which the databases differ, in one table: how to connect, call a procedure, and read an error.

`proven` says whether our tests run against a real server. What is not proven follows the drivers' documentation.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from connectors import firebird


class Meaning(StrEnum):
    """What a database error before COMMIT says. The transaction is rolled back in every case."""

    DUPLICATE = "duplicate"  # a unique key is there already
    CONSTRAINT = "constraint"
    VALUE = "value"  # too long, wrong type, not in the charset
    STATEMENT = "statement"  # no such table, column, procedure, or no permission
    OFFICE = "office"  # the office's own procedure or trigger said no
    INTERRUPTED = "interrupted"  # connection, lock, shutdown, resources


@dataclass(frozen=True, slots=True)
class Dialect:
    """One database. `meanings` maps the driver's own error number, or an SQLSTATE or its class (`23*`).

    `address` may change the driver's arguments before connecting, `prepare` a connection just made, both with the
    time-out. `abort` ends from outside what a connection waits for, where the driver has no time-out of its own.
    """

    name: str
    driver: str
    proven: bool
    ping: str
    number: Callable[[BaseException], str]
    meanings: Mapping[str, Meaning]
    connect: Callable[[float], dict[str, Any]]
    call: Callable[[str, list[str]], str]
    extra: str | None = None  # optional dependency of the package
    office_range: tuple[int, int] | None = None  # error numbers the office may choose itself
    address: Callable[[sa.URL, float, dict[str, Any]], None] | None = None
    prepare: Callable[[Any, float], None] | None = None
    abort: Callable[[Any], None] | None = None
    keeps_connections: bool = True  # idle ones, for the next case


def dialect_of(backend: str) -> Dialect:
    """By SQLAlchemy's backend name. Raises: KeyError."""
    return DIALECTS[backend]


def meaning_of(dialect: Dialect, error: exc.DBAPIError) -> Meaning:
    """By the driver's number, else by the class of the exception; what is left was rolled back: interrupted."""
    if error.connection_invalidated:
        return Meaning.INTERRUPTED
    number = dialect.number(error.orig) if error.orig is not None else ""
    if dialect.office_range and number.isdigit() and _within(int(number), dialect.office_range):
        return Meaning.OFFICE
    for known in (number, f"{number[:2]}*"):
        if known in dialect.meanings:
            return dialect.meanings[known]
    for kind, meaning in _BY_CLASS.items():
        if isinstance(error, kind):
            return meaning
    return Meaning.INTERRUPTED


_BY_CLASS: dict[type[exc.DBAPIError], Meaning] = {
    exc.IntegrityError: Meaning.CONSTRAINT,
    exc.DataError: Meaning.VALUE,
    exc.ProgrammingError: Meaning.STATEMENT,
}


def _within(number: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= number <= bounds[1]


def _shut(connection: Any) -> None:
    """psycopg waits on its socket: shut it, from another thread, and the wait is over."""
    with suppress(OSError, exc.DBAPIError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def _first(error: BaseException) -> str:
    return str(error.args[0]) if error.args else ""


def _oracle_call_timeout(connection: Any, timeout_s: float) -> None:
    connection.call_timeout = round(timeout_s * 1000)


def _oracle(error: BaseException) -> str:
    return str(getattr(error.args[0], "code", "")) if error.args else ""


def _gds(error: BaseException) -> str:
    """Firebird gives several codes, "dynamic SQL error" often first: the first specific one we know decides."""
    codes = [str(code) for code in getattr(error, "gds_codes", ())]
    known = DIALECTS["firebird"].meanings.keys() - {_DYNAMIC_SQL_ERROR}
    return next((code for code in codes if code in known), codes[0] if codes else "")


def _all(meaning: Meaning, *numbers: int | str) -> dict[str, Meaning]:
    return {str(number): meaning for number in numbers}


def _from(name: str, binds: list[str]) -> str:
    return f"SELECT * FROM {name}({', '.join(binds)})"  # noqa: S608 - the name is configuration, values are bound


_DYNAMIC_SQL_ERROR = "335544569"

DIALECTS: dict[str, Dialect] = {
    "postgresql": Dialect(
        name="PostgreSQL",
        driver="psycopg",
        proven=True,
        ping="SELECT 1",
        number=_sqlstate,
        meanings={
            **_all(Meaning.DUPLICATE, "23505"),
            **_all(Meaning.CONSTRAINT, "23*"),
            **_all(Meaning.VALUE, "22*"),
            **_all(Meaning.STATEMENT, "42*", "3F*", "0A*"),
            **_all(Meaning.OFFICE, "P0*"),  # RAISE EXCEPTION
            **_all(Meaning.INTERRUPTED, "08*", "25*", "40*", "53*", "55*", "57*", "58*"),
        },
        connect=lambda timeout_s: {
            "connect_timeout": max(2, round(timeout_s)),
            "options": f"-c statement_timeout={round(timeout_s * 1000)} -c lock_timeout={round(timeout_s * 1000)}",
        },
        call=lambda name, binds: _from(name, binds),
        abort=_shut,
    ),
    "mysql": Dialect(  # MariaDB
        name="MariaDB",
        driver="pymysql",
        proven=True,
        extra="mariadb",
        ping="SELECT 1",
        number=_first,
        meanings={
            **_all(Meaning.DUPLICATE, 1062, 1586),
            **_all(Meaning.CONSTRAINT, 1048, 1364, 1451, 1452, 4025),
            **_all(Meaning.VALUE, 1264, 1265, 1292, 1366, 1406),
            **_all(Meaning.STATEMENT, 1044, 1054, 1064, 1142, 1143, 1146, 1305, 1318, 1370),
            **_all(Meaning.OFFICE, 1644),  # SIGNAL
            **_all(Meaning.INTERRUPTED, 1205, 1213, 1927, 2006, 2013),
        },
        connect=lambda timeout_s: {
            "connect_timeout": max(1, round(timeout_s)),
            "read_timeout": max(1, round(timeout_s)),
            "write_timeout": max(1, round(timeout_s)),
            "charset": "utf8mb4",
            # a lenient server would cut what is too long and write `?` for what it does not have
            "init_command": "SET SESSION sql_mode = CONCAT_WS(',', @@sql_mode, 'STRICT_ALL_TABLES')",
        },
        call=lambda name, binds: f"CALL {name}({', '.join(binds)})",
    ),
    "firebird": Dialect(
        name="Firebird",
        driver="firebird",
        proven=True,
        extra="firebird",
        ping="SELECT 1 FROM RDB$DATABASE",
        number=_gds,
        meanings={
            **_all(Meaning.DUPLICATE, 335544665, 335544349),
            **_all(Meaning.CONSTRAINT, 335544347, 335544466, 335544558, 335544838, 335544839),
            **_all(Meaning.VALUE, 335544321, 335544334, 335544565, 335544849, 335544914, 335544916),
            **_all(Meaning.STATEMENT, _DYNAMIC_SQL_ERROR, 335544352, 335544578, 335544580, 335544584),
            **_all(Meaning.OFFICE, 335544517),  # EXCEPTION
            **_all(Meaning.INTERRUPTED, 335544336, 335544345, 335544528, 335544721, 335544726, 335544727, 335544741),
        },
        connect=lambda _: {},
        address=firebird.address,
        prepare=firebird.prepare,
        abort=firebird.abort,
        keeps_connections=False,  # an idle one would keep the office from taking its base off line
        call=lambda name, binds: _from(name, binds) if binds else f"SELECT * FROM {name}",  # noqa: S608 - no values
    ),
    "mssql": Dialect(
        name="SQL Server",
        driver="pymssql",
        proven=False,
        extra="mssql",
        ping="SELECT 1",
        number=_first,
        meanings={
            **_all(Meaning.DUPLICATE, 2601, 2627),
            **_all(Meaning.CONSTRAINT, 515, 547),
            **_all(Meaning.VALUE, 220, 241, 245, 8114, 8115, 8152, 2628),
            **_all(Meaning.STATEMENT, 102, 201, 207, 208, 229, 230, 2812, 8144, 8145),
            **_all(Meaning.INTERRUPTED, 1205, 1222, 20003, 20047),
        },
        office_range=(50000, 2147483647),  # RAISERROR, THROW
        connect=lambda timeout_s: {"login_timeout": max(1, round(timeout_s)), "timeout": max(1, round(timeout_s))},
        call=lambda name, binds: f"EXEC {name} {', '.join(binds)}",
    ),
    "oracle": Dialect(
        name="Oracle",
        driver="oracledb",
        proven=False,
        extra="oracle",
        ping="SELECT 1 FROM DUAL",
        number=_oracle,
        meanings={
            **_all(Meaning.DUPLICATE, 1),
            **_all(Meaning.CONSTRAINT, 1400, 1407, 2290, 2291, 2292),
            **_all(Meaning.VALUE, 1401, 1438, 1722, 1830, 1840, 1861, 12899),
            **_all(Meaning.STATEMENT, 900, 904, 942, 1031, 4063, 4067, 6550, 6576),
            **_all(Meaning.INTERRUPTED, 54, 60, 1012, 1033, 1034, 1089, 3113, 3114, 12541),
        },
        office_range=(20000, 20999),  # RAISE_APPLICATION_ERROR
        connect=lambda timeout_s: {"tcp_connect_timeout": timeout_s},
        prepare=_oracle_call_timeout,
        call=lambda name, binds: f"BEGIN {name}({', '.join(binds)}); END;",
    ),
}
DIALECTS["mariadb"] = DIALECTS["mysql"]
UNPROVEN = tuple(sorted(dialect.name for dialect in DIALECTS.values() if not dialect.proven))

"""The table of dialects: what a driver's error means. No server: what only the tables say is labelled unproven."""

from __future__ import annotations

from typing import Any

import oracledb
import pymssql
import pymysql
import pytest
from sqlalchemy import exc

from connectors.dialects import DIALECTS, Meaning, meaning_of
from connectors.registry import build
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Unreachable


class Sqlstate(Exception):
    """As psycopg's errors: the state is an attribute."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


class Gds(Exception):
    """As firebird-driver's errors."""

    def __init__(self, *codes: int) -> None:
        self.gds_codes = codes


class OracleDetail:
    """As oracledb's first argument."""

    def __init__(self, code: int) -> None:
        self.code = code


@pytest.mark.parametrize(
    ("backend", "error", "meaning"),
    [
        ("postgresql", Sqlstate("23505"), Meaning.DUPLICATE),
        ("postgresql", Sqlstate("23514"), Meaning.CONSTRAINT),
        ("postgresql", Sqlstate("22001"), Meaning.VALUE),
        ("postgresql", Sqlstate("42P01"), Meaning.STATEMENT),
        ("postgresql", Sqlstate("P0001"), Meaning.OFFICE),
        ("postgresql", Sqlstate("57P01"), Meaning.INTERRUPTED),
        ("mysql", pymysql.err.IntegrityError(1062, "x"), Meaning.DUPLICATE),
        ("mysql", pymysql.err.OperationalError(1644, "x"), Meaning.OFFICE),
        ("mysql", pymysql.err.OperationalError(2013, "x"), Meaning.INTERRUPTED),
        ("firebird", Gds(335544665, 335545072), Meaning.DUPLICATE),
        ("firebird", Gds(335544569, 335544436, 335544321), Meaning.VALUE),
        ("firebird", Gds(335544569, 335544436), Meaning.STATEMENT),
        ("firebird", Gds(335544517, 335544382), Meaning.OFFICE),
        ("firebird", Gds(335544528), Meaning.INTERRUPTED),
        ("mssql", pymssql.IntegrityError(2627, b"x"), Meaning.DUPLICATE),
        ("mssql", pymssql.OperationalError(8152, b"x"), Meaning.VALUE),
        ("mssql", pymssql.OperationalError(50001, b"x"), Meaning.OFFICE),
        ("mssql", pymssql.OperationalError(1205, b"x"), Meaning.INTERRUPTED),
        ("oracle", oracledb.IntegrityError(OracleDetail(1)), Meaning.DUPLICATE),
        ("oracle", oracledb.DatabaseError(OracleDetail(12899)), Meaning.VALUE),
        ("oracle", oracledb.DatabaseError(OracleDetail(20001)), Meaning.OFFICE),
        ("oracle", oracledb.DatabaseError(OracleDetail(3113)), Meaning.INTERRUPTED),
    ],
)
def test_a_drivers_number_has_one_meaning(backend: str, error: Exception, meaning: Meaning) -> None:
    assert meaning_of(DIALECTS[backend], exc.DBAPIError("", {}, error)) is meaning


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        (exc.IntegrityError, Meaning.CONSTRAINT),
        (exc.DataError, Meaning.VALUE),
        (exc.ProgrammingError, Meaning.STATEMENT),
        (exc.OperationalError, Meaning.INTERRUPTED),
    ],
)
def test_an_unknown_number_is_read_by_its_class(kind: type[exc.DBAPIError], meaning: Meaning) -> None:
    assert meaning_of(DIALECTS["mysql"], kind("", {}, pymysql.err.Error(99999, "x"))) is meaning


def test_a_lost_connection_is_an_interruption_whatever_its_number() -> None:
    error = exc.DBAPIError("", {}, Sqlstate("22001"), connection_invalidated=True)

    assert meaning_of(DIALECTS["postgresql"], error) is Meaning.INTERRUPTED


def test_what_no_server_here_proves_is_labelled() -> None:
    assert {name: dialect.proven for name, dialect in DIALECTS.items()} == {
        "postgresql": True,
        "mysql": True,
        "mariadb": True,
        "firebird": True,
        "mssql": False,
        "oracle": False,
    }


@pytest.mark.parametrize("url", ["mssql://u:p@127.0.0.1:1/urzad", "oracle://u:p@127.0.0.1:1/?service_name=urzad"])
def test_a_server_that_refuses_the_connection_was_surely_not_reached(url: str) -> None:
    connector: Any = build("sql", {"url": url, "table": "brama_case", "timeout_s": 1.0})

    outcome = connector.deliver(a_record("k-1"), "k-1", MemorySteps())

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.unreachable"
    connector.close()

"""The SQL connector against real MariaDB and Firebird servers: the same claims, whatever the dialect."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.registry import build
from connectors.sql import SqlConnector
from gateway.simulate.offices import staging
from gateway.simulate.offices.client import Office
from gateway.testing.samples import DOCUMENT, a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Unreachable
from schemas.errors import ConnectorError
from tests.databases import ENGINES, Server, execute
from tests.require import program


@pytest.fixture(scope="module", params=sorted(ENGINES))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with ENGINES[request.param]() as running:
        staging.create(running.url)
        execute(running.url, *PROCEDURES[request.param])
        yield running


@pytest.fixture
def database(server: Server) -> str:
    execute(server.url, "DELETE FROM brama_file", "DELETE FROM brama_case")
    return server.url


@pytest.fixture
def connector(database: str) -> Iterator[SqlConnector]:
    made = connector_for(database)
    yield made
    made.close()


def connector_for(url: str, **changes: Any) -> SqlConnector:
    options = {
        "url": url,
        "table": "brama_case",
        "columns": staging.COLUMNS,
        "files": staging.FILES,
        "charset": "cp1250",
        "timeout_s": 30.0,
        **changes,
    }
    made = build("sql", options)
    assert isinstance(made, SqlConnector)
    return made


PROCEDURES = {
    "mariadb": [
        """
        CREATE PROCEDURE przyjmij(klucz varchar(120), nazwisko varchar(120), kwota decimal(15, 2))
        BEGIN
            IF nazwisko = 'ODMOWA' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Brak podatnika'; END IF;
            INSERT INTO brama_case (brama_key, tenant, kind, is_test, surname, total, record)
                VALUES (klucz, '9999011', 'x', 0, nazwisko, kwota, '{}');
            SELECT 1 AS status, CONCAT('P/', klucz) AS numer;
        END
        """
    ],
    "firebird": [
        "CREATE EXCEPTION odmowa 'Brak podatnika'",
        """
        CREATE PROCEDURE przyjmij (klucz varchar(120), nazwisko varchar(120), kwota numeric(15, 2))
        RETURNS (status integer, numer varchar(130)) AS
        BEGIN
            IF (nazwisko = 'ODMOWA') THEN EXCEPTION odmowa;
            INSERT INTO brama_case (brama_key, tenant, kind, is_test, surname, total, record)
                VALUES (:klucz, '9999011', 'x', 0, :nazwisko, :kwota, '{}');
            status = 1; numer = 'P/' || klucz; SUSPEND;
        END
        """,
    ],
}


def deliver(connector: SqlConnector, key: str = "k-1", **changes: Any) -> Any:
    return connector.deliver(a_record(key, **changes), key, MemorySteps(connector.capabilities.repeat))


def with_field(**changed: Any) -> dict[str, Any]:
    return {**a_record().fields, **changed}


def test_polish_letters_amounts_dates_and_documents_arrive_whole(connector: SqlConnector, database: str) -> None:
    assert deliver(connector) == Delivered("k-1")

    [row] = staging.read(database, "SELECT * FROM brama_case")
    assert (row["surname"], row["title"]) == ("Łękołodzka-Żdźbło", "Zażółć gęślą jaźń")
    assert (row["total"], row["received_on"], row["tax_year"]) == (Decimal("1234.50"), date(2026, 3, 31), 2026)
    assert "Świętopełk" in row["record"]
    [document, _] = staging.read(database, "SELECT content FROM brama_file ORDER BY file_no")
    assert bytes(document["content"]) == DOCUMENT


def test_repeating_is_safe_and_find_tells_the_truth(connector: SqlConnector, database: str) -> None:
    assert connector.find("k-1") is None

    assert [deliver(connector) for _ in range(3)] == [Delivered("k-1")] * 3
    assert connector.find("k-1") == "k-1"
    assert staging.keys(database) == {"k-1": 1}


def test_keys_that_differ_in_case_only_are_two(connector: SqlConnector, database: str) -> None:
    """Or, where the database cannot tell them apart, the second is refused and never taken for the first."""
    deliver(connector, "key-a")

    outcome = deliver(connector, "KEY-A")

    assert isinstance(outcome, (Delivered, Refused))
    assert (connector.find("KEY-A") == "KEY-A") is isinstance(outcome, Delivered)


def test_a_character_the_charset_lacks_is_refused_before_writing(connector: SqlConnector, database: str) -> None:
    outcome = deliver(connector, fields=with_field(surname="Ștefan", title="中文"))

    assert isinstance(outcome, Refused)
    assert outcome.code == "record.violations"
    assert "title: rule.charset (U+4E2D U+6587/cp1250); surname: rule.charset (U+0218/cp1250)" in outcome.text
    assert staging.keys(database) == {}


def test_what_does_not_fit_is_refused_and_never_cut_or_rounded(connector: SqlConnector, database: str) -> None:
    too_long = deliver(connector, fields=with_field(surname="Ł" * 121))
    too_exact = deliver(connector, fields=with_field(total=Decimal("1.239")))
    too_large = deliver(connector, fields=with_field(total=Decimal("1E+20")))

    assert all(isinstance(outcome, Refused) for outcome in (too_long, too_exact, too_large))
    assert staging.keys(database) == {}


def test_the_databases_own_no_is_a_refusal(database: str) -> None:
    connector = connector_for(database, columns={**staging.COLUMNS, "tenant": "{fields.nothing?}"}, charset=None)

    outcome = deliver(connector)

    assert isinstance(outcome, Refused)
    connector.close()


def test_a_missing_table_is_for_the_administrator(database: str) -> None:
    connector = connector_for(database, table="nie_ma")

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.statement_wrong"
    connector.close()


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)  # every Firebird table has them
def test_a_table_without_transactions_is_refused(server: Server, database: str) -> None:
    execute(
        database,
        "DROP TABLE IF EXISTS bez_transakcji",
        "CREATE TABLE bez_transakcji (brama_key varchar(120) PRIMARY KEY) ENGINE = MyISAM",
    )
    connector = connector_for(database, table="bez_transakcji", columns={}, files=None)

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.not_transactional"
    connector.close()


def test_a_server_that_is_down_heals_without_a_restart_of_ours(server: Server, database: str) -> None:
    connector = connector_for(database)
    assert isinstance(deliver(connector), Delivered)
    server.stop()

    outcome = deliver(connector, "k-2")
    with pytest.raises(ConnectorError):
        connector.check()
    server.start()

    assert isinstance(outcome, Unreachable)
    assert isinstance(deliver(connector, "k-2"), Delivered)
    connector.check()
    assert staging.keys(database) == {"k-1": 1, "k-2": 1}
    connector.close()


@pytest.mark.parametrize("server", ["firebird"], indirect=True)
def test_a_base_taken_off_line_for_maintenance_is_an_outage(server: Server, database: str) -> None:
    connector = connector_for(database)
    connector.check()
    offline(server, "-shut", "full", "-force", "0")

    outcome = deliver(connector)
    offline(server, "-online", "normal")

    assert isinstance(outcome, Unreachable)
    assert outcome.code in ("sql.unreachable", "sql.interrupted")
    assert isinstance(deliver(connector), Delivered)
    connector.close()


def offline(server: Server, *what: str) -> None:
    """gfix, as the office's administrator runs it at night; the base takes a moment to let everybody go."""
    url = sa.make_url(server.url)
    base = f"127.0.0.1/{url.port}:{url.database}"
    command = [program("gfix"), "-user", "SYSDBA", "-password", str(url.password), *what, base]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def procedure(database: str) -> Iterator[SqlConnector]:
    made = build(
        "sql",
        {
            "url": database,
            "procedure": {
                "name": "przyjmij",
                "arguments": {"klucz": "{key}", "nazwisko": "{fields.surname}", "kwota": "{fields.total}"},
                "status_column": "status",
                "reference_column": "numer",
            },
            "find": "SELECT brama_key FROM brama_case WHERE brama_key = :key",
        },
    )
    assert isinstance(made, SqlConnector)
    yield made
    made.close()


def test_a_procedure_is_called_once_for_a_key(procedure: SqlConnector, database: str) -> None:
    assert deliver(procedure) == Delivered("P/k-1")
    assert isinstance(deliver(procedure), Delivered)
    assert staging.keys(database) == {"k-1": 1}


def test_a_procedure_that_says_no_is_heard(procedure: SqlConnector, database: str) -> None:
    outcome = deliver(procedure, fields=with_field(surname="ODMOWA"))

    assert isinstance(outcome, Refused)
    assert outcome.code == "sql.office_refused"
    assert staging.keys(database) == {}


def test_dues_come_with_exact_amounts(connector: SqlConnector, database: str) -> None:
    deliver(connector)
    select = (
        "SELECT surname AS nazwisko, total AS kwota FROM brama_case WHERE surname = :party AND received_on <= :as_of"
    )
    asking = connector_for(database, queries={"dues": select})

    answer = asking.query("dues", party="Łękołodzka-Żdźbło", as_of=date(2026, 12, 31))

    assert answer.rows == ({"nazwisko": "Łękołodzka-Żdźbło", "kwota": Decimal("1234.50")},)
    asking.close()


def test_a_lock_held_by_the_office_ends_in_time_and_is_no_refusal(database: str) -> None:
    """Somebody, the office or another try of ours, is writing the same key and has not committed."""
    made = connector_for(database, timeout_s=2.0)
    made.check()
    engine = sa.create_engine(database)
    with engine.connect() as office, office.begin() as writing:
        columns = "brama_key, tenant, kind, is_test, record"
        office.exec_driver_sql(f"INSERT INTO brama_case ({columns}) VALUES ('k-1', '9999011', 'x', 0, '{{}}')")
        outcome = deliver(made)
        writing.rollback()
    engine.dispose()

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.interrupted"
    assert deliver(made) == Delivered("k-1")
    made.close()


def test_a_line_that_falls_silent_ends_in_time(server: Server, database: str, tmp_path: Path) -> None:
    there = sa.make_url(database)
    with Office("wire", tmp_path, "--to", f"127.0.0.1:{there.port}") as line:
        through = there.set(port=line.port).render_as_string(hide_password=False)
        made = connector_for(through, timeout_s=2.0)
        made.check()
        line.tell("silent")
        outcome = deliver(made)
        line.tell("up")

        assert isinstance(outcome, Unreachable)
        assert staging.keys(database) == {}
        made.close()


def test_two_offices_whose_bases_have_one_name_are_two(database: str) -> None:
    """The second is configured later and is not there; the first must not be looked for at its address."""
    first = connector_for(database)
    second = connector_for(sa.make_url(database).set(port=1).render_as_string(hide_password=False), timeout_s=2.0)

    assert isinstance(deliver(second), Unreachable)
    assert deliver(first) == Delivered("k-1")
    first.close()
    second.close()


def test_a_lenient_server_is_made_strict(server: Server, database: str) -> None:
    """An old MariaDB cuts long texts and writes `?` for letters a column does not have, with a warning nobody reads."""
    if sa.make_url(database).get_backend_name() != "mysql":
        return
    made = connector_for(database, table="lagodna", columns={"nazwisko": "{fields.surname}"}, files=None, charset=None)
    execute(
        database,
        "DROP TABLE IF EXISTS lagodna",
        "CREATE TABLE lagodna (brama_key varchar(120) PRIMARY KEY, nazwisko varchar(120) CHARACTER SET cp1250)",
        "SET GLOBAL sql_mode = ''",
    )
    try:
        outcome = deliver(made, fields=with_field(surname="Ωmega"))
    finally:
        execute(database, "SET GLOBAL sql_mode = DEFAULT")

    assert isinstance(outcome, Refused)
    assert outcome.code == "sql.value_refused"
    assert staging.read(database, "SELECT * FROM lagodna") == []
    made.close()


def test_two_threads_with_one_case_write_it_once(connector: SqlConnector, database: str) -> None:
    outcomes: list[Any] = []
    threads = [threading.Thread(target=lambda: outcomes.append(deliver(connector))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert staging.keys(database) == {"k-1": 1}
    assert Delivered("k-1") in outcomes
    assert all(isinstance(outcome, (Delivered, Unreachable)) for outcome in outcomes)

"""The SQL connector against a real PostgreSQL: one case is one row, also when the line is cut at COMMIT."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.base import LookUpFailed
from connectors.registry import build
from connectors.sql import SqlConnector
from gateway.simulate.offices import staging
from gateway.simulate.offices.client import Office
from gateway.testing.samples import DOCUMENT
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Repeat, Unreachable, Unsettled
from schemas.errors import ConnectorError
from tests.sql_office import connector_for, deliver, run


def test_a_case_and_its_documents_are_written_in_one_transaction(connector: SqlConnector, database: str) -> None:
    assert deliver(connector) == Delivered("k-1")

    [row] = staging.read(database, "SELECT * FROM brama_case")
    assert row["surname"] == "Łękołodzka-Żdźbło"
    assert row["total"] == Decimal("1234.50")
    assert row["received_on"] == date(2026, 3, 31)
    files = staging.read(database, "SELECT * FROM brama_file ORDER BY file_no")
    assert [file["role"] for file in files] == ["document", "attachment"]
    assert bytes(files[0]["content"]) == DOCUMENT


def test_repeating_is_safe(connector: SqlConnector, database: str) -> None:
    assert connector.capabilities.repeat is Repeat.SAFE

    assert [deliver(connector) for _ in range(3)] == [Delivered("k-1")] * 3
    assert staging.keys(database) == {"k-1": 1}


def test_a_commit_that_was_not_heard_is_settled_by_asking(connector: SqlConnector, line: Office, database: str) -> None:
    connector.check()
    steps = MemorySteps(Repeat.SAFE)
    line.tell("cut_after", match="COMMIT")

    outcome = deliver(connector, steps=steps)

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "sql.commit_lost"
    assert connector.find("k-1") == "k-1"
    assert isinstance(deliver(connector, steps=steps.next_attempt()), Delivered)
    assert staging.keys(database) == {"k-1": 1}


def test_a_commit_that_never_arrived_is_found_to_be_missing(
    connector: SqlConnector, line: Office, database: str
) -> None:
    connector.check()
    steps = MemorySteps(Repeat.SAFE)
    line.tell("cut_before", match="COMMIT")

    assert isinstance(deliver(connector, steps=steps), Unsettled)
    assert connector.find("k-1") is None
    assert isinstance(deliver(connector, steps=steps.next_attempt()), Delivered)
    assert staging.keys(database) == {"k-1": 1}


def test_a_line_lost_before_commit_has_written_nothing(connector: SqlConnector, line: Office, database: str) -> None:
    connector.check()
    line.tell("cut_before", match="INSERT INTO brama_file")

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.interrupted"
    assert staging.keys(database) == {}


def test_a_database_that_is_down_was_surely_not_reached(url: str, line: Office) -> None:
    connector = connector_for(url)
    line.tell("down")

    outcome = deliver(connector)
    line.tell("up")

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.unreachable"
    assert isinstance(deliver(connector), Delivered)
    connector.close()


def test_a_look_up_that_fails_says_nothing(url: str, line: Office) -> None:
    connector = connector_for(url)
    line.tell("down")

    with pytest.raises(LookUpFailed):
        connector.find("k-1")
    line.tell("up")


def test_check_writes_nothing(connector: SqlConnector, database: str) -> None:
    connector.check()

    assert staging.keys(database) == {}


def test_a_line_that_falls_silent_ends_in_time(url: str, line: Office, database: str) -> None:
    connector = connector_for(url, timeout_s=2.0)
    connector.check()
    line.tell("silent")
    try:
        outcome = deliver(connector)
    finally:
        line.tell("up")

    assert isinstance(outcome, Unreachable)
    assert staging.keys(database) == {}
    connector.close()


def test_the_offices_own_number_is_the_reference_once_it_gave_one(url: str, database: str) -> None:
    connector = connector_for(url, reference_column="office_ref")
    deliver(connector)
    assert connector.find("k-1") == "k-1"

    run(database, "UPDATE brama_case SET office_ref = 'PN.7.2026'")

    assert connector.find("k-1") == "PN.7.2026"
    connector.close()


def test_two_workers_with_one_case_write_it_once(connector: SqlConnector, database: str) -> None:
    outcomes: list[Any] = []
    threads = [threading.Thread(target=lambda: outcomes.append(deliver(connector))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == [Delivered("k-1")] * 4
    assert staging.keys(database) == {"k-1": 1}


def test_a_lock_held_by_the_office_ends_in_time_and_writes_nothing(url: str, database: str) -> None:
    connector = connector_for(url, timeout_s=2.0)
    connector.check()
    engine = sa.create_engine(database)
    with engine.connect() as office, office.begin():
        office.exec_driver_sql("LOCK TABLE brama_case IN ACCESS EXCLUSIVE MODE")
        outcome = deliver(connector)
    engine.dispose()

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.interrupted"
    assert staging.keys(database) == {}
    connector.close()


@pytest.mark.parametrize(
    "options",
    [
        {"url": "postgresql://x/y"},
        {"url": "postgresql://x/y", "table": "a", "procedure": {"name": "b", "arguments": {}}},
        {"url": "access://x/y", "table": "a"},
        {"url": "not a url", "table": "a"},
        {"url": "postgresql://x/y", "procedure": {"name": "b; DROP TABLE x", "arguments": {}}},
    ],
)
def test_options_that_cannot_work_are_refused_when_saved(options: dict[str, Any]) -> None:
    with pytest.raises(ConnectorError) as refused:
        build("sql", options)

    assert refused.value.code == "connector.options_wrong"


def test_the_line_of_the_tests_outlives_a_database_that_is_down(tmp_path: Path) -> None:
    with Office("wire", tmp_path, "--to", "127.0.0.1:1") as line:
        url = f"postgresql://x@127.0.0.1:{line.port}/urzad"
        for _ in range(2):
            connector = connector_for(url)
            assert isinstance(deliver(connector), Unreachable)
            connector.close()


def test_the_line_of_the_tests_can_be_started_twice(tmp_path: Path) -> None:
    with Office("wire", tmp_path, "--to", "127.0.0.1:1") as line:
        port = line.port
        line.restart()
        assert line.port == port

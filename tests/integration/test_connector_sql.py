"""The SQL connector against a real PostgreSQL, through a line that can be cut at COMMIT."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
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
from gateway.testing.samples import DOCUMENT, a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, Unreachable, Unsettled
from schemas.errors import ConnectorError
from tests.databases import postgresql


@pytest.fixture(scope="module")
def database(postgres: str) -> str:
    url = postgresql(postgres, "urzad_sql")
    staging.create(url)
    return url


@pytest.fixture(scope="module")
def line(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = sa.make_url(database).query["host"]
    with Office("wire", tmp_path_factory.mktemp("wire"), "--to", f"{folder}/.s.PGSQL.5432") as office:
        yield office


@pytest.fixture
def url(database: str, line: Office) -> str:
    line.tell("up")
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM brama_file")
        connection.exec_driver_sql("DELETE FROM brama_case")
    engine.dispose()
    made = sa.make_url(database)
    return made.set(host="127.0.0.1", port=line.port, query={}).render_as_string(hide_password=False)


@pytest.fixture
def connector(url: str) -> Iterator[SqlConnector]:
    made = connector_for(url)
    yield made
    made.close()


def connector_for(url: str, **changes: Any) -> SqlConnector:
    options: dict[str, Any] = {
        "url": url,
        "table": "brama_case",
        "columns": staging.COLUMNS,
        "files": staging.FILES,
        "timeout_s": 30.0,
        **changes,
    }
    made = build("sql", options)
    assert isinstance(made, SqlConnector)
    return made


def deliver(connector: SqlConnector, key: str = "k-1", steps: MemorySteps | None = None, **changes: Any) -> Any:
    return connector.deliver(a_record(key, **changes), key, steps or MemorySteps(connector.capabilities.repeat))


def with_field(**changed: Any) -> dict[str, Any]:
    return {**a_record().fields, **changed}


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


def test_every_value_that_does_not_fit_is_told_and_nothing_is_written(connector: SqlConnector, database: str) -> None:
    fields = with_field(surname="Ł" * 121, total=Decimal("1.234"), year="dwa tysiące", received_on="31.03.2026")

    outcome = deliver(connector, fields=fields)

    assert isinstance(outcome, Refused)
    assert outcome.code == "record.violations"
    for part in (
        "surname: rule.too_long (121/120)", "total: rule.scale (3/2)", "tax_year: rule.type", "received_on: rule.type"
    ):  # fmt: skip
        assert part in outcome.text
    assert "ŁŁŁ" not in outcome.text
    assert staging.keys(database) == {}


def test_a_character_the_database_cannot_hold_is_refused_before_writing(url: str, database: str) -> None:
    connector = connector_for(url, charset="cp1250")

    outcome = deliver(connector, fields=with_field(surname="Ștefan 中"))

    assert isinstance(outcome, Refused)
    assert "surname: rule.charset (U+0218 U+4E2D/cp1250)" in outcome.text
    assert staging.keys(database) == {}
    connector.close()


def test_a_record_without_a_required_value_is_refused(url: str) -> None:
    connector = connector_for(url, columns={**staging.COLUMNS, "title": "{fields.nowhere}"})

    assert deliver(connector) == Refused("record.incomplete", "fields.nowhere")
    connector.close()


def test_a_required_column_nobody_fills_is_told(url: str) -> None:
    columns = {name: value for name, value in staging.COLUMNS.items() if name != "kind"}
    connector = connector_for(url, columns=columns)

    outcome = deliver(connector)

    assert outcome == Refused("record.violations", "kind: rule.required")
    connector.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"table": "nowhere"}, "sql.statement_wrong"),
        ({"columns": {"nowhere": "{key}"}}, "sql.statement_wrong"),
        ({"key_column": "title"}, "sql.key_not_unique"),
    ],
)
def test_a_table_that_is_not_as_agreed_is_for_the_administrator(url: str, changes: dict[str, Any], code: str) -> None:
    connector = connector_for(url, **changes)

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == code
    with pytest.raises(ConnectorError) as refused:
        connector.check()
    assert refused.value.code == code
    connector.close()


def test_check_writes_nothing(connector: SqlConnector, database: str) -> None:
    connector.check()

    assert staging.keys(database) == {}


def run(database: str, *statements: str) -> None:
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_value_only_the_database_can_judge_is_refused_by_it(connector: SqlConnector, database: str) -> None:
    outcome = deliver(connector, fields=with_field(surname="zero\x00bajt"))

    assert isinstance(outcome, Refused)
    assert outcome.code == "sql.value_refused"
    assert staging.keys(database) == {}


def test_a_rule_of_the_database_that_is_broken_is_a_refusal(url: str, database: str) -> None:
    run(
        database,
        "DROP TABLE IF EXISTS reguly",
        "CREATE TABLE reguly (brama_key varchar(120) PRIMARY KEY, nr varchar(9) UNIQUE, rok int CHECK (rok > 3000))",
        "INSERT INTO reguly VALUES ('inna', 'A', 3001)",
    )
    broken = connector_for(url, table="reguly", columns={"nr": "B", "rok": "{fields.year}"}, files=None)
    taken = connector_for(url, table="reguly", columns={"nr": "A", "rok": 3002}, files=None)

    outcomes = [deliver(broken), deliver(taken)]

    assert all(isinstance(outcome, Refused) and outcome.code == "sql.constraint" for outcome in outcomes)
    assert [row["brama_key"] for row in staging.read(database, "SELECT brama_key FROM reguly")] == ["inna"]
    broken.close()
    taken.close()


PROCEDURE = """
CREATE OR REPLACE FUNCTION przyjmij(klucz varchar, nazwisko varchar, kwota numeric)
RETURNS TABLE (status integer, komunikat varchar, numer varchar) LANGUAGE plpgsql AS $$
BEGIN
    IF nazwisko = 'WYJĄTEK' THEN RAISE EXCEPTION 'Kartoteka zablokowana'; END IF;
    INSERT INTO brama_case (brama_key, tenant, kind, is_test, surname, total, record)
        VALUES (klucz, '9999011', 'x', 0, nazwisko, kwota, '{}');
    IF nazwisko = 'ODMOWA' THEN RETURN QUERY SELECT 0, 'Brak podatnika'::varchar, NULL::varchar;
    ELSE RETURN QUERY SELECT 1, 'OK'::varchar, ('P/' || klucz)::varchar; END IF;
END $$
"""


@pytest.fixture
def procedure(url: str, database: str) -> Iterator[SqlConnector]:
    run(database, PROCEDURE)
    made = build(
        "sql",
        {
            "url": url,
            "timeout_s": 30.0,
            "procedure": {
                "name": "przyjmij",
                "arguments": {"klucz": "{key}", "nazwisko": "{fields.surname}", "kwota": "{fields.total?}"},
                "status_column": "status",
                "message_column": "komunikat",
                "reference_column": "numer",
            },
            "find": "SELECT 'P/' || brama_key FROM brama_case WHERE brama_key = :key",
        },
    )
    assert isinstance(made, SqlConnector)
    yield made
    made.close()


def test_a_procedure_is_called_and_its_number_kept(procedure: SqlConnector, database: str) -> None:
    assert procedure.capabilities.repeat is Repeat.FINDABLE
    assert deliver(procedure) == Delivered("P/k-1")
    assert procedure.find("k-1") == "P/k-1"
    assert staging.keys(database) == {"k-1": 1}


@pytest.mark.parametrize(("surname", "text"), [("ODMOWA", "Brak podatnika"), ("WYJĄTEK", "Kartoteka zablokowana")])
def test_a_procedure_that_says_no_leaves_nothing_behind(
    procedure: SqlConnector, database: str, surname: str, text: str
) -> None:
    outcome = deliver(procedure, fields=with_field(surname=surname))

    assert isinstance(outcome, Refused)
    assert outcome.code == "sql.office_refused"
    assert text in outcome.text
    assert staging.keys(database) == {}


def test_a_key_the_procedure_refuses_twice_counts_as_delivered(procedure: SqlConnector, database: str) -> None:
    deliver(procedure)

    assert deliver(procedure) == Delivered("P/k-1")
    assert staging.keys(database) == {"k-1": 1}


def test_a_procedure_whose_commit_was_lost_is_asked_about(procedure: SqlConnector, line: Office, database: str) -> None:
    steps = MemorySteps(Repeat.FINDABLE)
    line.tell("cut_after", match="COMMIT")

    assert isinstance(deliver(procedure, steps=steps), Unsettled)
    assert deliver(procedure, steps=steps.next_attempt()) == Delivered("P/k-1")
    assert staging.keys(database) == {"k-1": 1}


def test_what_the_charset_lacks_never_reaches_a_procedure(url: str, database: str) -> None:
    made = connector_for(
        url,
        table=None,
        columns={},
        files=None,
        charset="cp1250",
        procedure={"name": "przyjmij", "arguments": {"a": "{key}", "b": "{fields.surname}", "c": "{fields.total}"}},
    )

    outcome = deliver(made, fields=with_field(surname="中"))

    assert outcome == Refused("record.violations", "b: rule.charset (U+4E2D/cp1250)")
    assert made.capabilities.repeat is Repeat.BLIND
    with pytest.raises(LookUpFailed):
        made.find("k-1")
    made.close()


def test_a_check_the_database_makes_at_commit_is_a_refusal(url: str, database: str) -> None:
    run(
        database,
        "DROP TABLE IF EXISTS pozniej",
        "CREATE TABLE pozniej (brama_key varchar(120) PRIMARY KEY, kto varchar(120) "
        "REFERENCES brama_case (brama_key) DEFERRABLE INITIALLY DEFERRED)",
    )
    connector = connector_for(url, table="pozniej", columns={"kto": "nikt"}, files=None)

    outcome = deliver(connector)

    assert isinstance(outcome, Refused)
    assert outcome.code == "sql.constraint"
    assert staging.read(database, "SELECT * FROM pozniej") == []
    connector.close()


def test_our_own_key_found_only_at_commit_counts_as_delivered(url: str, database: str) -> None:
    run(
        database,
        "DROP TABLE IF EXISTS odlozone",
        "CREATE TABLE odlozone (brama_key varchar(120) UNIQUE DEFERRABLE INITIALLY DEFERRED)",
    )
    connector = connector_for(url, table="odlozone", columns={}, files=None)

    assert [deliver(connector) for _ in range(2)] == [Delivered("k-1")] * 2
    assert len(staging.read(database, "SELECT * FROM odlozone")) == 1
    connector.close()


def test_a_key_unique_among_some_rows_only_is_not_unique(url: str, database: str) -> None:
    """The office marks a row as taken, and the same case would come in again."""
    run(
        database,
        "DROP TABLE IF EXISTS czesciowo",
        "CREATE TABLE czesciowo (brama_key varchar(120), wziete boolean DEFAULT false)",
        "CREATE UNIQUE INDEX ON czesciowo (brama_key) WHERE NOT wziete",
    )
    connector = connector_for(url, table="czesciowo", columns={}, files=None)

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.key_not_unique"
    connector.close()


def test_a_table_that_swallows_the_row_has_not_taken_it(url: str, database: str) -> None:
    run(
        database,
        "DROP TABLE IF EXISTS polyka",
        "CREATE TABLE polyka (brama_key varchar(120) PRIMARY KEY, nr serial)",
        "CREATE OR REPLACE FUNCTION polknij() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER t BEFORE INSERT ON polyka FOR EACH ROW EXECUTE FUNCTION polknij()",
    )
    connector = connector_for(url, table="polyka", columns={}, files=None)

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.statement_wrong"
    connector.close()


def test_a_time_goes_into_a_column_without_a_zone_as_polands(url: str, database: str) -> None:
    """Half past eleven at night in UTC is the next day's morning here, and days decide about deadlines."""
    run(
        database,
        "DROP TABLE IF EXISTS czasy",
        "CREATE TABLE czasy (brama_key varchar(120) PRIMARY KEY, chwila timestamp, w_strefie timestamptz, dzien date)",
    )
    columns = dict.fromkeys(("chwila", "w_strefie", "dzien"), "{fields.kiedy}")
    connector = connector_for(url, table="czasy", columns=columns, files=None)

    assert deliver(connector, fields={"kiedy": "2026-12-31T23:30:00+00:00"}) == Delivered("k-1")

    [row] = staging.read(database, "SELECT * FROM czasy")
    assert row["chwila"] == datetime.fromisoformat("2027-01-01T00:30")
    assert row["w_strefie"] == datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert row["dzien"] == date(2027, 1, 1)
    connector.close()


def test_a_line_that_falls_silent_ends_in_time(url: str, line: Office, database: str) -> None:
    connector = connector_for(url, timeout_s=1.0)
    connector.check()
    line.tell("silent")
    try:
        outcome = deliver(connector)
    finally:
        line.tell("up")

    assert isinstance(outcome, Unreachable)
    assert staging.keys(database) == {}
    connector.close()


def test_a_query_that_breaks_is_never_an_empty_answer(url: str, line: Office) -> None:
    asking = connector_for(url, queries={"dues": "SELECT 1 AS n", "arrears": "SELECT nie FROM ma"})
    assert asking.query("dues").rows == ({"n": 1},)
    with pytest.raises(LookUpFailed):
        asking.query("arrears")
    line.tell("cut_before", match="SELECT 1 AS n")
    with pytest.raises(LookUpFailed):
        asking.query("dues")
    asking.close()


def test_a_question_with_too_many_rows_is_never_cut(url: str) -> None:
    asking = connector_for(url, max_rows=2, queries={"dues": "SELECT generate_series(1, :party) AS n"})

    assert len(asking.query("dues", party=2).rows) == 2
    with pytest.raises(LookUpFailed):
        asking.query("dues", party=3)
    asking.close()


def test_the_offices_own_number_is_the_reference_once_it_gave_one(url: str, database: str) -> None:
    connector = connector_for(url, reference_column="office_ref")
    deliver(connector)
    assert connector.find("k-1") == "k-1"

    run(database, "UPDATE brama_case SET office_ref = 'PN.7.2026'")

    assert connector.find("k-1") == "PN.7.2026"
    connector.close()


def test_dues_are_asked_with_the_day_they_are_for(url: str, connector: SqlConnector) -> None:
    deliver(connector)
    asking = connector_for(
        url, queries={"dues": "SELECT surname, total FROM brama_case WHERE tenant = :party AND received_on <= :as_of"}
    )

    answer = asking.query("dues", party="9999011", as_of=date(2026, 12, 31))

    assert answer.rows == ({"surname": "Łękołodzka-Żdźbło", "total": Decimal("1234.50")},)
    assert answer.as_of.tzinfo is not None
    assert asking.query("dues", party="9999011", as_of=date(2020, 1, 1)).rows == ()
    asking.close()


def test_an_answer_is_kept_no_longer_than_configured(url: str, connector: SqlConnector, database: str) -> None:
    queries = {"dues": "SELECT count(*) AS n FROM brama_case WHERE kind <> :party"}
    kept, fresh = connector_for(url, queries=queries, query_cache_s=60), connector_for(url, queries=queries)
    first = kept.query("dues", party="x")
    deliver(connector)

    again = kept.query("dues", party="x")

    assert (first.cached, again.cached) == (False, True)
    assert again.as_of == first.as_of
    assert [answer.rows[0]["n"] for answer in (again, kept.query("dues", party="y"))] == [0, 1]
    assert not fresh.query("dues", party="x").cached
    kept.close()
    fresh.close()


def test_a_query_nobody_configured_is_refused(connector: SqlConnector) -> None:
    with pytest.raises(LookUpFailed):
        connector.query("dues")


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

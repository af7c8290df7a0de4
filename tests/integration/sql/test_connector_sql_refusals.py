"""What does not fit an office's table is told and not written; what only the database can judge is its refusal."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.sql import SqlConnector
from gateway.simulate.offices import staging
from schemas.delivery import Delivered, Refused, Unreachable
from schemas.errors import ConnectorError
from tests.sql_office import connector_for, deliver, run, with_field


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

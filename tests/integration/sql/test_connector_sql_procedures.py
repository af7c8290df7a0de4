"""An office's own procedure and its answers to questions, through the SQL connector."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from connectors.base import LookUpFailed
from connectors.registry import build
from connectors.sql import SqlConnector
from gateway.simulate.offices import staging
from gateway.simulate.offices.client import Office
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, Unreachable, Unsettled
from tests.sql_office import connector_for, deliver, run, with_field

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


def test_a_ledger_is_asked_and_never_written(url: str, database: str) -> None:
    ledger = build("sql", {"url": url, "queries": {"dues": "SELECT 1 AS n"}})
    assert isinstance(ledger, SqlConnector)
    ledger.check()

    assert ledger.query("dues").rows == ({"n": 1},)
    outcome = deliver(ledger)
    assert isinstance(outcome, Unreachable)
    assert outcome.code == "sql.statement_wrong"
    assert staging.keys(database) == {}
    ledger.close()


def test_a_query_nobody_configured_is_refused(connector: SqlConnector) -> None:
    with pytest.raises(LookUpFailed):
        connector.query("dues")

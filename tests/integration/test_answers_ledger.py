"""From a ledger's database to the citizen's letter: sql connector, merge, certificate, accessible PDF."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.base import LookUpFailed
from connectors.registry import build
from connectors.sql import SqlConnector
from gateway import resources
from gateway.answers import document, office
from gateway.answers.certificate import Fee, Request, Wanted
from gateway.answers.compose import Composer, Matter
from gateway.answers.drafting import draft_certificate, draft_statement
from gateway.answers.events import Answered, Approved, Document, Held, Sent, Service, Signed
from gateway.answers.ledgers import ask, merge
from gateway.answers.letter import plain_text
from gateway.answers.plan import Step, advance, start
from gateway.answers.rendering import Rendering
from gateway.answers.templates import Templates
from gateway.simulate.ledger import Ledger, queries, year_of_dues
from gateway.simulate.offices import staging
from gateway.simulate.people import nrb, person
from schemas.answers import Dues
from schemas.case_parts import Party
from schemas.ids import sha256
from schemas.xmldoc import parse

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
CITIZEN = person(3)
PARTY = Party(first_name=CITIZEN.first_name, surname=CITIZEN.surname, pesel=CITIZEN.pesel)
MATTER = Matter(PARTY, date(2026, 11, 20), "FN.3120.1.2026")
SILENT = Held("answers.ledger_silent")
PAID = Request(Wanted.NO_ARREARS, Fee(Decimal(21), Decimal(21), ("1",)))


@pytest.fixture
def url(database_url: str) -> str:
    """An office's database: the staging tables and a ledger beside them."""
    made = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    staging.create(made)
    return made


@pytest.fixture
def ledger(url: str) -> Ledger:
    made = Ledger(url)
    made.create()
    return made


@pytest.fixture
def connectors(url: str) -> Iterator[dict[str, SqlConnector]]:
    made = {name: connector(url, name) for name in ("tax", "waste")}
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(Templates(), office.load(resources.folder("templates") / "answers" / "office.example.toml"))


def connector(url: str, name: str, **changes: Any) -> SqlConnector:
    options = {"url": url, "table": "brama_case", "columns": staging.COLUMNS, "queries": queries(name), **changes}
    made = build("sql", options)
    assert isinstance(made, SqlConnector)
    return made


def asked(connectors: dict[str, SqlConnector], party: str = CITIZEN.pesel, at: datetime = NOON) -> Dues:
    answers = ask(connectors, party=party, as_of=at)
    dues = merge("0" * 32, answers, at)
    return dues.model_copy(update={"as_of": at})  # the connector asks the machine's clock; the tests' day is fixed


def test_the_ledgers_rows_arrive_exact_with_interest_at_the_date(ledger, connectors):
    ledger.book(year_of_dues(CITIZEN.pesel, TODAY, account=nrb(1), late=True))
    dues = asked(connectors)
    assert [(source.name, source.code) for source in dues.sources] == [("tax", None), ("waste", None)]
    assert len(dues.items) == 5
    (late,) = [item for item in dues.items if item.instalment == 4 and item.ledger == "tax"]
    assert (late.amount, late.costs, late.interest, late.account) == (Decimal(103), Decimal(16), Decimal(0), nrb(1))
    a_year_on = asked(connectors, at=datetime(2027, 11, 23, 11, 0, tzinfo=UTC))
    (late,) = [item for item in a_year_on.items if item.instalment == 4 and item.ledger == "tax"]
    assert late.interest == Decimal(15)  # 103 zł · 14 % · 373 days / 365, rounded to full złoty


def test_each_party_sees_only_what_is_its_own(ledger, connectors):
    ledger.book(year_of_dues(person(4).pesel, TODAY, account=nrb(2), late=True))
    assert asked(connectors).items == ()


def test_a_request_becomes_an_accessible_statement(ledger, connectors, composer):
    ledger.book(year_of_dues(CITIZEN.pesel, TODAY, account=nrb(1), late=True))
    plan = advance(start(Service.SETTLEMENT_QUERY), Answered(NOON))
    draft = draft_statement(composer, MATTER, asked(connectors), Rendering(composer.templates))
    plan = advance(plan, draft.event)
    assert plan.step is Step.SIGN
    assert draft.letter is not None
    assert "119,00 zł" in plain_text(draft.letter).replace("\N{NO-BREAK SPACE}", " ")
    attached = parse(draft.octets).getroot().find(".//{*}Zalacznik")
    assert attached is not None
    assert attached.get("nazwaPliku") == "settlement-statement-2026-11-23.pdf"
    assert base64.b64decode(attached.findtext("{*}DaneZalacznika") or "").startswith(b"%PDF-1.7")
    plan = advance(advance(plan, Signed(NOON, sha256(draft.octets), "0" * 64)), Sent(NOON))
    assert plan.step is Step.SENT


def test_paying_turns_a_refusal_into_a_certificate(ledger, connectors, composer):
    entries = year_of_dues(CITIZEN.pesel, TODAY, account=nrb(1), late=True)
    ledger.book(entries)
    owing = draft_certificate(composer, MATTER, PAID, asked(connectors), document.write, today=TODAY)
    ledger.take(entries[3].entry_no, Decimal("103.00"))
    coming = draft_certificate(composer, MATTER, PAID, asked(connectors), document.write, today=TODAY)
    ledger.post()
    with_costs = draft_certificate(composer, MATTER, PAID, asked(connectors), document.write, today=TODAY)
    assert owing.event.document is Document.REFUSAL
    assert coming.event == Held("answers.payment_unposted")
    assert with_costs.event == Held("answers.only_costs_left")  # the reminder's 16 zł
    ledger.empty()
    ledger.book(year_of_dues(CITIZEN.pesel, TODAY, account=nrb(1), late=False))
    clean = draft_certificate(composer, MATTER, PAID, asked(connectors), document.write, today=TODAY)
    assert clean.event.document is Document.CERTIFICATE_NONE


def test_an_approved_certificate_goes_all_the_way(ledger, connectors, composer):
    ledger.book(year_of_dues(CITIZEN.pesel, TODAY, account=nrb(1), late=False))
    plan = advance(start(Service.ARREARS_CERTIFICATE), Answered(NOON))
    draft = draft_certificate(composer, MATTER, PAID, asked(connectors), document.write, today=TODAY)
    plan = advance(plan, draft.event)
    digest = sha256(draft.octets)
    plan = advance(plan, Approved("urzednik.probny", NOON, digest, proceedings_checked=True))
    plan = advance(advance(plan, Signed(NOON, digest, "0" * 64)), Sent(NOON))
    assert plan.step is Step.SENT


@pytest.mark.parametrize(
    ("where", "select"),
    [("postgresql+psycopg://nobody@127.0.0.1:1/none", queries("waste")["dues"]), (None, "SELECT * FROM gone")],
    ids=["no server", "no such table"],
)
def test_a_ledger_out_of_reach_is_said_and_certifies_nothing(ledger, connectors, composer, url, where, select):
    gone = connector(where or url, "waste", queries={"dues": select})
    dues = asked({**connectors, "waste": gone})
    gone.close()
    assert [(source.name, source.code) for source in dues.missing] == [("waste", "answers.ledger_not_reached")]
    assert draft_certificate(composer, MATTER, PAID, dues, document.write, today=TODAY).event == Held(
        "answers.ledger_silent"
    )
    statement = draft_statement(composer, MATTER, dues, document.write)
    assert statement.letter is not None
    assert "Informacja jest niepełna" in plain_text(statement.letter)


def test_a_connectors_own_bug_does_not_pass_for_nothing_owed(connectors):
    class Broken:
        def query(self, name: str, **parameters: Any) -> Any:
            raise ZeroDivisionError

    (answer,) = ask({"tax": Broken()}, party=CITIZEN.pesel, as_of=NOON)
    assert answer.source.code == "answers.ledger_not_reached"


def test_more_dues_than_the_connector_may_return_is_no_answer_rather_than_a_part(ledger, url):
    ledger.book(year_of_dues(CITIZEN.pesel, TODAY, account=nrb(1), late=True))
    small = connector(url, "tax", max_rows=3)
    with pytest.raises(LookUpFailed, match="more than 3 rows"):
        small.query("dues", party=CITIZEN.pesel, as_of=NOON)
    exact = connector(url, "tax", max_rows=4)
    assert len(exact.query("dues", party=CITIZEN.pesel, as_of=NOON).rows) == 4
    small.close()
    exact.close()

"""EZD RP over its Integrator API, against an office that knows no idempotency key."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.base import LookUpFailed
from connectors.ezd_rp.connector import EzdRpConnector, credentials
from connectors.ezd_rp.options import ApiKey
from connectors.registry import build
from gateway.simulate.offices.client import Office
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, StepInDoubt, Unreachable, Unsettled
from schemas.errors import ConnectorError


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("ezd_rp", tmp_path_factory.mktemp("ezd_rp"), "--secret", "klucz") as office:
        yield office


@pytest.fixture
def office(running: Office) -> Office:
    running.reset()
    return running


def connector_for(office: Office, key: str = "klucz", **changes: Any) -> EzdRpConnector:
    api_key = {"token_url": f"{office.url}/token", "host": "brama.example", "entity_id": "7", "key_id": "3", "key": key}
    options = {
        "base_url": office.url,
        "api_key": api_key,
        "position_id": "12",
        "timeout_s": 30.0,
        "open_case": {"list_id": "3120"},
        **changes,
    }
    connector = build("ezd_rp", options)
    assert isinstance(connector, EzdRpConnector)
    return connector


def deliver(connector: EzdRpConnector, steps: MemorySteps | None = None, **changes: Any) -> Any:
    return connector.deliver(a_record("k-1", **changes), "k-1", steps or MemorySteps(connector.capabilities.repeat))


def test_a_letter_is_numbered_and_a_case_opened(office: Office) -> None:
    outcome = deliver(connector_for(office))

    assert isinstance(outcome, Delivered)
    assert outcome.reference == "2/2026"
    assert outcome.details["open.case_number"] == "AB.3.2026"
    assert office.effects("circulation")[0]["title"] == "Zażółć gęślą jaźń"
    assert [item["name"] for item in office.effects("document")] == ["załącznik nr 1.pdf"]


def test_it_is_blind_and_never_repeats_a_doubtful_step(office: Office) -> None:
    connector = connector_for(office)
    assert connector.capabilities.repeat is Repeat.BLIND
    steps = MemorySteps(Repeat.BLIND)
    office.tell("hang_up_after_storing", times=1, match="/rpw ")

    assert isinstance(deliver(connector, steps), Unsettled)
    with pytest.raises(StepInDoubt):
        deliver(connector, steps.next_attempt())
    with pytest.raises(LookUpFailed):
        connector.find("k-1")
    assert office.keys() == {"k-1": 1}


def test_the_registry_is_asked_where_the_office_proved_the_search(office: Office) -> None:
    connector = connector_for(office, look_up_field="znakPisma")
    steps = MemorySteps(connector.capabilities.repeat)
    office.tell("hang_up_after_storing", times=1, match="/rpw ")

    assert isinstance(deliver(connector, steps), Unsettled)
    assert isinstance(deliver(connector, steps.next_attempt()), Delivered)
    assert office.doubled() == []


def test_a_search_that_ignores_our_key_finds_nothing_of_ours(office: Office) -> None:
    """Somebody else's letter taken for ours would lose the case."""
    connector = connector_for(office, look_up_field="pole")
    anybody = '{"elementy": [{"numer": 99, "rok": 2026, "znakPisma": "obce"}]}'
    office.tell("say", match="/rpw/_search", body=anybody)
    steps = MemorySteps(connector.capabilities.repeat)
    office.tell("hang_up_before_storing", times=1, match="/rpw ")

    assert isinstance(deliver(connector, steps), Unsettled)
    outcome = deliver(connector, steps.next_attempt())

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "connector.look_up_failed"


def test_check_refuses_a_search_that_cannot_say_no(office: Office) -> None:
    connector = connector_for(office, look_up_field="znakPisma")
    connector.check()
    untrue = '{"elementy": [{"numer": 99, "rok": 2026, "znakPisma": "brama-check"}]}'
    office.tell("say", match="/rpw/_search", body=untrue)

    with pytest.raises(ConnectorError) as refused:
        connector.check()

    assert refused.value.code == "connector.look_up_untrue"


def test_an_outage_is_no_doubt(office: Office) -> None:
    connector = connector_for(office)
    steps = MemorySteps(Repeat.BLIND)
    office.tell("down")
    outcome = deliver(connector, steps)
    office.tell("up")

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "http.no_token"
    assert isinstance(deliver(connector, steps.next_attempt()), Delivered)


def test_a_title_that_is_too_long_is_told_before_anything_is_sent(office: Office) -> None:
    outcome = deliver(connector_for(office), fields={**a_record().fields, "title": "ż" * 501})

    assert outcome == Refused("record.violations", "title: rule.too_long (501/500)")
    assert office.effects() == []


def test_a_letter_without_a_case_needs_no_case_and_all_calls_can_be_replaced(office: Office) -> None:
    assert isinstance(deliver(connector_for(office, open_case=None)), Delivered)
    assert office.effects("case") == []
    own = {
        "name": "number",
        "operation": "POST /ezdrp/integrator/v2/dokumenty/d-9/rpw",
        "arguments": {"znakPisma": "{key}"},
    }
    own["results"] = {"number": "numer", "year": "rok"}
    own["find"] = {
        "operation": "POST /ezdrp/integrator/v2/rpw/_search",
        "arguments": {"znakPisma": "{key}"},
        "found": [{"path": "elementy/numer"}],
        "not_found": [{"path": "@status", "equals": "200"}],
        "results": {"number": "elementy/numer", "year": "elementy/rok"},
    }
    replaced = connector_for(office, step=[own])

    assert replaced.capabilities.repeat is Repeat.FINDABLE
    assert replaced.find("k-1") == "2/2026"
    assert replaced.find("nie-ma") is None


def test_a_title_nobody_gave_is_told(office: Office) -> None:
    assert deliver(connector_for(office), fields={}) == Refused("record.incomplete", "fields.title")


def test_a_refusal_carries_the_reason(office: Office) -> None:
    office.tell("refuse", times=1, match="/sprawy ")

    assert deliver(connector_for(office)) == Refused("http.refused", "HTTP 422 Brak podatnika w kartotece")


def test_check_searches_and_stores_nothing(office: Office) -> None:
    connector_for(office).check()
    with pytest.raises(ConnectorError) as refused:
        connector_for(office, key="inny").check()

    assert refused.value.code == "http.no_token"
    assert office.effects() == []


def test_the_key_itself_is_never_sent() -> None:
    key = ApiKey(token_url="x", host="brama.example", entity_id="7", key_id="3", key="klucz")  # type: ignore[arg-type]

    form = credentials(key, datetime(2026, 11, 22, 12, 0, tzinfo=UTC))

    assert form["rt"] == "2026-11-22T12:00:00Z"
    assert form["akh"] == base64.b64encode(hashlib.sha256(b"2026-11-22T12:00:00Zklucz").digest()).decode()
    assert form["client_id"] == "api_" + base64.b64encode(hashlib.sha256(b"brama.example").digest()).decode()
    assert "klucz" not in str(form)

"""The REST connector against a JSON office in its own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connectors.base import LookUpFailed
from connectors.json_service import path_of, to_json
from connectors.registry import build
from connectors.rest import RestConnector
from gateway.simulate.offices.client import Office
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import AttachmentFile, Delivered, Refused, Repeat, Unreachable, Unsettled
from schemas.errors import ConnectorError

SECRET = "sekret-urzędu"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("rest", tmp_path_factory.mktemp("rest"), "--secret", SECRET) as office:
        yield office


@pytest.fixture
def office(running: Office) -> Office:
    running.reset()
    return running


def options_for(office: Office, **changes: Any) -> dict[str, Any]:
    return {
        "base_url": office.url,
        "timeout_s": 30.0,
        "ping": "GET /ping",
        "oauth": {"token_url": f"{office.url}/token", "client_id": "brama", "client_secret": SECRET},
        "step": [
            {
                "name": "open",
                "operation": "POST /cases",
                "arguments": {"external_id": "{key}", "surname": "{fields.surname}", "total": "{fields.total}"},
                "results": {"id": "id", "number": "number"},
                "find": {
                    "operation": "GET /cases?external_id={key}",
                    "found": [{"path": "items/id"}],
                    "results": {"id": "items/0/id", "number": "items/0/number"},
                },
            },
            {
                "name": "attach",
                "operation": "POST /cases/{steps.open.id}/documents",
                "for_each": "file",
                "multipart": "files",
                "results": {"id": "id"},
                "find": {
                    "operation": "GET /cases/{steps.open.id}/documents",
                    "found": [{"path": "items/name", "includes": "{file.name}"}],
                },
            },
        ],
        "reference": "{steps.open.number}",
        **changes,
    }


def connector_for(office: Office, **changes: Any) -> RestConnector:
    connector = build("rest", options_for(office, **changes))
    assert isinstance(connector, RestConnector)
    return connector


def deliver(connector: RestConnector, steps: MemorySteps | None = None, **changes: Any) -> Any:
    return connector.deliver(a_record("k-1", **changes), "k-1", steps or MemorySteps(connector.capabilities.repeat))


def test_a_case_and_its_documents_arrive(office: Office) -> None:
    outcome = deliver(connector_for(office))

    assert isinstance(outcome, Delivered)
    assert outcome.reference == "SP.1.2026"
    [case] = office.effects("case")
    assert case["body"] == {"external_id": "k-1", "surname": "Łękołodzka-Żdźbło", "total": "1234.50"}
    assert [item["name"] for item in office.effects("document")] == ["wniosek.xml", "załącznik nr 1.pdf"]


def test_each_effect_has_its_own_idempotency_key(office: Office) -> None:
    deliver(connector_for(office))

    keys = [effect["idempotency"] for effect in office.effects()]
    assert keys[0] == "k-1.open"
    assert all(key.startswith("k-1.attach.") for key in keys[1:])
    assert len(set(keys)) == 3


def test_a_receipt_that_came_between_two_tries_costs_no_file_and_doubles_none(office: Office) -> None:
    connector = connector_for(office)
    steps = MemorySteps(connector.capabilities.repeat)
    document, plan = a_record().files
    receipt = AttachmentFile("UPP-epuap.xml", "application/xml", b"<UPP/>", "receipt")

    assert isinstance(deliver(connector, steps), Delivered)
    assert isinstance(deliver(connector, steps.next_attempt(), files=(document, receipt, plan)), Delivered)
    assert sorted(item["name"] for item in office.effects("document")) == sorted(
        [document.name, receipt.name, plan.name]
    )


def test_two_files_that_are_the_same_are_both_sent(office: Office) -> None:
    twin = a_record().files[1]

    options = options_for(office)
    del options["step"][1]["find"]  # asking by name could not tell them apart
    outcome = build("rest", options).deliver(a_record("k-1", files=(twin, twin)), "k-1", MemorySteps())

    assert isinstance(outcome, Delivered)
    assert len(office.effects("document")) == 2


def test_a_service_that_honours_our_key_may_be_sent_to_again(office: Office) -> None:
    options = options_for(office, repeat="safe")
    for step in options["step"]:
        del step["find"]
    connector = build("rest", options)
    assert connector.capabilities.repeat is Repeat.SAFE
    steps = MemorySteps(Repeat.SAFE)
    office.tell("hang_up_after_storing", times=1)

    assert isinstance(connector.deliver(a_record("k-1"), "k-1", steps), Unsettled)
    assert isinstance(connector.deliver(a_record("k-1"), "k-1", steps.next_attempt()), Delivered)
    assert office.keys() == {"k-1": 1}
    assert office.doubled() == []


@pytest.mark.parametrize("match", ["POST /cases ", "POST /cases/1/documents"])
@pytest.mark.parametrize("mode", ["hang_up_before_storing", "hang_up_after_storing", "garbage", "truncate"])
def test_a_lost_answer_of_any_step_doubles_nothing(office: Office, match: str, mode: str) -> None:
    connector = connector_for(office, idempotency_header=None)
    steps = MemorySteps(connector.capabilities.repeat)
    office.tell(mode, times=1, match=match)

    assert isinstance(deliver(connector, steps), Unsettled)
    assert isinstance(deliver(connector, steps.next_attempt()), Delivered)
    assert office.doubled() == []
    assert len(office.effects()) == 3


@pytest.mark.parametrize(
    ("mode", "kind", "code"),
    [
        ("refuse", Refused, "http.refused"),
        ("error_in_success", Unsettled, "answer.unreadable"),
        ("unavailable", Unreachable, "http.later"),
        ("unauthorized", Unreachable, "http.not_admitted"),
        ("redirect", Unsettled, "http.redirected"),
        ("error_page", Unsettled, "http.status"),
        ("garbage", Unsettled, "answer.unreadable"),
        ("huge", Unsettled, "http.answer_too_large"),
    ],
)
def test_each_failure_says_what_it_means(office: Office, mode: str, kind: type, code: str) -> None:
    connector = connector_for(office, max_answer_bytes=100_000)
    office.tell(mode, times=1)

    outcome = deliver(connector)

    assert isinstance(outcome, kind)
    assert outcome.code == code


def test_a_refusal_carries_the_offices_reason(office: Office) -> None:
    office.tell("refuse", times=1)

    assert deliver(connector_for(office)) == Refused("http.refused", "HTTP 422 Brak podatnika w kartotece")


def test_an_error_inside_success_is_a_refusal_when_the_rules_say_how_to_see_it(office: Office) -> None:
    reading = {"success": [{"path": "error", "absent": True}], "message": "error"}
    connector = connector_for(office, reading=reading)
    office.tell("error_in_success", times=1)

    outcome = deliver(connector)

    assert outcome == Refused("answer.refused", "ERR String or binary data would be truncated")
    assert isinstance(deliver(connector), Delivered)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (303, Unsettled, "http.redirected"),
        (308, Unreachable, "http.wrong_address"),
        (409, Unsettled, "http.conflict"),
        (425, Unsettled, "http.status"),
        (404, Unreachable, "http.wrong_address"),
    ],
)
def test_a_status_that_may_follow_the_effect_is_a_doubt(office: Office, status: int, kind: type, code: str) -> None:
    office.tell("say", times=1, status=status, body="{}")

    outcome = deliver(connector_for(office))

    assert isinstance(outcome, kind)
    assert outcome.code == code


def test_already_there_is_success_with_any_status_the_rules_name(office: Office) -> None:
    already = [{"path": "@status", "equals": "409"}]
    reading = {"success": [{"path": "@status", "matches": "2.."}], "already": already}
    connector = connector_for(office, reading=reading)
    body = '{"id": "7", "number": "SP.7.2026"}'
    office.tell("say", times=1, match="POST /cases ", status=409, body=body)
    office.tell("say", match="POST /cases/7/", status=201, body='{"id": "1"}')

    outcome = deliver(connector)

    assert isinstance(outcome, Delivered)
    assert outcome.reference == "SP.7.2026"


def test_a_status_can_mean_something_else_here(office: Office) -> None:
    connector = connector_for(office, statuses={422: "later"})
    office.tell("refuse", times=1)

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "http.later"


def test_a_wrong_secret_means_that_nothing_was_sent(office: Office) -> None:
    oauth = {"token_url": f"{office.url}/token", "client_id": "brama", "client_secret": "inny"}

    outcome = deliver(connector_for(office, oauth=oauth))

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "http.no_token"
    assert office.effects() == []


def test_a_token_is_asked_for_once_and_again_when_it_is_not_admitted(office: Office) -> None:
    connector = connector_for(office)
    connector.check()
    office.tell("unauthorized", times=1)

    assert isinstance(deliver(connector), Unreachable)
    assert isinstance(deliver(connector), Delivered)


def test_amounts_can_be_exact_numbers(office: Office) -> None:
    deliver(connector_for(office, decimals="number"))

    [case] = office.effects("case")
    assert '"total":1234.50}' in case["raw"]


def test_a_missing_resource_is_not_taken_for_not_there(office: Office) -> None:
    """A wrong address answers 404 to everything: a look-up must not say no then."""
    options = options_for(office)
    options["step"][0]["find"]["operation"] = "GET /wrong?external_id={key}"
    connector = build("rest", options)

    with pytest.raises(LookUpFailed):
        connector.find("k-1")


def test_a_service_that_says_404_for_not_there_can_say_so(office: Office) -> None:
    options = options_for(office)
    find = options["step"][0]["find"]
    find["operation"] = "GET /cases/{key}"
    find["not_found"] = [{"path": "@status", "equals": "404"}]

    assert build("rest", options).find("k-1") is None


def test_dues_are_asked(office: Office) -> None:
    question = {
        "operation": "GET /dues?party={parameters.party}&as_of={parameters.as_of}",
        "found": [{"path": "items/title"}],
        "rows": "items",
    }
    connector = connector_for(office, queries={"dues": question})

    answer = connector.query("dues", party="P-1", as_of="2026-03-31")

    assert answer.rows == ({"title": "Podatek od nieruchomości", "amount": "120.50"},)
    assert connector.query("dues", party="P/2 & co", as_of="2026-03-31").rows == ()
    with pytest.raises(LookUpFailed):
        connector.query("arrears", party="P-1")
    office.tell("hang_up_before_storing", times=1, match="GET /dues")
    with pytest.raises(LookUpFailed):
        connector.query("dues", party="P-1", as_of="2026-03-31")


@pytest.mark.parametrize("body", ["{}", '{"items": null}', '{"error": "baza"}', '{"items": {"title": ""}}', "[]"])
def test_an_answer_that_is_not_understood_is_never_nothing_owed(office: Office, body: str) -> None:
    question = {"operation": "GET /dues", "found": [{"path": "items/title"}], "rows": "items"}
    connector = connector_for(office, queries={"dues": question})
    office.tell("say", times=1, match="GET /dues", body=body)

    with pytest.raises(LookUpFailed):
        connector.query("dues")


def test_check_calls_ping_and_stores_nothing(office: Office) -> None:
    connector_for(office).check()
    with pytest.raises(ConnectorError) as refused:
        connector_for(office, ping="GET /nowhere").check()

    assert refused.value.code == "http.wrong_address"
    assert office.effects() == []


def test_a_value_cannot_leave_its_place_in_a_path() -> None:
    assert path_of("/cases/{key}/x", {"key": "a/../b?c=d ż"}) == "/cases/a%2F..%2Fb%3Fc%3Dd%20%C5%BC/x"


def test_json_is_exact() -> None:
    value = {"a": Decimal("0.10"), "b": [True, None, b"\x00"], "c": "ż"}

    assert to_json(value, exact_numbers=True) == '{"a":0.10,"b":[true,null,"AA=="],"c":"ż"}'
    assert json.loads(to_json(value, exact_numbers=False))["a"] == "0.10"

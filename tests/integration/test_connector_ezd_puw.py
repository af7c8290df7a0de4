"""EZD PUW in four steps, each of which can fail, be forgotten, and be asked about."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.base import LookUpFailed
from connectors.ezd_puw.connector import EzdPuwConnector, token_headers
from connectors.ezd_puw.options import Token
from connectors.registry import build
from gateway.simulate.offices.client import Office
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, Unreachable, Unsettled
from schemas.errors import ConnectorError

EFFECTS = ["RejestrujWplyw", "DodajZalacznik", "RejestrujDokument", "RejestrujSprawe"]


@pytest.fixture
def office(ezd: Office) -> Office:
    return ezd


def connector_for(office: Office, **changes: Any) -> EzdPuwConnector:
    options: dict[str, Any] = {
        "address": f"{office.url}/Integracja.svc",
        "user": "brama",
        "password": "zażółć",
        "timeout_s": 30.0,
        "open_case": {"folder_symbol": "3120"},
        **changes,
    }
    connector = build("ezd_puw", options)
    assert isinstance(connector, EzdPuwConnector)
    return connector


def deliver(connector: EzdPuwConnector, steps: MemorySteps, **changes: Any) -> Any:
    return connector.deliver(a_record("k-1", **changes), "k-1", steps)


def new_steps() -> MemorySteps:
    return MemorySteps(Repeat.FINDABLE)


def test_a_letter_its_documents_and_a_case_arrive(office: Office) -> None:
    outcome = deliver(connector_for(office), new_steps())

    assert isinstance(outcome, Delivered)
    assert outcome.reference == "RPW/1/2026"
    assert outcome.details["open.case_number"] == "PR.3120.1.2026"
    assert [effect["name"] for effect in office.effects("document")] == ["1. wniosek.xml", "2. załącznik nr 1.pdf"]
    assert office.effects("letter")[0]["surname"] == "Łękołodzka-Żdźbło"
    assert office.doubled() == []


@pytest.mark.parametrize("operation", EFFECTS)
@pytest.mark.parametrize("mode", ["hang_up_before_storing", "hang_up_after_storing", "truncate", "garbage"])
def test_a_lost_answer_of_any_step_is_asked_about_and_nothing_is_doubled(
    office: Office, operation: str, mode: str
) -> None:
    connector, steps = connector_for(office), new_steps()
    office.tell(mode, times=1, match=operation)

    assert isinstance(deliver(connector, steps), Unsettled)
    assert connector.find("k-1") == (None if operation != "RejestrujSprawe" or "before" in mode else "RPW/1/2026")
    assert isinstance(deliver(connector, steps.next_attempt()), Delivered)

    assert office.doubled() == []
    assert [len(office.effects(what)) for what in ("letter", "document", "case")] == [1, 2, 1]


@pytest.mark.parametrize(("step", "which"), [("register", 0), ("attach-", 0), ("attach-", 1), ("open", 0)])
def test_a_step_whose_result_was_forgotten_is_asked_about(office: Office, step: str, which: int) -> None:
    connector, steps = connector_for(office), new_steps()
    deliver(connector, steps)
    steps.forget_result_of([name for name in steps.calls if name.startswith(step)][which])

    assert isinstance(deliver(connector, steps.next_attempt()), Delivered)
    assert office.doubled() == []


def test_done_steps_are_not_done_again_after_an_outage(office: Office) -> None:
    connector, steps = connector_for(office), new_steps()
    office.tell("refuse", times=1, match="RejestrujSprawe")
    assert isinstance(deliver(connector, steps), Refused)
    office.tell("down")
    assert isinstance(deliver(connector, steps.next_attempt()), Unreachable)
    office.tell("up")

    assert isinstance(deliver(connector, steps.next_attempt()), Delivered)
    assert steps.calls.count("register") == 1
    assert office.doubled() == []


def test_find_is_silent_until_the_last_step_is_there(office: Office) -> None:
    connector = connector_for(office)
    office.tell("refuse", times=1, match="RejestrujSprawe")
    deliver(connector, new_steps())

    assert connector.find("k-1") is None


def test_a_letter_without_a_case_needs_no_case(office: Office) -> None:
    assert isinstance(deliver(connector_for(office, open_case=None), new_steps()), Delivered)
    assert office.effects("case") == []


def test_an_office_that_refuses_says_why(office: Office) -> None:
    outcome = deliver(connector_for(office), new_steps(), fields={"title": "Słowo", "year": 2026})

    assert outcome == Refused("answer.refused", "Nazwa koszulki musi się składać co najmniej z dwóch słów")


def test_the_status_of_a_case_is_asked(office: Office) -> None:
    connector = connector_for(office)
    deliver(connector, new_steps())

    answer = connector.query("case_status", case_number="PR.3120.1.2026")

    assert answer.rows == (
        {"case_number": "PR.3120.1.2026", "in_progress": "true", "finished": "false", "suspended": "false"},
    )
    assert connector.query("case_status", case_number="PR.3120.9.2026").rows == ()
    with pytest.raises(LookUpFailed):
        connector.query("dues", party="x")


def test_check_asks_and_stores_nothing(office: Office) -> None:
    connector_for(office).check()

    assert office.effects() == []


def test_check_tells_of_wrong_credentials(office: Office) -> None:
    with pytest.raises(ConnectorError) as refused:
        connector_for(office, password="inne").check()

    assert refused.value.code == "http.not_admitted"
    assert refused.value.facts["text"] == "HTTP 401"


def test_header_authentication_is_admitted(tmp_path: Path) -> None:
    with Office("ezd", tmp_path, "--token", "aplikacja-7") as office:
        right = {"auth_param": "0f8f", "application_token": "aplikacja-7"}
        admitted = connector_for(office, user=None, password=None, token=right)
        refused = connector_for(office, user=None, password=None, token={**right, "application_token": "inna"})

        assert isinstance(deliver(admitted, new_steps()), Delivered)
        assert isinstance(deliver(refused, new_steps()), Unreachable)


@pytest.mark.parametrize(
    ("at", "hour"),
    [
        (datetime(2026, 7, 1, 11, 30, tzinfo=UTC), "2026070101"),  # 13:30 in Warsaw, on a 12-hour clock
        (datetime(2026, 1, 1, 11, 30, tzinfo=UTC), "2026010112"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "2027010112"),  # half past midnight, the next year
    ],
)
def test_the_token_follows_the_servers_local_hour(at: datetime, hour: str) -> None:
    token = Token(auth_param="guid", application_token="t")  # type: ignore[arg-type]

    assert token_headers(token, at)["authToken"] == hashlib.sha256(f"guidt{hour}".encode()).hexdigest()


def test_two_ways_in_at_once_are_refused_when_saved() -> None:
    with pytest.raises(ConnectorError) as refused:
        build(
            "ezd_puw",
            {"address": "http://x", "user": "u", "token": {"auth_param": "a", "application_token": "b"}},
        )

    assert "either token or user" in refused.value.facts["problems"]

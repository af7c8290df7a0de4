"""The SOAP connector against an EZD-like office in its own process: what is sent, what is asked, what is configured."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from connectors.base import LookUpFailed
from connectors.registry import build
from gateway.simulate.offices.client import Office
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, Unreachable
from schemas.errors import ConnectorError
from tests.soap_office import ANSWER, connector_for, deliver, options_for


@pytest.fixture
def office(ezd: Office) -> Office:
    return ezd


def test_a_letter_is_registered_with_its_polish_letters(office: Office) -> None:
    outcome = deliver(connector_for(office))

    assert outcome == Delivered("RPW/1/2026", {"register.number": "RPW/1/2026", "register.folder": "1"})
    [letter] = office.effects("letter")
    assert letter["title"] == "Zażółć gęślą jaźń"
    assert letter["surname"] == "Łękołodzka-Żdźbło"


def test_a_service_that_can_be_asked_is_findable(office: Office) -> None:
    connector = connector_for(office)

    assert connector.capabilities.repeat is Repeat.FINDABLE
    assert connector.capabilities.look_up


def test_a_service_that_cannot_be_asked_is_blind(office: Office) -> None:
    options = options_for(office)
    del options["step"][0]["find"]

    assert build("soap", options).capabilities.repeat is Repeat.BLIND


def test_values_the_record_lacks_are_all_told_before_anything_is_sent(office: Office) -> None:
    outcome = deliver(connector_for(office), fields={"title": "Dwa słowa"})

    assert outcome == Refused("record.incomplete", "fields.surname, fields.year")
    assert office.effects() == []


def test_a_value_that_does_not_fit_its_type_is_the_offices_refusal(office: Office) -> None:
    outcome = deliver(connector_for(office), fields={**a_record().fields, "year": "Kowalski"})

    assert isinstance(outcome, Refused)
    assert outcome.code == "soap.fault_refused"
    assert office.effects() == []


def test_a_required_element_without_a_value_is_refused_before_anything_is_sent(office: Office, tmp_path: Path) -> None:
    text = Path("connectors/ezd_puw/contract.wsdl").read_text("utf-8")
    strict = tmp_path / "strict.wsdl"
    strict.write_text(
        text.replace('name="Tytul" type="xs:string" minOccurs="0"', 'name="Tytul" type="xs:string"'), "utf-8"
    )
    options = options_for(office, wsdl=str(strict), address=f"{office.url}/Integracja.svc")
    options["step"][0]["arguments"]["Tytul"] = "{fields.title?}"
    record = a_record("k-1", fields={"surname": "Łękołodzka", "year": 1})

    outcome = build("soap", options).deliver(record, "k-1", MemorySteps())

    assert isinstance(outcome, Refused)
    assert outcome.code == "soap.argument_invalid"
    assert office.effects() == []


def test_an_argument_the_contract_does_not_know_is_for_the_administrator(office: Office) -> None:
    options = options_for(office)
    options["step"][0]["arguments"]["Nieznane"] = "x"
    connector = build("soap", options)

    outcome = connector.deliver(a_record("k-1"), "k-1", MemorySteps())

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "soap.contract_mismatch"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"arguments": {"Tytul": "{feilds.title}"}}, "unknown place {feilds.title}, did you mean fields?"),
        ({"results": {"number": "//["}}, "path //["),
        ({"success": [{"path": "A", "matches": "("}]}, "no regular expression"),
        ({"name": "Zła nazwa"}, "String should match pattern"),
        ({"operation": None}, "step.0.operation: oczekiwano tekstu w cudzysłowie / Input should be a valid string"),
    ],
)
def test_options_that_cannot_work_are_refused_when_saved(office: Office, change: dict[str, Any], problem: str) -> None:
    options = options_for(office)
    options["step"][0] |= change

    with pytest.raises(ConnectorError) as refused:
        build("soap", options)

    assert problem in refused.value.facts["problems"]


def test_a_step_is_left_out_where_what_it_needs_is_not_there(office: Office) -> None:
    options = options_for(office)
    extra = {"operation": "RejestrujSprawe", "arguments": {"IdKoszulki": "{steps.register.folder}"}}
    options["step"] += [
        {"name": "only_with_case", "when": ["fields.jrwa"], **extra},
        {"name": "only_with_number", "when": ["steps.register.nothing"], **extra},
    ]

    outcome = build("soap", options).deliver(a_record("k-1"), "k-1", MemorySteps())

    assert isinstance(outcome, Delivered)
    assert office.effects("case") == []


def test_a_step_that_needs_more_than_an_earlier_one_gave_is_told(office: Office) -> None:
    options = options_for(office)
    arguments = {"IdKoszulki": "{steps.register.nothing}"}
    options["step"].append({"name": "open", "operation": "RejestrujSprawe", "arguments": arguments})

    outcome = build("soap", options).deliver(a_record("k-1"), "k-1", MemorySteps())

    assert outcome == Refused("record.incomplete", "steps.register.nothing")


STATUS = {
    "operation": "StanSprawy",
    "arguments": {"ZnakSprawy": "{parameters.case_number}"},
    "found": [{"path": "ResultStatus", "equals": "1"}],
    "not_found": [{"path": "ResultStatus", "equals": "0"}, {"path": "ResultMessage", "matches": "Nie znaleziono.*"}],
    "rows": "StanSprawyResponse",
}


def test_a_question_is_answered_or_fails_and_never_guesses(office: Office) -> None:
    connector = connector_for(office, queries={"case_status": STATUS})
    deliver(connector)
    numbers = "<Lista><Poz><Tytul>Podatek</Tytul><Kwota>12.50</Kwota></Poz><Poz><Tytul>Śmieci</Tytul></Poz></Lista>"
    answer = ANSWER.format(f"<ResultStatus>1</ResultStatus>{numbers}")
    dues = connector_for(office, queries={"dues": {**STATUS, "rows": "Lista/Poz"}})

    assert connector.query("case_status", case_number="PR.1").rows == ()
    office.tell("say", times=1, match="StanSprawy", body=answer)
    assert dues.query("dues", case_number="x").rows == (
        {"Tytul": "Podatek", "Kwota": "12.50"},
        {"Tytul": "Śmieci"},
    )
    office.tell("error_in_success", times=1, match="StanSprawy")
    for asked in ({"case_number": "PR.1"}, {}):
        with pytest.raises(LookUpFailed):
            connector.query("case_status", **asked)
    with pytest.raises(LookUpFailed):
        connector.query("arrears")
    office.tell("hang_up_before_storing", times=1, match="StanSprawy")
    with pytest.raises(LookUpFailed):
        connector.query("case_status", case_number="PR.1")


def test_check_names_an_operation_the_contract_does_not_have(office: Office) -> None:
    options = options_for(office)
    options["step"][0]["operation"] = "RejestrujWpływ"

    with pytest.raises(ConnectorError) as refused:
        build("soap", options).check()

    assert refused.value.code == "soap.contract_mismatch"


def test_check_stores_nothing_and_tells_of_an_office_that_is_down(office: Office) -> None:
    connector = connector_for(office)
    connector.check()
    office.tell("down")

    with pytest.raises(ConnectorError) as refused:
        connector.check()
    office.tell("up")

    assert refused.value.code == "soap.contract_unavailable"
    assert office.effects() == []


def test_wrong_credentials_are_for_the_administrator(office: Office) -> None:
    outcome = deliver(connector_for(office, password="inne"))

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "http.not_admitted"


def test_a_contract_may_not_bring_in_files_from_elsewhere(office: Office, tmp_path: Path) -> None:
    wsdl = tmp_path / "evil.wsdl"
    imported = '<wsdl:import namespace="http://ezd.gov.pl/" location="/etc/hostname"/><wsdl:types>'
    text = Path("connectors/ezd_puw/contract.wsdl").read_text("utf-8")
    wsdl.write_text(text.replace("<wsdl:types>", imported, 1), "utf-8")

    with pytest.raises(ConnectorError) as refused:
        connector_for(office, wsdl=str(wsdl)).check()

    assert refused.value.code == "soap.contract_unavailable"
    assert "elsewhere" in refused.value.facts["text"]


def test_threads_do_not_mix_their_answers(office: Office) -> None:
    connector = connector_for(office)
    outcomes: dict[str, Any] = {}

    def work(start: int) -> None:
        for number in range(start, start + 10):
            outcomes[f"k-{number}"] = deliver(connector, f"k-{number}")

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    numbers = {effect["key"]: f"RPW/{effect['number']}/2026" for effect in office.effects("letter")}
    assert {key: outcome.reference for key, outcome in outcomes.items()} == numbers
    assert len(numbers) == 20


def test_an_office_remembers_over_a_restart(tmp_path: Path) -> None:
    with Office("ezd", tmp_path) as office:
        connector = connector_for(office)
        deliver(connector)

        office.restart()

        assert connector.find("k-1") == "RPW/1/2026"

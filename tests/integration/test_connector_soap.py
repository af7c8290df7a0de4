"""The SOAP connector against an EZD-like office in its own process: every way a call can end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.base import LookUpFailed
from connectors.http import Reply
from connectors.registry import build
from connectors.soap import SoapConnector
from connectors.soap_answer import SoapAnswer, envelope_of
from gateway.simulate.offices.client import Office
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, StepInDoubt, Unreachable, Unsettled
from schemas.errors import ConnectorError


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("ezd", tmp_path_factory.mktemp("ezd"), "--user", "brama", "--password", "zażółć") as office:
        yield office


@pytest.fixture
def office(running: Office) -> Office:
    running.reset()
    return running


def options_for(office: Office, **changes: Any) -> dict[str, Any]:
    """One step: register the letter, findable by our key."""
    return {
        "wsdl": f"{office.url}/Integracja.svc?wsdl",
        "user": "brama",
        "password": "zażółć",
        "timeout_s": 30.0,
        "reading": {"success": [{"path": "ResultStatus", "equals": "1"}], "message": "ResultMessage"},
        "step": [
            {
                "name": "register",
                "operation": "RejestrujWplyw",
                "arguments": {
                    "SygnaturaWplywu": "{key}",
                    "Tytul": "{fields.title}",
                    "AdresatNazwisko": "{fields.surname}",
                    "LiczbaZalacznikow": "{fields.year}",
                },
                "results": {"number": "ZnakWplywu", "folder": "IdKoszulki"},
                "find": {
                    "operation": "WyszukajWplyw",
                    "arguments": {"IdDokumentuePUAP": "{key}"},
                    "found": [{"path": "ZnakWplywu"}],
                    "results": {"number": "ZnakWplywu", "folder": "IdKoszulki"},
                },
            }
        ],
        "reference": "{steps.register.number}",
        **changes,
    }


def connector_for(office: Office, **changes: Any) -> SoapConnector:
    connector = build("soap", options_for(office, **changes))
    assert isinstance(connector, SoapConnector)
    return connector


def deliver(connector: SoapConnector, key: str = "k-1", steps: MemorySteps | None = None, **changes: Any) -> Any:
    return connector.deliver(a_record(key, **changes), key, steps or MemorySteps(connector.capabilities.repeat))


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


@pytest.mark.parametrize(
    ("mode", "kind", "code", "stored"),
    [
        ("refuse", Refused, "soap.fault_refused", 0),
        ("error_in_success", Refused, "answer.refused", 0),
        ("hang_up_before_storing", Unsettled, "http.answer_lost", 0),
        ("hang_up_after_storing", Unsettled, "http.answer_lost", 1),
        ("truncate", Unsettled, "http.answer_lost", 1),
        ("garbage", Unsettled, "answer.unreadable", 1),
        ("unavailable", Unreachable, "http.later", 0),
        ("unauthorized", Unreachable, "http.not_admitted", 0),
        ("redirect", Unsettled, "http.redirected", 0),
        ("error_page", Unsettled, "http.status", 0),
    ],
)
def test_each_failure_says_what_it_means_and_the_next_try_ends_with_one_letter(
    office: Office, mode: str, kind: type, code: str, stored: int
) -> None:
    connector = connector_for(office)
    steps = MemorySteps(connector.capabilities.repeat)
    office.tell(mode, times=1)

    outcome = deliver(connector, steps=steps)

    assert isinstance(outcome, kind)
    assert outcome.code == code
    assert office.keys().get("k-1", 0) == stored
    assert (connector.find("k-1") is not None) is bool(stored)
    assert isinstance(deliver(connector, steps=steps.next_attempt()), Delivered)
    assert office.keys() == {"k-1": 1}


def test_the_reason_of_a_refusal_is_the_offices_own(office: Office) -> None:
    outcome = deliver(connector_for(office), fields={**a_record().fields, "title": "Jednosłowny"})

    assert outcome == Refused("answer.refused", "Nazwa koszulki musi się składać co najmniej z dwóch słów")


def soap(body: str) -> str:
    return f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'


def a_fault(code: str, detail: str = "") -> str:
    return soap(f"<s:Fault><faultcode>{code}</faultcode><faultstring>Błąd</faultstring>{detail}</s:Fault>")


DETAIL = "<detail><e:Zajete xmlns:e='urn:x'/></detail>"
SOAP12_FAULT = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>'
    "</s:Code><s:Reason><s:Text xml:lang='pl'>Błąd</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
)
ANSWER = soap("<R xmlns='http://ezd.gov.pl/'><ResultMessage>Proszę czekać</ResultMessage>{}</R>")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, a_fault("s:Client"), "soap.fault_refused"),
        (500, a_fault("s:Client.Walidacja"), "soap.fault_refused"),
        (200, a_fault("s:Client"), "soap.fault_refused"),
        (500, SOAP12_FAULT, "soap.fault_refused"),
        (500, a_fault("s:Server"), "soap.fault"),
        (500, a_fault("a:InternalServiceFault"), "soap.fault"),
        (500, a_fault("s:Server", DETAIL), "soap.fault_later"),
        (500, a_fault("s:MustUnderstand"), "soap.contract_mismatch"),
        (400, "", "http.refused"),
        (404, "", "http.wrong_address"),
        (200, ANSWER.format("<ResultStatus>7</ResultStatus>"), "answer.later"),
        (200, ANSWER.format("<ResultStatus>0</ResultStatus>"), "answer.refused"),
        (200, ANSWER.format(""), "answer.unreadable"),
        (200, ANSWER.format("<ResultStatus>1</ResultStatus>"), "answer.unreadable"),
        (200, soap(""), "answer.unreadable"),
        (200, "<!DOCTYPE x><x/>", "answer.unreadable"),
        (200, "", "answer.unreadable"),
    ],
)
def test_what_an_answer_says_becomes_one_code(office: Office, status: int, body: str, code: str) -> None:
    options = options_for(office, faults={"Zajete": "later"})
    options["reading"]["later"] = [{"path": "ResultStatus", "one_of": ["7", "8"]}]
    office.tell("say", times=1, status=status, body=body)

    outcome = build("soap", options).deliver(a_record("k-1"), "k-1", MemorySteps())

    assert not isinstance(outcome, Delivered)
    assert outcome.code == code


def test_a_service_of_soap_1_2_is_spoken_to_in_its_own_way(office: Office, tmp_path: Path) -> None:
    text = Path("connectors/ezd_puw/contract.wsdl").read_text("utf-8")
    newer = tmp_path / "soap12.wsdl"
    newer.write_text(text.replace("schemas.xmlsoap.org/wsdl/soap/", "schemas.xmlsoap.org/wsdl/soap12/"), "utf-8")
    envelope = "http://www.w3.org/2003/05/soap-envelope"
    numbers = "<ResultStatus>1</ResultStatus><ZnakWplywu>RPW/5/2026</ZnakWplywu><IdKoszulki>5</IdKoszulki>"
    body = f'<s:Envelope xmlns:s="{envelope}"><s:Body><R xmlns="http://ezd.gov.pl/">{numbers}</R></s:Body></s:Envelope>'
    office.tell("say", times=1, match=f"(?s){envelope}.*RejestrujWplyw.*k-1", body=body)
    options = options_for(office, wsdl=str(newer), address=f"{office.url}/Integracja.svc")

    outcome = build("soap", options).deliver(a_record("k-1"), "k-1", MemorySteps())

    assert isinstance(outcome, Delivered)
    assert outcome.reference == "RPW/5/2026"


def test_an_mtom_answer_is_read_by_its_first_part() -> None:
    envelope = soap("<R><ResultStatus>1</ResultStatus></R>")
    body = f"--b\r\nContent-Type: application/xop+xml\r\n\r\n{envelope}\r\n--b\r\nContent-ID: <x>\r\n\r\nplik\r\n--b--"
    headers = {"Content-Type": 'multipart/related; type="application/xop+xml"; boundary=b'}

    assert envelope_of(Reply(200, headers, body.encode())).decode() == envelope
    assert envelope_of(Reply(200, headers, b"no parts at all")) == b""
    assert envelope_of(Reply(200, {"Content-Type": "text/xml"}, b"<a/>")) == b"<a/>"


def test_a_case_the_office_had_already_is_delivered(office: Office) -> None:
    options = options_for(office)
    options["reading"]["already"] = [{"path": "ResultMessage", "matches": "Już zarejestrowano.*"}]
    said = "<ResultStatus>0</ResultStatus><ResultMessage>Już zarejestrowano: RPW/9/2026</ResultMessage>"
    numbers = "<ZnakWplywu>RPW/9/2026</ZnakWplywu><IdKoszulki>9</IdKoszulki>"
    office.tell("say", times=1, body=soap(f"<R>{said}{numbers}</R>"))

    outcome = build("soap", options).deliver(a_record("k-1"), "k-1", MemorySteps())

    assert isinstance(outcome, Delivered)
    assert outcome.reference == "RPW/9/2026"


def test_an_office_that_says_when_to_come_again_is_heard(office: Office) -> None:
    office.tell("unavailable", times=1)

    assert deliver(connector_for(office)) == Unreachable("http.later", "HTTP 503", 7.0)


@pytest.mark.parametrize("mode", ["slow", "drip"])
def test_an_answer_beyond_the_time_out_is_unsettled(office: Office, mode: str) -> None:
    connector = connector_for(office, timeout_s=2.0)
    connector.check()
    office.tell(mode, times=1, seconds=60)

    outcome = deliver(connector)

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "http.timeout"
    assert connector_for(office).find("k-1") == "RPW/1/2026"


def test_an_endless_answer_is_not_read_to_its_end(office: Office) -> None:
    connector = connector_for(office, max_answer_bytes=1_000_000)
    office.tell("huge", times=1)

    outcome = deliver(connector)

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "http.answer_too_large"


def test_an_office_that_is_down_was_surely_not_reached(office: Office) -> None:
    connector = connector_for(office)
    connector.check()
    office.tell("down")

    outcome = deliver(connector)

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "http.not_sent"
    office.tell("up")
    assert isinstance(deliver(connector), Delivered)


def test_a_contract_that_cannot_be_loaded_is_unreachable(office: Office) -> None:
    connector = connector_for(office)
    office.tell("down")

    outcome = deliver(connector)
    office.tell("up")

    assert isinstance(outcome, Unreachable)
    assert outcome.code == "soap.contract_unavailable"


def test_an_outage_is_no_doubt_even_for_an_office_that_cannot_be_asked(office: Office) -> None:
    options = options_for(office)
    del options["step"][0]["find"]
    connector = build("soap", options)
    connector.check()
    steps = MemorySteps(Repeat.BLIND)
    office.tell("down")

    assert isinstance(connector.deliver(a_record("k-1"), "k-1", steps), Unreachable)
    office.tell("up")
    assert isinstance(connector.deliver(a_record("k-1"), "k-1", steps.next_attempt()), Delivered)


def test_an_office_that_cannot_be_asked_is_never_sent_to_twice(office: Office) -> None:
    options = options_for(office)
    del options["step"][0]["find"]
    connector = build("soap", options)
    steps = MemorySteps(Repeat.BLIND)
    office.tell("hang_up_after_storing", times=1)

    assert isinstance(connector.deliver(a_record("k-1"), "k-1", steps), Unsettled)
    with pytest.raises(StepInDoubt):
        connector.deliver(a_record("k-1"), "k-1", steps.next_attempt())
    assert office.keys() == {"k-1": 1}


def test_a_look_up_that_fails_says_nothing(office: Office) -> None:
    connector = connector_for(office)
    deliver(connector)
    office.tell("error_in_success", times=1, match="WyszukajWplyw")

    with pytest.raises(LookUpFailed):
        connector.find("k-1")


def test_a_doubt_that_cannot_be_asked_about_stays_a_doubt(office: Office) -> None:
    connector = connector_for(office)
    steps = MemorySteps(connector.capabilities.repeat)
    office.tell("hang_up_after_storing", times=1)
    deliver(connector, steps=steps)
    office.tell("hang_up_before_storing", times=1, match="WyszukajWplyw")

    outcome = deliver(connector, steps=steps.next_attempt())

    assert isinstance(outcome, Unsettled)
    assert outcome.code == "connector.look_up_failed"
    assert office.keys() == {"k-1": 1}


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
        ({"operation": None}, "step.0.operation: Input should be a valid string"),
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


def test_a_comment_inside_a_value_does_not_cut_it_short() -> None:
    """No signature covers comments: anybody between us may add one."""
    answer = etree.fromstring("<a><r><kwota>1<!-- -->000.00</kwota><uwagi/></r></a>")
    assert SoapAnswer(answer, {}).rows("r") == [{"kwota": "1000.00", "uwagi": None}]

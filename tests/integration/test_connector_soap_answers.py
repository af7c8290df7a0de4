"""The SOAP connector against an EZD-like office in its own process: every way a call can end."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from connectors.base import LookUpFailed
from connectors.http import Reply
from connectors.registry import build
from connectors.soap_answer import SoapAnswer, envelope_of
from gateway.simulate.offices.client import Office
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered, Refused, Repeat, StepInDoubt, Unreachable, Unsettled
from tests.soap_office import ANSWER, connector_for, deliver, options_for, soap


@pytest.fixture
def office(ezd: Office) -> Office:
    return ezd


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


def a_fault(code: str, detail: str = "") -> str:
    return soap(f"<s:Fault><faultcode>{code}</faultcode><faultstring>Błąd</faultstring>{detail}</s:Fault>")


SOAP12_FAULT = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>'
    "</s:Code><s:Reason><s:Text xml:lang='pl'>Błąd</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
)
DETAIL = "<detail><e:Zajete xmlns:e='urn:x'/></detail>"


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


def test_a_comment_inside_a_value_does_not_cut_it_short() -> None:
    """No signature covers comments: anybody between us may add one."""
    answer = etree.fromstring("<a><r><kwota>1<!-- -->000.00</kwota><uwagi/></r></a>")
    assert SoapAnswer(answer, {}).rows("r") == [{"kwota": "1000.00", "uwagi": None}]

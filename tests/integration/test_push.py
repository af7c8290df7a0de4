"""The push endpoint over real HTTP: answers, refusals, limits. What `accept` does is not this file's matter."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import requests
import zeep
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from structlog.testing import capture_logs

from gateway.cli.commands import app
from gateway.cli.output import run_safely
from gateway.config import GatewayConfig, HttpConfig
from gateway.signatures.messages import MessageTrust
from gateway.simulate.epuap import Push, PushAnswer, push, read_answer, send
from gateway.simulate.pki import shared
from gateway.transport.faults import FAULTS
from gateway.transport.soap import SOAP12
from gateway.transport.wsse import MessageKey, MessageSigner
from gateway.web.push import PushSecurity
from gateway.web.server import application
from schemas.errors import QuarantineFull, StoreUnavailable
from schemas.submission import Answer, Envelope
from schemas.xmldoc import SOAP11
from tests.running import running
from tests.waiting import PATIENCE_S, wait_until

LIMIT = 200_000
CALL = Push("/gmprzyklad/SkrytkaESP", b"<Dokument>TESTOWA TRESC</Dokument>")
PATH = "/epuap/odbiorca"


class Intake:
    """Stands where the flow does: remembers what it was given and answers as told."""

    def __init__(self) -> None:
        self.kept: list[Envelope] = []
        self.act: Callable[[Envelope], Answer] = lambda _: Answer(1, "Przyjęto", b"<UPO/>", "UPO-1.xml")

    def __call__(self, envelope: Envelope) -> Answer:
        answer = self.act(envelope)
        self.kept.append(envelope)
        return answer


@contextmanager
def service(intake: Intake, ready: Callable[[], None] = lambda: None, **http: object) -> Iterator[str]:
    config = GatewayConfig(http=HttpConfig.model_validate({"max_body_bytes": LIMIT, **http}))
    with running(application(intake, config, ready)) as base:
        yield base


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def url(intake: Intake) -> Iterator[str]:
    with service(intake) as base:
        yield base + PATH


def raises(error: Exception) -> Callable[[Envelope], Answer]:
    def act(_: Envelope) -> Answer:
        raise error

    return act


def test_a_push_is_answered_with_status_and_receipt(url, intake):
    answer = push(url, CALL)
    assert answer == PushAnswer(200, 1, "Przyjęto", b"<UPO/>", "UPO-1.xml")
    assert intake.kept[0].document == CALL.document
    assert intake.kept[0].caller == "127.0.0.1"


@pytest.mark.parametrize(("answer", "code"), [(Answer(1, "Przyjęto", b"<UPO/>", "UPO-1.xml"), 0), (Answer(2, "x"), 1)])
def test_whoever_tries_the_service_from_the_command_line_gets_answer_and_receipt(
    url, intake, tmp_path, capsys, answer, code
):
    file = tmp_path / "pismo.xml"
    file.write_bytes(CALL.document)
    intake.act = lambda _: answer
    assert run_safely(app, ["simulate", "push", url, CALL.mailbox, str(file)]) == code
    assert (intake.kept[0].document, intake.kept[0].mailbox) == (CALL.document, CALL.mailbox)
    assert f"kod {answer.code}: {answer.text}" in capsys.readouterr().out
    written = tmp_path / "pismo.upo.xml"
    assert (written.read_bytes() if written.exists() else None) == answer.receipt


def test_a_rejection_is_an_answer_not_a_fault(url, intake):
    intake.act = lambda _: Answer(2, "signature.digest_mismatch")
    assert push(url, CALL) == PushAnswer(200, 2, "signature.digest_mismatch")


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (StoreUnavailable(), "store.unavailable", "Server"),
        (QuarantineFull(), "intake.quarantine_full", "Client"),
        (ZeroDivisionError("secret"), "brama.error", "Server"),
    ],
)
def test_what_could_not_be_kept_is_a_fault_never_success(url, intake, error, code, kind):
    intake.act = raises(error)
    answer = push(url, CALL)
    assert (answer.http_status, answer.error, answer.fault) == (500, code, kind)
    assert answer.code == FAULTS[code].number
    assert "secret" not in answer.text


def test_the_log_of_a_refusal_holds_digest_size_and_reason_and_no_personal_data(url, intake):
    intake.act = raises(ValueError("TESTOWY"))
    with capture_logs() as logs:
        push(url, CALL)
        send(url, CALL.envelope()[:-9])
    events = {entry["event"]: entry for entry in logs}
    assert "TESTOW" not in str(logs)
    assert events["push_failed"]["error"] == "ValueError"
    refused = events["push_refused"]
    assert (refused["code"], refused["reason"]) == ("intake.envelope_unreadable", "document.not_well_formed")
    assert refused["size_bytes"] == len(CALL.envelope()) - 9
    assert len(refused["sha256"]) == 64


def test_soap_1_2_is_told_apart_by_a_version_mismatch(url, intake):
    envelope = CALL.envelope().replace(SOAP11.encode(), SOAP12.encode())
    answer = send(url, envelope, content_type="application/soap+xml; charset=utf-8")
    assert (answer.fault, answer.error) == ("VersionMismatch", "intake.soap_version")
    assert intake.kept == []


@pytest.mark.parametrize("content_type", ["application/json", "multipart/related; type=text/xml"])
def test_other_content_types_are_refused(url, content_type):
    assert send(url, CALL.envelope(), content_type=content_type).error == "intake.content_type"


def test_a_compressed_body_is_refused_rather_than_guessed_at(url):
    answer = requests.post(url, CALL.envelope(), headers={"Content-Encoding": "gzip"}, timeout=PATIENCE_S)
    assert b"intake.content_type" in answer.content


def test_a_body_over_the_limit_is_answered_with_413_before_it_is_read(url, intake):
    answer = send(url, b"x" * (LIMIT + 1))
    assert (answer.http_status, answer.error) == (413, "intake.body_too_large")
    assert intake.kept == []


def test_a_chunked_body_over_the_limit_is_answered_with_413(url, intake):
    answer = requests.post(url, (b"x" * 10_000 for _ in range(100)), timeout=PATIENCE_S)
    assert (answer.status_code, read_answer(413, answer.content).error) == (413, "intake.body_too_large")
    assert intake.kept == []


def test_a_body_of_exactly_the_limit_is_read(url, intake):
    raw = CALL.envelope()
    assert send(url, raw + b" " * (LIMIT - len(raw))).code == 1


def test_a_body_that_does_not_arrive_in_time_is_refused(intake):
    with service(intake, body_timeout_s=0.2) as base:
        place = urlsplit(base)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=PATIENCE_S)
        connection.putrequest("POST", PATH)
        connection.putheader("Content-Length", "100")
        connection.endheaders(b"<a>")
        answer = connection.getresponse()
        assert read_answer(answer.status, answer.read()).error == "intake.body_timeout"
        connection.close()
    assert intake.kept == []


def test_a_caller_that_hangs_up_mid_body_leaves_nothing(url, intake):
    place = urlsplit(url)
    with capture_logs() as logs:
        with socket.create_connection((str(place.hostname), place.port or 0)) as connection:
            connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n<a>".encode())
        wait_until(lambda: any(entry["event"] == "push_interrupted" for entry in logs))
    assert intake.kept == []


def test_only_so_many_requests_are_in_work_and_who_waits_too_long_is_told_so(intake):
    gate, entered = threading.Event(), threading.Semaphore(0)

    def wait(_: Envelope) -> Answer:
        entered.release()
        gate.wait(PATIENCE_S)
        return Answer(1, "ok")

    intake.act = wait
    with service(intake, concurrency=2, queue_wait_s=0.3) as base, ThreadPoolExecutor(3) as callers:
        busy = [callers.submit(push, base + PATH, CALL) for _ in range(2)]
        assert entered.acquire(timeout=PATIENCE_S)
        assert entered.acquire(timeout=PATIENCE_S)
        assert push(base + PATH, CALL).error == "intake.busy"
        assert requests.get(base + "/health/live", timeout=PATIENCE_S).json() == {"live": True}
        gate.set()
        assert [call.result().code for call in busy] == [1, 1]


def test_requests_are_worked_on_side_by_side(intake):
    together = threading.Barrier(8, timeout=PATIENCE_S)  # nobody passes it alone

    def meet(_: Envelope) -> Answer:
        together.wait()
        return Answer(1, "ok")

    intake.act = meet
    with service(intake, concurrency=8) as base, ThreadPoolExecutor(8) as callers:
        assert list(callers.map(lambda _: push(base + PATH, CALL).code, range(8))) == [1] * 8


def test_health_says_alive_always_and_ready_only_when_the_database_is(intake):
    problems: list[Exception] = []

    def ready() -> None:
        if problems:
            raise problems[0]

    with service(intake, ready) as base:
        good = requests.get(base + "/health/ready", timeout=PATIENCE_S)
        problems.append(StoreUnavailable())
        bad = requests.get(base + "/health/ready", timeout=PATIENCE_S)
        assert (good.status_code, good.json()["ready"]) == (200, True)
        assert (bad.status_code, bad.json()) == (503, {"ready": False, "checks": {"database": "store.unavailable"}})


def test_an_independent_soap_stack_built_from_our_wsdl_is_understood(url, intake):
    with requests.Session() as session:
        client = zeep.Client(url + "?wsdl", transport=zeep.Transport(session=session))
        answer = client.service.przyjmijDokument(
            nazwaPliku="pismo.xml", typPliku="text/xml", zawartosc=CALL.document, _soapheaders=zeep_headers()
        )
    assert (answer.status.kod, answer.status.komunikat) == (1, "Przyjęto")
    assert (answer.zalacznik.nazwaPliku, answer.zalacznik.zawartosc) == ("UPO-1.xml", b"<UPO/>")
    kept = intake.kept[0]
    assert (kept.document, kept.mailbox, kept.is_test) == (CALL.document, "/gm/skrytka", True)
    assert (kept.sender.name, kept.sender.user) == ("TESTOWY", "konto")


def test_an_independent_soap_stack_reads_our_fault_with_its_detail(url, intake):
    intake.act = raises(StoreUnavailable())
    with requests.Session() as session:
        client = zeep.Client(url + "?WSDL", transport=zeep.Transport(session=session))
        with pytest.raises(zeep.exceptions.Fault) as caught:
            client.service.przyjmijDokument(nazwaPliku="a", zawartosc=b"x", _soapheaders=zeep_headers())
    assert caught.value.code == "soapenv:Server"
    assert caught.value.detail.findtext(".//kod") == "201"


def test_the_address_in_the_wsdl_is_the_one_asked_or_the_public_one(intake):
    with service(intake) as base:
        assert f'location="{base}{PATH}"' in requests.get(base + PATH + "?wsdl", timeout=PATIENCE_S).text
        assert requests.get(base + PATH, timeout=PATIENCE_S).status_code == 405
    with service(intake, public_url="https://brama.example/") as base:
        assert f'location="https://brama.example{PATH}"' in requests.get(base + PATH + "?wsdl", timeout=PATIENCE_S).text


def test_a_caller_may_have_to_sign_and_our_answers_may_be_signed(intake):
    seal = shared().upo_seal
    assert isinstance(seal.key, rsa.RSAPrivateKey)
    signer, trust = MessageSigner(MessageKey(seal.key, seal.certificate)), MessageTrust((seal.certificate,))
    app = application(intake, GatewayConfig(), lambda: None, security=PushSecurity(trust.check, signer.sign))
    envelope = etree.fromstring(CALL.envelope())
    signer.sign(envelope)
    with running(app) as base:
        plain = requests.post(base + PATH, CALL.envelope(), timeout=PATIENCE_S)
        signed = requests.post(base + PATH, etree.tostring(envelope), timeout=PATIENCE_S)
    trust.check(plain.content)
    trust.check(signed.content)
    assert read_answer(500, plain.content).error == "message.unsigned"
    assert read_answer(500, plain.content).code == FAULTS["message.untrusted"].number
    assert read_answer(200, signed.content).code == 1
    assert [kept.document for kept in intake.kept] == [CALL.document]


def zeep_headers() -> dict[str, object]:
    return {
        "podmiotOdbierajacy": "gm",
        "danePodmiotu": {"identyfikator": "x", "typOsoby": "F", "nazwiskoNazwa": "TESTOWY", "zgoda": True},
        "daneNadawcy": {"uzytkownik": "konto"},
        "dataNadania": "2026-02-03T10:11:12",
        "nazwaSkrytki": "skrytka",
        "adresSkrytki": "/gm/skrytka",
        "adresOdpowiedzi": "/konto/domyslna",
        "czyTestowe": True,
        "daneDodatkowe": b"",
    }

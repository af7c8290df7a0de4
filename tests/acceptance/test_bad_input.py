"""Bad input over real HTTP against the real gateway: every kind has a coded answer, and nothing is half-kept."""

from __future__ import annotations

import base64
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import create_engine, func, make_url, select, text

from gateway.app import web
from gateway.simulate.documents import File
from gateway.simulate.epuap import Push, PushAnswer, read_answer, send
from gateway.simulate.epuap import push as push_to
from gateway.simulate.people import wrong_check_digit
from gateway.store import submissions
from gateway.store import tables as t
from gateway.transport.faults import FAULTS
from gateway.transport.soap import SOAP12
from schemas.ids import sha256
from schemas.submission import Decision, Submission
from schemas.xmldoc import SOAP11
from tests.builders import MAILBOX, a_signed_document
from tests.gateways import Gateway
from tests.running import running
from tests.service import serving
from tests.waiting import PATIENCE_S, wait_until

PATH = "/epuap/odbiorca"
MIB = 1024 * 1024


@pytest.fixture
def url(gateway: Gateway) -> Iterator[str]:
    with running(web(gateway.tools)) as base:
        yield base + PATH


@pytest.fixture(scope="module")
def envelope() -> bytes:
    """A valid call, to break one thing in."""
    return Push(MAILBOX, a_signed_document("letter")).envelope()


def kept(gateway: Gateway) -> int:
    with gateway.tools.store.begin() as transaction:
        return int(transaction.execute(select(func.count()).select_from(t.submission)).scalar_one())


def found(gateway: Gateway, mailbox: str, document: bytes) -> Submission:
    with gateway.tools.store.begin() as transaction:
        submission = submissions.by_identity(transaction, mailbox, sha256(document))
        assert submission is not None
        assert submissions.document_of(transaction, submission.id) == document
    return submission


def finding_codes(gateway: Gateway, submission: Submission) -> set[str]:
    with gateway.tools.store.begin() as transaction:
        _, validation = submissions.verdicts_of(transaction, submission.id)
    assert validation is not None
    return {finding["code"] for finding in validation["findings"]}


# --- envelopes that cannot be read: refused, nothing kept, only the digest logged ---------------------------------

BREAKS: dict[str, tuple[Any, str]] = {
    "not XML": (lambda _: b"Szanowni Panstwo!", "intake.envelope_unreadable"),
    "empty": (lambda _: b"", "intake.envelope_unreadable"),
    "truncated": (lambda whole: whole[: len(whole) // 2], "intake.envelope_unreadable"),
    "wrong encoding": (lambda whole: whole.replace(b"TESTOWY", b"\xa3\xb9ka"), "intake.envelope_unreadable"),
    "unknown encoding": (lambda whole: whole.replace(b"UTF-8", b"UTF-32"), "intake.envelope_unreadable"),
    "DTD": (lambda whole: whole.replace(b"<soapenv:E", b"<!DOCTYPE x>\n<soapenv:E", 1), "intake.envelope_unreadable"),
    "entities": (
        lambda whole: whole.replace(b"<soapenv:E", b'<!DOCTYPE x [<!ENTITY a "&a;&a;">]>\n<soapenv:E', 1),
        "intake.envelope_unreadable",
    ),
    "deep nesting": (
        lambda whole: whole.replace(b"<obi:Dokument>", b"<a>" * 3000 + b"</a>" * 3000 + b"<obi:Dokument>"),
        "intake.envelope_unreadable",
    ),
    "wrong SOAP version": (lambda whole: whole.replace(SOAP11.encode(), SOAP12.encode()), "intake.soap_version"),
    "no SOAP": (lambda _: b"<Dokument/>", "intake.not_soap"),
    "unknown operation": (
        lambda whole: whole.replace(b"obi:Dokument>", b"obi:ZapytanieDajUpp>"),
        "intake.operation_unknown",
    ),
    "invalid base64": (lambda whole: whole.replace(b"<zawartosc>", b"<zawartosc>*"), "intake.base64_invalid"),
    "no mailbox": (
        lambda whole: re.sub(rb"<obi:(AdresSkrytki|NazwaSkrytki)>[^<]*", rb"<obi:\1>", whole),
        "intake.part_missing",
    ),
    "impossible time": (
        lambda whole: re.sub(rb"(<obi:DataNadania>)[^<]*", rb"\g<1>2026-02-30T10:00:00", whole),
        "intake.request_invalid",
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_an_unreadable_envelope_is_refused_with_its_code_and_nothing_is_kept(url, gateway, envelope, kind):
    break_it, code = BREAKS[kind]
    broken = break_it(envelope)
    assert broken != envelope
    answer = send(url, broken)
    assert (answer.http_status, answer.error, answer.code) == (500, code, FAULTS[code].number)
    assert kept(gateway) == 0


def test_the_envelope_that_is_broken_above_is_accepted_when_whole(url, gateway, envelope):
    assert send(url, envelope).code == 1
    assert kept(gateway) == 1


# --- documents, however bad: kept whole, answered truthfully ----------------------------------------------------------


def test_an_unknown_mailbox_is_quarantined_with_a_receipt_and_bounded_per_caller(url, gateway):
    box = "/nieznana/skrytka"
    documents = [a_signed_document("letter") for _ in range(4)]
    answers = [push_to(url, Push(box, document)) for document in documents]
    assert [answer.code for answer in answers[:3]] == [1, 1, 1]  # the test configuration allows three
    assert all(answer.receipt for answer in answers[:3])
    submission = found(gateway, box, documents[0])
    assert (submission.decision, submission.reason) == (Decision.QUARANTINED, "policy.mailbox_unknown")
    assert answers[3].error == "intake.quarantine_full"
    assert kept(gateway) == 3


def test_an_unknown_form_is_quarantined_with_a_receipt(url, gateway):
    document = a_signed_document("unknown")
    answer = push_to(url, Push(MAILBOX, document))
    assert (answer.code, bool(answer.receipt)) == (1, True)
    submission = found(gateway, MAILBOX, document)
    assert (submission.decision, submission.reason) == (Decision.QUARANTINED, "policy.form_unknown")


@pytest.mark.parametrize(
    "document",
    [
        b"%PDF-1.4 nie XML",
        b"",
        b"\x00\xff\xfe",
        b"<niedomkniety>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<a>" * 4000 + b"</a>" * 4000,
    ],
    ids=["pdf", "empty", "binary", "not well-formed", "entities", "deep"],
)
def test_a_decodable_document_however_bad_is_kept_octet_for_octet_and_shown_to_a_clerk(url, gateway, document):
    answer = push_to(url, Push(MAILBOX, document))
    assert (answer.http_status, answer.fault, answer.code) == (200, None, 1)
    assert found(gateway, MAILBOX, document).decision is Decision.QUARANTINED


@pytest.mark.parametrize(("field", "code"), [("pesel", "check.pesel"), ("nip", "check.nip")])
def test_a_wrong_check_digit_is_shown_as_a_finding(url, gateway, field, code):
    right = {"pesel": "80010112344", "nip": "5252248481"}[field]
    form = {"pesel": "letter", "nip": "return"}[field]
    document = a_signed_document(form, **{field: wrong_check_digit(right)})
    push_to(url, Push(MAILBOX, document))
    assert code in finding_codes(gateway, found(gateway, MAILBOX, document))


def test_a_right_check_digit_is_no_finding(url, gateway):
    for form in ("letter", "return"):
        document = a_signed_document(form)
        push_to(url, Push(MAILBOX, document))
        assert finding_codes(gateway, found(gateway, MAILBOX, document)).isdisjoint({"check.pesel", "check.nip"})


# --- the database goes away -----------------------------------------------------------------------------------------


class Switch:
    """Takes one real database away from everybody, and gives it back."""

    def __init__(self, postgres: str, database_url: str) -> None:
        self.name = make_url(database_url).database
        self._engine = create_engine(
            make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )

    def off(self) -> None:
        self._run(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")

    def on(self) -> None:
        self._run(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))

    def close(self) -> None:
        self.on()
        self._engine.dispose()


@pytest.fixture
def switch(postgres: str, database_url: str) -> Iterator[Switch]:
    made = Switch(postgres, database_url)
    yield made
    made.close()


def test_with_the_database_away_a_push_is_a_fault_and_the_service_says_it_is_not_ready(url, gateway, switch):
    call = Push(MAILBOX, a_signed_document("letter"))
    switch.off()
    answer = push_to(url, call)
    assert (answer.http_status, answer.error, answer.receipt) == (500, "store.unavailable", None)
    ready = requests.get(url.removesuffix(PATH) + "/health/ready", timeout=PATIENCE_S)
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    switch.on()
    assert push_to(url, call).code == 1
    assert kept(gateway) == 1


def test_a_database_that_goes_away_mid_request_costs_the_success_but_not_the_document(gateway, switch):
    verify = gateway.tools.verify

    def cut_then_verify(document: bytes, **known: Any) -> Any:
        switch.off()  # kept already, not decided yet
        return verify(document, **known)

    call = Push(MAILBOX, a_signed_document("letter"))
    with running(web(replace(gateway.tools, verify=cut_then_verify))) as base:
        answer = push_to(base + PATH, call)
    assert (answer.http_status, answer.error) == (500, "store.unavailable")
    switch.on()
    assert kept(gateway) == 1
    with running(web(gateway.tools)) as base:
        again = ask_until_decided(base + PATH, call, gateway)
    assert (again.code, bool(again.receipt)) == (1, True)
    assert kept(gateway) == 1


def ask_until_decided(url: str, call: Push, gateway: Gateway) -> PushAnswer:
    """The next arrival finishes what the first one could not, once its time to decide is over."""
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE submission SET busy_until = now()"))
    return push_to(url, call)


# --- size -----------------------------------------------------------------------------------------------------------


def test_200_mb_are_refused_at_the_limit_without_holding_them_in_memory(tmp_path, database_url):
    limit = 4 * MIB
    with serving(tmp_path, database_url, http=f"max_body_bytes = {limit}") as service:
        small = Push(MAILBOX, a_signed_document("letter"))
        assert service.push(small).code == 1  # everything lazy is loaded now
        before = service.memory_peak_bytes()
        block = b"A" * MIB
        streamed = requests.post(service.url, (block for _ in range(200)), timeout=120)
        declared = send(service.url, b"A" * (200 * MIB), timeout_s=120)
        assert (streamed.status_code, read_answer(413, streamed.content).error) == (413, "intake.body_too_large")
        assert (declared.http_status, declared.error) == (413, "intake.body_too_large")
        assert service.memory_peak_bytes() - before < 4 * limit
        assert service.push(small).code == 1  # and it still works


def test_a_big_request_costs_at_most_four_times_its_body_and_the_process_does_not_grow(tmp_path, database_url):
    with serving(tmp_path, database_url) as service:
        service.push(Push(MAILBOX, a_signed_document("letter")))
        after = []
        for number in range(6):
            call = Push(MAILBOX, bytes([number]) * 24 * MIB)
            body = len(call.envelope())
            service.forget_peak()
            before = service.memory_bytes()
            assert service.push(call).code == 1
            assert service.memory_peak_bytes() - before < 4 * body
            after.append(service.memory_bytes())
        assert min(after[3:]) - max(after[:3]) < 0.5 * body  # what it holds, it holds from the first ones on


def test_a_signed_form_with_big_files_costs_at_most_four_times_its_body_however_much_is_judged(tmp_path, database_url):
    with serving(tmp_path, database_url) as service:
        service.push(Push(MAILBOX, a_signed_document("return")))
        for _ in range(2):
            files = [File(name, os.urandom(9 * MIB)) for name in ("skan-1.pdf", "skan-2.pdf")]
            call = Push(MAILBOX, a_signed_document("return", files=files))
            body = len(call.envelope())
            service.forget_peak()
            before = service.memory_bytes()
            answer = service.push(call)
            assert (answer.code, bool(answer.receipt)) == (1, True)  # kept, verified, validated, sealed
            assert service.memory_peak_bytes() - before < 5 * body  # the body itself, and four times as much


def test_a_stopped_service_finishes_the_request_it_is_in(tmp_path, database_url):
    with serving(tmp_path, database_url) as service:
        whole = Push(MAILBOX, a_signed_document("letter")).envelope()
        place = urlsplit(service.url)
        head = f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: text/xml\r\n"
        with socket.create_connection((str(place.hostname), place.port or 0), timeout=PATIENCE_S) as line:
            line.sendall(f"{head}Content-Length: {len(whole)}\r\nExpect: 100-continue\r\n\r\n".encode())
            assert line.recv(100).startswith(b"HTTP/1.1 100")  # it wants to read
            service.process.terminate()
            wait_until(lambda: refuses(place.port))
            line.sendall(whole)
            answer = HTTPResponse(line)
            answer.begin()
            assert read_answer(answer.status, answer.read()).code == 1
        assert service.process.wait(PATIENCE_S) == 0


def refuses(port: int) -> bool:
    """Has it stopped to take calls?"""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_is_logged_of_a_refusal_is_digest_size_and_reason_only(tmp_path, database_url, envelope):
    broken = envelope[:-30]
    with serving(tmp_path, database_url) as service:
        send(service.url, broken)
        service.stop()
        logged = service.log_file.read_text("utf-8")
    assert sha256(broken) in logged
    assert "intake.envelope_unreadable" in logged
    for secret in ("TESTOWY", "testowykonto", base64.b64encode(b"<?xml vers").decode()[:10]):
        assert secret not in logged


def test_several_processes_share_one_address_and_all_stop_together(tmp_path, database_url):
    with serving(tmp_path, database_url, http="processes = 2") as service:
        workers = [child for child in children_of(service.process.pid) if "spawn_main" in child.read_text()]
        answers = [service.push(Push(MAILBOX, a_signed_document("letter"))) for _ in range(4)]
        assert [answer.code for answer in answers] == [1] * 4
        assert service.stop() == 0
    assert len(workers) == 2
    assert not any(worker.exists() for worker in workers)


def children_of(pid: int) -> list[Path]:
    """The `cmdline` files of its children."""
    numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [Path(f"/proc/{number}/cmdline") for number in numbers]

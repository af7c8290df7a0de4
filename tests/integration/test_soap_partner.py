"""An independent SOAP stack (WSS4J, SAAJ) calls our push endpoint and answers our client; each judges the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.http import Http, HttpOptions
from gateway import channels
from gateway.config import load as load_config
from gateway.signatures import TrustPolicy, verify
from gateway.signatures.messages import MessageTrust
from gateway.simulate.pki import Identity, authority, issue, name
from gateway.simulate.ports import held_port
from gateway.transport.client import Endpoint
from gateway.transport.pull import PullBox
from gateway.transport.send import Outgoing, Sender
from gateway.transport.wsse import MessageKey, MessageSigner
from gateway.web.server import application
from schemas.errors import MessageUntrusted, ServiceRefused
from schemas.ids import Mailbox
from schemas.submission import Answer
from schemas.verification import Crypto
from tests.builders import MAILBOX, OTHER_MAILBOX, a_signed_document, pki
from tests.conftest import a_database
from tests.gateways import GATEWAY_TOML, write_config
from tests.judges.soap_partner import PASSWORD, Partner, Said, partner
from tests.processes import serving
from tests.running import running

NOW = datetime.now(UTC)
ROOT = authority(name("TEST CA", "TEST Ministerstwo"), at=NOW)
THEIRS = issue(name("TEST ePUAP-WS-Sign", "TEST Ministerstwo"), ROOT, at=NOW)
STRANGER = issue(name("TEST ePUAP-WS-Sign", "TEST Ministerstwo"), ROOT, at=NOW)  # the same name, another key
OURS = pki().upo_seal
BOX = Mailbox(MAILBOX)

HONEST = ["good", "timestamp", "headers", "inclusive", "loose"]
REFUSED = {
    "unsigned": "message.unsigned",
    "stranger": "message.certificate_unknown",
    "tampered": "message.signature_broken",
    "wrapped": "message.body_not_signed",
    "empty": "message.body_not_signed",
    "stale": "message.not_fresh",
    "early": "message.not_fresh",
    "sha1": "message.algorithm_weak",
}


@pytest.fixture(scope="module")
def java() -> Iterator[Partner]:
    """It believes our certificate alone."""
    with partner(THEIRS.pkcs12(PASSWORD), STRANGER.pkcs12(PASSWORD), OURS.certificate_pem) as started:
        yield started


# --- it calls us: `brama serve` with WS-Security ----------------------------------------------------------------------


class Pushing:
    """The partner in front of a served gateway."""

    def __init__(self, java: Partner, port: int) -> None:
        self._java, self._url = java, f"http://127.0.0.1:{port}/epuap/odbiorca"

    def pushes(self, how: str, document: bytes | None = None, mailbox: str = MAILBOX) -> Said:
        return self._java.pushes(how, self._url, mailbox, document or a_signed_document("letter"))


def served(folder: Path, database_url: str, port: int, more: str = "") -> None:
    """A configuration that asks callers for a signature and signs its answers."""
    (folder / "ws-sign.pem").write_bytes(THEIRS.certificate_pem)
    push = f'[push]\ncheck_caller = true\ncaller_certificates = ["ws-sign.pem"]\nsign_answers = true\n{more}'
    gateway = GATEWAY_TOML.replace("[push]", push)
    epuap = '[epuap]\nkey = "pki/upo-seal.p12"\npassword = "env:BRAMA_TEST_SEAL_PASSWORD"\n'
    write_config(folder, gateway=f'database_url = "{database_url}"\n{gateway}\n[http]\nport = {port}\n{epuap}')


@pytest.fixture(scope="module")
def lenient(java, postgres, tmp_path_factory) -> Iterator[Pushing]:
    """Signed Body, as ePUAP's own clients send it."""
    folder, port = tmp_path_factory.mktemp("serve"), held_port()
    with a_database(postgres) as url:
        served(folder, url, port)
        with serving(folder, port):
            yield Pushing(java, port)


@pytest.fixture
def strict(java, tmp_path) -> Iterator[Pushing]:
    """Parameters and a fresh Timestamp must be signed, too; what becomes of a document is not the matter here."""
    served(tmp_path, "", 0, "signed_parameters = true\ntimestamp_required = true\n")
    config = load_config(tmp_path)
    security = channels.push_security(config)
    app = application(lambda _: Answer(1, "Przyjęto"), config.gateway, lambda: None, security=security)
    with running(app) as base:
        yield Pushing(java, int(base.rpartition(":")[2]))


@pytest.mark.parametrize("how", HONEST)
def test_a_signed_push_is_kept_and_our_signed_answer_is_believed_by_wss4j(lenient, how):
    document = a_signed_document("letter")
    said = lenient.pushes(how, document)
    assert (said.signer, said.code) == (OURS.certificate.subject.rfc4514_string(), "1")
    verdict = verify(said.receipt, TrustPolicy(), detached={"pismo.xml": document}, scope="crypto")
    assert [signature.crypto for signature in verdict.signatures] == [Crypto.INTACT]


@pytest.mark.parametrize(("how", "code"), REFUSED.items())
def test_a_push_that_breaks_one_rule_is_refused_with_a_signed_coded_fault(lenient, how, code):
    said = lenient.pushes(how)
    assert (said.error, said.code, said.receipt) == (code, "106", b"")
    assert said.signer == OURS.certificate.subject.rfc4514_string()


def test_where_parameters_and_timestamp_must_be_signed_a_signed_body_is_not_enough(strict):
    assert strict.pushes("good").error == "message.header_not_signed"
    assert strict.pushes("headers").error == "message.timestamp_missing"
    assert strict.pushes("strict").code == "1"


def test_a_replayed_push_gets_the_same_receipt_and_a_redirected_one_shows(lenient):
    document = a_signed_document("letter")
    first, again = lenient.pushes("good", document), lenient.pushes("good", document)
    assert (first.receipt, first.code) == (again.receipt, "1")
    assert lenient.pushes("good", document, OTHER_MAILBOX).receipt != first.receipt


# --- we call it: its Pull and Skrytka ---------------------------------------------------------------------------------


def our_endpoint(java: Partner, how: str, service: str = "pull", **changes: Any) -> Endpoint:
    given: dict[str, Any] = {
        "address": java.service(how, service),
        "http": Http(HttpOptions(timeout_s=20.0)),
        "signer": signer(OURS),
        "check": MessageTrust((THEIRS.certificate,)).check,
        **changes,
    }
    return Endpoint(**given)


def signer(identity: Identity, lifetime: timedelta | None = None) -> MessageSigner:
    assert isinstance(identity.key, rsa.RSAPrivateKey)
    return MessageSigner(MessageKey(identity.key, identity.certificate), lifetime=lifetime)


def our_box(java: Partner, how: str = "good", **changes: Any) -> PullBox:
    return PullBox(our_endpoint(java, how, **changes), "gmkrasnopol", BOX)


@pytest.mark.parametrize("lifetime", [None, timedelta(minutes=5)], ids=["plain", "timestamp"])
def test_our_requests_are_believed_by_wss4j_and_its_answers_by_us(java, lifetime):
    box = our_box(java, signer=signer(OURS, lifetime))
    sender = Sender(
        our_endpoint(java, "good", "skrytka"), our_endpoint(java, "good", "doreczyciel"), subject="gmkrasnopol"
    )
    document = a_signed_document("letter")
    sent = sender.submit(Outgoing(BOX, BOX, document, "odpowiedź.xml"))
    assert (sent.document_id, sent.receipt_id) == ("4711", "4712")
    assert box.waiting() == 1
    envelope = box.next()
    assert envelope is not None
    assert envelope.document == document
    box.confirm(envelope.document)
    assert (box.waiting(), box.next()) == (0, None)


def test_wss4j_refuses_our_request_when_another_key_signed_it(java):
    with pytest.raises(ServiceRefused) as caught:
        our_box(java, signer=signer(STRANGER)).waiting()
    assert caught.value.facts["number"] == "-2"
    with pytest.raises(ServiceRefused, match="not signed"):
        our_box(java, signer=None).waiting()


@pytest.mark.parametrize("how", HONEST)
def test_an_answer_signed_in_any_allowed_way_is_believed(java, how):
    assert our_box(java, how).waiting() == 0


@pytest.mark.parametrize(("how", "code"), REFUSED.items())
def test_an_answer_that_breaks_one_rule_is_refused(java, how, code):
    with pytest.raises(MessageUntrusted) as caught:
        our_box(java, how).waiting()
    assert caught.value.code == code


@pytest.mark.parametrize("how", ["unsigned", "stranger", "stale"])
def test_with_the_check_switched_off_answers_are_taken_as_they_come(java, how):
    assert our_box(java, how, check=None).waiting() == 0

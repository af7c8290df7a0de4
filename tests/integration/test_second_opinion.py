"""A second opinion on signatures from a simulated TpSigning: asked when wanted, beside our verdict, never above it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from structlog.testing import capture_logs

from connectors.http import Http, HttpOptions
from gateway import channels, opinions
from gateway.config import load as load_config
from gateway.operations.opinions import opinions as look
from gateway.opinion_settings import SecondOpinionConfig
from gateway.signatures.messages import MessageTrust
from gateway.simulate.offices.client import Office
from gateway.store import events
from gateway.transport.client import Endpoint
from gateway.transport.tpsigning import SigningService
from schemas.errors import ConfigError, EnvelopeUnreadable, MessageUntrusted, ServiceRefused, ServiceUnreachable
from schemas.opinion import Opinion
from schemas.submission import Decision
from schemas.verification import Indication
from tests.builders import a_signed_document
from tests.epuap_clients import signer
from tests.gateways import GATEWAY_TOML, Gateway, write_config

RETURN = "<verifySignedDocumentReturn>{}</verifySignedDocumentReturn>"
PATHS = ["/pz-services/tpSigning", "/ep-services/tpSigning5"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("tpsigning", tmp_path_factory.mktemp("pz")) as started:
        yield started


@pytest.fixture
def office(running: Office) -> Iterator[Office]:
    running.reset()
    says(running, True)
    yield running
    running.tell("up")


def says(office: Office, valid: bool | None) -> None:
    requests.post(f"{office.url}/simulated/opinion", json={"valid": valid}, timeout=60).raise_for_status()


def service(office: Office, path: str = PATHS[0], **changes: Any) -> SigningService:
    call_ids = changes.pop("call_ids", False)
    certificate = x509.load_pem_x509_certificate((office.state / "pz-sign.pem").read_bytes())
    given: dict[str, Any] = {
        "address": office.url + path,
        "http": Http(HttpOptions(timeout_s=30.0)),
        "signer": signer(),
        "check": MessageTrust((certificate,)).check,
        **changes,
    }
    return SigningService(Endpoint(**given), call_ids=call_ids)


# --- the two services -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_both_services_are_asked_alike_and_answer_with_and_without_a_wrapper(office, path):
    opinion = service(office, path).verify(a_signed_document("letter"))
    assert (opinion.valid, opinion.signature_type, opinion.verify_status, opinion.certificate_status) == (
        True, "XAdES", 0, 0,
    )  # fmt: skip
    assert service(office, path).verify(b"<a/>").valid is False


def test_marks_of_the_call_are_sent_only_where_they_are_wanted(office):
    service(office).verify(b"<a/>")
    service(office, call_ids=True).verify(b"<a/>")
    first, second = office.effects("asked")
    assert first["call_id"] is None
    assert len(second["call_id"]) == 36


@pytest.mark.parametrize("body", [RETURN.format(""), RETURN.format("to nie XML"), RETURN.format("&lt;a>"), "<inne/>"])
def test_a_result_that_cannot_be_read_is_an_error_not_an_opinion(office, body):
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    office.tell("say", times=1, body=f'<s:Envelope xmlns:s="{soap}"><s:Body>{body}</s:Body></s:Envelope>')
    with pytest.raises(EnvelopeUnreadable):
        service(office, check=None).verify(b"<a/>")


def test_its_refusal_is_kept_word_for_word(office):
    office.tell("refuse", times=1)
    with pytest.raises(ServiceRefused) as caught:
        service(office).verify(b"<a/>")
    assert (caught.value.facts["number"], caught.value.facts["text"]) == ("-2", "brak uprawnienia do usługi")


def test_an_answer_of_a_stranger_is_no_opinion_where_its_certificate_is_pinned(office):
    with pytest.raises(MessageUntrusted):
        service(office, check=MessageTrust(()).check).verify(b"<a/>")


@pytest.mark.parametrize(
    ("valid", "ours", "agrees"),
    [
        (True, Indication.PASSED, True),
        (False, Indication.FAILED, True),
        (False, Indication.PASSED, False),
        (True, Indication.FAILED, False),
        (True, Indication.INDETERMINATE, None),
        (None, Indication.PASSED, None),
    ],
)
def test_only_two_clear_words_can_contradict_each_other(valid, ours, agrees):
    assert Opinion(valid, None, None, None, "").agrees_with(ours) is agrees


# --- in the gateway ---------------------------------------------------------------------------------------------------


def asking(gateway: Gateway, ask: Any, **settings: Any) -> Gateway:
    """The gateway with the service switched on."""
    on = SecondOpinionConfig(service="tpsigning", **settings)
    config = gateway.tools.config
    config = config.model_copy(update={"gateway": config.gateway.model_copy(update={"second_opinion": on})})
    return gateway.with_tools(second_opinion=ask, config=config)


def event_of(gateway: Gateway, submission: Any, word: str) -> dict[str, Any]:
    with gateway.tools.store.begin() as transaction:
        (found,) = [one for one in events.timeline(transaction, submission.id) if one.word == word]
    return found.facts


def due_again(gateway: Gateway) -> None:
    with gateway.tools.store.begin() as transaction:
        transaction.exec_driver_sql("UPDATE second_opinion SET due_at = now() WHERE due_at IS NOT NULL")


def test_an_opinion_is_an_event_beside_our_verdict_without_personal_data(office, gateway):
    submission = gateway.receive(a_signed_document())
    on = asking(gateway, service(office).verify)
    assert opinions.ask_due(on.tools) == 1
    facts = event_of(on, submission, "second_opinion")
    assert (facts["valid"], facts["agrees"], facts["ours"], facts["service"]) == (
        True, True, "TOTAL-PASSED", "tpsigning",
    )  # fmt: skip
    assert set(facts) == {
        "service", "agrees", "ours", "valid", "signature_type", "verify_status", "certificate_status", "answer_sha256",
    }  # fmt: skip
    assert opinions.ask_due(on.tools) == 0  # once is enough
    assert len(office.effects("asked")) == 1


@pytest.mark.parametrize(
    ("broken", "valid", "decision"), [(None, False, Decision.ACCEPTED), ("content", True, Decision.REJECTED)]
)
def test_a_contradiction_is_shown_and_overrules_nothing(office, gateway, broken, valid, decision):
    submission = gateway.receive(a_signed_document(broken=broken))
    says(office, valid)
    on = asking(gateway, service(office).verify)
    with capture_logs() as logs:
        opinions.ask_due(on.tools)
    assert on.load(submission).decision is decision
    assert "second_opinion_differs" in [entry["event"] for entry in logs]
    (differing,) = look(on.tools.store, differing=True).items
    assert (differing.submission_id, differing.agrees) == (submission.id, False)


def test_nobody_is_asked_unless_it_is_switched_on_or_about_what_is_not_signed_or_old(office, gateway):
    gateway.receive(a_signed_document())
    assert opinions.ask_due(gateway.tools) == 0
    with gateway.tools.store.begin() as transaction:
        transaction.exec_driver_sql("UPDATE submission SET received_at = now() - interval '2 days'")
    gateway.receive(b"<bez-podpisu/>")
    assert opinions.ask_due(asking(gateway, service(office).verify).tools) == 0
    assert office.effects("asked") == []


def test_a_service_that_is_away_is_asked_again_later_and_finally_left(office, gateway):
    submission = gateway.receive(a_signed_document())
    on = asking(gateway, service(office).verify, tries=2)
    office.tell("unavailable")
    assert opinions.ask_due(on.tools) == 0
    assert opinions.ask_due(on.tools) == 0  # not yet again
    assert "second_opinion_failed" not in on.words(submission)
    due_again(on)
    opinions.ask_due(on.tools)
    assert event_of(on, submission, "second_opinion_failed")["tries"] == 2
    due_again(on)
    assert opinions.ask_due(on.tools) == 0
    (left,) = look(on.tools.store).items
    assert (left.answered_at, left.last_code) == (None, "service.unsettled")


def test_who_dies_while_asking_is_followed_by_another(office, gateway):
    gateway.receive(a_signed_document())

    def die(_: bytes) -> Opinion:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opinions.ask_due(asking(gateway, die).tools)
    due_again(gateway)
    assert opinions.ask_due(asking(gateway, service(office).verify).tools) == 1


def test_the_rest_of_a_round_is_not_spent_on_a_service_that_is_away(gateway):
    for _ in range(3):
        gateway.receive(a_signed_document())
    asked: list[datetime] = []

    def unreachable(_: bytes) -> Opinion:
        asked.append(datetime.now(UTC))
        raise ServiceUnreachable(service="tp-signing", reason="")

    opinions.ask_due(asking(gateway, unreachable).tools)
    assert len(asked) == 1


# --- switched on by the configuration ---------------------------------------------------------------------------------

TOML = """
[second_opinion]
service = "tpsigning5"
url = "{url}/ep-services/tpSigning5"
answer_certificates = ["{state}/pz-sign.pem"]
[epuap]
key = "pki/upo-seal.p12"
password = "env:BRAMA_TEST_SEAL_PASSWORD"
"""


def test_the_configuration_switches_it_on(office, tmp_path: Path, gateway):
    config = write_config(tmp_path, gateway=GATEWAY_TOML + TOML.format(url=office.url, state=office.state))
    ask = channels.second_opinion(config, gateway.tools.clock)
    assert ask is not None
    assert ask(a_signed_document("letter")).valid is True
    assert channels.second_opinion(gateway.tools.config, gateway.tools.clock) is None


def test_without_a_key_it_cannot_be_switched_on(tmp_path: Path, gateway):
    toml = GATEWAY_TOML + '[second_opinion]\nservice = "tpsigning"\n'
    config = write_config(tmp_path, gateway=toml)
    assert config.gateway.second_opinion.address == "https://pz.gov.pl/pz-services/tpSigning"
    with pytest.raises(ConfigError, match=r"epuap\.key"):
        channels.second_opinion(load_config(tmp_path), gateway.tools.clock)

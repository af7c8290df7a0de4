"""Our clients against the simulated ePUAP: Pull, Skrytka, Doręczyciel, stores; signed both ways, and how calls fail."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from gateway.signatures import TrustPolicy, verify
from gateway.signatures.messages import MessageTrust
from gateway.simulate import epuap_markup as markup
from gateway.simulate.citizens import person, sign_trusted_profile
from gateway.simulate.documents import general_letter
from gateway.simulate.offices.client import Office
from gateway.simulate.pki import shared
from gateway.simulate.soap_messages import envelope, signed_envelope
from gateway.transport.send import ReceiptService
from schemas.errors import MessageUntrusted, ServiceRefused, ServiceUnreachable, ServiceUnsettled
from schemas.receipt import ReceiptParty
from schemas.submission import Channel
from schemas.verification import Crypto
from schemas.xmldoc import UPO
from tests.epuap_clients import BOX, CITIZEN, LETTER, SUBJECT, Epuap, epuap, outgoing, signer


@pytest.fixture
def service(office: Office) -> Epuap:
    return Epuap(office)


# --- Pull -------------------------------------------------------------------------------------------------------------


def test_a_document_is_pulled_whole_and_confirmed(service):
    service.citizen_sends(is_test=True)
    assert service.pull.waiting() == 1
    envelope = service.pull.next()
    assert envelope is not None
    assert (envelope.document, envelope.channel, envelope.mailbox) == (LETTER, Channel.PULL, BOX)
    assert (envelope.file_name, envelope.reply_mailbox, envelope.is_test) == ("pismo.xml", CITIZEN, True)
    assert (envelope.sender.name, envelope.sender.user) == ("TESTOWY", "testowykonto")
    assert envelope.posted_at is not None
    assert abs(envelope.posted_at - datetime.now(UTC)) < timedelta(minutes=5)  # written there as Polish wall time
    assert envelope.epuap_document_id is not None
    assert b"BinarySecurityToken" in envelope.raw
    service.pull.confirm(envelope.document)
    assert (service.pull.waiting(), service.pull.next()) == (0, None)


def test_until_it_is_confirmed_the_same_document_stays_at_the_head(service):
    service.citizen_sends(b"<pierwszy/>")
    service.citizen_sends(b"<drugi/>")
    first = service.pull.next()
    again = service.pull.next()
    assert first is not None
    assert again is not None
    assert first.document == again.document == b"<pierwszy/>"
    service.pull.confirm(first.document)
    second = service.pull.next()
    assert second is not None
    assert second.document == b"<drugi/>"


def test_confirming_something_else_is_refused_and_removes_nothing(service):
    service.citizen_sends()
    with pytest.raises(ServiceRefused) as caught:
        service.pull.confirm(b"inne")
    assert caught.value.facts["number"] == -10
    assert service.pull.waiting() == 1


@pytest.mark.parametrize("empty", ["short", "wordy", "one"])
def test_an_empty_queue_is_understood_in_every_style(tmp_path, empty):
    with epuap(tmp_path, "--empty", empty) as started:
        assert started.pull.next() is None


def test_the_other_digest_is_tried_once_when_the_first_is_refused(tmp_path):
    with epuap(tmp_path, "--digest", "sha256") as started:
        started.citizen_sends()
        head = started.pull.next()
        assert head is not None
        started.pull.confirm(head.document)
        assert started.pull.waiting() == 0


def test_a_lost_confirmation_leaves_it_open_and_the_queue_tells(service):
    service.citizen_sends()
    head = service.pull.next()
    assert head is not None
    service.office.tell("hang_up_after_storing", times=1)
    with pytest.raises(ServiceUnsettled):
        service.pull.confirm(head.document)
    assert service.pull.next() is None


# --- how calls fail ---------------------------------------------------------------------------------------------------


def test_an_epuap_that_does_not_listen_is_unreachable_surely_without_effect(service):
    service.office.tell("down")
    with pytest.raises(ServiceUnreachable):
        service.sender.submit(outgoing())


@pytest.mark.parametrize("mode", ["hang_up_after_storing", "garbage", "truncate", "error_page"])
def test_an_answer_that_is_lost_or_not_understood_is_unsettled(service, mode):
    service.office.tell(mode, times=1)
    with pytest.raises(ServiceUnsettled):
        service.sender.submit(outgoing())


def test_a_time_out_after_sending_is_unsettled(service):
    hasty = Epuap(service.office, timeout_s=0.3)
    service.office.tell("slow", times=1, seconds=30)
    with pytest.raises(ServiceUnsettled):
        hasty.sender.submit(outgoing())


@pytest.mark.parametrize("mode", ["refuse", "error_in_success"])
def test_a_fault_is_a_refusal_with_its_own_number_and_words_whatever_the_http_status(service, mode):
    service.office.tell(mode, times=1)
    with pytest.raises(ServiceRefused) as caught:
        service.sender.submit(outgoing())
    assert (caught.value.facts["number"], caught.value.facts["text"]) == ("-7", "odmowa na życzenie")


FAULT = "<soapenv:Fault><faultcode>{}</faultcode><faultstring>Internal Error</faultstring></soapenv:Fault>"


@pytest.mark.parametrize("code", ["soapenv:Server", "Server.Timeout"])
def test_a_servers_fault_without_epuaps_own_words_leaves_it_open_whether_it_was_done(service, code):
    service.office.tell("say", times=1, match="nadaj", status=500, body=envelope(FAULT.format(code)).decode())
    with pytest.raises(ServiceUnsettled) as caught:
        service.sender.submit(outgoing())
    assert (caught.value.facts["number"], caught.value.facts["text"]) == (code, "Internal Error")


@pytest.mark.parametrize("code", ["soapenv:Client", "soapenv:MustUnderstand", "wsse:FailedCheck"])
def test_a_fault_that_blames_us_is_a_refusal(service, code):
    service.office.tell("say", times=1, match="nadaj", status=500, body=envelope(FAULT.format(code)).decode())
    with pytest.raises(ServiceRefused) as caught:
        service.sender.submit(outgoing())
    assert (caught.value.facts["number"], caught.value.facts["text"]) == (code, "Internal Error")


@pytest.mark.parametrize("mode", ["refuse", "error_in_success"])
def test_a_number_that_means_later_is_no_refusal_and_surely_had_no_effect(service, mode):
    patient = Epuap(service.office, later=frozenset({"-7", "-10"}))
    service.office.tell(mode, times=1)
    with pytest.raises(ServiceUnreachable) as caught:
        patient.sender.submit(outgoing())
    assert (caught.value.code, caught.value.facts["number"]) == ("service.deferred", "-7")
    with pytest.raises(ServiceUnreachable):  # a status, not a Fault
        patient.pull.confirm(b"inne")


def test_faults_may_have_to_be_signed(service, tmp_path):
    strict = Epuap(service.office, signed_faults=True)
    service.office.tell("refuse", times=1)
    with pytest.raises(MessageUntrusted):
        strict.sender.submit(outgoing())
    with epuap(tmp_path, "--sign-faults", signed_faults=True) as signing:
        signing.office.tell("refuse", times=1)
        with pytest.raises(ServiceRefused):
            signing.sender.submit(outgoing())


def test_an_answer_signed_with_another_certificate_is_not_believed_unless_the_check_is_off(service):
    stranger = MessageTrust((shared().upo_seal.certificate,)).check
    with pytest.raises(MessageUntrusted) as caught:
        Epuap(service.office, check=stranger).pull.waiting()
    assert caught.value.code == "message.certificate_unknown"
    assert Epuap(service.office, check=None).pull.waiting() == 0


def test_a_comment_in_a_signed_answer_cannot_turn_a_no_into_a_yes(service):
    """Comments are not signed: whoever stands between us may add some."""
    signed = signed_envelope(markup.obi("OdpowiedzPullOczekujace", markup.status(10)), shared().upo_seal)
    turned = signed.replace(b"<kod>10<", b"<kod>1<!-- -->0<")
    trust = MessageTrust((shared().upo_seal.certificate,)).check
    trust(turned)  # the signature holds
    service.office.tell("say", times=1, match="oczekujace", body=turned.decode())
    with pytest.raises(ServiceRefused) as caught:
        Epuap(service.office, check=trust).pull.waiting()
    assert caught.value.facts["number"] == 10


def test_epuap_refuses_what_is_not_signed_or_signed_by_somebody_else(service, tmp_path):
    with pytest.raises(ServiceRefused) as caught:
        Epuap(service.office, signer=None).pull.waiting()
    assert caught.value.facts["number"] == "-2"
    with epuap(tmp_path, "--allow", "00" * 32) as choosy, pytest.raises(ServiceRefused):
        choosy.pull.waiting()


def test_a_timestamp_does_no_harm(service):
    assert Epuap(service.office, signer=signer(timedelta(minutes=5))).pull.waiting() == 0


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_submitted_document_gets_its_id_and_a_upp_that_is_bound_to_it(service):
    sent = service.sender.submit(outgoing())
    assert sent.document_id is not None
    assert sent.receipt_id is not None
    assert sent.receipt is not None
    kept = next(e for e in service.office.effects("sent") if str(e["number"]) == sent.document_id)
    assert (kept["to"], kept["sha256"]) == (CITIZEN, hashlib.sha256(LETTER).hexdigest())
    read = etree.fromstring(sent.receipt)
    assert read.findtext(f".//{{{UPO}}}IdentyfikatorDokumentu") == f"DOK{sent.document_id}"
    verdict = verify(sent.receipt, TrustPolicy(), detached={"odpowiedź.xml": LETTER}, scope="crypto")
    assert [signature.crypto for signature in verdict.signatures] == [Crypto.INTACT]
    other = verify(sent.receipt, TrustPolicy(), detached={"odpowiedź.xml": general_letter(seed=9)}, scope="crypto")
    assert [signature.crypto for signature in other.signatures] == [Crypto.BROKEN]


def test_a_trial_reaches_nobody(service):
    before = len(service.office.effects())
    sent = service.sender.submit(outgoing(is_trial=True))
    assert sent.receipt is None
    assert len(service.office.effects()) == before


def test_inline_xml_is_sent_as_an_element(service):
    sent = service.sender.submit_inline(outgoing(b'<a xmlns="urn:x"><b/></a>'))
    kept = next(e for e in service.office.effects("sent") if str(e["number"]) == sent.document_id)
    assert etree.fromstring(base64.b64decode(kept["content"])).tag == "{urn:x}a"
    assert kept["file_name"] == "odpowiedź.xml"


def test_a_signed_document_is_delivered_with_the_offices_own_ids(service):
    due = datetime(2026, 3, 1, 12, tzinfo=UTC)
    sent = service.sender.deliver(outgoing(), due=due, document_id="PIS/1/2026", case_id="FN.3120.1.2026")
    assert sent.order_id is not None
    kept = next(e for e in service.office.effects("delivered") if str(e["number"]) == sent.order_id)
    assert (kept["document_id"], kept["case_id"]) == ("PIS/1/2026", "FN.3120.1.2026")


def test_an_unsigned_document_is_not_taken_for_delivery(service):
    with pytest.raises(ServiceRefused) as caught:
        service.sender.deliver(outgoing(general_letter()), due=datetime.now(UTC), document_id="1", case_id="2")
    assert caught.value.facts["number"] == "-20"


def test_epuap_issues_a_upp_for_a_document_that_came_another_way(service):
    issuing = ReceiptService(service.endpoint("/pk_external_ws/services/obslugaUpp"), SUBJECT)
    receipt = issuing.issue(LETTER, "pismo.xml", ReceiptParty("TEST Nadawca", "testowykonto", "ePUAP-ID"))
    assert receipt is not None
    verdict = verify(receipt, TrustPolicy(), detached={"pismo.xml": LETTER}, scope="crypto")
    assert [signature.crypto for signature in verdict.signatures] == [Crypto.INTACT]


def test_a_signed_receipt_is_handed_in(service):
    service.sender.collect(outgoing())


def test_after_a_lost_answer_the_sent_store_tells_whether_it_went_out(service):
    document = sign_trusted_profile(general_letter(seed=11), person(11), shared())
    service.office.tell("hang_up_after_storing", times=1)
    with pytest.raises(ServiceUnsettled):
        service.sender.submit(outgoing(document))
    stored = [item for item in service.portal.listing("SENT") if item.addressee == CITIZEN]
    assert [service.portal.content(item.id) for item in stored].count(document) == 1
    assert all(
        item.sent_at is not None and abs(item.sent_at - datetime.now(UTC)) < timedelta(hours=1) for item in stored
    )

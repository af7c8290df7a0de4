"""Poison at the head of a box: kept, confirmed and shown to a clerk, or the box is shown as standing still."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from connectors.http import Http, HttpOptions
from gateway import operations, poll
from gateway.operations.mailboxes import MailboxView, mailboxes
from gateway.simulate.offices.client import Office
from gateway.simulate.soap_messages import envelope, fault
from gateway.store import submissions
from gateway.store import tables as t
from gateway.store.database import Store
from gateway.transport import fields
from schemas.errors import OperationRefused, ServiceRefused, ServiceUnsettled
from schemas.submission import Decision, SubmissionState
from schemas.xmldoc import OBI
from tests.builders import MAILBOX, SECOND_MAILBOX, TERYT, a_signed_document
from tests.epuap_clients import Epuap
from tests.gateways import Gateway
from tests.waiting import PATIENCE_S, wait_until

STATUS = "<status><kod>1</kod><komunikat>OK</komunikat></status>"
SENDER = (
    "<danePodmiotu><identyfikator>testowykonto</identyfikator><typOsoby>F</typOsoby><zgoda>1</zgoda></danePodmiotu>"
)
CONFIRMED = envelope(f'<o:OdpowiedzPullPotwierdz xmlns:o="{OBI}">{STATUS}</o:OdpowiedzPullPotwierdz>').decode()


@pytest.fixture
def epuap(office: Office) -> Epuap:
    """What is said in its name on request is not signed."""
    return Epuap(office, check=None)


def drain(epuap: Epuap, gateway: Gateway) -> int:
    return poll.drain(epuap.pull, gateway.tools, threading.Event())


def the_only(store: Store) -> Any:
    """The one submission, with its document."""
    with store.begin() as transaction:
        found = transaction.execute(select(t.submission.c.id)).scalar_one()
        return submissions.load(transaction, found, with_document=True)


def count(store: Store, table: Any) -> int:
    with store.begin() as transaction:
        return int(transaction.execute(select(func.count()).select_from(table)).scalar_one())


def state_of(gateway: Gateway) -> MailboxView:
    """How the polled mailbox stands."""
    tools = gateway.tools
    tenant = tools.config.tenants[TERYT].model_copy(update={"pull": (MAILBOX,)})
    (view,) = mailboxes(tools.store, tools.config.model_copy(update={"tenants": {TERYT: tenant}}))
    return view


# --- items without a document that could be taken out -----------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    ["!to nie jest base64!", "PGEvPg=", "PGEv\u0105Pg==", "PGEvPg==PGIvPg==", "A"],
    ids=["words", "padding", "letter", "two", "one"],
)
def test_content_that_is_not_base64_is_kept_as_it_stood_confirmed_and_quarantined(epuap, gateway, content):
    epuap.citizen_sends(fields.lenient_octets(content.encode()), content=content)
    epuap.citizen_sends(a_signed_document("letter"))
    assert drain(epuap, gateway) == 2
    assert epuap.pull.waiting() == 0
    with gateway.tools.store.begin() as transaction:
        query = select(t.submission.c.id).order_by(t.submission.c.sequence).limit(1)
        first = submissions.load(transaction, transaction.execute(query).scalar_one(), with_document=True)
    assert first is not None
    assert first.document == content.encode()
    assert (first.state, first.decision, first.reason) == (
        SubmissionState.HELD, Decision.QUARANTINED, "mailbox.content_undecodable",
    )  # fmt: skip
    assert gateway.words(first) == ["kept", "decided"]


def test_an_epuap_that_digests_the_text_itself_is_understood_as_well(epuap, gateway):
    text = "!to nie jest base64!"
    epuap.citizen_sends(text.encode(), content=text)
    assert (drain(epuap, gateway), epuap.pull.waiting()) == (1, 0)


@pytest.mark.parametrize(
    "answer",
    [
        f"{STATUS}{SENDER}",
        f"{STATUS}{SENDER}<dokument/>",
        f"{STATUS}{SENDER}<dokument><nazwaPliku>a.xml</nazwaPliku></dokument>",
    ],
    ids=["no document", "empty element", "name only"],
)
def test_an_item_without_a_document_is_kept_whole_confirmed_and_quarantined(epuap, gateway, answer):
    epuap.citizen_sends(b"", answer=answer)
    assert (drain(epuap, gateway), epuap.pull.waiting()) == (1, 0)
    found = the_only(gateway.tools.store)
    assert (found.decision, found.reason) == (Decision.QUARANTINED, "mailbox.content_missing")
    assert b"testowykonto" in found.document


@pytest.mark.parametrize(
    "spoilt",
    [
        "<dataNadania>wczoraj</dataNadania>",
        "<dataNadania>0001-01-01T00:00:00+14:00</dataNadania>",
        "<czyTestowe>nie wiadomo</czyTestowe>",
        "<daneDodatkowe>@</daneDodatkowe>",
        "<daneDodatkowe>" + base64.b64encode(b"<a><b></a>").decode() + "</daneDodatkowe>",
        "<daneDodatkowe>" + base64.b64encode(b"<!DOCTYPE a><a/>").decode() + "</daneDodatkowe>",
        "<nazwaSkrytki>" + "x" * 5000 + "</nazwaSkrytki>",
        "<danePodmiotu><nazwiskoNazwa/></danePodmiotu><nowe>pole</nowe>",
    ],
)
@pytest.mark.parametrize("status", [STATUS, ""], ids=["", "no status"])
def test_odd_parameters_cost_only_the_parameter(epuap, gateway, status, spoilt):
    document = a_signed_document("letter")
    file = f"<dokument><nazwaPliku>a.xml</nazwaPliku><zawartosc>{base64.b64encode(document).decode()}</zawartosc>"
    epuap.citizen_sends(document, answer=f"{status}{spoilt}{file}</dokument>")
    assert (drain(epuap, gateway), epuap.pull.waiting()) == (1, 0)
    found = the_only(gateway.tools.store)
    assert (found.document, found.posted_at, found.epuap_document_id) == (document, None, None)
    assert found.decision is Decision.ACCEPTED


def test_killed_or_not_a_defective_item_never_passes_for_a_document(epuap, gateway):
    """What the sweep would make of it, if the process died before it was put aside."""
    epuap.citizen_sends(b"", content="!")
    envelope = epuap.pull.next()
    assert envelope is not None
    assert gateway.receive(envelope).decision is Decision.QUARANTINED


def test_a_clerk_sees_what_came_instead_of_a_document_and_can_only_close_it(epuap, gateway):
    epuap.citizen_sends(b"", content="!")
    drain(epuap, gateway)
    store, found = gateway.tools.store, the_only(gateway.tools.store)
    view = operations.submission(store, found.id)
    assert (view.submission.reason, view.verification, view.deliveries) == ("mailbox.content_undecodable", None, ())
    with pytest.raises(OperationRefused):
        operations.release(store, found.id, actor="test", reason="próba")
    operations.close(store, found.id, actor="test", reason="nadawca wyśle ponownie")
    assert gateway.load(found).state is SubmissionState.CLOSED


# --- boxes that stand still although we do our part -------------------------------------------------------------------


def test_a_fault_at_every_look_is_shown_with_epuaps_own_words_until_it_is_over(epuap, gateway):
    epuap.citizen_sends(a_signed_document("letter"))
    words = "Brak uprawnień do skrytki"
    epuap.office.tell("say", match="pobierzNastepny", status=500, body=envelope(fault(-17, words)).decode())
    for _ in range(2):
        with pytest.raises(ServiceRefused):
            poll.take_one(epuap.pull, gateway.tools)
    view = state_of(gateway)
    assert (view.state, view.code, view.text, view.failures) == ("failing", "service.refused", f"-17 {words}", 2)
    assert view.failing_since is not None
    epuap.office.tell("up")
    assert drain(epuap, gateway) == 1
    view = state_of(gateway)
    assert (view.state, view.code, view.failing_since) == ("fine", None, None)


@pytest.mark.parametrize("body", ["<a>", "<!DOCTYPE a><a/>", "<a/>", envelope("").decode()])
def test_an_answer_that_cannot_be_read_confirms_nothing_and_is_shown(epuap, gateway, body):
    epuap.office.tell("say", match="pobierzNastepny", body=body)
    with pytest.raises(ServiceUnsettled):
        poll.take_one(epuap.pull, gateway.tools)
    assert state_of(gateway).code == "service.unsettled"


def test_an_endless_answer_is_cut_off_and_shown(epuap, gateway):
    hasty = Epuap(epuap.office, check=None, timeout_s=0.5)
    epuap.office.tell("huge", times=1, match="pobierzNastepny")
    with pytest.raises(ServiceUnsettled):
        poll.take_one(hasty.pull, gateway.tools)
    assert state_of(gateway).code == "service.unsettled"


def test_a_giant_is_not_read_to_its_end_and_is_shown(epuap, gateway):
    epuap.citizen_sends(b"<a>" + b"x" * 100_000 + b"</a>")
    small = Epuap(epuap.office, check=None, http=Http(HttpOptions(timeout_s=10.0, max_answer_bytes=50_000)))
    with pytest.raises(ServiceUnsettled):
        poll.take_one(small.pull, gateway.tools)
    view = state_of(gateway)
    assert (view.code, view.text) == ("service.unsettled", "http.answer_too_large")
    assert epuap.pull.waiting() == 1


def test_a_refused_confirmation_keeps_the_document_once_and_is_shown(epuap, gateway):
    """The item stays at the head; it is not recorded anew with every look."""
    no = "<status><kod>-10</kod><komunikat>zły skrót</komunikat></status>"
    body = envelope(f'<o:OdpowiedzPullPotwierdz xmlns:o="{OBI}">{no}</o:OdpowiedzPullPotwierdz>').decode()
    epuap.citizen_sends(a_signed_document("letter"))
    epuap.office.tell("say", match="Potwierdz", body=body)
    poller = poll.Poller(epuap.pull, gateway.tools)
    for _ in range(5):
        with pytest.raises(ServiceRefused):
            poller.take_one()
    view = state_of(gateway)
    assert (view.state, view.text, view.failures) == ("failing", "-10 zły skrót", 5)
    assert (count(gateway.tools.store, t.submission), count(gateway.tools.store, t.arrival)) == (1, 1)
    epuap.office.tell("up")
    with pytest.raises(poll.BoxStuck):
        poller.take_one()  # taken off the queue now; that it is the same item again is all this poller knows
    assert (drain(epuap, gateway), epuap.pull.waiting()) == (0, 0)


def test_the_same_item_given_for_ever_is_recorded_twice_and_then_shown(epuap, gateway):
    epuap.citizen_sends(a_signed_document("letter"))
    epuap.office.tell("say", match="Potwierdz", body=CONFIRMED)
    with pytest.raises(poll.BoxStuck):
        drain(epuap, gateway)
    view = state_of(gateway)
    assert (view.state, view.code) == ("failing", "mailbox.repeats")
    assert (count(gateway.tools.store, t.submission), count(gateway.tools.store, t.arrival)) == (1, 1)


def test_twins_sent_at_different_times_are_each_confirmed_and_recorded(epuap, gateway):
    document = a_signed_document("letter")
    for _ in range(4):
        epuap.citizen_sends(document)
    assert (drain(epuap, gateway), epuap.pull.waiting()) == (4, 0)
    assert (count(gateway.tools.store, t.submission), count(gateway.tools.store, t.arrival)) == (1, 3)


def test_one_box_that_stands_still_does_not_hold_up_the_others(epuap, gateway):
    other = epuap.box(SECOND_MAILBOX)
    epuap.citizen_sends(a_signed_document("letter"), mailbox=SECOND_MAILBOX)
    epuap.office.tell("refuse", match=rf"pobierzNastepny(.|\n)*{MAILBOX}")
    stop = threading.Event()
    thread = threading.Thread(target=poll.run_pollers, args=([epuap.pull, other], gateway.tools, stop))
    thread.start()
    try:
        wait_until(lambda: other.waiting() == 0 and count(gateway.tools.store, t.submission) == 1)
        wait_until(lambda: state_of(gateway).state == "failing")
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert (other.waiting(), count(gateway.tools.store, t.submission)) == (0, 1)


def test_a_box_nobody_polls_is_late(epuap, gateway):
    poll.take_one(epuap.pull, gateway.tools)
    with gateway.tools.store.begin() as transaction:
        transaction.exec_driver_sql("UPDATE mailbox_poll SET polled_at = now() - interval '1 day'")
    assert (state_of(gateway).state, state_of(gateway).code) == ("late", "mailbox.late")

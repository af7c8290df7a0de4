"""What a person may do about messages: settle, set aside, bind a receipt; and the same from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from gateway import flow, operations
from gateway.cli import letters
from gateway.cli.answers import answers as commands
from gateway.operations import answering, correspondence
from gateway.simulate import upp
from gateway.simulate.offices.client import Office
from gateway.store import outbox
from schemas.errors import OperationRefused
from schemas.ids import sha256
from schemas.submission import SubmissionState
from tests.builders import a_signed_document, pki
from tests.outboxes import Correspondent, configure
from tests.outboxes import answering as a_correspondent

BY = {"actor": "urzędnik", "reason": "sprawdzono w portalu"}


@pytest.fixture
def folder(database, office, tmp_path: Path) -> Path:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return configure(tmp_path, office, database_url=url, sent_store="none")


@pytest.fixture
def gateway(database, folder) -> Correspondent:
    return a_correspondent(database, folder)


def in_doubt(gateway: Correspondent, office: Office, fault: str) -> Any:
    office.tell(fault, times=1)
    message = gateway.put()
    flow.send(message.id, gateway.tools)
    assert gateway.message(message.id).state.value == "unsettled"
    return message


def test_a_message_a_person_found_sent_is_sent_no_more(gateway, office):
    message = in_doubt(gateway, office, "hang_up_after_storing")
    done = answering.settle_message(gateway.tools.store, message.id, "sent", **BY)
    gateway.work_until_quiet()
    assert (done.state, gateway.message(message.id).state.value, len(office.effects("sent"))) == ("sent", "sent", 1)
    assert "reply_settled" in gateway.words(gateway.submission_of(message))


def test_a_message_a_person_found_not_sent_is_sent_without_a_look(gateway, office):
    message = in_doubt(gateway, office, "hang_up_before_storing")
    answering.settle_message(gateway.tools.store, message.id, "not_sent", **BY)
    gateway.work_until_quiet()
    assert (gateway.message(message.id).state.value, len(office.effects("sent"))) == ("receipted", 1)


def test_what_was_sent_cannot_be_settled_or_set_aside(gateway):
    message = gateway.put()
    gateway.work_until_quiet()
    for act in (
        lambda: answering.settle_message(gateway.tools.store, message.id, "not_sent", **BY),
        lambda: answering.set_message_aside(gateway.tools.store, message.id, **BY),
    ):
        with pytest.raises(OperationRefused) as caught:
            act()
        assert caught.value.code == "operation.already_sent"


def test_a_message_being_sent_cannot_be_settled(gateway):
    message = gateway.put()
    with gateway.tools.store.begin() as transaction:
        outbox.claim(transaction, message.id, worker="w", lease_s=60)
    with pytest.raises(OperationRefused) as caught:
        answering.settle_message(gateway.tools.store, message.id, "not_sent", **BY)
    assert caught.value.code == "operation.being_tried"


def test_a_message_set_aside_is_never_sent(gateway, office):
    message = gateway.put()
    answering.set_message_aside(gateway.tools.store, message.id, **BY)
    gateway.work_until_quiet()
    assert (gateway.message(message.id).state.value, office.effects("sent")) == ("set_aside", [])


def test_a_person_says_what_an_unmatched_receipt_is_for(gateway, office):
    message = in_doubt(gateway, office, "hang_up_after_storing")
    data = upp.UpdData(5, "", "", ("A", "a"), ("B", "b"), "inne.xml")
    gateway.receive(upp.upd(data, a_signed_document("letter"), pki().upo_seal))
    (unmatched,) = answering.unmatched(gateway.tools.store)
    answering.bind_receipt(gateway.tools.store, unmatched["id"], message.id, **BY)
    (bound,) = gateway.receipts(message.id)
    assert (bound["matched_by"], answering.unmatched(gateway.tools.store)) == ("person", ())
    with pytest.raises(OperationRefused):
        answering.bind_receipt(gateway.tools.store, unmatched["id"], message.id, **BY)


def test_a_receipt_bound_by_a_person_settles_the_message_and_the_mail_that_brought_it(gateway, office):
    document = a_signed_document("letter")
    data = upp.UppData(5, 77, ("A", "a"), ("B", "b"), "pismo.xml")
    arrived = gateway.receive(upp.upp(data, document, pki().trusted_profile_lookalike))  # a seal nobody knows
    office.tell("hang_up_after_storing", times=1)
    message = gateway.put(document=document)
    flow.send(message.id, gateway.tools)
    (unmatched,) = answering.unmatched(gateway.tools.store)
    done = answering.bind_receipt(gateway.tools.store, unmatched["id"], message.id, **BY)
    (bound,) = gateway.receipts(message.id)
    assert (done.state, bound["binding"], bound["indication"]) == ("receipted", "is_for", "INDETERMINATE")
    assert gateway.load(arrived).state is SubmissionState.CLOSED


def test_a_receipt_whose_seal_covers_other_octets_settles_nothing_whoever_binds_it(gateway, office):
    message = in_doubt(gateway, office, "hang_up_after_storing")
    data = upp.UppData(5, 77, ("A", "a"), ("B", "b"), "pismo.xml")
    gateway.receive(upp.upp(data, a_signed_document("letter"), pki().upo_seal))
    (unmatched,) = answering.unmatched(gateway.tools.store)
    done = answering.bind_receipt(gateway.tools.store, unmatched["id"], message.id, **BY)
    assert (done.state, gateway.receipts(message.id)[0]["binding"]) == ("unsettled", "is_not")


def run(folder: Path, *arguments: str) -> Any:
    app = typer.Typer()
    letters.add_to(commands)
    app.add_typer(commands, name="answers")
    result = CliRunner().invoke(app, ["answers", *arguments, "--config", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_operator_settles_from_the_command_line(gateway, office, folder):
    message = in_doubt(gateway, office, "hang_up_after_storing")
    told = run(folder, "settle", str(message.id), "sent", "--actor", "a", "--reason", "b")
    assert told == {"id": str(message.id), "state": "sent"}
    assert run(folder, "list") == []
    assert run(folder, "receipts") == []


def test_the_health_of_the_outbox_says_what_waits_for_whom(gateway, office):
    sent = gateway.put()
    gateway.work_until_quiet()
    lost = in_doubt(gateway, office, "hang_up_before_storing")
    (health,) = correspondence.outboxes(gateway.tools.store)
    assert (health.receipted, health.unsettled, health.for_a_person) == (1, 1, 1)
    assert (health.oldest_unsent, health.last_code) == (gateway.message(lost.id).created_at, "service.unsettled")
    (found,) = correspondence.messages(gateway.tools.store, state="receipted")
    assert found.id == sent.id


def test_the_books_count_every_message_once(gateway, office):
    gateway.put()
    gateway.work_until_quiet()
    in_doubt(gateway, office, "hang_up_before_storing")
    aside = gateway.put()
    books = operations.books(gateway.tools.store)
    assert (books.messages, books.messages_sent, books.messages_receipted, books.messages_open) == (3, 1, 1, 1)
    assert not books.quiet
    answering.set_message_aside(gateway.tools.store, aside.id, **BY)
    gateway.forget_deliveries()
    books = operations.books(gateway.tools.store)
    assert (books.messages_waiting, books.messages_set_aside, books.messages_sent_twice) == (1, 1, 0)
    assert books.balanced


def test_outbox_and_messages_from_the_command_line(gateway, folder):
    gateway.put()
    gateway.work_until_quiet()
    (health,) = run(folder, "outbox")
    (message,) = run(folder, "messages", "--state", "receipted")
    assert (health["receipted"], message["state"]) == (1, "receipted")
    assert "document" not in message


def test_the_view_of_a_message_has_its_tries_and_receipts_and_no_octets(gateway):
    message = gateway.put()
    gateway.work_until_quiet()
    (view,) = answering.messages_of(gateway.tools.store, message.submission_id)
    told = view.to_json()
    assert [one["outcome"] for one in told["attempts"]] == ["delivered"]
    assert [one["kind"] for one in told["receipts"]] == ["UPP"]
    assert "document" not in told
    assert json.dumps(told)
    assert sha256(message.document) == told["sha256"]


def test_an_unknown_answer_is_not_found(gateway):
    for look in (answering.shown, answering.draft_of):
        with pytest.raises(OperationRefused) as caught:
            look(gateway.tools.store, uuid4())
        assert caught.value.code == "operation.not_found"

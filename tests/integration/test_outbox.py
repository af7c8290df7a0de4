"""The outbox against a simulated ePUAP: sent once, looked up when in doubt, settled by receipts or a person."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from gateway import channels, flow, poll, sweep
from gateway.simulate import upp
from gateway.simulate.offices.client import Office
from gateway.store import events, outbox
from schemas.outgoing import MessageState
from schemas.submission import Decision, SubmissionState
from tests.builders import a_signed_document, pki
from tests.outboxes import CITIZEN_BOX, Correspondent, answering, configure, place_receipt
from tests.processes import brama


@pytest.fixture
def gateway(database, office, tmp_path: Path) -> Correspondent:
    return answering(database, configure(tmp_path, office))


def sent(office: Office, what: str = "sent") -> list[str]:
    return [one["file_name"] for one in office.effects(what)]


def pull(gateway: Correspondent) -> int:
    (box,) = channels.pull_boxes(gateway.tools.config)
    return poll.drain(box, gateway.tools, threading.Event())


def state(gateway: Correspondent, message) -> str:
    return gateway.message(message.id).state.value


def test_a_message_is_sent_once_and_its_receipt_given_at_once_ends_it(gateway, office):
    message = gateway.put()
    gateway.work_until_quiet()
    stored = gateway.message(message.id)
    (receipt,) = gateway.receipts(message.id)
    (effect,) = office.effects("sent")
    assert (stored.state, stored.remote_document_id) == (MessageState.RECEIPTED, str(effect["number"]))
    assert (effect["to"], effect["sha256"], effect["file_name"]) == (CITIZEN_BOX, message.sha256, message.file_name)
    assert (receipt["kind"], receipt["came_by"], receipt["binding"], receipt["indication"]) == (
        "UPP", "answer", "is_for", "TOTAL-PASSED",
    )  # fmt: skip


def test_waking_a_message_again_sends_nothing(gateway, office):
    message = gateway.put()
    for _ in range(3):
        flow.send(message.id, gateway.tools)
    assert sent(office) == [message.file_name]


@pytest.mark.parametrize("fault", ["hang_up_after_storing", "garbage", "truncate"])
def test_after_a_lost_answer_what_was_sent_is_looked_up_and_nothing_sent_again(gateway, office, fault):
    office.tell(fault, times=1)
    message = gateway.put()
    gateway.work_until_quiet()
    assert gateway.tries(message.id) == ["unsettled", "delivered"]
    assert (state(gateway, message), sent(office)) == ("sent", [message.file_name])
    assert gateway.message(message.id).remote_document_id == str(office.effects("sent")[0]["number"])


def test_what_surely_was_not_sent_is_sent_after_a_look(gateway, office):
    office.tell("hang_up_before_storing", times=1)
    message = gateway.put()
    gateway.work_until_quiet()
    assert gateway.tries(message.id) == ["unsettled", "delivered"]
    assert (state(gateway, message), sent(office)) == ("receipted", [message.file_name])


def test_absence_from_a_partial_list_never_sends_again(database, office, tmp_path):
    gateway = answering(database, configure(tmp_path, office, sent_store="partial"))
    office.tell("hang_up_before_storing", times=1)
    message = gateway.put()
    flow.send(message.id, gateway.tools)
    for _ in range(3):
        gateway.later()
        flow.send(message.id, gateway.tools)
    assert gateway.tries(message.id) == ["unsettled"] * 4
    assert (state(gateway, message), gateway.message(message.id).last_code) == ("unsettled", "outbox.not_in_sent")
    assert sent(office) == []


def test_without_a_list_a_lost_answer_waits_for_a_receipt_or_a_person(database, office, tmp_path):
    gateway = answering(database, configure(tmp_path, office, sent_store="none"))
    office.tell("hang_up_after_storing", times=1)
    message = gateway.put()
    gateway.work_until_quiet()
    gateway.later()
    gateway.work_until_quiet()
    assert (gateway.tries(message.id), state(gateway, message)) == (["unsettled"], "unsettled")
    place_receipt(office, office.effects("sent")[0]["number"], "UPP")
    assert pull(gateway) == 1
    assert (state(gateway, message), sent(office)) == ("receipted", [message.file_name])


def test_a_list_that_cannot_be_read_sends_nothing(gateway, office):
    office.tell("hang_up_after_storing", times=1)
    message = gateway.put()
    flow.send(message.id, gateway.tools)
    office.tell("error_page", match="zawartoscSkladu")
    gateway.later()
    flow.send(message.id, gateway.tools)
    assert gateway.tries(message.id) == ["unsettled", "unsettled"]
    assert sent(office) == [message.file_name]


def test_a_channel_that_cannot_be_reached_is_tried_again_until_it_can(gateway, office):
    office.stop()
    message = gateway.put()
    try:
        flow.send(message.id, gateway.tools)
        assert (state(gateway, message), gateway.tries(message.id)) == ("due", ["unreachable"])
    finally:
        office.start()


def test_a_channel_that_cannot_be_set_up_sends_nothing_until_it_is_mended(gateway, office):
    key = gateway.tools.config.folder / "pki" / "upo-seal.p12"
    message, octets = gateway.put(), key.read_bytes()
    key.write_bytes(b"nie ten plik")
    flow.send(message.id, gateway.tools)
    assert (state(gateway, message), gateway.tries(message.id), sent(office)) == ("due", ["unreachable"], [])
    assert gateway.message(message.id).last_code.startswith("config.")
    key.write_bytes(octets)
    gateway.later()
    gateway.work_until_quiet()
    assert (state(gateway, message), len(sent(office))) == ("receipted", 1)


def test_a_refusal_is_kept_word_for_word_and_not_repeated(gateway, office):
    office.tell("refuse", times=1)
    message = gateway.put()
    gateway.work_until_quiet()
    stored = gateway.message(message.id)
    assert (stored.state.value, stored.last_code, stored.last_text) == (
        "refused", "service.refused", "-7 odmowa na życzenie",
    )  # fmt: skip
    assert sent(office) == []


def test_a_delivery_waits_for_its_upd_whatever_upp_comes_before(gateway, office):
    message = gateway.put("dorecz")
    gateway.work_until_quiet()
    number = office.effects("delivered")[0]["number"]
    assert (state(gateway, message), gateway.message(message.id).remote_order_id) == ("sent", str(number))
    place_receipt(office, number, "UPP")
    pull(gateway)
    assert state(gateway, message) == "sent"
    place_receipt(office, number, "UPD")
    pull(gateway)
    assert state(gateway, message) == "receipted"
    assert [one["kind"] for one in gateway.receipts(message.id)] == ["UPP", "UPD"]


def test_two_upps_for_one_message_are_both_kept_and_no_submission_of_either(gateway, office):
    message = gateway.put()
    gateway.work_until_quiet()
    place_receipt(office, office.effects("sent")[0]["number"], "UPP")
    assert pull(gateway) == 1
    first, second = gateway.receipts(message.id)
    assert (first["came_by"], second["came_by"], second["matched_by"]) == ("answer", "pull", "digest")
    with gateway.tools.store.begin() as transaction:
        row = transaction.execute(
            text("SELECT decision, state FROM submission WHERE id = :id"), {"id": second["submission_id"]}
        ).one()
        words = [one.word for one in events.timeline(transaction, message.submission_id)]
    assert tuple(row) == (Decision.RECEIPT.value, SubmissionState.CLOSED.value)
    assert words.count("reply_receipt") == 2


def test_a_receipt_that_came_before_our_number_was_known_is_bound_once_it_is(gateway, office):
    office.tell("hang_up_after_storing", times=1)
    message = gateway.put("dorecz")
    flow.send(message.id, gateway.tools)
    number = office.effects("delivered")[0]["number"]
    stranger = a_signed_document("letter")  # the UPP covers another form of the octets: only its number fits
    arrived = gateway.receive(a_receipt(stranger, number))
    assert (arrived.state, gateway.receipts(message.id)) == (SubmissionState.HELD, [])
    gateway.later()
    gateway.work_until_quiet()
    sweep.tick(gateway.tools)
    (bound,) = gateway.receipts(message.id)
    assert (bound["matched_by"], bound["binding"]) == ("document_id", "is_not")
    assert gateway.load(arrived).state is SubmissionState.CLOSED
    assert state(gateway, message) == "sent"


def a_receipt(document: bytes, number: int = 77, seal=None) -> bytes:
    data = upp.UppData(1, number, ("Adresat", "testowykonto"), ("Gmina", "gmina"), "pismo.xml")
    return upp.upp(data, document, seal or pki().upo_seal)


def test_a_pushed_receipt_is_taken_as_a_pulled_one_is(gateway, office):
    message = gateway.put("dorecz")
    gateway.work_until_quiet()
    arrived = gateway.receive(a_receipt(message.document))
    assert (arrived.decision, arrived.state, arrived.reason) == (
        Decision.RECEIPT, SubmissionState.CLOSED, "outbox.receipt_matched",
    )  # fmt: skip
    assert gateway.receipts(message.id)[0]["came_by"] == "push"


def test_a_receipt_for_nothing_of_ours_is_kept_and_held_for_a_clerk(gateway):
    arrived = gateway.receive(a_receipt(a_signed_document("letter")))
    assert (arrived.decision, arrived.state, arrived.reason) == (
        Decision.RECEIPT, SubmissionState.HELD, "outbox.receipt_unmatched",
    )  # fmt: skip
    with gateway.tools.store.begin() as transaction:
        (unmatched,) = outbox.unmatched_receipts(transaction)
    assert unmatched["submission_id"] == arrived.id


def test_a_receipt_of_an_unknown_seal_is_shown_and_settles_nothing(database, office, tmp_path):
    gateway = answering(database, configure(tmp_path, office, sent_store="none"))
    office.tell("hang_up_after_storing", times=1)
    message = gateway.put()
    gateway.work_until_quiet()
    gateway.receive(a_receipt(message.document, seal=pki().trusted_profile_lookalike))
    (receipt,) = gateway.receipts(message.id)
    assert (receipt["binding"], receipt["indication"]) == ("is_for", "INDETERMINATE")
    assert state(gateway, message) == "unsettled"


def test_a_receipt_with_our_number_but_another_files_digest_settles_nothing(gateway, office):
    message = gateway.put("dorecz")
    gateway.work_until_quiet()
    number = int(gateway.message(message.id).remote_document_id)
    gateway.receive(a_receipt(a_signed_document("letter"), number))
    (receipt,) = gateway.receipts(message.id)
    assert (receipt["matched_by"], receipt["binding"], state(gateway, message)) == ("document_id", "is_not", "sent")


def test_what_was_signed_cannot_be_exchanged_in_the_outbox(gateway):
    message = gateway.put()
    with pytest.raises(IntegrityError, match="append-only"), gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE message SET document = 'x' WHERE id = :id"), {"id": message.id})


def test_a_late_outcome_is_refused_by_the_fence(gateway, office):
    message = gateway.put()
    with gateway.tools.store.begin() as transaction:
        claim = outbox.claim(transaction, message.id, worker="gone", lease_s=60)
    assert claim is not None
    gateway.later()
    gateway.work_until_quiet()
    with gateway.tools.store.begin() as transaction:
        assert outbox.still_held(transaction, message.id, claim.fence) is None
    assert (gateway.tries(message.id), sent(office)) == (["unsettled", "delivered"], [message.file_name])


@pytest.mark.parametrize(
    ("point", "tries", "end"),
    [
        ("before_claim", ["delivered"], "receipted"),
        ("before_send", ["unsettled", "delivered"], "receipted"),
        ("after_send", ["unsettled", "delivered"], "sent"),
        ("after_store", ["delivered"], "receipted"),
    ],
)
def test_killed_at_any_point_nothing_is_sent_twice(database, office, tmp_path, point, tries, end):
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    folder = configure(tmp_path, office, database_url=url)
    gateway = answering(database, folder)
    message = gateway.put()
    gateway.forget_deliveries()  # they pass the same points
    with brama("work", folder, crash_at=point) as process:
        assert process.died_of_sigkill()
    gateway.later()
    gateway.work_until_quiet()
    assert (gateway.tries(message.id), state(gateway, message), sent(office)) == (tries, end, [message.file_name])


@pytest.mark.parametrize("point", ["before_claim", "before_send", "after_send"])
def test_killed_before_the_record_a_delivery_is_looked_up_and_not_sent_twice(database, office, tmp_path, point):
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    folder = configure(tmp_path, office, database_url=url)
    gateway = answering(database, folder)
    message = gateway.put("dorecz")
    gateway.forget_deliveries()
    with brama("work", folder, crash_at=point) as process:
        assert process.died_of_sigkill()
    gateway.later()
    gateway.work_until_quiet()
    assert (state(gateway, message), sent(office, "delivered")) == ("sent", [message.file_name])


def test_killed_after_the_effect_where_nothing_can_be_looked_up_only_a_receipt_ends_the_doubt(
    database, office, tmp_path
):
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    folder = configure(tmp_path, office, database_url=url, sent_store="none")
    gateway = answering(database, folder)
    message = gateway.put()
    gateway.forget_deliveries()
    with brama("work", folder, crash_at="after_send") as process:
        assert process.died_of_sigkill()
    for _ in range(3):
        gateway.later()
        gateway.work_until_quiet()
    assert (state(gateway, message), sent(office)) == ("unsettled", [message.file_name])
    place_receipt(office, office.effects("sent")[0]["number"], "UPP")
    pull(gateway)
    assert (state(gateway, message), sent(office)) == ("receipted", [message.file_name])

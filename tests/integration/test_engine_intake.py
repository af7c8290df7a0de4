"""Keeping and answering: duplicates, twins, quarantine, and steps that fail after the document is durable."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from gateway import flow, intake, sweep
from gateway.store import submissions
from gateway.store import tables as t
from schemas.errors import IntakeRefused, QuarantineFull, ReceiptError, StoreUnavailable
from schemas.receipt import Receipt
from schemas.submission import Channel, Submission, SubmissionState
from tests.builders import OTHER_MAILBOX, POSTED_AT, SECOND_MAILBOX, a_signed_document, an_envelope
from tests.gateways import Gateway
from tests.waiting import PATIENCE_S, wait_until


def test_the_same_document_again_gets_the_same_receipt_and_makes_no_second_case(gateway: Gateway) -> None:
    envelope = an_envelope()
    first = gateway.answer(envelope)
    gateway.work_until_quiet()

    second = gateway.answer(envelope)
    gateway.work_until_quiet()

    assert first.receipt is not None
    assert second == first
    assert sum(gateway.office.received.values()) == 1


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({}, []),
        ({"posted_at": POSTED_AT + timedelta(hours=1)}, ["posted_at"]),
        ({"epuap_document_id": "DOK-2"}, ["epuap_document_id"]),
        ({"channel": Channel.PULL}, ["channel"]),
    ],
)
def test_a_further_arrival_is_recorded_with_what_differs(
    gateway: Gateway, changes: dict[str, Any], differs: list[str]
) -> None:
    envelope = an_envelope()
    submission = gateway.receive(envelope)

    gateway.answer(replace(envelope, **changes))

    with gateway.tools.store.begin() as transaction:
        flags = transaction.execute(select(t.arrival.c.flags)).scalars().all()
    assert flags == [differs]
    assert gateway.words(submission)[-1] == "arrived_again"


def test_twins_arriving_together_get_one_receipt_and_one_case(gateway: Gateway) -> None:
    envelope = an_envelope()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: gateway.answer(envelope), range(6)))
    gateway.work_until_quiet()

    assert len({answer.receipt for answer in answers}) == 1
    assert {answer.code for answer in answers} == {1}
    assert sum(gateway.office.received.values()) == 1


def test_a_twin_waits_for_the_first_one_that_is_still_being_decided(gateway: Gateway) -> None:
    go_on = threading.Event()

    def slow(submission: Submission) -> Receipt | None:
        assert go_on.wait(PATIENCE_S)
        return gateway.tools.seal(submission)

    slowly = gateway.with_tools(seal=slow)
    envelope = an_envelope()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(slowly.answer, envelope)
        wait_until(lambda: _count(gateway) == 1)
        second = threads.submit(gateway.answer, envelope)
        time.sleep(0.2)
        assert not second.done()
        go_on.set()
        assert first.result() == second.result()


def test_a_twin_does_not_wait_for_ever(gateway: Gateway) -> None:
    envelope = an_envelope()
    intake.keep(envelope, gateway.tools.store, gateway.tools.config)  # and then nobody decides it
    impatient = _with_push(gateway, twin_wait_s=0.1)

    with pytest.raises(IntakeRefused) as refused:
        impatient.answer(envelope)

    assert refused.value.code == "intake.still_deciding"


def test_a_document_kept_by_a_process_that_died_is_decided_for_whoever_asks_next(gateway: Gateway) -> None:
    envelope = an_envelope()
    intake.keep(envelope, gateway.tools.store, gateway.tools.config)
    _nobody_is_busy(gateway)

    assert gateway.answer(envelope).receipt is not None


def test_a_document_kept_and_forgotten_is_finished_by_the_sweep(gateway: Gateway) -> None:
    kept = intake.keep(an_envelope(), gateway.tools.store, gateway.tools.config).submission
    _nobody_is_busy(gateway)

    sweep.sweep(gateway.tools)
    gateway.work_until_quiet()

    assert gateway.states(kept) == ["delivered"]


def test_without_a_receipt_nothing_is_acknowledged_and_the_next_try_succeeds(gateway: Gateway) -> None:
    def broken(_submission: Submission) -> Receipt | None:
        raise ReceiptError("receipt.no_seal")

    envelope = an_envelope()
    with pytest.raises(ReceiptError):
        gateway.with_tools(seal=broken).answer(envelope)

    assert gateway.answer(envelope).receipt is not None


def test_a_document_that_cannot_be_decided_is_held_in_sight_after_a_few_tries(gateway: Gateway) -> None:
    def broken(_submission: Submission) -> Receipt | None:
        raise ReceiptError("receipt.no_seal")

    kept = intake.keep(an_envelope(), gateway.tools.store, gateway.tools.config).submission
    stuck = gateway.with_tools(seal=broken)
    for _ in range(flow.TRIES):
        _nobody_is_busy(gateway)
        flow.finish(kept.id, stuck.tools)

    found = gateway.load(kept)
    assert (found.state, found.reason, found.decision) == ("held", "receipt.no_seal", None)


def test_a_document_over_which_processes_die_is_held_before_it_ends_another_one(gateway: Gateway) -> None:
    def deadly(*_: object, **__: object) -> Any:
        raise AssertionError("it must not be looked at again")

    envelope = an_envelope()
    kept = intake.keep(envelope, gateway.tools.store, gateway.tools.config).submission
    for _ in range(flow.TRIES):  # whoever takes it dies without a word
        _nobody_is_busy(gateway)
        with gateway.tools.store.begin() as transaction:
            assert submissions.take(transaction, kept.id, SubmissionState.KEPT, 0.0)
    _nobody_is_busy(gateway)

    flow.finish(kept.id, gateway.with_tools(verify=deadly).tools)

    found = gateway.load(kept)
    assert (found.state, found.reason, found.decision) == ("held", "flow.never_decided", None)
    started = time.monotonic()
    with pytest.raises(IntakeRefused) as refused:  # sent again: not acknowledged, and nobody waits in vain
        gateway.answer(envelope)
    assert refused.value.code == "intake.still_deciding"
    assert time.monotonic() - started < gateway.tools.config.gateway.push.twin_wait_s / 2


def test_the_same_content_kept_at_the_same_moment_in_two_boxes_is_delivered_once(gateway: Gateway) -> None:
    document = a_signed_document()
    first = gateway.receive(document)
    second = gateway.receive(an_envelope(document, mailbox=SECOND_MAILBOX))
    with gateway.tools.store.begin() as transaction:  # as if neither had seen the other
        transaction.execute(text("UPDATE submission SET same_as = NULL"))

    flow.process(second.id, gateway.tools)
    flow.process(first.id, gateway.tools)
    gateway.work_until_quiet()

    assert sum(gateway.office.received.values()) == 1
    assert (gateway.load(first).state, gateway.load(second).state) == ("processed", "held")


def test_a_mapping_that_fails_costs_no_receipt_and_waits_for_a_person(gateway: Gateway) -> None:
    def broken(*_: object) -> Any:
        raise RuntimeError("a bug in a table")

    clumsy = gateway.with_tools(map=broken)
    answer_envelope = an_envelope()
    answer = clumsy.answer(answer_envelope)
    clumsy.work_until_quiet()

    submission = gateway.receive(answer_envelope)
    assert answer.receipt is not None
    assert (submission.state, submission.reason) == ("held", "flow.escaped")


def test_the_same_content_in_another_box_of_the_gmina_is_linked_and_not_delivered_twice(gateway: Gateway) -> None:
    document = a_signed_document()
    first = gateway.receive(document)
    second = gateway.receive(document, mailbox=SECOND_MAILBOX)
    gateway.work_until_quiet()

    assert (second.decision, gateway.load(second).reason) == ("accepted", "delivery.same_content")
    assert gateway.load(second).state == "held"
    assert "same_content" in gateway.words(second)
    assert "same_content_again" in gateway.words(first)
    assert sum(gateway.office.received.values()) == 1


def test_the_same_content_for_another_gmina_is_delivered_there_too(gateway: Gateway) -> None:
    document = a_signed_document("letter")
    gateway.receive(document)
    other = gateway.receive(document, mailbox=OTHER_MAILBOX)
    gateway.work_until_quiet()

    assert gateway.states(other) == ["delivered"]


def test_an_unknown_mailbox_is_quarantined_with_a_receipt(gateway: Gateway) -> None:
    answer = gateway.answer(an_envelope(mailbox="/nikt/SkrytkaESP"))
    assert answer.code == 1
    assert answer.receipt is not None


def test_unknown_mailboxes_cannot_fill_the_disk(gateway: Gateway) -> None:
    for _ in range(3):
        gateway.answer(an_envelope(mailbox="/nikt/SkrytkaESP"))

    with pytest.raises(QuarantineFull):
        gateway.answer(an_envelope(mailbox="/nikt/SkrytkaESP"))

    assert _count(gateway) == 3
    assert gateway.answer(an_envelope(mailbox="/nikt/SkrytkaESP", caller="192.0.2.7")).code == 1


def test_a_test_submission_goes_to_the_rehearsal_only(gateway: Gateway) -> None:
    submission = gateway.receive(is_test=True)
    gateway.work_until_quiet()

    assert submission.decision == "test"
    assert [one.connector for one in gateway.deliveries(submission)] == ["rehearsal"]
    assert gateway.states(submission) == ["delivered"]
    assert sum(gateway.office.received.values()) == 0


@pytest.mark.parametrize(
    ("document", "decision", "state"),
    [
        (a_signed_document(broken="digest"), "rejected", "closed"),
        (a_signed_document(year=None), "rejected", "closed"),
        (a_signed_document("letter", title=None), "quarantined", "held"),
        (a_signed_document("unknown"), "quarantined", "held"),
        (b"this is no XML", "quarantined", "held"),
    ],
    ids=["broken signature", "invalid declaration", "invalid letter", "unknown form", "not XML"],
)
def test_every_document_is_kept_whole_whatever_becomes_of_it(
    gateway: Gateway, document: bytes, decision: str, state: str
) -> None:
    submission = gateway.receive(document)
    gateway.work_until_quiet()

    assert (submission.decision, submission.state) == (decision, state)
    assert gateway.deliveries(submission) == []
    with gateway.tools.store.begin() as transaction:
        assert submissions.document_of(transaction, submission.id) == document


def test_text_that_postgresql_cannot_hold_does_not_lose_the_document(gateway: Gateway) -> None:
    assert gateway.receive(file_name="a\0b\ud800.xml").file_name == "a\ufffdb?.xml"


def test_a_store_that_is_away_acknowledges_nothing(gateway: Gateway) -> None:
    from gateway.store.database import Store

    nowhere = Store("postgresql://postgres@/brama?host=/nonexistent")
    with pytest.raises(StoreUnavailable):
        gateway.with_tools(store=nowhere).answer(an_envelope())
    nowhere.close()


def _with_push(gateway: Gateway, **changes: Any) -> Gateway:
    config = gateway.tools.config
    push = config.gateway.push.model_copy(update=changes)
    return gateway.with_tools(
        config=config.model_copy(update={"gateway": config.gateway.model_copy(update={"push": push})})
    )


def _nobody_is_busy(gateway: Gateway) -> None:
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE submission SET busy_until = now() - interval '1 second'"))


def _count(gateway: Gateway) -> int:
    with gateway.tools.store.begin() as transaction:
        return int(transaction.execute(text("SELECT count(*) FROM submission")).scalar_one())

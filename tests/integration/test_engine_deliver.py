"""Delivering: how each outcome goes on, what is checked before sending, and who waits for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from connectors.base import LookUpFailed
from connectors.rehearsal import Behaviour
from gateway import flow, sweep
from gateway.tools import Office
from schemas.delivery import (
    Refused,
    Repeat,
    Unreachable,
    Unsettled,
)
from schemas.errors import ConnectorError, MappingError
from tests.builders import a_signed_document
from tests.gateways import Gateway
from tests.scripted import Scripted, with_office, with_worker


def test_an_unreachable_office_is_tried_again_until_it_is_back(gateway: Gateway) -> None:
    office = Scripted(Unreachable("http.not_sent"), Unreachable("http.later", retry_after_s=0.2))
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unreachable", "unreachable", "delivered"]
    assert office.asked == []
    assert len(set(office.messages)) == 3  # the key stays, the message id is fresh
    assert set(office.sent) == set(gateway.keys(submission))


def test_a_refusal_waits_for_a_person_with_the_offices_reason(gateway: Gateway) -> None:
    gateway = with_office(gateway, Scripted(Refused("answer.refused", "Nie ma takiej teczki")))
    submission = gateway.receive()
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(submission)
    assert (delivery.state, delivery.last_code, delivery.last_text) == (
        "refused", "answer.refused", "Nie ma takiej teczki",
    )  # fmt: skip


def test_an_escaping_exception_is_recorded_and_never_repeated_blindly(gateway: Gateway) -> None:
    office = Scripted(ZeroDivisionError("our bug"), repeat=Repeat.SAFE)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    (attempt,) = gateway.attempts(submission)
    assert (attempt.outcome, attempt.code, attempt.text) == ("unsettled", "connector.escaped", "ZeroDivisionError")
    assert gateway.deliveries(submission)[0].due_at is None
    assert len(office.sent) == 1


def test_a_safe_connector_sends_again_after_a_lost_answer_where_it_cannot_ask(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), repeat=Repeat.SAFE, look_up=False)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unsettled", "delivered"]
    assert (len(office.sent), office.asked) == (2, [])


def test_what_may_be_there_is_not_called_surely_undelivered_because_the_office_went_away(gateway: Gateway) -> None:
    """Safe to repeat, so it is not asked; the repeat did not get through, and the first answer is still lost."""

    def away(*_: Any) -> Unreachable:
        with gateway.tools.store.begin() as transaction:  # past the time in which it is tried again
            transaction.execute(text("UPDATE delivery SET first_tried_at = first_tried_at - interval '1 hour'"))
        return Unreachable("http.not_sent")

    office = Scripted(Unsettled("http.timeout"), away, repeat=Repeat.SAFE, look_up=False)
    gateway = with_worker(with_office(gateway, office), retry_for_h=0.5)
    submission = gateway.receive()
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(submission)
    assert gateway.outcomes(submission) == ["unsettled", "unreachable"]
    assert (delivery.state, delivery.due_at) == ("unsettled", None)  # given up, and a person should look there


def test_a_findable_connector_is_asked_after_its_settle_delay_and_not_before(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), found="RPW/7")
    gateway = with_office(gateway, office, settle_delay_s=0.6)
    submission = gateway.receive()
    while gateway.work_one():
        pass
    while not office.asked:
        sweep.tick(gateway.tools)
        gateway.work_one()

    sent, asked = gateway.attempts(submission)
    assert asked.started_at - sent.started_at >= timedelta(seconds=0.6)
    assert gateway.states(submission) == ["delivered"]
    assert gateway.deliveries(submission)[0].reference == "RPW/7"
    assert len(office.sent) == 1


def test_a_findable_connector_sends_again_only_when_the_office_says_it_has_nothing(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), found=None)
    gateway = with_office(gateway, office)
    gateway.receive()
    gateway.work_until_quiet()

    assert (len(office.asked), len(office.sent)) == (1, 2)


def test_an_office_that_cannot_be_asked_is_asked_again_and_not_sent_to(gateway: Gateway) -> None:
    answers = iter([LookUpFailed("http.timeout"), OSError("boom"), None])

    def found() -> None:
        says = next(answers)
        if says:
            raise says

    office = Scripted(Unsettled("http.timeout"), found=found)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unsettled", "unsettled", "unsettled", "delivered"]
    assert [attempt.code for attempt in gateway.attempts(submission)][1:3] == [
        "http.timeout", "connector.look_up_failed",
    ]  # fmt: skip
    assert len(office.sent) == 2


def test_a_blind_connector_leaves_a_lost_answer_to_a_person(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), repeat=Repeat.BLIND, look_up=False)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()

    assert gateway.outcomes(submission) == ["unsettled"]
    assert gateway.deliveries(submission)[0].due_at is None


def test_a_connector_that_cannot_be_built_waits_for_a_better_configuration(gateway: Gateway) -> None:
    class Broken:
        def get(self, _tenant: str, _connector: str) -> Office:
            raise ConnectorError("connector.not_configured", tenant="x", connector="y")

    broken = gateway.with_tools(offices=Broken())
    submission = broken.receive()
    for _ in range(2):
        broken.work_one()
    assert (gateway.states(submission), gateway.attempts(submission)[0].code) == (
        ["waiting"], "connector.not_configured",
    )  # fmt: skip

    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]


def test_a_record_that_does_not_fit_is_refused_with_all_its_problems_and_not_sent(gateway: Gateway) -> None:
    def refuse(_case: dict[str, Any], _name: str) -> dict[str, Any]:
        raise MappingError("mapping.record_refused", problems=["title too long", "surname missing"])

    office = Scripted()
    gateway = with_office(gateway, office).with_tools(record=refuse)
    submission = gateway.receive()
    gateway.work_one()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE delivery SET record = 'any'"))
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(submission)
    assert (delivery.state, delivery.last_code) == ("refused", "mapping.record_refused")
    assert "surname missing" in (delivery.last_text or "")
    assert office.sent == []


def test_a_table_that_breaks_is_shown_and_nothing_is_sent(gateway: Gateway) -> None:
    def broken(_case: dict[str, Any], _name: str) -> dict[str, Any]:
        raise ZeroDivisionError

    office = Scripted()
    gateway = with_office(gateway, office).with_tools(record=broken)
    submission = gateway.receive()
    gateway.work_one()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE delivery SET record = 'any'"))
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(submission)
    assert (delivery.state, delivery.last_code) == ("refused", "delivery.record_failed")
    assert office.sent == []


# --- order -----------------------------------------------------------------------------------------------------------


def test_a_correction_waits_for_its_original_and_other_taxpayers_flow(gateway: Gateway) -> None:
    gateway.office.behave(Behaviour.REFUSE, times=1)
    original = gateway.receive(a_signed_document(taxpayer=7))
    gateway.work_until_quiet()
    correction = gateway.receive(a_signed_document(taxpayer=7, purpose="2"))
    other = gateway.receive(a_signed_document(taxpayer=8))
    gateway.work_until_quiet()

    assert gateway.states(original) == ["refused"]
    assert gateway.states(other) == ["delivered"]
    (waiting,) = gateway.deliveries(correction)
    assert waiting.state == "due"
    assert waiting.waits_for == gateway.deliveries(original)[0].id
    assert waiting.attempts == 0


def test_when_the_original_is_delivered_the_correction_follows_at_once(gateway: Gateway) -> None:
    gateway.office.behave(Behaviour.UNREACHABLE, times=2)
    documents = [a_signed_document(taxpayer=7) for _ in range(3)]
    submissions = [gateway.receive(document) for document in documents]
    gateway.work_until_quiet()

    assert [gateway.states(one) for one in submissions] == [["delivered"]] * 3
    assert list(gateway.office.received) == [gateway.keys(one)[0] for one in submissions]


def test_a_delivery_does_not_overtake_an_earlier_submission_that_is_not_processed_yet(gateway: Gateway) -> None:
    original = gateway.receive(a_signed_document(taxpayer=7))
    correction = gateway.receive(a_signed_document(taxpayer=7, purpose="2"))
    flow.process(correction.id, gateway.tools)
    (delivery,) = gateway.deliveries(correction)
    flow.deliver(delivery.id, gateway.tools)
    assert gateway.states(correction) == ["due"]

    gateway.work_until_quiet()
    assert list(gateway.office.received) == [gateway.keys(original)[0], gateway.keys(correction)[0]]


def test_a_letter_names_no_taxpayer_and_waits_for_nobody(gateway: Gateway) -> None:
    gateway.office.behave(Behaviour.REFUSE, times=1)
    gateway.receive(a_signed_document("letter", seed=5))
    second = gateway.receive(a_signed_document("letter", seed=6))
    gateway.work_until_quiet()

    (delivery,) = gateway.deliveries(second)
    assert (delivery.order_key, delivery.state) == (None, "delivered")

"""What a person may ask: lists, one whole submission, replay, settle, set aside, release, close, the books."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from connectors.rehearsal import Behaviour
from gateway import operations
from gateway.operations import DeliveryFilter, SubmissionFilter
from gateway.store.database import Store
from schemas.delivery import Delivered, Refused, Repeat, Unsettled
from schemas.errors import OperationRefused
from tests.builders import LETTER, OTHER_MAILBOX, OTHER_TERYT, TERYT, a_signed_document, an_envelope
from tests.gateways import Gateway
from tests.scripted import Scripted, with_office

WHO: dict[str, Any] = {"actor": "a.kowalska", "reason": "urząd poprawił teczkę"}


@pytest.fixture
def store(gateway: Gateway) -> Store:
    return gateway.tools.store


def a_refused(gateway: Gateway, **document: Any) -> UUID:
    """The delivery of a submission its office refused."""
    gateway.office.behave(Behaviour.REFUSE, times=1)
    submission = gateway.receive(a_signed_document(**document))
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)
    assert delivery.state == "refused"
    return delivery.id


def test_lists_page_newest_first_and_end(gateway: Gateway, store: Store) -> None:
    made = [gateway.receive().id for _ in range(5)]
    first = operations.submissions(store, SubmissionFilter(limit=2))
    second = operations.submissions(store, SubmissionFilter(limit=2, cursor=first.next_cursor))
    third = operations.submissions(store, SubmissionFilter(limit=2, cursor=second.next_cursor))

    assert [one.id for page in (first, second, third) for one in page.items] == made[::-1]
    assert third.next_cursor is None
    json.dumps(first.to_json())


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (SubmissionFilter(), 4),
        (SubmissionFilter(tenant=TERYT), 2),
        (SubmissionFilter(tenant=OTHER_TERYT), 1),
        (SubmissionFilter(state="closed"), 1),
        (SubmissionFilter(decision="accepted"), 2),
        (SubmissionFilter(form=LETTER), 1),
        (SubmissionFilter(code="policy.signature"), 1),
        (SubmissionFilter(code="policy.signature_"), 1),
        (SubmissionFilter(code="policy_signature"), 0),
    ],
)
def test_submissions_are_found_by_what_they_are(gateway: Gateway, wanted: SubmissionFilter, count: int) -> None:
    gateway.receive(a_signed_document())
    gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    gateway.receive(a_signed_document(broken="digest"))
    gateway.receive(mailbox="/nikt/SkrytkaESP")

    assert len(operations.submissions(gateway.tools.store, wanted).items) == count


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (DeliveryFilter(), 2),
        (DeliveryFilter(tenant=TERYT), 1),
        (DeliveryFilter(connector="office"), 2),
        (DeliveryFilter(connector="other"), 0),
        (DeliveryFilter(state="refused"), 1),
        (DeliveryFilter(form=LETTER), 1),
        (DeliveryFilter(code="rehearsal."), 1),
        (DeliveryFilter(submission=UUID(int=0)), 0),
    ],
)
def test_deliveries_are_found_by_what_they_are(gateway: Gateway, wanted: DeliveryFilter, count: int) -> None:
    a_refused(gateway)
    gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    gateway.work_until_quiet()

    page = operations.deliveries(gateway.tools.store, wanted)
    assert len(page.items) == count
    json.dumps(page.to_json())


def test_submissions_are_found_by_time(gateway: Gateway, store: Store) -> None:
    at = gateway.receive().received_at
    moment = timedelta(microseconds=1)
    assert len(operations.submissions(store, SubmissionFilter(since=at)).items) == 1
    assert len(operations.submissions(store, SubmissionFilter(since=at + moment)).items) == 0
    assert len(operations.submissions(store, SubmissionFilter(until=at)).items) == 0


def test_one_submission_shows_everything_and_is_json(gateway: Gateway, store: Store) -> None:
    envelope = an_envelope()
    submission = gateway.receive(envelope)
    gateway.work_until_quiet()
    gateway.answer(envelope)

    view = operations.submission(store, submission.id)

    assert [event.word for event in view.events][-1] == "arrived_again"
    assert view.chain_broken_at is None
    assert [item.kind for item in view.receipts] == ["UPP"]
    assert len(view.arrivals) == len(view.cases) == len(view.deliveries) == 1
    shown = json.loads(json.dumps(view.to_json()))
    assert shown["deliveries"][0]["attempts"][0]["outcome"] == "delivered"
    assert shown["deliveries"][0]["steps"][0]["name"] == "keep"
    assert shown["verification"]["indication"] == "TOTAL-PASSED"
    assert "xml" not in shown["receipts"][0]


@pytest.mark.parametrize(
    "ask", [operations.submission, operations.delivery, operations.receipt_of], ids=lambda ask: ask.__name__
)
def test_what_is_not_there_is_not_found(store: Store, ask: Callable[[Store, UUID], object]) -> None:
    with pytest.raises(OperationRefused) as refused:
        ask(store, uuid4())
    assert refused.value.code == "operation.not_found"


def test_the_receipt_of_a_submission_is_ours_and_a_rejected_one_has_none(gateway: Gateway, store: Store) -> None:
    envelope = an_envelope()
    submission = gateway.receive(envelope)
    assert operations.receipt_of(store, submission.id).xml == gateway.answer(envelope).receipt

    rejected = gateway.receive(a_signed_document(broken="digest"))
    with pytest.raises(OperationRefused) as refused:
        operations.receipt_of(store, rejected.id)
    assert refused.value.code == "operation.no_receipt"


# --- replay ----------------------------------------------------------------------------------------------------------


def test_a_replay_opens_a_new_round_keeps_the_key_and_asks_first(gateway: Gateway) -> None:
    office = Scripted(Refused("answer.refused"))
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)

    result = operations.replay(gateway.tools.store, [delivery.id], **WHO)
    gateway.work_until_quiet()

    assert result.replayed == (delivery.id,)
    assert [(one.round, one.number, one.outcome) for one in gateway.attempts(submission)] == [
        (1, 1, "refused"), (2, 1, "delivered"),
    ]  # fmt: skip
    assert office.sent == [delivery.key, delivery.key]
    assert len(office.asked) == 1
    event = operations.submission(gateway.tools.store, submission.id).events[-2]
    assert (event.word, event.actor) == ("replayed", "a.kowalska")


def test_a_dry_run_counts_and_changes_nothing(gateway: Gateway, store: Store) -> None:
    delivery = a_refused(gateway)
    result = operations.replay(store, DeliveryFilter(), dry_run=True, **WHO)

    assert (result.matched, result.replayed, result.dry_run) == (1, (delivery,), True)
    assert operations.delivery(store, delivery).delivery.round == 1
    assert operations.books(store).waiting_for_person == 1


def test_a_filter_means_what_waits_for_a_person_and_reports_progress(gateway: Gateway, store: Store) -> None:
    wanted = {a_refused(gateway) for _ in range(3)}
    gateway.receive()
    gateway.work_until_quiet()
    seen: list[tuple[int, int]] = []

    result = operations.replay(
        store, DeliveryFilter(tenant=TERYT, code="rehearsal."), progress=lambda *done: seen.append(done), **WHO
    )
    gateway.work_until_quiet()

    assert set(result.replayed) == wanted
    assert seen == [(3, 3)]
    assert operations.books(store).delivered == 4


@pytest.mark.parametrize(
    ("state", "code"), [("delivered", "operation.already_delivered"), ("trying", "operation.being_tried")]
)
def test_what_is_delivered_or_being_tried_is_not_touched(gateway: Gateway, store: Store, state: str, code: str) -> None:
    delivery = a_refused(gateway)
    with store.begin() as transaction:
        transaction.execute(text("UPDATE delivery SET state = :state"), {"state": state})

    assert operations.replay(store, [delivery], **WHO).refused[0].code == code
    for act in (
        lambda: operations.settle(store, delivery, "not_delivered", **WHO),
        lambda: operations.set_aside(store, delivery, **WHO),
    ):
        with pytest.raises(OperationRefused) as refused:
            act()
        assert refused.value.code == code


def test_a_doubt_that_nobody_can_be_asked_about_is_settled_before_it_is_replayed(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), Delivered("RPW/2"), repeat=Repeat.BLIND, look_up=False)
    gateway = with_office(gateway, office)
    submission = gateway.receive()
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)
    store = gateway.tools.store

    assert operations.replay(store, [delivery.id], **WHO).refused[0].code == "operation.settle_first"
    operations.settle(store, delivery.id, "not_delivered", **WHO)
    gateway.work_until_quiet()

    assert gateway.states(submission) == ["delivered"]
    assert len(office.sent) == 2


def test_a_replay_waits_out_the_settle_delay_of_a_lost_answer(gateway: Gateway) -> None:
    office = Scripted(Unsettled("http.timeout"), found="RPW/1")
    gateway = with_office(gateway, office, settle_delay_s=3600)
    submission = gateway.receive()
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)
    operations.replay(gateway.tools.store, [delivery.id], **WHO)
    gateway.work_until_quiet()

    (after,) = gateway.deliveries(submission)
    assert (after.state, office.asked, len(office.sent)) == ("due", [], 1)
    assert after.due_at is not None
    assert delivery.due_at is not None
    assert after.due_at - after.updated_at > timedelta(minutes=50)


# --- settle, set aside, release, close -------------------------------------------------------------------------------


def test_a_person_may_say_that_the_office_has_it(gateway: Gateway, store: Store) -> None:
    delivery = a_refused(gateway, taxpayer=3)
    gateway.receive(a_signed_document(taxpayer=3, purpose="2"))
    gateway.work_until_quiet()

    result = operations.settle(store, delivery, "delivered", reference="OR.1.2026", **WHO)
    gateway.work_until_quiet()

    assert result.to_json() == {"id": str(delivery), "state": "delivered"}
    assert operations.delivery(store, delivery).delivery.reference == "OR.1.2026"
    assert operations.books(store).delivered == 2  # what waited behind it went on


def test_what_is_set_aside_lets_the_next_of_its_key_go(gateway: Gateway, store: Store) -> None:
    delivery = a_refused(gateway, taxpayer=3)
    correction = gateway.receive(a_signed_document(taxpayer=3, purpose="2"))
    gateway.work_until_quiet()
    assert gateway.states(correction) == ["due"]

    operations.set_aside(store, delivery, **WHO)
    gateway.work_until_quiet()

    assert gateway.states(correction) == ["delivered"]
    assert operations.books(store).set_aside == 1


def test_a_quarantined_letter_goes_on_when_released(gateway: Gateway, store: Store) -> None:
    submission = gateway.receive(a_signed_document("letter", title=None))
    gateway.work_until_quiet()
    assert gateway.load(submission).state == "held"

    operations.release(store, submission.id, **WHO)
    gateway.work_until_quiet()

    assert gateway.load(submission).decision == "quarantined"  # what was decided stays in the books
    assert "released" in gateway.words(submission)
    assert gateway.load(submission).state in ("processed", "held")


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"mailbox": "/nikt/SkrytkaESP"}, "operation.no_tenant"), ({"document": b"no XML"}, "operation.no_form")],
)
def test_what_has_nowhere_to_go_cannot_be_released(
    gateway: Gateway, store: Store, changes: dict[str, Any], code: str
) -> None:
    submission = gateway.receive(**changes)
    with pytest.raises(OperationRefused) as refused:
        operations.release(store, submission.id, **WHO)
    assert refused.value.code == code


def test_a_held_submission_may_be_closed_and_an_open_one_not(gateway: Gateway, store: Store) -> None:
    held = gateway.receive(a_signed_document("unknown"))
    assert operations.close(store, held.id, **WHO).state == "closed"
    for act in (operations.close, operations.release):
        with pytest.raises(OperationRefused) as refused:
            act(store, held.id, **WHO)
        assert refused.value.code == "operation.not_held"


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("who", " ")])
def test_every_act_names_who_and_why(gateway: Gateway, store: Store, actor: str, reason: str) -> None:
    delivery = a_refused(gateway)
    held = gateway.receive(a_signed_document("unknown"))
    who: dict[str, Any] = {"actor": actor, "reason": reason}
    for act in (
        lambda: operations.replay(store, [delivery], **who),
        lambda: operations.settle(store, delivery, "delivered", **who),
        lambda: operations.set_aside(store, delivery, **who),
        lambda: operations.release(store, held.id, **who),
        lambda: operations.close(store, held.id, **who),
    ):
        with pytest.raises(OperationRefused) as refused:
            act()
        assert refused.value.code == "operation.actor_and_reason"


def test_reasons_stand_beside_the_timeline_and_never_in_it(gateway: Gateway, store: Store) -> None:
    delivery = a_refused(gateway)
    operations.set_aside(store, delivery, actor="a.kowalska", reason="na prośbę Jana Przykładowego")
    with store.begin() as transaction:
        noted = transaction.execute(text("SELECT reason FROM operator_action")).scalars().all()
        said = transaction.execute(text("SELECT string_agg(facts::text, '') FROM event")).scalar_one()
    assert noted == ["na prośbę Jana Przykładowego"]
    assert "Jana" not in said


def test_the_books_balance_only_when_nothing_is_under_way(gateway: Gateway, store: Store) -> None:
    gateway.receive()
    assert not operations.books(store).quiet
    gateway.work_until_quiet()
    a_refused(gateway)
    gateway.receive(a_signed_document(broken="digest"))

    books = operations.books(store)
    assert books.balanced
    assert (books.submissions, books.delivered, books.waiting_for_person, books.closed) == (3, 1, 1, 1)


def test_what_waits_behind_a_person_or_a_pause_does_not_unbalance_the_books(gateway: Gateway, store: Store) -> None:
    a_refused(gateway, taxpayer=3)
    gateway.receive(a_signed_document(taxpayer=3, purpose="2"))
    operations.pause(store, tenant=OTHER_TERYT, **WHO)
    gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    gateway.work_until_quiet()

    books = operations.books(store)
    assert (books.waiting_for_person, books.behind, books.paused, books.in_progress) == (1, 1, 1, 0)
    assert books.balanced


def test_a_processed_submission_without_a_delivery_is_lost_and_the_books_say_so(gateway: Gateway) -> None:
    submission = gateway.receive()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE submission SET state = 'processed'"))
        transaction.execute(text("TRUNCATE procrastinate_jobs CASCADE"))
    books = operations.books(gateway.tools.store)
    assert (books.lost, books.balanced) == (1, False), submission.id

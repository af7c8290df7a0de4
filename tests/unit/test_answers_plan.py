"""The way of an answer: every step with every event, and what no sequence of events can reach."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from gateway.answers.events import (
    DOCUMENTS,
    NEEDS_APPROVAL,
    Answered,
    Approved,
    Document,
    Drafted,
    Event,
    Held,
    Resumed,
    Returned,
    Sent,
    Service,
    Signed,
    Withdrawn,
)
from gateway.answers.plan import ALLOWED, AnswerPlan, Step, advance, start
from gateway.answers.templates import Templates
from schemas.errors import AnswerError

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
A, B = "a" * 64, "b" * 64
CLERK = "urzednik.probny"


def approved(digest: str = A, at: datetime = NOON, actor: str = CLERK, checked: bool = True) -> Approved:
    return Approved(actor, at, digest, checked)


def drafted(document: Document = Document.CERTIFICATE_NONE, digest: str = A) -> Drafted:
    return Drafted(document, digest, TODAY)


def walk(plan: AnswerPlan, *events: Event) -> AnswerPlan:
    for event in events:
        plan = advance(plan, event)
    return plan


def certificate(*events: Event) -> AnswerPlan:
    return walk(start(Service.ARREARS_CERTIFICATE), Answered(NOON), *events)


def refused(plan: AnswerPlan, event: Event) -> str:
    with pytest.raises(AnswerError) as caught:
        advance(plan, event)
    return caught.value.code


def test_a_settlement_statement_goes_out_without_a_hand_touching_it():
    plan = start(Service.SETTLEMENT_QUERY)
    steps = [plan.step]
    for event in (Answered(NOON), drafted(Document.SETTLEMENT_STATEMENT), Signed(NOON, A, B), Sent(NOON)):
        plan = advance(plan, event)
        steps.append(plan.step)
    assert steps == [Step.QUERY, Step.DRAFT, Step.SIGN, Step.SEND, Step.SENT]
    assert plan.approval is None


def test_a_certificate_waits_for_a_person_and_keeps_who_it_was():
    plan = certificate(drafted())
    assert plan.step is Step.APPROVE
    plan = advance(plan, approved())
    assert (plan.step, plan.approval) == (Step.SIGN, approved())
    plan = walk(plan, Signed(NOON, A, B), Sent(NOON))
    assert (plan.step, plan.signed_sha256) == (Step.SENT, B)


def test_a_tenant_may_want_every_answer_approved():
    plan = walk(
        start(Service.SETTLEMENT_QUERY, approve_all=True), Answered(NOON), drafted(Document.SETTLEMENT_STATEMENT)
    )
    assert plan.step is Step.APPROVE


@pytest.mark.parametrize("service", list(Service))
def test_every_service_starts_where_its_facts_come_from(service):
    asks = service in (Service.SETTLEMENT_QUERY, Service.ARREARS_CERTIFICATE)
    assert start(service).step is (Step.QUERY if asks else Step.DRAFT)


def test_what_is_signed_must_be_what_was_approved():
    plan = certificate(drafted(), approved())
    assert refused(plan, Signed(NOON, B, "c" * 64)) == "answers.digest_differs"


def test_what_is_approved_must_be_what_was_drafted_last():
    plan = certificate(drafted(), drafted(digest=B))
    assert refused(plan, approved(A)) == "answers.digest_differs"
    assert advance(plan, approved(B)).step is Step.SIGN


def test_a_certificate_needs_the_check_for_open_proceedings():
    assert refused(certificate(drafted()), approved(checked=False)) == "answers.proceedings_unchecked"
    assert advance(certificate(drafted(Document.REFUSAL)), approved(checked=False)).step is Step.SIGN


@pytest.mark.parametrize("actor", ["", "  "])
def test_an_approval_names_who_gave_it(actor):
    assert refused(certificate(drafted()), approved(actor=actor)) == "answers.actor_missing"


@pytest.mark.parametrize("document", [Document.CERTIFICATE_NONE, Document.CERTIFICATE_ARREARS, Document.REFUSAL])
def test_a_certificate_is_approved_and_signed_on_the_day_it_speaks_of(document):
    tomorrow = NOON + timedelta(days=1)
    plan = certificate(drafted(document))
    assert refused(plan, approved(at=tomorrow)) == "answers.day_passed"
    assert refused(advance(plan, approved()), Signed(tomorrow, A, B)) == "answers.day_passed"


def test_the_day_ends_at_midnight_in_poland():
    assert refused(certificate(drafted()), approved(at=datetime(2026, 11, 23, 23, 1, tzinfo=UTC))) == (
        "answers.day_passed"
    )
    assert advance(certificate(drafted()), approved(at=datetime(2026, 11, 23, 22, 59, tzinfo=UTC))).step is Step.SIGN


def test_a_certificate_on_an_older_answer_of_the_ledgers_is_refused():
    plan = walk(start(Service.ARREARS_CERTIFICATE), Answered(NOON - timedelta(days=1)), drafted())
    assert refused(plan, approved()) == "answers.day_passed"


def test_a_certificate_that_bears_another_day_is_refused():
    plan = certificate(Drafted(Document.CERTIFICATE_NONE, A, TODAY - timedelta(days=1)))
    assert refused(plan, approved()) == "answers.day_passed"


def test_a_call_for_the_fee_may_be_approved_days_later():
    plan = certificate(drafted(Document.FEE_CALL))
    assert advance(plan, approved(at=NOON + timedelta(days=3))).step is Step.SIGN


def test_a_returned_answer_asks_the_ledgers_again_and_forgets_the_approval():
    plan = advance(certificate(drafted(), approved()), Returned(CLERK, NOON, "minął dzień"))
    assert (plan.step, plan.approval, plan.digest, plan.as_of) == (Step.QUERY, None, None, None)
    assert plan.reason == "minął dzień"


def test_a_held_answer_goes_on_when_a_person_says_so():
    plan = certificate(Held("answers.payment_unposted"))
    assert (plan.step, plan.reason) == (Step.HELD, "answers.payment_unposted")
    assert advance(plan, Resumed(CLERK, NOON)).step is Step.QUERY


def test_what_a_person_has_looked_at_is_remembered_through_every_return():
    plan = certificate(Held("answers.payment_unposted"), Resumed(CLERK, NOON), Held("answers.signer_differs"))
    plan = walk(plan, Resumed(CLERK, NOON), Answered(NOON), drafted(), Returned(CLERK, NOON, "x"))
    assert plan.cleared == ("answers.payment_unposted", "answers.signer_differs")
    assert start(Service.ARREARS_CERTIFICATE).cleared == ()


def test_a_document_of_another_service_is_refused():
    plan = walk(start(Service.SETTLEMENT_QUERY), Answered(NOON))
    assert refused(plan, drafted(Document.CERTIFICATE_NONE)) == "answers.document_not_of_service"


def test_every_document_belongs_to_one_service_and_has_a_template():
    listed = [document for documents in DOCUMENTS.values() for document in documents]
    assert sorted(listed) == sorted(Document)
    assert set(Templates().names) == {document.value for document in Document}


def test_a_plan_survives_being_stored():
    for plan in (start(Service.DECISION_DELIVERY), certificate(drafted(), approved(), Signed(NOON, A, B))):
        assert AnswerPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


EVENTS: tuple[Event, ...] = (
    Answered(NOON), Held("answers.ledger_silent"), Sent(NOON), Resumed(CLERK, NOON),
    Returned(CLERK, NOON, "x"), Withdrawn(CLERK, NOON, "x"),
    *(drafted(document, digest) for document in Document for digest in (A, B)),
    *(approved(digest, checked=checked) for digest in (A, B) for checked in (True, False)),
    Signed(NOON, A, "1"), Signed(NOON, B, "2"), Signed(NOON + timedelta(days=1), A, "3"),
)  # fmt: skip


def reachable(service: Service, approve_all: bool) -> dict[AnswerPlan, list[tuple[Event, AnswerPlan]]]:
    """Every plan any sequence of the events can lead to, with what each event makes of it."""
    found: dict[AnswerPlan, list[tuple[Event, AnswerPlan]]] = {}
    todo = [start(service, approve_all=approve_all)]
    while todo:
        plan = todo.pop()
        if plan in found:
            continue
        found[plan] = []
        for event in EVENTS:
            try:
                after = advance(plan, event)
            except AnswerError:
                continue
            found[plan].append((event, after))
            todo.append(after)
    return found


@pytest.fixture(scope="module", params=list(product(Service, (False, True))), ids=str)
def graph(request: pytest.FixtureRequest) -> Any:
    return reachable(*request.param)


def test_nothing_is_sent_unsigned(graph):
    assert all(plan.signed_sha256 for plan in graph if plan.step in (Step.SEND, Step.SENT))


def test_nothing_that_needs_a_person_is_signed_without_one(graph):
    for plan in graph:
        if plan.step in (Step.SIGN, Step.SEND, Step.SENT) and (plan.approve_all or plan.document in NEEDS_APPROVAL):
            assert plan.approval is not None
            assert plan.approval.digest == plan.digest


def test_every_way_can_still_end(graph):
    """No plan is a dead end: from each, sent or withdrawn can be reached."""
    ends = {plan for plan in graph if plan.step in (Step.SENT, Step.WITHDRAWN)}
    grown = True
    while grown:
        more = {plan for plan, after in graph.items() if plan not in ends and any(next_ in ends for _, next_ in after)}
        ends |= more
        grown = bool(more)
    assert ends == set(graph)


def test_each_step_takes_its_own_events_and_no_other(graph):
    for plan in graph:
        for event in EVENTS:
            if not isinstance(event, ALLOWED[plan.step]):
                assert refused(plan, event) == "answers.step_not_allowed"


def test_what_is_sent_or_withdrawn_stays_so(graph):
    assert all(not after for plan, after in graph.items() if plan.step in (Step.SENT, Step.WITHDRAWN))

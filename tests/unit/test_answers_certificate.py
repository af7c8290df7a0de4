"""What becomes of an application for a certificate of no arrears."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from connectors.base import QueryAnswer
from gateway import resources
from gateway.answers.certificate import EXEMPTION, Fee, Outcome, Request, Wanted, decide
from gateway.answers.ledgers import merge, read, unanswered
from schemas.answers import Dues
from schemas.case import Case, FormRef
from schemas.case_matters import Application
from schemas.case_parts import Attachment, Statement
from schemas.case_parts import Fee as FormFee

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
PAID = Fee(due=Decimal("21.00"), paid=Decimal("21.00"), evidence=("1",))
LATE = {"kind": "waste_fee", "due_on": "2026-09-10", "amount": "96.00"}
COMING = {"kind": "waste_fee", "due_on": "2026-12-10", "amount": "96.00"}


def ledgers(*rows: dict[str, Any], silent: str = "", at: datetime = NOON, cached: bool = False) -> Dues:
    answers = [
        read("tax", QueryAnswer("dues", at, (), cached)),
        unanswered("waste") if silent == "waste" else read("waste", QueryAnswer("dues", at, rows)),
    ]
    return merge("0" * 32, answers, NOON)


def ruling(
    dues: Dues,
    *,
    wanted: Wanted = Wanted.NO_ARREARS,
    fee: Fee = PAID,
    required: tuple[str, ...] = ("tax", "waste"),
    cleared: tuple[str, ...] = (),
) -> Any:
    return decide(Request(wanted, fee), dues, required=required, today=TODAY, cleared=cleared)


def test_whoever_owes_nothing_late_gets_the_certificate():
    made = ruling(ledgers(COMING))
    assert (made.outcome, made.reasons) == (Outcome.CERTIFY_NONE, ("answers.no_arrears",))


def test_arrears_mean_a_refusal_of_a_certificate_of_no_arrears():
    made = ruling(ledgers(LATE, COMING))
    assert (made.outcome, made.reasons) == (Outcome.REFUSE, ("answers.arrears_found",))
    assert made.arrears.totals.outstanding == Decimal("96.00")


def test_arrears_are_stated_where_the_application_allows_it():
    made = ruling(ledgers(LATE), wanted=Wanted.STATE)
    assert (made.outcome, made.reasons) == (Outcome.CERTIFY_ARREARS, ("answers.arrears_stated",))


@pytest.mark.parametrize("rows", [(), (LATE,)])
def test_a_silent_ledger_leaves_it_to_a_clerk_whatever_the_others_say(rows):
    made = ruling(ledgers(*rows, silent="waste"))
    assert (made.outcome, made.reasons) == (Outcome.CLERK, ("answers.ledger_silent",))


def test_a_required_ledger_that_was_never_asked_leaves_it_to_a_clerk():
    assert ruling(ledgers(), required=("tax", "waste", "usufruct")).reasons == ("answers.ledger_silent",)


def test_a_ledger_nobody_requires_still_counts_when_it_is_silent():
    assert ruling(ledgers(silent="waste"), required=("tax",)).reasons == ("answers.ledger_silent",)


def test_yesterdays_answer_certifies_nothing():
    made = ruling(ledgers(at=NOON - timedelta(days=1)))
    assert (made.outcome, made.reasons) == (Outcome.CLERK, ("answers.dues_not_of_today",))


def test_a_cached_answer_certifies_nothing():
    stored = merge("0" * 32, [read("tax", QueryAnswer("dues", NOON, (), True))], NOON)
    assert ruling(stored, required=("tax",)).reasons == ("answers.dues_not_of_today",)


def test_a_payment_on_its_way_leaves_arrears_to_a_clerk():
    made = ruling(ledgers({**LATE, "unposted": "96.00"}))
    assert (made.outcome, made.reasons) == (Outcome.CLERK, ("answers.payment_unposted",))


def test_an_unposted_payment_of_what_is_not_late_disturbs_nobody():
    assert ruling(ledgers({**COMING, "unposted": "96.00"})).outcome is Outcome.CERTIFY_NONE


def test_a_reminders_costs_alone_are_for_a_clerk_and_no_arrears_once_looked_at():
    costs = {**LATE, "paid": "96.00", "costs": "16.00"}
    assert ruling(ledgers(costs)).reasons == ("answers.only_costs_left",)
    assert ruling(ledgers(costs), cleared=("answers.only_costs_left",)).outcome is Outcome.CERTIFY_NONE
    assert ruling(ledgers(costs, LATE)).outcome is Outcome.REFUSE
    assert ruling(ledgers({**costs, "interest": "9.00"})).outcome is Outcome.REFUSE


def test_a_clerk_may_set_a_payment_under_way_aside_but_neither_silence_nor_age():
    every = ("answers.payment_unposted", "answers.ledger_silent", "answers.dues_not_of_today")
    assert ruling(ledgers({**LATE, "unposted": "96.00"}), cleared=every).outcome is Outcome.REFUSE
    assert ruling(ledgers(silent="waste"), cleared=every).outcome is Outcome.CLERK
    assert ruling(ledgers(at=NOON - timedelta(days=1)), cleared=every).outcome is Outcome.CLERK


@pytest.mark.parametrize(
    ("fee", "outcome", "reason", "missing"),
    [
        (Fee(Decimal(21)), Outcome.CALL_FOR_FEE, "answers.fee_missing", 21),
        (Fee(Decimal(21), paid=Decimal(21)), Outcome.CALL_FOR_FEE, "answers.fee_missing", 21),
        (Fee(Decimal(42), paid=Decimal(21), evidence=("1",)), Outcome.CALL_FOR_FEE, "answers.fee_short", 21),
        (Fee(Decimal(42), paid=Decimal(42), evidence=("1",)), Outcome.CERTIFY_NONE, "answers.no_arrears", 0),
        (Fee(Decimal(21), evidence=("1",)), Outcome.CERTIFY_NONE, "answers.no_arrears", 0),
        (Fee(Decimal(21), exemption="pomoc społeczna"), Outcome.CERTIFY_NONE, "answers.no_arrears", 0),
    ],
    ids=["nothing", "claim without evidence", "one copy of two", "all", "evidence, amount unknown", "exempt"],
)
def test_the_stamp_duty_is_asked_for_first(fee, outcome, reason, missing):
    made = ruling(ledgers(), fee=fee)
    assert (made.outcome, made.reasons) == (outcome, (reason,))
    assert fee.missing == missing


def test_the_fee_is_called_for_even_where_a_ledger_is_silent():
    assert ruling(ledgers(silent="waste"), fee=Fee(Decimal(21))).outcome is Outcome.CALL_FOR_FEE


def application(**changed: Any) -> Case:
    return Case(id=uuid4(), kind="arrears_certificate_application", form=FormRef(namespace="urn:x"), **changed)


def test_an_application_without_details_asks_for_one_copy_and_either_certificate():
    request = Request.of(application())
    assert (request.copies, request.wanted, request.fee.due) == (1, Wanted.STATE, Decimal("21.00"))
    assert request.fee.standing == "missing"


def test_every_copy_costs_its_own_fee():
    request = Request.of(application(application=Application(copies=3, matter="no_arrears", purpose="kredyt")))
    assert (request.fee.due, request.wanted, request.purpose) == (Decimal("63.00"), Wanted.NO_ARREARS, "kredyt")


def test_a_fee_said_to_be_paid_needs_an_attachment_that_can_prove_it():
    said = FormFee(amount="21.00", paid=True)
    assert Request.of(application(fees=(said,))).fee.standing == "missing"
    proven = Request.of(application(fees=(said,), attachments=(Attachment(id="1"),)))
    assert (proven.fee.standing, proven.fee.evidence) == ("proven", ("1",))


def test_a_clerk_may_name_the_evidence():
    assert Request.of(application(), evidence=["2"]).fee.standing == "proven"


def test_a_claimed_exemption_is_taken_with_its_title():
    claim = Statement(code=EXEMPTION, text="pomoc społeczna")
    assert Request.of(application(statements=(claim,))).fee.exemption == "pomoc społeczna"
    refused = Statement(code=EXEMPTION, text="pomoc społeczna", given=False)
    assert Request.of(application(statements=(refused,))).fee.standing == "missing"


@pytest.mark.parametrize(
    ("words", "exempt"),
    [
        ("Wniosek nie podlega opłacie skarbowej – sprawa pomocy społecznej.", True),
        ("Jestem zwolniona z opłaty skarbowej na podstawie art. 2.", True),
        ("Sprawa wolna od opłaty skarbowej.", True),
        ("Dołączam dowód zapłaty opłaty skarbowej.", False),
        ("Zwolnienie lekarskie załączam.", False),
    ],
)
def test_an_exemption_may_be_claimed_in_words(words, exempt):
    request = Request.of(application(statements=(Statement(text=words),)))
    assert (request.fee.exemption == words) is exempt


def test_a_fee_the_form_says_is_unpaid_counts_for_nothing():
    owed = FormFee(amount="21.00", paid=False)
    request = Request.of(application(fees=(owed,), attachments=(Attachment(id="1"),)))
    assert (request.fee.standing, request.fee.missing) == ("missing", Decimal("21.00"))


def test_the_shipped_form_leads_to_a_request():
    sample = resources.folder("mappings") / "samples" / "zas-niezaleganie-v1.case.json"
    case = Case.model_validate_json(sample.read_text("utf-8"))
    request = Request.of(case)
    assert case.application is not None
    assert case.application.copies is not None
    assert (request.copies, request.purpose) == (case.application.copies, case.application.purpose)
    assert request.fee.due == 21 * case.application.copies
    assert request.wanted is Wanted.STATE

"""Ledgers' answers: read strictly, merged, and never silently short."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.base import QueryAnswer
from gateway.answers.ledgers import LedgerAnswer, arrears_of, merge, read, select, unanswered
from gateway.simulate.people import nrb, wrong_check_digit
from schemas.answers import DueItem, Dues, Totals

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
KEY = "0" * 32


def row(**changed: Any) -> dict[str, Any]:
    return {"kind": "property_tax", "year": 2026, "due_on": "2026-09-15", "amount": "100.00", **changed}


def answer(*rows: dict[str, Any], name: str = "tax", at: datetime = NOON) -> LedgerAnswer:
    return read(name, QueryAnswer("dues", at, rows))


def dues(*rows: dict[str, Any], at: datetime = NOON) -> Dues:
    return merge(KEY, [answer(*rows, at=at)], NOON)


def test_rows_become_exact_items_of_their_ledger():
    (item,) = answer(row(paid="0.30", interest="1.00", account=f"PL{nrb(1)}", instalment="3")).items
    assert (item.ledger, item.outstanding, item.to_pay) == ("tax", Decimal("99.70"), Decimal("100.70"))
    assert (item.account, item.due_on, item.instalment) == (nrb(1), date(2026, 9, 15), 3)


def test_empty_and_absent_values_count_as_not_given():
    (item,) = answer(row(account="", instalment=None, paid="")).items
    assert (item.account, item.instalment, item.paid) == (None, None, Decimal("0.00"))


@pytest.mark.parametrize(
    "broken",
    [
        {"amount": 100.1},  # a binary float has lost its grosze already
        {"amount": "100.001"},
        {"amount": "-1.00"},
        {"amount": "sto"},
        {"due_on": "2026-02-30"},
        {"account": wrong_check_digit(nrb(1))},
        {"account": nrb(1)[:-1]},
        {"instalment": 0},
        {"surprise": "1"},
        {"title": "tytuł\x00"},
    ],
)
def test_one_unreadable_row_spoils_the_whole_answer_of_its_ledger(broken):
    spoiled = answer(row(), row(**broken))
    assert spoiled.items == ()
    assert spoiled.source.code == "answers.ledger_row_unreadable"
    assert not merge(KEY, [spoiled], NOON).complete


def test_a_ledger_that_cannot_be_asked_stays_in_the_sources():
    merged = merge(KEY, [answer(row()), unanswered("waste")], NOON)
    assert [source.name for source in merged.missing] == ["waste"]
    assert merged.missing[0].code == "answers.ledger_not_reached"
    assert not merged.complete
    assert len(merged.items) == 1


def test_without_any_source_nothing_is_complete():
    assert not merge(KEY, [], NOON).complete


def test_the_moment_is_that_of_the_earliest_answer():
    early = NOON - timedelta(hours=2)
    merged = merge(KEY, [answer(row()), answer(name="waste", at=early), unanswered("dogs")], NOON)
    assert merged.as_of == early


def test_the_same_entry_from_two_connectors_counts_once():
    same = row(id="7", ledger="tax")
    merged = merge(KEY, [answer(same, name="a"), answer(same, name="b")], NOON)
    assert len(merged.items) == 1
    assert merged.complete


def test_an_entry_two_connectors_state_differently_makes_the_second_count_as_silent():
    first, second = row(id="7", ledger="tax"), row(id="7", ledger="tax", amount="120.00")
    merged = merge(KEY, [answer(first, name="a"), answer(second, row(), name="b")], NOON)
    assert [(source.name, source.code) for source in merged.sources] == [("a", None), ("b", "answers.ledgers_disagree")]
    assert [item.amount for item in merged.items] == [Decimal("100.00")]


def test_one_number_for_two_entries_of_a_ledger_spoils_its_answer():
    ambiguous = answer(row(id="7", instalment=1), row(id="7", instalment=2))
    assert (ambiguous.items, ambiguous.source.code) == ((), "answers.ledger_row_unreadable")
    assert len(dues(row(id="7"), row(id="7")).items) == 1  # a row the ledger lists twice is one entry


def test_the_same_number_in_different_ledgers_is_two_entries():
    merged = merge(KEY, [answer(row(id="7")), answer(row(id="7"), name="waste")], NOON)
    assert len(merged.items) == 2


def test_equal_entries_without_a_number_are_not_merged():
    assert len(dues(row(), row()).items) == 2


@given(st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=30))
def test_totals_are_exact_sums(grosze):
    items = tuple(
        DueItem(kind="x", due_on=date(2026, 1, 1), amount=Decimal(one).scaleb(-2), interest=Decimal(one % 7))
        for one in grosze
    )
    totals = Totals.of(items)
    assert totals.amount == Decimal(sum(grosze)).scaleb(-2)
    assert totals.to_pay == totals.amount + totals.interest


@given(
    st.lists(
        st.builds(
            row,
            due_on=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
            amount=st.sampled_from(["0.00", "10.00", "99.99"]),
            paid=st.sampled_from(["0.00", "10.00", "50.00"]),
            interest=st.sampled_from(["0.00", "9.00"]),
            costs=st.sampled_from(["0.00", "16.00"]),
        ),
        max_size=12,
    )
)
def test_whatever_is_open_is_late_or_to_come_and_nothing_is_lost_between(rows):
    whole = dues(*rows)
    late, coming = select(whole.items, late_on=date(2026, 11, 23))
    assert Totals.of(late).to_pay + Totals.of(coming).to_pay == whole.totals.to_pay
    assert arrears_of(whole).items == late


def test_dues_survive_json():
    merged = merge(KEY, [answer(row(account=nrb(1), paid="99.99")), unanswered("waste")], NOON)
    assert Dues.model_validate(merged.to_json()) == merged
    assert merged.to_json()["items"][0]["amount"] == "100.00"


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValidationError, match="zone"):
        Dues(party_key=KEY, as_of=datetime(2026, 1, 1))  # noqa: DTZ001 - the refusal is the point


@pytest.mark.parametrize(
    ("due_on", "late"),
    [("2026-11-20", True), ("2026-11-21", False), ("2026-11-23", False), ("2026-12-15", False)],
)
def test_arrears_begin_the_day_after_the_last_day_of_payment(due_on, late):
    """23 November 2026 is a Monday: what was due on the Saturday before is still in time."""
    assert bool(arrears_of(dues(row(due_on=due_on))).items) is late


def test_the_polish_day_counts_not_the_utc_one():
    just_tuesday = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)  # half past midnight in Poland
    assert arrears_of(dues(row(due_on="2026-11-23"), at=just_tuesday)).items


def test_a_deferred_due_is_not_in_arrears():
    assert not arrears_of(dues(row(deferred_to="2027-01-15"))).items


def test_a_paid_due_is_not_in_arrears_but_its_interest_is():
    assert not arrears_of(dues(row(paid="100.00"))).items
    left = arrears_of(dues(row(paid="100.00", interest="9.00")))
    assert left.totals.to_pay == Decimal("9.00")


def test_an_overpaid_due_lowers_no_other():
    merged = dues(row(paid="150.00"), row())
    assert merged.totals.overpaid == Decimal("50.00")
    assert merged.totals.to_pay == Decimal("100.00")

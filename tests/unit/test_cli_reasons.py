"""What a person reads of a delivery that stands still: why, in words, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from gateway.cli.reasons import advice, reason
from gateway.operations import DeliveryView
from schemas.delivery import Delivery, DeliveryState
from schemas.rules import FieldRule, violations

AT = datetime(2026, 2, 3, 9, 0, tzinfo=UTC)
ONE = UUID("3f0a9c21-0000-4000-8000-000000000000")
OTHER = UUID("7b1dee02-0000-4000-8000-000000000000")


def a_view(state: DeliveryState, parked: str | None = None, **changes: Any) -> DeliveryView:
    facts: dict[str, Any] = {
        "id": ONE, "submission_id": OTHER, "case_id": OTHER, "tenant": "9999011", "connector": "podatki", "form": "f",
        "kind": "k", "key": "k-1", "order_key": None, "sequence": 1, "state": state, "round": 1, "attempts": 1,
        "due_at": None, "last_code": None, "last_text": None, "reference": None, "created_at": AT, "updated_at": AT,
    }  # fmt: skip
    return DeliveryView(Delivery(**{**facts, **changes}), (), (), False, parked, {})


def test_a_reason_holds_the_offices_own_words_and_no_empty_place() -> None:
    said = reason("soap.fault_refused", "Brak podatnika w kartotece")

    assert said == "System urzędu odrzucił sprawę: Brak podatnika w kartotece"
    assert "[" not in reason("soap.fault_refused", None)
    assert reason(None, None) == ""


def test_words_a_sentence_has_no_place_for_stand_behind_it() -> None:
    assert reason("connector.escaped", "KeyError").endswith(" KeyError")


def test_every_broken_rule_is_told_in_words() -> None:
    broken = violations(
        {"nazwisko": "Żółć中", "kwota": "1234"},
        {
            "nazwisko": FieldRule(max_length=4, charset="cp1250"),
            "kwota": FieldRule(integer_digits=3),
            "gmina": FieldRule(required=True),
        },
    )

    said = reason("record.violations", "; ".join(map(str, broken)))

    assert "rule." not in said
    assert len(broken) == 4
    for word in ("„nazwisko”", "„kwota”", "„gmina” jest wymagane", "U+4E2D", "cp1250"):
        assert word in said


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (a_view(DeliveryState.REFUSED), "brama replay 3f0a9c21"),
        (a_view(DeliveryState.REFUSED), "brama submissions edit 7b1dee02"),
        (a_view(DeliveryState.GIVEN_UP), "brama replay 3f0a9c21"),
        (a_view(DeliveryState.UNSETTLED), "brama deliveries settle 3f0a9c21"),
        (a_view(DeliveryState.UNSETTLED, due_at=AT), "Brama zapyta urząd: 2026-02-03 10:00:00"),
        (a_view(DeliveryState.WAITING, due_at=AT), "Następna próba: 2026-02-03 10:00:00"),
        (a_view(DeliveryState.DUE, "order", waits_for=OTHER), "7b1dee02"),
        (a_view(DeliveryState.DUE, "pause"), "brama offices list"),
        (a_view(DeliveryState.DUE, "files"), "brama files list"),
        (a_view(DeliveryState.DUE, "fetch"), "sam ją pobierze"),
    ],
)
def test_it_says_what_comes_next(view: DeliveryView, says: str) -> None:
    assert says in advice(view)


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.SET_ASIDE, DeliveryState.TRYING])
def test_what_needs_nobody_asks_nobody(state: DeliveryState) -> None:
    assert advice(a_view(state)) == ""

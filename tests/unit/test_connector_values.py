"""The small language of options."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from connectors.values import ValuesMissing, as_text, checked, fill, missing_names

SCOPE = {
    "key": "k-1",
    "fields": {
        "surname": "Łękołodzka",
        "applicant.pesel": "x",
        "total": Decimal("1E+3"),
        "born": date(2001, 2, 3),
        "sent": "2026-03-31",
        "none": None,
    },
    "steps": {"register": {"number": "RPW/1/2026"}},
    "files": [{"name": "a.xml"}],
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{fields.surname}", "Łękołodzka"),
        ("{fields.total}", Decimal("1E+3")),
        ("razem {fields.total} zł", "razem 1000 zł"),
        ("{fields.born:%d.%m.%Y}", "03.02.2001"),
        ("{fields.sent:%Y}", "2026"),
        ("{fields.total:.2f}", "1000.00"),
        ("{steps.register.number}", "RPW/1/2026"),
        ("{files.0.name}", "a.xml"),
        ("{fields.applicant.pesel}", "x"),
        ("{{key}} is {key}", "{key} is k-1"),
        ("{fields.none?}", None),
        ("a{fields.none?}b", "ab"),
        (7, 7),
    ],
)
def test_a_template_is_filled(template: object, expected: object) -> None:
    assert fill(template, SCOPE) == expected


def test_tables_are_filled_and_missing_optional_entries_left_out() -> None:
    assert fill({"a": {"b": "{key}", "c": "{fields.none?}"}, "d": ["{key}", "{nothing?}"]}, SCOPE) == {
        "a": {"b": "k-1"},
        "d": ["k-1"],
    }


def test_every_missing_name_is_told_at_once() -> None:
    with pytest.raises(ValuesMissing) as refused:
        fill({"a": "{fields.none}", "b": "{fields.nowhere}", "c": "{key}"}, SCOPE)

    assert refused.value.names == ["fields.none", "fields.nowhere"]


def test_a_value_that_cannot_be_formatted_is_told_with_its_format() -> None:
    with pytest.raises(ValuesMissing) as refused:
        fill("{fields.surname:%d.%m.%Y}", SCOPE)

    assert refused.value.names == ["fields.surname (as %d.%m.%Y)"]


def test_a_place_that_begins_with_nothing_known_is_refused_when_saved() -> None:
    with pytest.raises(ValueError, match=r"unknown place \{feilds\.x\}, did you mean fields"):
        checked({"a": ["{key}", "{feilds.x}"]})


def test_names_that_come_later_are_not_missing_yet() -> None:
    template = {"a": "{steps.open.case}", "b": "{fields.nowhere}"}

    assert list(missing_names(template, SCOPE, later=frozenset({"steps"}))) == ["fields.nowhere"]


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (Decimal("0.50"), "0.50"), (date(2026, 1, 2), "2026-01-02"), (3, "3")]
)
def test_values_become_text_without_surprises(value: object, text: str) -> None:
    assert as_text(value) == text

"""The table of codes: each has a meaning, a text, and a test that shows it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from connectors import outcomes
from schemas.delivery import Refused, Unreachable, Unsettled
from schemas.rules import FieldRule, violations
from schemas.texts import text

ROOT = Path(__file__).parents[2]
TEXTS = tomllib.loads((ROOT / "schemas/texts/connector.toml").read_text("utf-8"))
TESTS = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
OURS = ("connector.", "rule.", "connector_about.")


@pytest.mark.parametrize("code", sorted(outcomes.MEANING))
def test_every_code_has_texts_and_a_test(code: str) -> None:
    assert TEXTS[code]["pl"]
    assert TEXTS[code]["en"]
    assert f'"{code}"' in TESTS


def test_every_text_belongs_to_a_code() -> None:
    assert [code for code in TEXTS if code not in outcomes.MEANING and not code.startswith(OURS)] == []


def test_a_code_becomes_the_outcome_it_stands_for() -> None:
    assert outcomes.outcome("http.later", "HTTP 503", 7.0) == Unreachable("http.later", "HTTP 503", 7.0)
    assert outcomes.outcome("answer.refused", "nie") == Refused("answer.refused", "nie")
    assert outcomes.stopped("http.timeout").outcome == Unsettled("http.timeout")


def test_a_text_for_people_is_filled() -> None:
    assert "folderze urzędu (pełny dysk)" in text("folder.unwritable", text="pełny dysk")


def test_what_an_office_said_is_bounded_and_shows_no_pesel() -> None:
    shown = outcomes.said("Podatnik 44051401359\n nie istnieje " + "x" * 1000)

    assert "44051401359" not in shown
    assert "nie istnieje" in shown
    assert len(shown) <= 300


def test_a_librarys_error_shows_no_values() -> None:
    error = ValueError("invalid literal for int() with base 10: 'Kowalska'\nDETAIL: Failing row contains (Kowalska).")

    assert outcomes.technical(error) == "ValueError: invalid literal for int() with base 10: …"


@pytest.mark.parametrize(
    ("value", "rule", "found"),
    [
        (None, FieldRule(required=True), "f: rule.required"),
        ("", FieldRule(required=True), "f: rule.required"),
        ("abcd", FieldRule(max_length=3), "f: rule.too_long (4/3)"),
        ("ș", FieldRule(charset="cp1250"), "f: rule.charset (U+0219/cp1250)"),
        ("12-34", FieldRule(pattern=r"\d{2}-\d{3}"), "f: rule.pattern"),
        ("dużo", FieldRule(decimal_places=2), "f: rule.number"),
        ("NaN", FieldRule(decimal_places=2), "f: rule.number"),
        ("1234.5", FieldRule(integer_digits=3), "f: rule.too_large (4/3)"),
        ("1.234", FieldRule(decimal_places=2), "f: rule.scale (3/2)"),
    ],
)
def test_each_rule_finds_what_breaks_it(value: object, rule: FieldRule, found: str) -> None:
    assert [str(item) for item in violations({"f": value}, {"f": rule})] == [found]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("zażółć", FieldRule(required=True, max_length=6, charset="cp1250", pattern=r"\w+")),
        (None, FieldRule(max_length=3)),
        ("-1234.50", FieldRule(integer_digits=4, decimal_places=1)),
        (b"\x00", FieldRule(max_length=0)),
    ],
)
def test_what_fits_is_left_alone(value: object, rule: FieldRule) -> None:
    assert violations({"f": value}, {"f": rule}) == []


def test_every_violation_is_told_at_once() -> None:
    rules = {"a": FieldRule(required=True), "b": FieldRule(max_length=1, charset="ascii")}

    assert len(violations({"b": "żż"}, rules)) == 3

"""Figures and days as Polish offices write them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.answers import polish


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0,00 zł"),
        ("0.05", "0,05 zł"),
        ("1234.56", "1 234,56 zł"),
        ("1234567.5", "1 234 567,50 zł"),
        ("-12.30", "−12,30 zł"),
    ],
)
def test_money_is_grouped_by_thousands_with_a_comma(amount, shown):
    assert polish.money(Decimal(amount)).replace(polish.NBSP, " ") == shown


def test_money_never_breaks_between_its_groups():
    assert " " not in polish.money(Decimal("1234567.89"))


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "zero złotych zero groszy"),
        ("1.01", "jeden złoty jeden grosz"),
        ("2.02", "dwa złote dwa grosze"),
        ("5.05", "pięć złotych pięć groszy"),
        ("12.12", "dwanaście złotych dwanaście groszy"),
        ("21.22", "dwadzieścia jeden złotych dwadzieścia dwa grosze"),
        ("112.00", "sto dwanaście złotych zero groszy"),
        ("1000.00", "tysiąc złotych zero groszy"),
        ("2222.00", "dwa tysiące dwieście dwadzieścia dwa złote zero groszy"),
        ("12000.14", "dwanaście tysięcy złotych czternaście groszy"),
        ("1000000.99", "milion złotych dziewięćdziesiąt dziewięć groszy"),
        ("3000001.00", "trzy miliony jeden złotych zero groszy"),
    ],
)
def test_an_amount_in_words_takes_the_right_forms(amount, words):
    assert polish.in_words(Decimal(amount)) == words


@pytest.mark.parametrize("amount", ["-0.01", "1000000000000"])
def test_an_amount_beyond_the_words_is_refused(amount):
    with pytest.raises(ValueError, match="10\\^12"):
        polish.in_words(Decimal(amount))


def test_a_moment_is_shown_by_polish_time():
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert polish.day(late).replace(polish.NBSP, " ") == "23 listopada 2026 r."
    assert polish.short_day(late) == "23.11.2026"
    assert polish.hour(late) == "00:30"


def test_an_account_is_shown_in_groups_of_four_after_the_check_digits():
    shown = polish.account("92124012340001567890123456").replace(polish.NBSP, " ")
    assert shown == "92 1240 1234 0001 5678 9012 3456"


def test_short_words_and_references_to_the_law_stay_with_what_follows():
    bound = polish.bound("na podstawie art. 306a § 1 i ust. 2 w 2026 r. kwota 5 zł")
    assert bound.replace(polish.NBSP, "_") == "na podstawie art._306a §_1 i_ust._2 w_2026_r. kwota 5_zł"

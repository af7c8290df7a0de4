"""Working days in Poland: checks of deadlines and terms of payment count by the same calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.calendar import is_holiday, working_day

FIXED = {(1, 1), (1, 6), (5, 1), (5, 3), (8, 15), (11, 1), (11, 11), (12, 25), (12, 26)}


def by_the_act(day: date) -> bool:
    """The act on days off work read by hand, with our own Easter: an independent oracle."""
    if (day.month, day.day) == (12, 24):
        return day.year >= 2025
    if day == date(2018, 11, 12):  # a century of independence, by an act of its own
        return True
    return (day.month, day.day) in FIXED or (day - easter(day.year)).days in (0, 1, 49, 60)


def easter(year: int) -> date:
    """Easter Sunday, Gregorian calendar, by the anonymous algorithm (Meeus, Jones, Butcher)."""
    golden, century, within = year % 19, year // 100, year % 100
    skipped = (8 * century + 13) // 25
    epact = (19 * golden + century - century // 4 - skipped + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (within // 4) - epact - within % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


@pytest.mark.parametrize("year", range(2012, 2041))
def test_holidays_are_those_of_the_act(year):
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(366)]
    assert [day for day in days if is_holiday(day)] == [day for day in days if by_the_act(day)]


@pytest.mark.parametrize(
    ("year", "expected"),
    [(1954, "04-18"), (1981, "04-19"), (2024, "03-31"), (2026, "04-05"), (2027, "03-28"), (2038, "04-25")],
)
def test_the_oracle_knows_easter(year, expected):
    assert easter(year) == date.fromisoformat(f"{year}-{expected}")


@pytest.mark.parametrize(
    ("term", "last"),
    [
        ("2019-08-31", "2019-09-02"),  # Saturday
        ("2026-02-28", "2026-03-02"),  # Saturday
        ("2026-03-15", "2026-03-16"),  # Sunday
        ("2026-01-06", "2026-01-07"),  # Three Kings, a Tuesday
        ("2026-05-01", "2026-05-04"),  # holiday, Saturday, Sunday (a holiday itself)
        ("2026-06-04", "2026-06-05"),  # Corpus Christi
        ("2025-12-24", "2025-12-29"),  # Christmas Eve is off since 2025; Christmas, then a weekend
        ("2026-12-24", "2026-12-28"),  # two holidays, Sunday
        ("2024-12-24", "2024-12-24"),  # a working day then
        ("2026-01-15", "2026-01-15"),
        ("2026-11-16", "2026-11-16"),
    ],
)
def test_a_term_on_a_day_off_moves_to_the_next_working_day(term, last):
    assert working_day(date.fromisoformat(term)) == date.fromisoformat(last)


def test_easter_monday_is_a_holiday_and_good_friday_is_not():
    assert is_holiday(date(2026, 4, 6))
    assert not is_holiday(date(2026, 4, 3))

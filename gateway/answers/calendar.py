"""When a term ends: a day that is a Saturday or a public holiday gives way to the next working day.

Source: art. 12 § 5 Ordynacji podatkowej; the act on days off work of 18 January 1951, with Christmas Eve since 2025.
"""

from __future__ import annotations

from datetime import date, timedelta

_FIXED = {(1, 1), (1, 6), (5, 1), (5, 3), (8, 15), (11, 1), (11, 11), (12, 25), (12, 26)}
_CHRISTMAS_EVE_OFF_SINCE = 2025


def last_day(term: date) -> date:
    """The last day on which a payment due on `term` is still in time."""
    while term.weekday() >= 5 or is_holiday(term):
        term += timedelta(days=1)
    return term


def is_holiday(day: date) -> bool:
    """A public holiday in Poland, Sundays apart."""
    if (day.month, day.day) in _FIXED:
        return True
    if (day.month, day.day) == (12, 24):
        return day.year >= _CHRISTMAS_EVE_OFF_SINCE
    return (day - easter(day.year)).days in (0, 1, 49, 60)  # Easter, its Monday, Whit Sunday, Corpus Christi


def easter(year: int) -> date:
    """Easter Sunday, Gregorian calendar, by the anonymous algorithm (Meeus, Jones, Butcher)."""
    golden, century, within = year % 19, year // 100, year % 100
    skipped = (8 * century + 13) // 25
    epact = (19 * golden + century - century // 4 - skipped + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (within // 4) - epact - within % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)

"""Working days in Poland: a term whose last day is a Saturday, Sunday or public holiday ends on the next working day.

Source: art. 12 § 5 Ordynacji podatkowej; the act on days off work of 18 January 1951, with Christmas Eve since 2025,
as the `holidays` package keeps it.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache


def working_day(day: date) -> date:
    """This day, or the next one that is neither Saturday, Sunday nor a public holiday: the last day of a term."""
    while day.weekday() >= 5 or is_holiday(day):
        day += timedelta(days=1)
    return day


def is_holiday(day: date) -> bool:
    """A public holiday in Poland; ordinary Sundays are none."""
    return day in _holidays(day.year)


@cache
def _holidays(year: int) -> frozenset[date]:
    import holidays  # here, because it is slow to load and few documents need it

    return frozenset(holidays.country_holidays("PL", years=year))

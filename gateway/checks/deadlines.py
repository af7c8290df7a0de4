"""When forms are due: annual returns, windows of the excise refund. A last day off gives way to a working day."""

from __future__ import annotations

from datetime import date, timedelta

from gateway.calendar import working_day
from schemas.case import Case

_FILED_BY = {  # kind of an annual return → month, day
    "property_return": (1, 31),
    "agri_return": (1, 15),
    "forest_return": (1, 15),
    "vehicle_return": (2, 15),
    "alcohol_sales_statement": (1, 31),
}


def deadline(case: Case) -> date | None:
    """The last day for an annual return, None where the case is no annual one (a correction, or a month is given)."""
    due = _FILED_BY.get(case.kind)
    annual = case.purpose in (None, "new") and case.period.from_month is None and case.reason in (None, "annual")
    if due is None or case.period.year is None or not annual:
        return None
    year = case.period.year + (1 if case.kind == "alcohol_sales_statement" else 0)  # of last year's sales
    return working_day(date(year, *due))


def excise_windows(year: int) -> tuple[tuple[date, date], tuple[date, date]]:
    """February and August, the first and the last day moved to working days."""
    last = date(year, 3, 1) - timedelta(days=1)
    return (
        (working_day(date(year, 2, 1)), working_day(last)),
        (working_day(date(year, 8, 1)), working_day(date(year, 8, 31))),
    )


def invoice_period(day: date) -> tuple[date, date]:
    """Which invoices an excise application of this day may list: August to January, or February to July."""
    if day.month >= 7:
        return date(day.year, 2, 1), date(day.year, 7, 31)
    return date(day.year - 1, 8, 1), date(day.year, 1, 31)

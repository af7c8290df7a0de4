"""Checks that need the law's numbers or the calendar: rates, deadlines, excise, waste, shares, accounts, vehicles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from stdnum import iban
from stdnum.pl import pesel

from gateway.checks.deadlines import deadline, excise_windows, invoice_period
from gateway.checks.money import GROSZ, to_grosz
from gateway.checks.rates import conversion_factors, excise_rules, highest_rate, highest_vehicle_tax
from gateway.checks.say import finding
from schemas.case import Case
from schemas.finding import Finding, Severity
from schemas.ids import is_land_register, is_pesel

_COMPLETED = "completed_on"


def rate_caps(case: Case) -> Iterator[Finding]:
    """No rate above the statutory maximum of the year."""
    if case.declared is None or case.period.year is None:
        return
    for index, row in enumerate(case.declared.rows):
        bound = highest_rate(case.kind, row.code, case.period.year)
        if bound is not None and row.rate is not None and row.rate > bound.value:
            path = case.sources.get(f"declared.rows[{index}].rate")
            yield finding("check.rate_cap", bound.severity, path, row=row.code, year=case.period.year)


def vehicle_caps(case: Case) -> Iterator[Finding]:
    """DT-1: no box above the statutory maximum for as many vehicles as it counts."""
    if case.kind != "vehicle_return" or case.declared is None or case.period.year is None:
        return
    for index, row in enumerate(case.declared.rows):
        bound = highest_vehicle_tax(row.code, case.period.year)
        count = sum(number for number in (row.count, row.count_co_first, row.count_co_other) if number is not None)
        if bound is not None and row.amount is not None and count > 0 and row.amount > count * bound.value:
            path = case.sources.get(f"declared.rows[{index}].amount")
            yield finding("check.vehicle_cap", bound.severity, path, row=row.code, year=case.period.year)


def conversions(case: Case) -> Iterator[Finding]:
    """Conversion hectares follow from area, use and soil class in one of the four tax districts.

    Which district a gmina is in nobody told us; a use or class that the law's table does not have is not judged.
    """
    for index, item in enumerate(case.objects):
        if item.conversion_ha is None or item.area_ha is None or item.area_ha < 0 or item.use_code is None:
            continue
        kind = item.stocking if item.use_code == "under_ponds" else item.soil_class
        factors = conversion_factors(item.use_code, kind or "")
        digits = max(int(item.conversion_ha.as_tuple().exponent), -4)  # as many as were written, four at most
        last = Decimal(1).scaleb(min(digits, 0))
        if factors and not any(abs(item.area_ha * factor - item.conversion_ha) <= last for factor in factors):
            path = case.sources.get(f"objects[{index}].conversion_ha")
            yield finding("check.conversion", Severity.WARNING, path, object=index + 1)


def shares(case: Case) -> Iterator[Finding]:
    """Shares of co-owners are fractions and do not exceed the whole."""
    total = Fraction(0)
    for index, owner in enumerate(case.co_owners):
        if owner.share is None:
            continue
        try:
            total += Fraction(owner.share)
        except (ValueError, ZeroDivisionError):
            yield finding("check.share", Severity.WARNING, case.sources.get(f"co_owners[{index}].share"))
    if total > 1:
        yield finding("check.share_sum", Severity.WARNING, case.sources.get("co_owners[0].share"))


def account(case: Case) -> Iterator[Finding]:
    """Check digits of the account to pay to (NRB)."""
    number = case.payout_account
    if number is not None and not iban.is_valid(number if number.startswith("PL") else f"PL{number}"):
        yield finding("check.nrb", Severity.ERROR, case.sources.get("payout_account"))


def land_registers(case: Case) -> Iterator[Finding]:
    """Check digits of land and mortgage register numbers; what has another shape is an old number or free text."""
    seen = set()
    for index, item in enumerate(case.objects):
        number = item.kw.number if item.kw else None
        if number is not None and number not in seen and is_land_register(number) is False:
            yield finding("check.land_register", Severity.WARNING, case.sources.get(f"objects[{index}].kw.number"))
        seen.add(number)


def birth_date(case: Case) -> Iterator[Finding]:
    """A PESEL says when its holder was born."""
    who = case.taxpayer
    if who is None or who.birth_date is None or who.pesel is None or not is_pesel(who.pesel):
        return
    if pesel.get_birth_date(who.pesel) != who.birth_date:
        yield finding("check.birth_date", Severity.WARNING, case.sources.get("taxpayer.birth_date"))


def dates(case: Case) -> Iterator[Finding]:
    """A period ends no sooner than it begins."""
    start, end = case.period.from_date, case.period.to_date
    if case.application is not None:
        start, end = start or case.application.from_date, end or case.application.to_date
    if start is not None and end is not None and end < start:
        path = case.sources.get("period.to_date") or case.sources.get("application.to_date")
        yield finding("check.period", Severity.WARNING, path)


def excise(case: Case) -> Iterator[Finding]:
    """Litres and number of invoices agree with the list."""
    claim = case.excise
    if claim is None or not claim.invoices:
        return
    litres = sum((item.litres for item in claim.invoices if item.litres is not None), Decimal(0))
    if claim.litres is not None and claim.litres != litres:
        yield finding("check.excise_litres", Severity.WARNING, case.sources.get("excise.litres"))
    if claim.invoice_count is not None and claim.invoice_count != len(claim.invoices):
        yield finding("check.excise_invoices", Severity.WARNING, case.sources.get("excise.invoice_count"))


def waste(case: Case) -> Iterator[Finding]:
    """The monthly amount follows from persons or containers, less the relief."""
    fee = case.waste
    if fee is None or fee.monthly_amount is None:
        return
    due: Decimal | None = None
    if fee.containers:
        due = sum((pot.amount for pot in fee.containers if pot.amount is not None), Decimal(0))
    elif fee.method == "persons" and fee.persons is not None and fee.rate is not None:
        due = max(fee.persons * fee.rate - (fee.relief or Decimal(0)), Decimal(0))
    if due is not None and abs(to_grosz(due) - fee.monthly_amount) > GROSZ:
        yield finding("check.waste_amount", Severity.WARNING, case.sources.get("waste.monthly_amount"))


def vehicles(case: Case) -> Iterator[Finding]:
    """DT-1: the vehicles of the annex are as many, and owe as much, as the boxes say; months 1 to 12."""
    owned = [(index, item.vehicle) for index, item in enumerate(case.objects) if item.vehicle is not None]
    if case.kind != "vehicle_return" or case.declared is None or not owned:
        return
    counts = [n for row in case.declared.rows for n in (row.count, row.count_co_first, row.count_co_other)]
    if sum(n for n in counts if n is not None) != len(owned):
        yield finding("check.vehicle_count", Severity.WARNING, case.sources.get("declared.rows[0].count"))
    amounts = [vehicle.amount for _, vehicle in owned if vehicle.amount is not None]
    if case.declared.total is not None and sum(amounts, Decimal(0)) != case.declared.total:
        yield finding("check.vehicle_sum", Severity.WARNING, case.sources.get("declared.total"))
    for index, vehicle in owned:
        if vehicle.months is not None and not 1 <= vehicle.months <= 12:
            path = case.sources.get(f"objects[{index}].vehicle.months")
            yield finding("check.months", Severity.WARNING, path)


def on_day(case: Case, day: date) -> Iterator[Finding]:
    """Checks that need the day of receipt: the deadline of a return, the window and the limit of an excise refund."""
    last = deadline(case)
    if last is not None and day > last:
        yield finding("check.filed_late", Severity.INFO, case.sources.get("period.year"), deadline=last.isoformat())
    if case.excise is not None:
        yield from _excise_on(case, day)
    completed = case.document.get(_COMPLETED)
    if completed is not None and date.fromisoformat(completed) > day:
        yield finding("check.future_date", Severity.WARNING, case.sources.get(f"document.{_COMPLETED}"))


def _excise_on(case: Case, day: date) -> Iterator[Finding]:
    (first, last), (start, end) = excise_windows(day.year)
    if not (first <= day <= last or start <= day <= end):
        yield finding("check.excise_window", Severity.WARNING, None)
    opens, closes = invoice_period(day)
    for index, item in enumerate(case.excise.invoices if case.excise else ()):
        if item.issued_on is not None and not opens <= item.issued_on <= closes:
            path = case.sources.get(f"excise.invoices[{index}].issued_on")
            yield finding("check.invoice_date", Severity.WARNING, path)
    rules, claim = excise_rules(day.year), case.excise
    if rules is None or claim is None or claim.requested_amount is None:
        return
    rate = rules.rate_august if day >= start else rules.rate_february
    litres = (
        rules.litres_per_ha * (claim.agricultural_area_ha or 0)
        + rules.litres_per_livestock_unit * (claim.livestock_units or 0)
        + rules.litres_per_pig * (claim.pig_count or 0)
    )
    most = to_grosz(min(litres, claim.litres if claim.litres is not None else litres) * rate)
    if claim.requested_amount > most:
        weight = Severity.INFO if rules.how == "unconfirmed" else Severity.WARNING
        path = case.sources.get("excise.requested_amount")
        yield finding("check.excise_limit", weight, path, year=day.year)

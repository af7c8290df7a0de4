"""Checks on a case: each looks at the taxpayer's own figures and says where they do not agree. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from gateway.checks import taxes
from gateway.checks.money import GROSZ, row_amount, total_of
from gateway.checks.parties import party_checks
from gateway.checks.say import finding
from schemas.case import Case
from schemas.case_parts import DeclaredRow, TaxObject
from schemas.finding import Finding, Severity

CaseCheck = Callable[[Case], Iterator[Finding]]

_RETURNS = frozenset({"property_return", "agri_return", "forest_return", "vehicle_return"})
_STATEMENTS = frozenset({"property_statement", "agri_statement", "forest_statement"})


def case_checks(case: Case, *, on: date | None = None) -> tuple[Finding, ...]:
    """All checks, in the order a clerk would ask. `on`: day of receipt in Poland; without it no check of dates runs."""
    found = [item for check in CHECKS for item in check(case)]
    if on is not None:
        found += [*_year(case, on), *taxes.on_day(case, on)]
    return tuple(found)


def unread_findings(unread: dict[str, str]) -> tuple[Finding, ...]:
    """One warning for each value that stands in the document but cannot be read as what it should be.

    Contents of attachments (`*`) are left out: `document_checks` names them with their own code.
    """
    return tuple(
        finding("check.unreadable", Severity.WARNING, path, target=target)
        for target, path in unread.items()
        if not target.endswith("*")
    )


def _negative(case: Case) -> Iterator[Finding]:
    for prefix, parts, names in _figures(case):
        for index, part in enumerate(parts):
            for name in names:
                value: Decimal | None = getattr(part, name)
                if value is not None and value < 0:
                    path = case.sources.get(f"{prefix}[{index}].{name}")
                    yield finding("check.negative", Severity.ERROR, path)
    if case.declared is not None and case.declared.total is not None and case.declared.total < 0:
        yield finding("check.negative", Severity.ERROR, case.sources.get("declared.total"))


def _rows(case: Case) -> Iterator[Finding]:
    for index, row in enumerate(case.declared.rows if case.declared else ()):
        if row.base is None or row.rate is None or row.amount is None or case.kind == "vehicle_return":
            continue
        if not any(abs(row.amount - amount) <= GROSZ for amount in _possible(case, row)):
            path = case.sources.get(f"declared.rows[{index}].amount")
            yield finding("check.row_amount", Severity.WARNING, path, row=row.code)


def _possible(case: Case, row: DeclaredRow) -> list[Decimal]:
    """The amount for the whole year, and for the months the obligation lasts, where the form says from when."""
    assert row.base is not None
    assert row.rate is not None
    months = {12, row.months or 12, 13 - (case.period.from_month or 1)}
    return [row_amount(row.base, row.rate, count, percent=row.unit == "pln_percent") for count in months]


def _total(case: Case) -> Iterator[Finding]:
    declared = case.declared
    if case.kind not in _RETURNS or declared is None:
        return
    if declared.total is None:
        yield finding("check.total_missing", Severity.ERROR)
        return
    if declared.rows and declared.total not in _expected_totals(case):
        yield finding("check.total", Severity.ERROR, case.sources.get("declared.total"))


def _expected_totals(case: Case) -> set[Decimal]:
    """Rounded to full złoty; DT-1 states its sum to the grosz, and only its instalments are round."""
    assert case.declared is not None
    amounts = [row.amount for row in case.declared.rows if row.amount is not None]
    amounts += [-relief.amount for relief in case.reliefs if relief.amount is not None]
    return {total_of(amounts), sum(amounts, Decimal(0))} if case.kind == "vehicle_return" else {total_of(amounts)}


def _instalments(case: Case) -> Iterator[Finding]:
    declared = case.declared
    if declared is None or declared.total is None or not declared.instalments:
        return
    amounts = [item.amount for item in declared.instalments if item.amount is not None]
    if amounts and sum(amounts, Decimal(0)) != total_of([declared.total]):
        yield finding("check.instalments", Severity.WARNING, case.sources.get("declared.instalments[0].amount"))


def _annexes(case: Case) -> Iterator[Finding]:
    annexes = case.declared.annexes if case.declared else {}
    for name, told in annexes.items():
        present = annexes.get(f"{name}_present")
        if present is not None and present != told:
            path = case.sources.get(f"declared.annexes.{name}")
            yield finding("check.annexes", Severity.WARNING, path, annex=name, told=told, present=present)


def _no_amounts_in_statements(case: Case) -> Iterator[Finding]:
    declared = case.declared
    if case.kind in _STATEMENTS and declared and (declared.total is not None or declared.rows):
        yield finding("check.statement_with_amounts", Severity.ERROR, case.sources.get("declared.total"))


def _objects_match_rows(case: Case) -> Iterator[Finding]:
    """Areas of the annexes against the main form, kind by kind (DN-1: ZDN-1 and the taxable rows; DL-1 likewise).

    DR-1 does not say which land belongs to a farm: it is compared only where all of it does, or none.
    """
    if case.declared is None or not case.objects:
        return
    if case.kind == "agri_return":
        yield from _land_matches_row(case)
    if case.kind not in ("property_return", "forest_return"):
        return
    sums: dict[str, Decimal] = {}
    for item in case.objects:
        size = _size(item)
        if size is not None and size < 0:
            return  # told already
        if size is not None:
            code = _row_code(item.type, item.use_code)
            sums[code] = sums.get(code, Decimal(0)) + size
    for index, row in enumerate(case.declared.rows):
        if row.base is not None and sums.get(row.code, row.base) != row.base:
            path = case.sources.get(f"declared.rows[{index}].base")
            yield finding("check.objects_sum", Severity.WARNING, path, row=row.code)


def _land_matches_row(case: Case) -> Iterator[Finding]:
    rows = case.declared.rows if case.declared else ()
    if len(rows) != 1 or rows[0].base is None:
        return
    sizes = [item.conversion_ha if rows[0].code == "farm" else item.area_ha for item in case.objects]
    known = [size for size in sizes if size is not None and size >= 0]
    if len(known) == len(sizes) and sum(known, Decimal(0)) != rows[0].base:
        path = case.sources.get("declared.rows[0].base")
        yield finding("check.objects_sum", Severity.WARNING, path, row=rows[0].code)


def _row_code(kind: str, use_code: str | None) -> str:
    return "structure" if kind == "structure" else f"{use_code}"


def _size(item: TaxObject) -> Decimal | None:
    sizes = (item.area_m2, item.area_ha, item.usable_area_m2, item.value_pln)
    return next((size for size in sizes if size is not None), None)


def _year(case: Case, on: date) -> Iterator[Finding]:
    year = case.period.year
    if year is not None and not on.year - 6 <= year <= on.year + 1:
        yield finding("check.year", Severity.WARNING, case.sources.get("period.year"), year=year)


def _figures(case: Case) -> Iterator[tuple[str, Sequence[object], tuple[str, ...]]]:
    """Every list of things with amounts, areas and values, and the names of these."""
    if case.declared is not None:
        yield "declared.rows", case.declared.rows, ("base", "rate", "amount")
        yield "declared.instalments", case.declared.instalments, ("amount",)
    yield "objects", case.objects, ("area_m2", "area_ha", "conversion_ha", "usable_area_m2", "value_pln")


CHECKS: tuple[CaseCheck, ...] = (
    _negative,
    _rows,
    _total,
    _instalments,
    _annexes,
    _no_amounts_in_statements,
    _objects_match_rows,
    taxes.rate_caps,
    taxes.vehicle_caps,
    taxes.conversions,
    taxes.shares,
    taxes.account,
    taxes.land_registers,
    taxes.birth_date,
    taxes.dates,
    taxes.excise,
    taxes.waste,
    taxes.vehicles,
    party_checks,
)

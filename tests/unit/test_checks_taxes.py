"""Checks that need the law's numbers or the calendar; each breaks one thing of a sample that is otherwise fine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import forms_admin, mapper
from gateway.checks import case_checks, money
from gateway.checks.deadlines import deadline, excise_windows
from gateway.checks.rates import excise_rules, highest_rate, highest_vehicle_tax
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from schemas import fictitious
from schemas.case import Case
from schemas.case_parts import Declared
from schemas.finding import Severity

FORMS = Forms.load()
MAPPINGS = Mappings.load()


@cache
def case_of(code: str, seed: int = 1) -> Case:
    document = forms_admin.sample(FORMS, MAPPINGS, code, seed=seed)
    return mapper.apply(document, MAPPINGS, MessageFacts())


def changed(case: Case, change: Callable[[dict], None]) -> Case:
    raw = case.to_json()
    change(raw)
    return Case.model_validate(raw)


def put(path: str, value: object) -> Callable[[dict], None]:
    def change(raw: dict) -> None:
        *above, last = path.split(".")
        here = raw
        for name in above:
            here = here[int(name)] if name.isdecimal() else here[name]
        here[last] = value

    return change


@pytest.mark.parametrize(
    ("code", "change", "expected"),
    [
        ("DN-1", put("declared.rows.0.rate", "99.00"), "check.rate_cap"),
        ("DR-1", put("declared.rows.0.rate", "166.06"), "check.rate_cap"),
        ("DL-1", put("declared.rows.1.rate", "30.96"), "check.rate_cap"),
        ("DR-1", put("objects.0.conversion_ha", "0.0001"), "check.conversion"),
        ("DL-1", put("objects.0.area_ha", "0.0001"), "check.objects_sum"),
        ("IN-1", put("co_owners.0.share", "9/8"), "check.share_sum"),
        ("IN-1", put("co_owners.0.share", "pół"), "check.share"),
        ("IN-1", put("co_owners.0.share", "1/0"), "check.share"),
        ("NADPLATA", put("payout_account", fictitious.wrong_check_digit(fictitious.nrb(1))), "check.nrb"),
        ("IN-1", put("objects.0.kw", {"number": "KA1S/00012345/7"}), "check.land_register"),
        ("PAS-DROGOWY", put("period.to_date", "2020-01-01"), "check.period"),
        ("ZAS-INNE", put("application.to_date", "2020-01-01"), "check.period"),
        ("IN-1", lambda raw: raw["taxpayer"].update(pesel="44051401359", birth_date="1944-05-15"), "check.birth_date"),
        ("AKCYZA", put("excise.litres", "1.00"), "check.excise_litres"),
        ("AKCYZA", put("excise.invoice_count", 17), "check.excise_invoices"),
        ("DO-1-N", put("waste.monthly_amount", "0.10"), "check.waste_amount"),
        ("DT-1", put("declared.rows.3.count", 2), "check.vehicle_count"),
        ("DT-1", put("objects.0.vehicle.amount", "0.01"), "check.vehicle_sum"),
        ("DT-1", put("objects.0.vehicle.months", 13), "check.months"),
        ("IN-1", put("declared.total", "5"), "check.statement_with_amounts"),
        ("DL-1", lambda raw: raw["declared"].pop("total"), "check.total_missing"),
        ("DL-1", put("objects.0.area_ha", "-1"), "check.negative"),
    ],
)
def test_one_broken_thing_is_found_by_its_code(code, change, expected):
    case = case_of(code)
    assert case_checks(case) == ()
    codes = {finding.code for finding in case_checks(changed(case, change))}
    assert expected in codes
    assert codes <= {expected, "check.row_amount", "check.total"}  # a changed rate also breaks its product


def test_a_fee_by_persons_is_persons_times_rate_less_relief():
    case = case_of("DO-1")
    right = changed(case, lambda raw: raw.update(waste={"method": "persons", "persons": 3, "rate": "25.00",
                                                        "relief": "5.00", "monthly_amount": "70.00"}))  # fmt: skip
    wrong = changed(right, put("waste.monthly_amount", "75.00"))
    assert case_checks(right) == ()
    assert [finding.code for finding in case_checks(wrong)] == ["check.waste_amount"]


def test_a_finding_on_an_unconfirmed_number_is_only_information():
    case = changed(case_of("DN-1"), put("period.year", 2024))
    high = changed(case, put("declared.rows.0.rate", "90.00"))
    found = {finding.severity for finding in case_checks(high) if finding.code == "check.rate_cap"}
    assert found == {Severity.INFO}
    published = changed(high, put("period.year", 2023))
    assert Severity.WARNING in {finding.severity for finding in case_checks(published)}


def test_years_and_rows_without_a_known_number_are_not_judged():
    assert highest_rate("property_return", "land_business", 1999) is None
    assert highest_rate("forest_return", "forest", 2025) is None
    assert highest_rate("general_letter", "land_business", 2026) is None
    assert excise_rules(1999) is None


@pytest.mark.parametrize(
    ("category", "year", "most"),
    [("D1", 2024, "1173.19"), ("D7", 2024, "3506.02"), ("D8", 2025, "4602.58"), ("D3", 2026, "2520.48")],
)
def test_a_vehicle_costs_at_most_what_the_law_allows_and_each_of_them_counts(category, year, most):
    case = changed(case_of("DT-1"), put("period.year", year))
    row = {"code": category, "unit": "vehicle", "count": 1, "count_co_first": 1}

    def codes(amount: Decimal) -> list[str]:
        told = changed(case, put("declared.rows", [{**row, "amount": str(amount)}]))
        return [item.code for item in case_checks(told) if item.code == "check.vehicle_cap"]

    assert codes(2 * Decimal(most)) == []
    assert codes(2 * Decimal(most) + Decimal("0.01")) == ["check.vehicle_cap"]


def test_the_law_indexes_the_highest_vehicle_tax_by_prices_rounded_up_to_the_grosz():
    index = {2023: "1.118", 2024: "1.15", 2025: "1.027", 2026: "1.045"}
    for year, factor in index.items():
        for number in range(1, 16):
            before, after = (highest_vehicle_tax(f"D{number}", at) for at in (year - 1, year))
            if before is not None and after is not None:
                assert after.value == (before.value * Decimal(factor)).quantize(money.GROSZ, ROUND_CEILING)


@pytest.mark.parametrize(
    ("land", "right"),
    [
        ({"use_code": "arable", "soil_class": "IVa", "area_ha": "0.6800", "conversion_ha": "0.7480"}, True),
        ({"use_code": "arable", "soil_class": "IVa", "area_ha": "0.6800", "conversion_ha": "0.5440"}, True),  # IV
        ({"use_code": "arable", "soil_class": "IVa", "area_ha": "0.6837", "conversion_ha": "0.75"}, True),  # rounded
        ({"use_code": "arable", "soil_class": "IVa", "area_ha": "0.6800", "conversion_ha": "0.7482"}, False),
        ({"use_code": "orchard", "soil_class": "III", "area_ha": "2", "conversion_ha": "3.30"}, True),
        ({"use_code": "arable", "soil_class": "III", "area_ha": "2", "conversion_ha": "9"}, True),  # no such class
        ({"use_code": "under_ponds", "stocking": "other", "area_ha": "5", "conversion_ha": "1"}, True),
        ({"use_code": "under_ponds", "stocking": "salmonids", "area_ha": "5", "conversion_ha": "1"}, False),
        ({"use_code": "wooded", "soil_class": "IV", "area_ha": "5", "conversion_ha": "1"}, True),  # not in the table
    ],
)
def test_conversion_hectares_are_those_of_one_of_the_four_districts(land, right):
    case = changed(case_of("DR-1"), put("objects", [{"type": "land", **land}]))
    assert [item.code for item in case_checks(case)] == ([] if right else ["check.conversion"])


def test_land_of_an_annex_makes_up_the_row_it_belongs_to_where_that_is_certain():
    land = [
        {"type": "land", "use_code": "arable", "soil_class": "IVa", "area_ha": "2.0000", "conversion_ha": "2.2000"},
        {"type": "land", "use_code": "meadow", "soil_class": "IV", "area_ha": "1.0000", "conversion_ha": "0.7500"},
    ]
    case = changed(case_of("DR-1"), put("objects", land))
    farm = {"code": "farm", "unit": "conversion_ha", "base": "2.9500", "rate": "10.00", "amount": "29.50"}
    other = {"code": "non_farm", "unit": "ha", "base": "3.0000", "rate": "10.00", "amount": "30.00"}

    def codes(*rows: dict) -> list[str]:
        total = sum(Decimal(row["amount"]) for row in rows) - sum(item.amount or 0 for item in case.reliefs)
        declared = {"rows": list(rows), "total": str(money.to_zloty(total))}
        return [item.code for item in case_checks(changed(case, put("declared", declared)))]

    assert codes(farm) == codes(other) == []
    assert codes({**farm, "base": "3.0000", "amount": "30.00"}) == ["check.objects_sum"]
    assert codes(farm, {**other, "base": "1.0000", "amount": "10.00"}) == []  # whose land is whose, nobody says


def test_a_return_after_its_deadline_is_noted_and_a_correction_is_not():
    case = case_of("DN-1")
    annual = changed(case, lambda raw: (raw.update(purpose="new"), raw["period"].pop("from_month", None)))
    assert deadline(annual) == date(2026, 2, 2)  # 31 January 2026 is a Saturday
    assert [item.code for item in case_checks(annual, on=date(2026, 2, 2))] == []
    assert [item.code for item in case_checks(annual, on=date(2026, 2, 3))] == ["check.filed_late"]
    correction = changed(annual, put("purpose", "correction"))
    assert case_checks(correction, on=date(2026, 2, 3)) == ()


def test_the_windows_of_the_excise_refund_follow_the_calendar():
    assert excise_windows(2026) == ((date(2026, 2, 2), date(2026, 3, 2)), (date(2026, 8, 3), date(2026, 8, 31)))
    claim = case_of("AKCYZA")
    assert [item.code for item in case_checks(claim, on=date(2026, 3, 2))] == []
    assert [item.code for item in case_checks(claim, on=date(2026, 3, 3))] == ["check.excise_window"]


def test_an_invoice_of_another_half_year_is_noted():
    claim = changed(case_of("AKCYZA"), put("excise.invoices.0.issued_on", "2025-07-31"))
    assert [item.code for item in case_checks(claim, on=date(2026, 2, 10))] == ["check.invoice_date"]
    summer = changed(case_of("AKCYZA"), put("excise.invoices.0.issued_on", "2026-07-31"))
    assert [item.code for item in case_checks(summer, on=date(2026, 8, 10))] == []


def test_a_document_dated_after_its_arrival_is_noted():
    case = changed(case_of("PIES"), put("document.completed_on", "2026-02-11"))
    assert [item.code for item in case_checks(case, on=date(2026, 2, 11))] == []
    assert [item.code for item in case_checks(case, on=date(2026, 2, 10))] == ["check.future_date"]


def test_a_birth_date_agrees_with_the_pesel_or_is_noted():
    case = case_of("IN-1")
    right = changed(case, lambda raw: raw["taxpayer"].update(pesel="44051401359", birth_date="1944-05-14"))
    assert case_checks(right) == ()


def test_the_limit_of_the_excise_refund_is_the_law_of_the_year():
    claim = changed(
        case_of("AKCYZA"),
        lambda raw: raw.update(
            excise={"agricultural_area_ha": "10.0000", "livestock_units": "2", "pig_count": "5", "litres": "5000",
                    "requested_amount": "1776.00"}
        ),
    )  # fmt: skip
    assert case_checks(claim, on=date(2026, 2, 10)) == ()  # 10 × 162.80 + 2 × 59.20 + 5 × 5.92 = 1776.00
    over = changed(claim, put("excise.requested_amount", "1776.01"))
    assert [item.code for item in case_checks(over, on=date(2026, 2, 10))] == ["check.excise_limit"]
    few = changed(claim, put("excise.litres", "100"))
    assert [item.code for item in case_checks(few, on=date(2026, 2, 10))] == ["check.excise_limit"]


amounts = st.decimals(min_value=0, max_value=10**9, places=2, allow_nan=False, allow_infinity=False)


@given(st.lists(amounts, max_size=20))
def test_the_total_agrees_with_counting_in_grosze(parts):
    grosze = sum(int(part * 100) for part in parts)
    assert money.total_of(parts) == (grosze + 50) // 100


@given(st.integers(0, 10**9), st.integers(0, 10**5), st.integers(1, 12), st.booleans())
def test_a_row_agrees_with_integer_arithmetic(base_in_10000ths, rate_in_grosze, months, percent):
    base, rate = Decimal(base_in_10000ths) / 10_000, Decimal(rate_in_grosze) / 100
    numerator = base_in_10000ths * rate_in_grosze * months  # in 10⁻⁶ × 12 złoty
    divisor = 12 * 10_000 * (100 if percent else 1)  # to grosze
    assert (
        money.row_amount(base, rate, months, percent=percent)
        == Decimal((2 * numerator + divisor) // (2 * divisor)) / 100
    )


def test_rounding_is_half_up_and_not_to_even():
    assert money.to_zloty(Decimal("2.50")) == 3
    assert money.to_zloty(Decimal("2.49")) == 2
    assert money.to_grosz(Decimal("0.125")) == Decimal("0.125").quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_a_check_never_changes_a_figure():
    case = changed(case_of("DN-1"), put("declared.total", "1"))
    before = case.to_json()
    case_checks(case, on=date(2026, 5, 5))
    assert case.to_json() == before
    assert case.declared == Declared.model_validate(before["declared"])

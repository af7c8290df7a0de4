"""Break exactly one thing of a sample, by the code of the check that must find it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from lxml import etree

from gateway.checks.money import row_amount, to_zloty, total_of
from gateway.checks.rates import conversion_factors, highest_rate, highest_vehicle_tax
from gateway.formdata.sample import Figures
from schemas import fictitious
from schemas.ids import is_land_register

_COMPLETED = "completed_on"
Breaker = Callable[[Figures], bool]  # False: this form has nothing to break so


def break_one(root: etree._Element, figures: Figures, code: str) -> bool:
    """Break what check `code` looks at. False where the form has no such thing. Raises KeyError for an unknown code."""
    if code in _BY_NAME:
        return _identifier(root, _BY_NAME[code])
    if code in _BY_ATTACHMENT:
        return _attachment(root, *_BY_ATTACHMENT[code])
    return _BREAKERS[code](figures)


def _identifier(root: etree._Element, name: str) -> bool:
    found = next((element for element in root.iter(f"{{*}}{name}") if element.text), None)
    if found is not None:
        found.text = fictitious.wrong_check_digit(found.text or "")
    return found is not None


def _attachment(root: etree._Element, encoding: str, content: str) -> bool:
    element = next((found for found in root.iter("{*}DaneZalacznika") if found.getparent() is not None), None)
    if element is None:
        return False
    element.text = content
    above = element.getparent()
    assert above is not None
    above.set("kodowanie", encoding)
    return True


def _set(target: str, value: str) -> Breaker:
    def change(figures: Figures) -> bool:
        figures.write(target, value)
        return target in figures.reading.sources

    return change


def _plus(target: str, more: str) -> Breaker:
    def change(figures: Figures) -> bool:
        value = figures.get(target.replace("[", ".").replace("]", ""))
        figures.write(target, Decimal(str(value or 0)) + Decimal(more))
        return target in figures.reading.sources

    return change


def _row_amount(figures: Figures) -> bool:
    """One row two złoty too high, and the total with it, so that only the product is wrong."""
    if not figures.get("declared.rows.0.rate"):
        return False
    _plus("declared.instalments[0].amount", "2")(figures)
    return _plus("declared.rows[0].amount", "2.00")(figures) and _plus("declared.total", "2")(figures)


def _annexes(figures: Figures) -> bool:
    name = next(iter(figures.get("declared.annexes") or {}), None)
    return name is not None and _plus(f"declared.annexes.{name}", "1")(figures)


def _account(figures: Figures) -> bool:
    number = figures.get("payout_account")
    return bool(number) and _set("payout_account", fictitious.wrong_check_digit(number))(figures)


def _land_register(figures: Figures) -> bool:
    for target in figures.reading.sources:
        number = figures.get(target.replace("[", ".").replace("]", "")) if target.endswith(".kw.number") else None
        if number is not None and is_land_register(number):
            return _set(target, fictitious.wrong_check_digit(number))(figures)
    return False


def _total_alone(figures: Figures) -> bool:
    """The total one złoty off; the first instalment and vehicle go with it, so that only the rows disagree."""
    if not figures.get("declared.rows") or not _plus("declared.total", "1")(figures):
        return False
    _plus("declared.instalments[0].amount", "1")(figures)
    _plus("objects[0].vehicle.amount", "1")(figures)
    return True


def _rate_cap(figures: Figures) -> bool:
    """A rate above the law's, and everything computed from it, so that only the rate is wrong."""
    for index, row in figures.each("declared.rows"):
        bound = highest_rate(figures.table.kind, row["code"], figures.get("period.year") or 0)
        if bound is None or not row.get("rate") or not row.get("base"):
            continue
        rate = bound.value + 1
        before = Decimal(row["amount"])
        figures.write(f"declared.rows[{index}].rate", rate)
        amount = row_amount(Decimal(row["base"]), rate, 12, percent=row.get("unit") == "pln_percent")
        figures.write(f"declared.rows[{index}].amount", amount)
        rows = [Decimal(each["amount"]) for _, each in figures.each("declared.rows") if each.get("amount")]
        total = total_of([sum(rows, amount - before)])
        more = str(total - Decimal(figures.get("declared.total")))
        _plus("declared.instalments[0].amount", more)(figures)
        return _plus("declared.total", more)(figures)
    return False


def _vehicle_cap(figures: Figures) -> bool:
    """The first box, its vehicle and the total far too high, so that only the law's maximum is in the way."""
    bound = highest_vehicle_tax("D1", figures.get("period.year") or 0)
    if figures.table.kind != "vehicle_return" or bound is None or not figures.get("objects.0.vehicle.amount"):
        return False
    most = bound.value * len(figures.get("objects"))
    more = str(most + 1 - Decimal(str(figures.get("declared.rows.0.amount") or 0)))
    total = Decimal(str(figures.get("declared.total")))
    _plus("objects[0].vehicle.amount", more)(figures)
    _plus("declared.rows[0].amount", more)(figures)
    _plus("declared.instalments[0].amount", str(to_zloty(total + Decimal(more)) - to_zloty(total)))(figures)
    return _plus("declared.total", more)(figures)


def _conversion(figures: Figures) -> bool:
    """Conversion hectares of land whose use and class the law's table has, one hectare too many."""
    for index, item in figures.each("objects"):
        kind = item.get("stocking") if item.get("use_code") == "under_ponds" else item.get("soil_class")
        if item.get("conversion_ha") and conversion_factors(str(item.get("use_code")), str(kind)):
            return _plus(f"objects[{index}].conversion_ha", "1")(figures)
    return False


def _waste(figures: Figures) -> bool:
    if not figures.get("waste.containers") and figures.get("waste.method") != "persons":
        return False  # by water or area: only the gmina's resolution says how much
    return _plus("waste.monthly_amount", "1")(figures)


def _objects(figures: Figures) -> bool:
    """An annex that says more than the main form; only there does anybody compare them."""
    names = ("area_m2", "area_ha", "usable_area_m2", "value_pln")
    found = next((name for name in names if figures.get(f"objects.0.{name}")), None)
    compared = figures.table.kind in ("property_return", "forest_return") and figures.get("declared.rows")
    return bool(compared) and found is not None and _plus(f"objects[0].{found}", "1")(figures)


def _birth(figures: Figures) -> bool:
    return bool(figures.get("taxpayer.pesel")) and _set("taxpayer.birth_date", "1901-01-01")(figures)


def _dates(figures: Figures) -> bool:
    targets = ("period.to_date", "application.to_date")
    return any(figures.get(target) and _set(target, "2020-01-01")(figures) for target in targets)


_BY_ATTACHMENT = {
    "check.attachment_base64": ("base64", "to nie jest base64!"),
    "check.attachment_empty": ("base64", ""),
    "check.attachment_encoding": ("uuencode", "TWFu"),
    "check.attachment_uri": ("URI", "https://example.invalid/" + "a" * 5000),
}
_BY_NAME = {"check.pesel": "PESEL", "check.nip": "NIP", "check.regon": "REGON"}
_BREAKERS: dict[str, Breaker] = {
    "check.row_amount": _row_amount,
    "check.total": _total_alone,
    "check.instalments": _plus("declared.instalments[0].amount", "1"),
    "check.annexes": _annexes,
    "check.share_sum": _set("co_owners[0].share", "9/8"),
    "check.nrb": _account,
    "check.land_register": _land_register,
    "check.period": _dates,
    "check.excise_litres": _plus("excise.litres", "1"),
    "check.excise_invoices": _plus("excise.invoice_count", "1"),
    "check.waste_amount": _waste,
    "check.vehicle_count": _plus("declared.rows[0].count", "1"),
    "check.months": _set("objects[0].vehicle.months", "13"),
    "check.negative": _set("objects[0].area_ha", "-1"),
    "check.rate_cap": _rate_cap,
    "check.vehicle_cap": _vehicle_cap,
    "check.conversion": _conversion,
    "check.objects_sum": _objects,
    "check.vehicle_sum": _plus("objects[0].vehicle.amount", "1"),
    "check.birth_date": _birth,
    # looked at only where the day of receipt is known
    "check.future_date": _set(f"document.{_COMPLETED}", "2030-12-31"),
    "check.year": _set("period.year", "1999"),
    "check.invoice_date": _set("excise.invoices[0].issued_on", "2001-01-01"),
    "check.excise_limit": _plus("excise.requested_amount", "1000000"),
}
DATED = ("check.future_date", "check.year", "check.invoice_date", "check.excise_limit")
BREAKABLE = (*_BY_NAME, *_BY_ATTACHMENT, *_BREAKERS)

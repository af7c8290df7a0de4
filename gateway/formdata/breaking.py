"""Break exactly one thing of a sample, by the code of the check that must find it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from lxml import etree

from gateway.formdata.sample import Figures
from schemas import fictitious

Breaker = Callable[[Figures], bool]  # False: this form has nothing to break so


def break_one(root: etree._Element, figures: Figures, code: str) -> bool:
    """Break what check `code` looks at. False where the form has no such thing. Raises KeyError for an unknown code."""
    if code in _BY_NAME:
        return _identifier(root, _BY_NAME[code])
    if code == "check.attachment_base64":
        element = next(root.iter("{*}DaneZalacznika"), None)
        if element is not None:
            element.text = "to nie jest base64!"
        return element is not None
    return _BREAKERS[code](figures)


def _identifier(root: etree._Element, name: str) -> bool:
    found = next((element for element in root.iter(f"{{*}}{name}") if element.text), None)
    if found is not None:
        found.text = fictitious.wrong_check_digit(found.text or "")
    return found is not None


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


def _total_alone(figures: Figures) -> bool:
    """The total one złoty off; the first instalment and vehicle go with it, so that only the rows disagree."""
    if not figures.get("declared.rows") or not _plus("declared.total", "1")(figures):
        return False
    _plus("declared.instalments[0].amount", "1")(figures)
    _plus("objects[0].vehicle.amount", "1")(figures)
    return True


def _waste(figures: Figures) -> bool:
    if not figures.get("waste.containers") and figures.get("waste.method") != "persons":
        return False  # by water or area: only the gmina's resolution says how much
    return _plus("waste.monthly_amount", "1")(figures)


def _dates(figures: Figures) -> bool:
    targets = ("period.to_date", "application.to_date")
    return any(figures.get(target) and _set(target, "2020-01-01")(figures) for target in targets)


_BY_NAME = {"check.pesel": "PESEL", "check.nip": "NIP", "check.regon": "REGON"}
_BREAKERS: dict[str, Breaker] = {
    "check.row_amount": _row_amount,
    "check.total": _total_alone,
    "check.instalments": _plus("declared.instalments[0].amount", "1"),
    "check.annexes": _annexes,
    "check.share_sum": _set("co_owners[0].share", "9/8"),
    "check.nrb": _account,
    "check.period": _dates,
    "check.excise_litres": _plus("excise.litres", "1"),
    "check.excise_invoices": _plus("excise.invoice_count", "1"),
    "check.waste_amount": _waste,
    "check.vehicle_count": _plus("declared.rows[0].count", "1"),
    "check.months": _set("objects[0].vehicle.months", "13"),
    "check.negative": _set("objects[0].area_ha", "-1"),
}
BREAKABLE = (*_BY_NAME, "check.attachment_base64", *_BREAKERS)

"""Rates and prices by year (config/rates.toml), each with how sure we are of it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from gateway import resources
from schemas.finding import Severity

_RYE_DT = {"farm": Decimal("2.5"), "non_farm": Decimal(5)}
_WOOD_M3 = {"forest": Decimal("0.220"), "forest_reserve_or_park": Decimal("0.110")}


@dataclass(frozen=True, slots=True)
class Bound:
    """An upper bound, and the weight of a finding that rests on it."""

    value: Decimal
    how: str  # published | derived | unconfirmed

    @property
    def severity(self) -> Severity:
        """Information only, where the number itself is unconfirmed."""
        return Severity.INFO if self.how == "unconfirmed" else Severity.WARNING


@dataclass(frozen=True, slots=True)
class ExciseRules:
    """Of one year. Rates in złoty per litre."""

    rate_february: Decimal
    rate_august: Decimal
    litres_per_ha: Decimal
    litres_per_livestock_unit: Decimal
    litres_per_pig: Decimal
    how: str


@lru_cache(maxsize=1024)
def highest_rate(kind: str, row_code: str, year: int) -> Bound | None:
    """The highest rate the law allows for a row of a return; None where no number of that year is known."""
    table = _table()
    if kind == "property_return":
        found = table["property"].get(str(year), {}).get(row_code)
        return Bound(Decimal(found["max"]), found["how"]) if found else None
    if kind == "agri_return" and row_code in _RYE_DT:
        return _times(table["rye"].get(str(year)), _RYE_DT[row_code])
    if kind == "forest_return" and row_code in _WOOD_M3:
        return _times(table["wood"].get(str(year)), _WOOD_M3[row_code])
    return None


@lru_cache(maxsize=1024)
def highest_vehicle_tax(category: str, year: int) -> Bound | None:
    """The highest yearly tax for one vehicle of a category of DT-1 (`D1` to `D15`); None where it is not known."""
    found = _table()["vehicle"].get(str(year), {}).get(category)
    return Bound(Decimal(found["max"]), found["how"]) if found else None


@lru_cache(maxsize=1024)
def conversion_factors(use: str, kind: str) -> tuple[Decimal, ...]:
    """Conversion hectares for one hectare in tax districts I to IV, or the one number where districts do not matter.

    Args: kind: soil class (IIIa), or of ponds what swims in them. Empty for what the law's table does not have.
    """
    found = _table()["conversion"].get(use)
    return tuple(map(Decimal, found.get(kind, ()))) if isinstance(found, dict) else ()


def excise_rules(year: int) -> ExciseRules | None:
    """The rules of a year, None where they are not known."""
    found = _table()["excise"].get(str(year))
    if found is None:
        return None
    numbers = {name: Decimal(value) for name, value in found.items() if name != "how"}
    return ExciseRules(how=found["how"], **numbers)


def _times(entry: dict[str, str] | None, share: Decimal) -> Bound | None:
    return Bound(Decimal(entry["price"]) * share, entry["how"]) if entry else None


@cache
def _table(path: Path | None = None) -> dict[str, Any]:
    source = path or resources.folder("config") / "rates.toml"
    return tomllib.loads(source.read_text("utf-8"))

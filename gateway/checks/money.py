"""Exact arithmetic of Polish tax: rows to the grosz, the total once to full złoty, half up."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

GROSZ = Decimal("0.01")


def to_grosz(amount: Decimal) -> Decimal:
    """Two decimals, half up."""
    return amount.quantize(GROSZ, ROUND_HALF_UP)


def to_zloty(amount: Decimal) -> Decimal:
    """Full złoty: under 50 gr down, from 50 gr up (art. 63 §1 Ordynacji podatkowej)."""
    return amount.quantize(Decimal(1), ROUND_HALF_UP)


def total_of(amounts: Iterable[Decimal]) -> Decimal:
    """Sum of rows as a return states it: rounded once, at the end."""
    return to_zloty(sum(amounts, Decimal(0)))


def row_amount(base: Decimal, rate: Decimal, months: int, *, percent: bool = False) -> Decimal:
    """base × rate × months / 12, to the grosz; the rate in per cent for structures (budowle)."""
    whole = base * rate / 100 if percent else base * rate
    return to_grosz(whole if months == 12 else whole * months / 12)

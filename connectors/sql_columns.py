"""Fit a row to its table: types, lengths, digits, charset, all judged before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa

from connectors.clock import local
from connectors.outcomes import stopped
from connectors.values import as_text
from schemas.rules import FieldRule, Violation, violations


def fitted(table: sa.Table, row: Mapping[str, Any], charset: str | None) -> dict[str, Any]:
    """The row in the columns' own types; what does not fit a column is told at once, before anything is written."""
    values: dict[str, Any] = {}
    broken: list[Violation] = []
    for name, value in row.items():
        try:
            values[name] = _typed(table.c[name], value)
        except (ValueError, InvalidOperation):
            broken.append(Violation("rule.type", name, str(table.c[name].type)))
    broken += violations(values, {name: _rule(table.c[name], charset) for name in values})
    broken += [
        Violation("rule.required", column.name) for column in table.c if _needed(column) and column.name not in values
    ]
    if broken:
        raise stopped("record.violations", "; ".join(map(str, broken)))
    return values


def _typed(column: sa.Column[Any], value: Any) -> Any:
    """Text as the column's date, number or truth; everything else as it is."""
    kind = column.type
    if isinstance(kind, sa.Text | sa.String):
        return value if isinstance(value, (bytes, str)) else as_text(value)
    if isinstance(kind, sa.DateTime | sa.Date):
        return _day_or_time(kind, value)
    if not isinstance(value, str):
        return value
    if isinstance(kind, sa.Integer):
        return int(value)
    return Decimal(value) if isinstance(kind, sa.Numeric) else value


def _day_or_time(kind: sa.DateTime | sa.Date, value: Any) -> Any:
    """A time with a zone as Poland's where the column has none: its day is the day it was here."""
    if isinstance(kind, sa.Date):
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
        return local(value).date() if isinstance(value, datetime) else value
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    keeps_zone = kind.timezone or not isinstance(moment, datetime) or moment.tzinfo is None
    return moment if keeps_zone else local(moment).replace(tzinfo=None)


def _rule(column: sa.Column[Any], charset: str | None) -> FieldRule:
    kind = column.type
    if isinstance(kind, sa.String):
        return FieldRule(required=not column.nullable, max_length=kind.length, charset=charset)
    if isinstance(kind, sa.Numeric) and kind.precision is not None and kind.scale is not None:
        return FieldRule(integer_digits=kind.precision - kind.scale, decimal_places=kind.scale)
    return FieldRule()


def _needed(column: sa.Column[Any]) -> bool:
    filled = column.server_default is not None or column.autoincrement is True or column.identity is not None
    return not column.nullable and not filled and column.computed is None

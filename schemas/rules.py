"""Checks on a record before it is sent: what a target field allows, and everything that breaks it at once.

A violation is a business error a clerk can act on. Nothing is ever truncated, rounded or replaced by `?`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What one target field allows. `max_length` in characters; `charset` a Python codec; `pattern` for the whole."""

    required: bool = False
    max_length: int | None = None
    charset: str | None = None
    pattern: str | None = None
    integer_digits: int | None = None  # of a number, before and after the decimal point
    decimal_places: int | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken by one field. `code`: rule.required, .too_long, .charset, .pattern, .number, .too_large, .scale.

    `limit` and `found` are lengths, digits or a charset's name, never the value itself.
    """

    code: str
    field: str
    limit: str = ""
    found: str = ""

    def __str__(self) -> str:
        facts = "/".join(part for part in (self.found, self.limit) if part)
        return f"{self.field}: {self.code}" + (f" ({facts})" if facts else "")


def violations(values: Mapping[str, Any], rules: Mapping[str, FieldRule]) -> list[Violation]:
    """Every rule broken, in the order of the rules; fields without a rule are not looked at."""
    return [found for name, rule in rules.items() for found in _check(name, values.get(name), rule)]


def text_of(value: Any) -> str:
    """A value as it would be written: dates ISO, Decimal without exponent."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def unfit(text: str, charset: str) -> str:
    """The characters the charset does not have, each once, as code points: `U+0219 U+4E2D`."""
    found: dict[str, None] = {}
    for character in text:
        try:
            character.encode(charset)
        except UnicodeEncodeError:
            found[f"U+{ord(character):04X}"] = None
    return " ".join(found)


def _check(name: str, value: Any, rule: FieldRule) -> Iterator[Violation]:
    if value is None or value == "":
        if rule.required:
            yield Violation("rule.required", name)
        return
    if isinstance(value, (bytes, bool)):
        return
    text = text_of(value)
    if rule.max_length is not None and len(text) > rule.max_length:
        yield Violation("rule.too_long", name, str(rule.max_length), str(len(text)))
    if rule.charset and unfit(text, rule.charset):
        yield Violation("rule.charset", name, rule.charset, unfit(text, rule.charset))
    if rule.pattern is not None and not re.fullmatch(rule.pattern, text):
        yield Violation("rule.pattern", name)
    if rule.integer_digits is not None or rule.decimal_places is not None:
        yield from _check_number(name, text, rule)


def _check_number(name: str, text: str, rule: FieldRule) -> Iterator[Violation]:
    try:
        number = Decimal(text)
    except InvalidOperation:
        yield Violation("rule.number", name)
        return
    if not number.is_finite():
        yield Violation("rule.number", name)
        return
    whole, _, fraction = format(abs(number), "f").partition(".")
    fraction = fraction.rstrip("0")
    if rule.integer_digits is not None and len(whole.lstrip("0")) > rule.integer_digits:
        yield Violation("rule.too_large", name, str(rule.integer_digits), str(len(whole)))
    if rule.decimal_places is not None and len(fraction) > rule.decimal_places:
        yield Violation("rule.scale", name, str(rule.decimal_places), str(len(fraction)))

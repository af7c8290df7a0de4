"""Figures as Polish offices write them: 1 234,56 zł, kwota słownie, days, account numbers, no hanging prepositions."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from gateway.clock import WARSAW

NBSP = "\N{NO-BREAK SPACE}"

_UNITS = ("", "jeden", "dwa", "trzy", "cztery", "pięć", "sześć", "siedem", "osiem", "dziewięć", "dziesięć",
          "jedenaście", "dwanaście", "trzynaście", "czternaście", "piętnaście", "szesnaście", "siedemnaście",
          "osiemnaście", "dziewiętnaście")  # fmt: skip
_TENS = ("", "", "dwadzieścia", "trzydzieści", "czterdzieści", "pięćdziesiąt", "sześćdziesiąt", "siedemdziesiąt",
         "osiemdziesiąt", "dziewięćdziesiąt")  # fmt: skip
_HUNDREDS = ("", "sto", "dwieście", "trzysta", "czterysta", "pięćset", "sześćset", "siedemset", "osiemset",
             "dziewięćset")  # fmt: skip
_SCALES = (None, ("tysiąc", "tysiące", "tysięcy"), ("milion", "miliony", "milionów"),
           ("miliard", "miliardy", "miliardów"))  # fmt: skip
_ZLOTY = ("złoty", "złote", "złotych")
_GROSZ = ("grosz", "grosze", "groszy")
_MONTHS = ("stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września",
           "października", "listopada", "grudnia")  # fmt: skip
_HANGING = re.compile(r"(?<![^\s(„])([aiouwzAIOUWZ]) ")
_BOUND = re.compile(r"(?:\b(?:art\.|ust\.|pkt|poz\.|nr|lit\.|ul\.|Dz\.)|§) (?=\S)|(?<=\d) (?=(?:r\.|zł|gr)(?!\w))")


def money(amount: Decimal) -> str:
    """`1 234,56 zł`, thousands and unit kept together by no-break spaces."""
    whole, _, rest = f"{abs(amount):.2f}".partition(".")
    grouped = f"{int(whole):,}".replace(",", NBSP)
    sign = "−" if amount < 0 else ""
    return f"{sign}{grouped},{rest}{NBSP}zł"


def in_words(amount: Decimal) -> str:
    """Kwota słownie: `tysiąc dwieście trzydzieści cztery złote 56/100` in full words, below a billion złoty."""
    if amount < 0 or amount >= 10**12:
        raise ValueError("an amount from 0 to below 10^12 is expected")
    total = int((amount * 100).to_integral_exact())
    whole, rest = divmod(total, 100)
    return f"{number(whole)} {plural(whole, *_ZLOTY)} {number(rest)} {plural(rest, *_GROSZ)}"


def number(value: int) -> str:
    """A whole number from 0 to below 10^12 in words."""
    if value == 0:
        return "zero"
    groups: list[str] = []
    scale = 0
    while value:
        value, group = divmod(value, 1000)
        if group:
            groups.append(_group(group, scale))
        scale += 1
    return " ".join(reversed(groups))


def plural(count: int, one: str, few: str, many: str) -> str:
    """The Polish form for a count: 1 złoty, 2 złote, 5 złotych, 12 złotych, 22 złote."""
    if count == 1:
        return one
    return few if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else many


def day(value: date | datetime) -> str:
    """`22 listopada 2026 r.`; a moment is first taken to Polish time."""
    value = _polish(value)
    return f"{value.day}{NBSP}{_MONTHS[value.month - 1]} {value.year}{NBSP}r."


def short_day(value: date | datetime) -> str:
    """`22.11.2026`."""
    return f"{_polish(value):%d.%m.%Y}"


def hour(value: datetime) -> str:
    """`14:05`, Polish time."""
    return f"{value.astimezone(WARSAW):%H:%M}"


def account(nrb: str) -> str:
    """An account number in groups: `12 3456 7890 …`."""
    return NBSP.join([nrb[:2], *(nrb[start : start + 4] for start in range(2, len(nrb), 4))])


def bound(text: str) -> str:
    """One-letter words, references to the law and units do not end a line."""
    return _BOUND.sub(lambda match: match[0][:-1] + NBSP, _HANGING.sub(rf"\1{NBSP}", text))


def _group(group: int, scale: int) -> str:
    forms = _SCALES[scale]
    if forms is None:
        return _below_thousand(group)
    if group == 1:
        return forms[0]
    return f"{_below_thousand(group)} {plural(group, *forms)}"


def _below_thousand(group: int) -> str:
    hundreds, rest = divmod(group, 100)
    tens, units = divmod(rest, 10)
    words = (_HUNDREDS[hundreds], _UNITS[rest]) if rest < 20 else (_HUNDREDS[hundreds], _TENS[tens], _UNITS[units])
    return " ".join(word for word in words if word)


def _polish(value: date | datetime) -> date:
    return value.astimezone(WARSAW).date() if isinstance(value, datetime) else value

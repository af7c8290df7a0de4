"""Texts for people, by code: Polish first, English as an option. One TOML file per area beside this module.

Each entry is `["code"]` with `pl` and `en`; `{name}` in a text is filled from the facts given. Facts stay as programs
want them (ISO 8601, bytes); the sentence shows days, moments and sizes as people write them.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

WARSAW = ZoneInfo("Europe/Warsaw")
ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
ISO_MOMENT = re.compile(ISO_DAY.pattern + r"[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


def text(code: str, lang: str = "pl", /, **facts: Any) -> str:
    """The sentence for `code`; a code without a text shows itself, so that nothing is silent."""
    entry = all_texts().get(code)
    if entry is None:
        return code
    return entry[lang].format_map(_Facts({name: shown(name, value, lang) for name, value in facts.items()}))


@cache
def all_texts() -> dict[str, dict[str, str]]:
    """Every code with its texts, from all `*.toml` files here; a code defined twice is a ValueError."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda item: item.name):
        if file.name.endswith(".toml"):
            for code, entry in tomllib.loads(file.read_text("utf-8")).items():
                if code in found:
                    raise ValueError(f"{file.name}: {code} is defined twice")
                found[code] = entry
    return found


def shown(name: str, value: Any, lang: str = "pl") -> Any:
    """A fact as a person reads it; whatever is none of these stays as it is.

    A day or an aware moment (ISO 8601, as text or as the type itself) is `3.02.2026` or `3.02.2026, 11:00`, in English
    `2026-02-03, 11:00`, always Polish wall time. A number whose name ends in `_bytes` is `10 485 760 B`.
    """
    if name.endswith("_bytes") and isinstance(value, int):
        return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}") + "\N{NO-BREAK SPACE}B"
    moment = _read(value) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        local = moment.astimezone(WARSAW)
        return f"{_day(local, lang)}, {local:%H:%M}" if moment.tzinfo else value
    return _day(moment, lang) if isinstance(moment, date) else value


def _read(value: str) -> date | str:
    try:
        if ISO_MOMENT.fullmatch(value):
            return datetime.fromisoformat(value)
        return date.fromisoformat(value) if ISO_DAY.fullmatch(value) else value
    except ValueError:
        return value  # 31 February is a fact too


def _day(day: date, lang: str) -> str:
    return f"{day:%Y-%m-%d}" if lang == "en" else f"{day.day}.{day:%m}.{day.year}"


class _Facts(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"[{name}]"

"""Texts for people, by code: Polish first, English as an option. One TOML file per area beside this module.

Each entry is `["code"]` with `pl` and `en`; `{name}` in a text is filled from the facts given.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any


def text(code: str, lang: str = "pl", /, **facts: Any) -> str:
    """The sentence for `code`; a code without a text shows itself, so that nothing is silent."""
    entry = all_texts().get(code)
    if entry is None:
        return code
    return entry[lang].format_map(_Facts(facts))


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


class _Facts(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"[{name}]"

"""Writes the option tables into docs/connectors/*.md, between their markers: `python docs/make_connectors.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from connectors import registry  # noqa: E402  # after the path: the script also runs uninstalled

BEGIN, END = "<!-- options: written by docs/make_connectors.py -->", "<!-- end of options -->"
COMMON = frozenset({"timeout_s", "settle_delay_s", "query_cache_s"})
EVERY = "Besides, the three options that [every connector](../connectors.md#what-once-rests-on) has.\n"


def page(name: str) -> Path:
    """Where a connector is documented."""
    return HERE / "connectors" / f"{name}.md"


def with_options(text: str, name: str) -> str:
    """The page with its table as the options are now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    schema = _with_words(registry.load(name).options_model.model_json_schema())
    return f"{before}{BEGIN}\n{table(schema)}{END}{after}"


def table(schema: dict[str, Any]) -> str:
    """The options, then every table inside them."""
    own = set(schema.get("properties", {})) - COMMON
    parts = [f"{_rows(schema, COMMON)}\n{EVERY}" if own else EVERY.replace("Besides, the", "Only the")]
    for title, part in sorted(schema.get("$defs", {}).items()):
        if "properties" in part:
            parts.append(
                f"\n**{title}**: {' '.join(part.get('description', '').split())}\n\n{_rows(part, frozenset())}"
            )
    return "\n" + "".join(parts) + "\n"


def _with_words(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the words of each enumeration where an option refers to it."""
    words = {
        f"#/$defs/{title}": {"enum": part["enum"]} for title, part in schema.get("$defs", {}).items() if "enum" in part
    }
    for name, field in schema.get("properties", {}).items():
        if field.get("$ref") in words:
            schema["properties"][name] = field | words[field["$ref"]] | {"$ref": None}
    return schema


def _rows(schema: dict[str, Any], hidden: frozenset[str]) -> str:
    required = schema.get("required", [])
    rows = [
        f"| `{name}` | {_kind(field)} | {_default(field, name in required)} | {field.get('description', '')} |\n"
        for name, field in schema.get("properties", {}).items()
        if name not in hidden
    ]
    return "| option | is | default | meaning |\n|---|---|---|---|\n" + "".join(rows)


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(part) for part in field["anyOf"] if part.get("type") != "null")
    if field.get("$ref"):
        return field["$ref"].rpartition("/")[2]
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    if field.get("type") == "object":
        return "table"
    secret = field.get("format") == "password"
    return "secret" if secret else str(field.get("format") or field.get("type") or "anything")


def _default(field: dict[str, Any], required: bool) -> str:
    if required:
        return "**required**"
    default = field.get("default")
    if isinstance(default, dict):
        return "see below"
    return "" if default in (None, [], "") else f"`{default}`"


if __name__ == "__main__":
    for name in registry.names():
        if page(name).exists():
            page(name).write_text(with_options(page(name).read_text("utf-8"), name), "utf-8")

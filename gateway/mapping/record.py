"""Case → record of one back office: a small table of target fields, their sources, limits and formats."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.mapping.table import line_of
from schemas.errors import MappingError

_KEYS = {"from", "template", "const", "required", "max_length", "charset", "pattern", "as", "join", "values", "note"}
_PLACE = re.compile(r"\{([A-Za-z0-9_.]+)\}")


@dataclass(frozen=True, slots=True)
class RecordField:
    """One field of the back office. `sources` are tried in order; `kind`: text | decimal | date | integer."""

    name: str
    sources: tuple[str, ...] = ()
    template: str | None = None
    const: Any = None
    required: bool = False
    max_length: int | None = None
    charset: str | None = None
    pattern: re.Pattern[str] | None = None
    kind: str = "text"
    join: str = "\n"
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RecordTable:
    """A record mapping. `charset` is the default of its fields."""

    name: str
    fields: tuple[RecordField, ...]


def read_record_table(path: Path) -> RecordTable:
    """Read one record mapping. Raises MappingError with file, line, key, as `table.read_table` does."""
    try:
        text = path.read_text("utf-8")
        raw = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        found = re.search(r"line (\d+)", str(error))
        raise MappingError(
            "mapping.file_unreadable", file=path.name, line=int(found[1]) if found else 0, key="-", reason=str(error)
        ) from error
    if unknown := sorted(set(raw) - {"charset", "field", "note"}):
        raise _wrong("mapping.key_unknown", path, text, unknown[0], unknown[0])
    return RecordTable(
        path.stem, tuple(_field(name, row, raw.get("charset"), path, text) for name, row in raw["field"].items())
    )


def to_record(case_json: Mapping[str, Any], table: RecordTable) -> dict[str, Any]:
    """The back office's fields, filled from a case in its JSON form: text, Decimal, date or int; absent ones left out.

    Raises MappingError `mapping.record_refused` with `problems`, a list of {field, code, limit?}: `record.missing`,
    `record.too_long`, `record.charset`, `record.pattern`, `record.unreadable`. Nothing is cut or replaced.
    """
    record: dict[str, Any] = {}
    problems: list[dict[str, str]] = []
    for item in table.fields:
        try:
            value = _value(case_json, item)
        except (ValueError, ArithmeticError):
            problems.append({"field": item.name, "code": "record.unreadable"})
            continue
        if value is None:
            if item.required:
                problems.append({"field": item.name, "code": "record.missing"})
            continue
        problem = _problem(item, value)
        if problem:
            problems.append(problem)
        record[item.name] = value
    if problems:
        raise MappingError("mapping.record_refused", mapping=table.name, problems=problems)
    return record


def look_up(case_json: Mapping[str, Any], path: str) -> Any:
    """`taxpayer.pesel`, `declared.instalments.0.amount`, or None; an empty text counts as absent."""
    value: Any = case_json
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            return None
    return value if value != "" else None


def _value(case_json: Mapping[str, Any], item: RecordField) -> Any:
    found = item.const if item.const is not None else _filled(case_json, item)
    if found is None:
        return None
    if isinstance(found, list):
        found = item.join.join(str(part) for part in found)
    if item.values is not None:
        found = item.values.get(str(found), found)
    if item.kind == "decimal":
        return Decimal(str(found))
    if item.kind == "date":
        return date.fromisoformat(str(found)[:10])
    if item.kind == "integer":
        return int(found)
    return str(found)


def _filled(case_json: Mapping[str, Any], item: RecordField) -> Any:
    if item.template is None:
        return next((value for path in item.sources if (value := look_up(case_json, path)) is not None), None)
    found = {name: look_up(case_json, name) for name in _PLACE.findall(item.template)}
    if all(value is None for value in found.values()):
        return None
    filled = _PLACE.sub(lambda place: str(found[place[1]] if found[place[1]] is not None else ""), item.template)
    return " ".join(filled.split()) or None


def _problem(item: RecordField, value: Any) -> dict[str, str] | None:
    written = str(value)
    if item.max_length is not None and len(written) > item.max_length:
        return {"field": item.name, "code": "record.too_long", "limit": str(item.max_length)}
    if item.pattern is not None and not item.pattern.fullmatch(written):
        return {"field": item.name, "code": "record.pattern"}
    if item.charset is not None:
        try:
            written.encode(item.charset)
        except UnicodeEncodeError:
            return {"field": item.name, "code": "record.charset", "limit": item.charset}
    return None


def _field(name: str, row: Any, charset: str | None, path: Path, text: str) -> RecordField:
    if not isinstance(row, dict) or (unknown := sorted(set(row) - _KEYS)):
        raise _wrong("mapping.key_unknown", path, text, name, ", ".join(unknown) if isinstance(row, dict) else name)
    if not {"from", "template", "const"} & set(row):
        raise _wrong("mapping.key_missing", path, text, name, "from")
    kind = row.get("as", "text")
    if kind not in ("text", "decimal", "date", "integer"):
        raise _wrong("mapping.transform_unknown", path, text, name, kind)
    sources = row.get("from", [])
    try:
        pattern = re.compile(row["pattern"]) if "pattern" in row else None
        "".encode(row.get("charset") or charset or "utf-8")
    except (re.error, LookupError) as error:
        raise _wrong("mapping.transform_unknown", path, text, name, str(error)) from error
    return RecordField(
        name=name,
        sources=(sources,) if isinstance(sources, str) else tuple(sources),
        template=row.get("template"),
        const=row.get("const"),
        required=row.get("required", False),
        max_length=row.get("max_length"),
        charset=row.get("charset") or charset,
        pattern=pattern,
        kind=kind,
        join=row.get("join", "\n"),
        values=row.get("values"),
    )


def _wrong(code: str, path: Path, text: str, key: str, reason: str) -> MappingError:
    return MappingError(code, file=path.name, line=line_of(text, key), key=key, reason=reason)

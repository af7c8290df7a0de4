"""The small language in which options say what goes where.

    "{fields.surname}"             a value of the record, with its type kept when it is the whole text
    "{fields.flat?}"               may be missing: then the entry is left out
    "{fields.born:%d.%m.%Y}"       Python's format specification; a date given as ISO text is read first, and a time
                                   that knows its zone is written as Poland's: a day begins at midnight there
    "Sprawa {key}, {tenant}"       text around values
    "{steps.register.number}"      what an earlier step of this delivery returned
    "{{" and "}}"                  a brace

Roots: key, message_id, tenant, kind, is_test, fields, record (all fields as JSON text), case, files, file (inside
`for_each`), steps, parameters (queries). Names may contain dots themselves: the longest name that exists wins.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from connectors.clock import local
from schemas.delivery import AttachmentFile, CaseRecord

_PLACE = re.compile(r"\{\{|\}\}|\{(?P<path>[^{}:?]+)(?P<optional>\?)?(?::(?P<spec>[^{}]*))?\}")
_MISSING = object()
ROOTS = (
    "key", "message_id", "tenant", "kind", "is_test", "fields", "record", "case", "file", "files", "steps", "parameters"
)  # fmt: skip


class ValuesMissing(Exception):
    """Names the options ask for and the record does not have."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(", ".join(names))


def scope_of(record: CaseRecord, key: str, message_id: str) -> dict[str, Any]:
    """Everything a template may name for one delivery; `steps` fills up as the steps are done."""
    return {
        "key": key,
        "message_id": message_id,
        "tenant": record.tenant,
        "kind": record.kind,
        "is_test": record.is_test,
        "fields": record.fields,
        "record": json.dumps(record.fields, ensure_ascii=False, default=as_text),
        "case": record.case,
        "files": files_scope(record.files),
        "steps": {},
    }


def files_scope(files: Sequence[AttachmentFile]) -> list[dict[str, Any]]:
    """Receipts last: one may come between two tries, and must not shift the numbers of what was sent before it."""
    ordered = sorted(files, key=lambda file: file.role == "receipt")
    scopes = [file_scope(file, number) for number, file in enumerate(ordered, start=1)]
    seen: Counter[str] = Counter()
    for scope in scopes:
        seen[scope["id"]] += 1
        if seen[scope["id"]] > 1:
            scope["id"] = f"{scope['id']}-{seen[scope['id']]}"
    return scopes


def file_scope(file: AttachmentFile, number: int) -> dict[str, Any]:
    """`{file.number}` from 1, `.name`, `.content_type`, `.role`, `.content` (bytes), `.size`, `.sha256` (hex), `.id`.

    `.id` is made of role, name and content: the same in every try, whatever other files there are by then.
    """
    digest = hashlib.sha256(file.content).hexdigest()
    return {
        "id": hashlib.sha256(f"{file.role}\0{file.name}\0{digest}".encode()).hexdigest()[:16],
        "number": number,
        "name": file.name,
        "content_type": file.content_type,
        "role": file.role,
        "content": file.content,
        "size": len(file.content),
        "sha256": digest,
    }


def fill(template: Any, scope: Mapping[str, Any]) -> Any:
    """The template with its places filled; entries whose optional value is missing are left out.

    Raises: ValuesMissing: with every name that is required and not there.
    """
    missing = list(missing_names(template, scope))
    if missing:
        raise ValuesMissing(sorted(set(missing)))
    return _fill(template, scope)


def missing_names(template: Any, scope: Mapping[str, Any], later: frozenset[str] = frozenset()) -> Iterator[str]:
    """Required names that have no value; roots in `later` are not known yet and not asked for."""
    for path, optional in places(template):
        if not optional and path.partition(".")[0] not in later and look(scope, path) is None:
            yield path


def places(template: Any) -> Iterator[tuple[str, bool]]:
    """Every (path, optional) a template names."""
    if isinstance(template, str):
        for match in _PLACE.finditer(template):
            if match["path"]:
                yield match["path"], bool(match["optional"])
    elif isinstance(template, Mapping):
        for part in template.values():
            yield from places(part)
    elif isinstance(template, (list, tuple)):
        for part in template:
            yield from places(part)


def checked(template: Any) -> Any:
    """The template as it is; for options, when they are saved.

    Raises: ValueError: a place begins with no known root, with the nearest one.
    """
    for path, _ in places(template):
        root = path.partition(".")[0]
        if root not in ROOTS:
            near = next(iter(get_close_matches(root, ROOTS, n=1)), None)
            raise ValueError(f"unknown place {{{path}}}" + (f", did you mean {near}?" if near else ""))
    return template


def look(scope: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    found = _walk(scope, path.split("."))
    return None if found is _MISSING else found


def as_text(value: Any) -> str:
    """A value as text: dates ISO, Decimal without exponent, truth as true/false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return format(value, "f") if hasattr(value, "as_tuple") else str(value)


def _fill(template: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        return _fill_text(template, scope)
    if isinstance(template, Mapping):
        filled = {name: _fill(part, scope) for name, part in template.items()}
        return {name: value for name, value in filled.items() if value is not None}
    if isinstance(template, (list, tuple)):
        return [value for value in (_fill(part, scope) for part in template) if value is not None]
    return template


def _fill_text(template: str, scope: Mapping[str, Any]) -> Any:
    whole = _PLACE.fullmatch(template)
    if whole and whole["path"]:
        return _one(whole, scope)
    pieces: list[str] = []
    end = 0
    for match in _PLACE.finditer(template):
        pieces.append(template[end : match.start()])
        end = match.end()
        value = _one(match, scope) if match["path"] else match[0][0]
        pieces.append("" if value is None else as_text(value))
    return "".join([*pieces, template[end:]])


def _one(match: re.Match[str], scope: Mapping[str, Any]) -> Any:
    value = look(scope, match["path"])
    spec = match["spec"]
    if value is None or not spec:
        return value
    try:
        if spec.startswith("%") and isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = local(value)
        return format(value, spec)
    except (ValueError, TypeError):
        raise ValuesMissing([f"{match['path']} (as {spec})"]) from None


def _walk(node: Any, parts: list[str]) -> Any:
    if not parts:
        return node
    if isinstance(node, (list, tuple)):
        index = int(parts[0]) if parts[0].isdigit() else len(node)
        return _walk(node[index], parts[1:]) if index < len(node) else _MISSING
    if not isinstance(node, Mapping):
        return _MISSING
    for taken in range(len(parts), 0, -1):
        name = ".".join(parts[:taken])
        if name in node:
            found = _walk(node[name], parts[taken:])
            if found is not _MISSING:
                return found
    return _MISSING

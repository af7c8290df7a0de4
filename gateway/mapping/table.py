"""Mapping tables: TOML in, compiled XPath rows out. A mistake names file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lxml import etree

from gateway.mapping.plan import Plan, is_above, plan
from gateway.mapping.transforms import NEVER_FAIL, TRANSFORMS, Transform
from schemas.errors import MappingError

_TOP_KEYS = {"form", "kind", "version", "ns", "include", "inside", "set", "field", "each", "ignore", "note",
             "unqualified"}  # fmt: skip
_PART_KEYS = {"ns", "include", "set", "field", "each", "ignore", "note"}
_ROW_KEYS = {"xpath", "read", "required", "values", "many", "label", "note"}
_INCLUDE_DEPTH = 4
_BELOW_ROOT = re.compile(r"(?<![\w-])w:(?!Dokument(?![\w-]))")  # the form's prefix, but of the root element
_ENTRIES_KEPT = 24
_EACH_KEYS = {"target", "xpath", "set", "field", "number", "label", "note"}


@dataclass(frozen=True, slots=True)
class Row:
    """One value: where it is, how it is read, what it becomes. `values` translates codes to our words."""

    target: str
    xpath: str
    find: etree.XPath = field(repr=False)
    read: Transform = field(repr=False)
    required: bool = False
    many: bool = False
    values: dict[str, Any] | None = None
    label: str | None = None
    above: tuple[str, ...] = ()  # the target's parts but the last
    last: str = ""
    plain: bool = False  # one value, as it is read, under a name of its own
    may_fail: bool = False  # the text may be none of what is read


# A row as reading wants it: itself; its transform, where it is plain; its last name, where it is plain and has nothing
# above; and the target and XPath it is reported under.
Line = tuple[Row, Transform | None, str | None, str, str]


def lines_of(rows: Iterable[Row], here: str = "", there: str = "") -> tuple[Line, ...]:
    """Rows with what goes before each target and path, in an entry of a list."""
    return tuple(
        (
            row,
            row.read if row.plain else None,
            row.last if row.plain and not row.above else None,
            here + row.target,
            there + row.xpath,
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are read together, from one element."""

    rows: tuple[Row, ...]
    plan: Plan = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the rows of one entry are reported under; `shared`: by target, target and path in the entry."""

    own: tuple[Line, ...]
    shared: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Each:
    """A repeated thing: each node becomes one entry of the list `target`."""

    target: str
    xpath: str
    find: etree.XPath = field(repr=False)
    rows: tuple[Row, ...]
    own: Group = field(repr=False)  # those of them read from the entry
    shared: Group = field(repr=False)  # and those read from its parent, once for all its entries
    set: dict[str, Any] = field(default_factory=dict)
    number: str | None = None  # target that gets the entry's number, as text
    label: str | None = None
    entries: dict[tuple[int, int], Entry] = field(repr=False, default_factory=dict)  # those made before, a few

    def entry(self, index: int, position: int) -> Entry:
        """The entry at `index` (from 0) of the target's list, from the node at `position` (from 1) of the XPath's.

        Most documents have few entries, and all the same first ones: these are kept.
        """
        made = self.entries.get((index, position))
        if made is None:
            here, there = f"{self.target}[{index}].", f"({self.xpath})[{position}]/"
            shared = {row.target: (here + row.target, there + row.xpath) for row in self.shared.rows}
            made = Entry(lines_of(self.own.rows, here, there), shared)
            if len(self.entries) < _ENTRIES_KEPT:
                self.entries[index, position] = made
        return made


@dataclass(frozen=True, slots=True)
class Ignored:
    """Signed content that is deliberately not taken, and why."""

    why: str
    attributes: frozenset[str] = frozenset()
    xpath: str | None = None
    find: etree.XPath | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Table:
    """One mapping: a form's namespace and everything read from it."""

    name: str
    form: str
    kind: str
    version: int
    ns: dict[str, str]
    rows: tuple[Row, ...]
    eaches: tuple[Each, ...]
    ignored: tuple[Ignored, ...]
    plan: Plan = field(repr=False)  # of rows, then of eaches, then of what is ignored
    lines: tuple[Line, ...] = field(repr=False)
    set: dict[str, Any] = field(default_factory=dict)
    inside: etree.XPath | None = field(repr=False, default=None)  # base64 of a document that is mapped instead
    ignored_attributes: frozenset[str] = frozenset()  # local names of attributes that are envelope, not content
    for_checks: Table | None = field(repr=False, default=None)  # only what checks look at; None: this is that table


def read_table(path: Path, parts: Path) -> Table:
    """Read and compile one mapping with the shared parts it includes.

    Args:    parts: the folder of `include = ["name"]` files.
    Raises:  MappingError `mapping.file_unreadable`, `mapping.key_unknown`, `mapping.key_missing`,
             `mapping.xpath_wrong`, `mapping.transform_unknown`, each with file, line and key.
    """
    raw, text = _toml(path)
    _only(raw, _TOP_KEYS, path, text)
    for key in ("form", "kind", "version"):
        if key not in raw:
            raise MappingError("mapping.key_missing", file=path.name, line=1, key=key)
    sources = [(raw, path, text), *_included(raw, parts, unqualified=raw.get("unqualified", False))]
    namespaces: dict[str, str] = {"w": raw["form"]}
    for table, _, _ in reversed(sources):
        namespaces |= table.get("ns", {})
    compiler = [_Compiler(where, content, namespaces) for _, where, content in sources]
    rows = {
        row.target: row
        for (table, *_), c in reversed(list(zip(sources, compiler, strict=True)))
        for row in c.rows(table)
    }
    eaches = _sharing(each for (table, *_), c in zip(sources, compiler, strict=True) for each in c.eaches(table))
    ignored = tuple(item for (table, *_), c in zip(sources, compiler, strict=True) for item in c.ignored(table))
    whole = Table(
        name=path.stem,
        form=raw["form"],
        kind=raw["kind"],
        version=raw["version"],
        ns=namespaces,
        rows=tuple(rows.values()),
        eaches=eaches,
        ignored=ignored,
        ignored_attributes=frozenset().union(*(item.attributes for item in ignored)),
        plan=_plan(tuple(rows.values()), eaches, ignored, namespaces),
        lines=lines_of(rows.values()),
        set={key: value for table, _, _ in reversed(sources) for key, value in table.get("set", {}).items()},
        inside=compiler[0].compile(raw["inside"], "inside") if "inside" in raw else None,
    )
    return replace(whole, for_checks=_narrowed(whole))


def _plan(
    rows: tuple[Row, ...], eaches: tuple[Each, ...], ignored: tuple[Ignored, ...], namespaces: dict[str, str]
) -> Plan:
    paths = [*(row.xpath for row in rows), *(each.xpath for each in eaches), *(item.xpath for item in ignored)]
    return plan(paths, namespaces, unions=range(len(rows) + len(eaches), len(paths)))


def _groups(rows: tuple[Row, ...], set_: dict[str, Any], namespaces: dict[str, str]) -> tuple[Group, Group]:
    """Rows of a repeated thing: those read from each entry, and those read from above and shared.

    A part of an entry (`address`) is either shared as a whole or read for each entry.
    """
    own_parts = {_part_of(name) for name in (*set_, *(row.target for row in rows if not _is_above(row)))}
    own = tuple(row for row in rows if not _is_above(row) or _part_of(row.target) in own_parts)
    shared = tuple(row for row in rows if row not in own)
    paths = [row.xpath.removeprefix("../") for row in shared]
    return (
        Group(own, plan([row.xpath for row in own], namespaces), lines_of(own)),
        Group(shared, plan(paths, namespaces), lines_of(shared)),
    )


def _sharing(eaches: Iterable[Each]) -> tuple[Each, ...]:
    """With groups that read the same made one: what a parent says is read once for all kinds of its entries."""
    known: dict[str, Group] = {}
    return tuple(
        replace(each, shared=known.setdefault(str([(row, row.read) for row in each.shared.rows]), each.shared))
        for each in eaches
    )


def _part_of(target: str) -> str:
    return target.partition(".")[0]


def _is_above(row: Row) -> bool:
    return is_above(row.xpath) and not row.required and row.target != "*"


def _narrowed(table: Table) -> Table:
    """What checks look at: figures, codes and dates, required values, and texts that may be unreadable."""
    rows = tuple(row for row in table.rows if row.required or row.may_fail or row.target.startswith(_CHECKED))
    eaches = _sharing(
        replace(each, rows=kept, own=own, shared=shared, entries={})
        for each in table.eaches
        if each.target != "attachments"
        and (kept := tuple(row for row in each.rows if row.required or row.may_fail or row.target in _CHECKED_IN))
        for own, shared in [_groups(kept, each.set, table.ns)]
    )
    return replace(
        table, rows=rows, eaches=eaches, ignored=(), plan=_plan(rows, eaches, (), table.ns), lines=lines_of(rows)
    )


# Targets of text that checks look at (case.py, taxes.py, addressee.py); everything numeric or coded is kept anyway.
_CHECKED = ("taxpayer.pesel", "payout_account", "purpose", "reason", "period.", "authority.name", "document.addressee")
_CHECKED_IN = ("share", "use_code", "soil_class", "kw.number")


class _Compiler:
    """Compiles the rows of one file; knows file and text, to say where a mistake is."""

    def __init__(self, path: Path, text: str, namespaces: dict[str, str]) -> None:
        self.path, self.text, self.namespaces = path, text, namespaces

    def rows(self, table: dict[str, Any]) -> list[Row]:
        return [self._row(target, row) for target, row in table.get("field", {}).items()]

    def eaches(self, table: dict[str, Any]) -> list[Each]:
        return [self._each(entry) for entry in table.get("each", [])]

    def ignored(self, table: dict[str, Any]) -> list[Ignored]:
        return [self._ignore(entry) for entry in table.get("ignore", [])]

    def _row(self, target: str, row: dict[str, Any]) -> Row:
        self._check(row, _ROW_KEYS, ("xpath",), target)
        read = row.get("read", "token")
        if read not in TRANSFORMS:
            raise self._wrong("mapping.transform_unknown", target, reason=read)
        return Row(
            target=target,
            xpath=row["xpath"],
            find=self.compile(row["xpath"], target),
            read=TRANSFORMS[read],
            required=row.get("required", False),
            many=row.get("many", False),
            values=row.get("values"),
            label=row.get("label"),
            above=tuple(target.split(".")[:-1]),
            last=target.rpartition(".")[2],
            plain=not row.get("many", False) and "values" not in row and not target.endswith("*"),
            may_fail=TRANSFORMS[read] not in NEVER_FAIL or "values" in row,
        )

    def _each(self, entry: dict[str, Any]) -> Each:
        name = str(entry.get("target", "?"))
        self._check(entry, _EACH_KEYS, ("target", "xpath", "field"), name)
        rows = tuple(self._row(target, row) for target, row in entry["field"].items())
        own, shared = _groups(rows, entry.get("set", {}), self.namespaces)
        return Each(
            target=name,
            xpath=entry["xpath"],
            find=self.compile(entry["xpath"], name),
            rows=rows,
            own=own,
            shared=shared,
            set=entry.get("set", {}),
            number=entry.get("number"),
            label=entry.get("label"),
        )

    def _ignore(self, entry: dict[str, Any]) -> Ignored:
        self._check(entry, {"attributes", "xpath", "why"}, ("why",), "ignore")
        xpath = entry.get("xpath")
        return Ignored(
            why=entry["why"],
            attributes=frozenset(entry.get("attributes", [])),
            xpath=xpath,
            find=self.compile(xpath, "ignore") if xpath else None,
        )

    def compile(self, xpath: str, key: str) -> etree.XPath:
        try:
            return etree.XPath(xpath, namespaces=self.namespaces)
        except etree.XPathSyntaxError as error:
            raise self._wrong("mapping.xpath_wrong", key, reason=str(error)) from error

    def _check(self, entry: Any, allowed: set[str], needed: tuple[str, ...], key: str) -> None:
        if not isinstance(entry, dict):
            raise self._wrong("mapping.key_unknown", key, reason=key)
        if unknown := sorted(set(entry) - allowed):
            raise self._wrong("mapping.key_unknown", key, reason=", ".join(unknown))
        if absent := [name for name in needed if name not in entry]:
            raise self._wrong("mapping.key_missing", key, reason=", ".join(absent))

    def _wrong(self, code: str, key: str, *, reason: str) -> MappingError:
        return MappingError(code, file=self.path.name, line=line_of(self.text, key), key=key, reason=reason)


def line_of(text: str, key: str) -> int:
    """Line (1-based) of the table or key of this name, 0 if it cannot be told."""
    name = rf'"?{re.escape(key)}"?'
    shapes = (
        rf"^\[+(?:each\.)?field\.{name}\]",
        rf"^{name}\s*=",
        rf'^target\s*=\s*"{re.escape(key)}"',
        rf"^\[+{name}\]",
    )
    found = next((hit for shape in shapes if (hit := re.search(shape, text, re.MULTILINE))), None)
    return text.count("\n", 0, found.start()) + 1 if found else 0


def _included(
    raw: dict[str, Any], parts: Path, depth: int = 0, *, unqualified: bool = False
) -> list[tuple[dict[str, Any], Path, str]]:
    """The shared parts a file includes, and theirs, nearest first.

    Args: unqualified: only the form's root is in its namespace (elementFormDefault), so that paths below lose the `w:`.
    """
    found = []
    for name in raw.get("include", []) if depth < _INCLUDE_DEPTH else []:
        path = parts / f"{name}.toml"
        part, text = _toml(path)
        _only(part, _PART_KEYS, path, text)
        found += [
            (_without_prefix(part) if unqualified else part, path, text),
            *_included(part, parts, depth + 1, unqualified=unqualified),
        ]
    return found


def _without_prefix(part: Any) -> Any:
    """A part whose XPaths do not say `w:` below the root element."""
    if isinstance(part, dict):
        return {
            key: _BELOW_ROOT.sub("", value) if key == "xpath" else _without_prefix(value) for key, value in part.items()
        }
    return [_without_prefix(item) for item in part] if isinstance(part, list) else part


def _toml(path: Path) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_text("utf-8")
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise MappingError(
            "mapping.file_unreadable", file=path.name, line=int(line[1]) if line else 0, key="-", reason=str(error)
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError("mapping.file_unreadable", file=path.name, line=0, key="-", reason=str(error)) from error


def _only(raw: dict[str, Any], allowed: set[str], path: Path, text: str) -> None:
    if unknown := sorted(set(raw) - allowed):
        raise MappingError(
            "mapping.key_unknown", file=path.name, line=line_of(text, unknown[0]), key=unknown[0], reason=unknown[0]
        )

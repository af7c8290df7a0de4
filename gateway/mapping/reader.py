"""Run one table over a document: values by target, where each came from, and what nobody took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from lxml import etree

from gateway.mapping.table import Each, Row, Table
from schemas.errors import MappingError
from schemas.xmldoc import DS, XSI

_SIGNATURE = f"{{{DS}}}Signature"
_XSI = f"{{{XSI}}}"


@dataclass(slots=True)
class Reading:
    """What a table found. `values` is nested, JSON-ready; `unread` names targets whose text could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    taken: set[Any] = field(default_factory=set)  # elements, and (element, attribute name) pairs


def read(root: etree._Element, table: Table) -> Reading:
    """Read all rows. Raises MappingError `mapping.required_missing` with the target of the row that found nothing."""
    reading = Reading()
    for target, value in table.set.items():
        put(reading.values, target, value)
    for row in table.rows:
        _take(reading, root, row, reading.values, row.target, row.xpath, table)
    for each in table.eaches:
        _take_each(reading, root, each, table)
    for ignored in table.ignored:
        if ignored.find is not None:
            reading.taken.update(_place(node) for node in _nodes(ignored.find(root)))
    return reading


def unmapped(root: etree._Element, table: Table, taken: set[Any]) -> tuple[str, ...]:
    """Paths of content that no row took: texts and attributes, signatures left out."""
    skip = table.ignored_attributes
    signatures = {inner for signature in root.iter(_SIGNATURE) for inner in signature.iter(etree.Element)}
    found: list[str] = []
    for element in root.iter(etree.Element):
        if signatures and element in signatures:
            continue
        if element not in taken and _own_text(element):
            found.append(path_of(element, table.ns))
        if element.attrib:
            names = [str(name) for name in element.attrib if not _let_be(str(name), skip)]
            found += [f"{path_of(element, table.ns)}/@{name}" for name in names if (element, name) not in taken]
    return tuple(found)


def path_of(element: etree._Element, namespaces: dict[str, str]) -> str:
    """A readable absolute XPath with the table's prefixes, positions where there are siblings of the same name."""
    prefixes = {uri: prefix for prefix, uri in namespaces.items()}
    steps = []
    node: etree._Element | None = element
    while node is not None:
        name = etree.QName(node)
        prefix = prefixes.get(name.namespace or "") or node.prefix
        step = f"{prefix}:{name.localname}" if prefix else name.localname
        before = sum(1 for _ in node.itersiblings(node.tag, preceding=True))
        after = next(node.itersiblings(node.tag), None)
        steps.append(f"{step}[{before + 1}]" if before or after is not None else step)
        node = node.getparent()
    return "/" + "/".join(reversed(steps))


def put(values: dict[str, Any], target: str, value: Any) -> None:
    """Set `a.b.c` in nested dictionaries."""
    *above, last = target.split(".")
    for name in above:
        values = values.setdefault(name, {})
    values[last] = value


def _take(
    reading: Reading, context: etree._Element, row: Row, into: dict[str, Any], target: str, source: str, table: Table
) -> None:
    nodes = _nodes(row.find(context))
    found: list[Any] = []
    for node in nodes if row.many else nodes[:1]:
        try:
            value = _value(row, node)
        except ValueError:
            reading.unread[target] = source
            continue
        reading.taken.add(_place(node))
        if value is not None:
            found.append(value)
    if not found:
        if row.required and target not in reading.unread:
            raise MappingError("mapping.required_missing", file=f"{table.name}.toml", key=target, xpath=source)
        return
    reading.sources[target] = source
    if row.target == "*":  # several values at once, each under its own name
        into.update(found[0])
    else:
        put(into, row.target, found if row.many else found[0])


def _take_each(reading: Reading, root: etree._Element, each: Each, table: Table) -> None:
    entries = _list_at(reading.values, each.target)
    for position, node in enumerate(_nodes(each.find(root)), 1):
        entry: dict[str, Any] = {}
        index = len(entries)
        for key, value in each.set.items():
            put(entry, key, value)
        if each.number:
            put(entry, each.number, str(index + 1))
        for row in each.rows:
            source = f"({each.xpath})[{position}]/{row.xpath}"
            _take(reading, node, row, entry, f"{each.target}[{index}].{row.target}", source, table)
        entries.append(entry)


def _list_at(values: dict[str, Any], target: str) -> list[dict[str, Any]]:
    *above, last = target.split(".")
    for name in above:
        values = values.setdefault(name, {})
    entries: list[dict[str, Any]] = values.setdefault(last, [])
    return entries


def _value(row: Row, node: Any) -> Any:
    value = row.read(_text(node))
    if row.values is None or value is None:
        return value
    if str(value) not in row.values:
        raise ValueError("value")
    return row.values[str(value)]


def _text(node: Any) -> str:
    if not isinstance(node, etree._Element):
        return str(node)
    return (node.text or "") if len(node) == 0 else "".join(str(part) for part in node.itertext())


def _nodes(result: Any) -> list[Any]:
    """XPath results as a list: node sets as they are, a string or number as one value if it says anything."""
    if isinstance(result, list):
        return result
    return [] if result == "" or result is False else [result]


def _place(node: Any) -> Any:
    if isinstance(node, etree._Element):
        return node
    parent = getattr(node, "getparent", lambda: None)()
    return (parent, node.attrname) if parent is not None and node.is_attribute else parent


def line_of(element: etree._Element) -> int | None:
    """The element's line in the original file."""
    return cast("int | None", element.sourceline)  # lxml's stubs leave its type open


def _own_text(element: etree._Element) -> bool:
    if element.text and element.text.strip():
        return True
    return any(child.tail and child.tail.strip() for child in element)


def _let_be(name: str, skip: frozenset[str]) -> bool:
    return name in skip or name.startswith(_XSI)

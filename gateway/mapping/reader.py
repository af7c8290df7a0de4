"""Run one table over a document: values by target, where each came from, and what nobody took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from lxml import etree

from gateway.mapping.plan import every, find, find_from_root
from gateway.mapping.table import Each, Row, Table
from schemas.errors import MappingError
from schemas.xmldoc import DS, XSI

_Element = etree._Element
_PLACES = (_Element, tuple)  # an element, or an element with the name of its attribute


class _Finder:
    """Elements of a document by what they have, those of signatures left out; one look where there is no signature."""

    def __init__(self, xpath: str) -> None:
        signature = f"*[local-name()='Signature' and namespace-uri()='{DS}']"
        self._all = etree.XPath(xpath)
        self._outside = etree.XPath(f"{xpath}[not(ancestor-or-self::{signature})]")

    def __call__(self, root: etree._Element) -> list[etree._Element]:
        signed = next(root.iter(f"{{{DS}}}Signature"), None) is not None
        return cast("list[etree._Element]", (self._outside if signed else self._all)(root))


_XSI = f"{{{XSI}}}"
_WITH_TEXT = _Finder("//*[text()[normalize-space()]]")
_WITH_ATTRIBUTES = _Finder("//*[@*]")


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
    found = find_from_root(table.plan, root)
    everything: tuple[Row | Each, ...] = (*table.rows, *table.eaches)
    for number in table.plan.others:
        found[number] = _nodes(everything[number].find(root))
    rows = table.rows
    for number in sorted({*found, *table.required}):
        if number < len(rows):
            row = rows[number]
            _take(reading, found.get(number), row, reading.values, row.target, row.xpath, table)
    for number, each in enumerate(table.eaches, len(table.rows)):
        _take_each(reading, every(found.get(number)), each, table)
    for ignored in table.ignored:
        if ignored.find is not None:
            reading.taken.update(_place(node) for node in _nodes(ignored.find(root)))
    return reading


def unmapped(root: etree._Element, table: Table, taken: set[Any]) -> tuple[str, ...]:
    """Paths of content that no row took: texts and attributes, signatures left out; in document order of each kind."""
    skip = table.ignored_attributes
    found = [path_of(element, table.ns) for element in _WITH_TEXT(root) if element not in taken]
    for element in _WITH_ATTRIBUTES(root):
        for name in map(str, element.attrib):
            if name not in skip and (element, name) not in taken and not name.startswith(_XSI):
                found.append(f"{path_of(element, table.ns)}/@{name}")
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


def _take(reading: Reading, nodes: Any, row: Row, into: dict[str, Any], target: str, source: str, table: Table) -> None:
    """Store what a row found: a node, or a list of nodes of which all (`many`) or the first are taken."""
    if row.many:
        value = [one for node in every(nodes) if (one := _read(reading, node, row, target, source)) is not None] or None
    else:
        node = nodes if type(nodes) is not list else next(iter(nodes), None)
        value = None if node is None else _read(reading, node, row, target, source)
    if value is not None:
        reading.sources[target] = source
        _store(into, row, value)
    elif row.required and target not in reading.unread:
        raise MappingError("mapping.required_missing", file=f"{table.name}.toml", key=target, xpath=source)


def _read(reading: Reading, node: Any, row: Row, target: str, source: str) -> Any:
    """The value of one node; None where it is empty or cannot be read, the latter noted."""
    try:
        value = row.read((node.text or "") if type(node) is _Element and len(node) == 0 else _text(node))
        if row.values is not None and value is not None:
            value = _translated(value, row.values)
    except ValueError:
        reading.unread[target] = source
        return None
    reading.taken.add(node if type(node) in _PLACES else _place(node))
    return value


def _store(into: dict[str, Any], row: Row, value: Any) -> None:
    if row.path is not None:
        *above, last = row.path
        for name in above:
            into = into.setdefault(name, {})
        into[last] = value
    elif row.target == "*":  # several values at once, each under its own name
        into.update(value)
    else:
        into[row.target] = value


def _take_each(reading: Reading, nodes: list[Any], each: Each, table: Table) -> None:
    if not nodes:
        return
    entries = _list_at(reading.values, each.target)
    shared: dict[Any, Reading] = {}  # what is read from above, by parent
    for position, node in enumerate(nodes, 1):
        entry: dict[str, Any] = {}
        index = len(entries)
        for key, value in each.set.items():
            put(entry, key, value)
        if each.number:
            put(entry, each.number, str(index + 1))
        here, there = f"{each.target}[{index}].", f"({each.xpath})[{position}]/"
        found = find(each.plan, node)
        for number in each.plan.others:
            found[number] = _nodes(each.rows[number].find(node))
        for number in sorted({*found, *each.required}) if each.required else sorted(found):
            row = each.rows[number]
            _take(reading, found.get(number), row, entry, here + row.target, there + row.xpath, table)
        if each.above.steps.below:
            parent = node.getparent()
            if parent not in shared:
                shared[parent] = _read_above(parent, each, table)
            _share(reading, shared[parent], entry, here, there)
        entries.append(entry)


def _read_above(parent: etree._Element, each: Each, table: Table) -> Reading:
    """Rows that start at the parent, read once; targets are the rows' own, values keyed by them."""
    reading = Reading()
    for number, nodes in find(each.above, parent).items():
        row = each.rows[number]
        into: dict[str, Any] = {}
        _take(reading, nodes, row, into, row.target, row.xpath, table)
        if into:
            reading.values[row.target] = (row, into)
    return reading


def _share(reading: Reading, above: Reading, entry: dict[str, Any], here: str, there: str) -> None:
    reading.taken |= above.taken
    for target, xpath in above.unread.items():
        reading.unread[here + target] = there + xpath
    for row, into in above.values.values():
        value = into
        for name in row.path or (row.target,):
            value = value[name]
        _store(entry, row, value)
        reading.sources[here + row.target] = there + row.xpath


def _list_at(values: dict[str, Any], target: str) -> list[dict[str, Any]]:
    *above, last = target.split(".")
    for name in above:
        values = values.setdefault(name, {})
    entries: list[dict[str, Any]] = values.setdefault(last, [])
    return entries


def _translated(value: Any, values: dict[str, Any]) -> Any:
    word = values.get(str(value))
    if word is None:
        raise ValueError("value")
    return word


def _text(node: Any) -> str:
    if type(node) is _Element:
        return node.text or "" if len(node) == 0 else "".join(str(part) for part in node.itertext())
    if type(node) is tuple:  # an element and the name of its attribute
        return str(node[0].get(node[1]))
    return str(node)


def _nodes(result: Any) -> list[Any]:
    """XPath results as a list: node sets as they are, a string or number as one value if it says anything."""
    if isinstance(result, list):
        return result
    return [] if result == "" or result is False else [result]


def _place(node: Any) -> Any:
    if type(node) in _PLACES:
        return node
    parent = getattr(node, "getparent", lambda: None)()
    return (parent, node.attrname) if parent is not None and node.is_attribute else parent


def line_of(element: etree._Element) -> int | None:
    """The element's line in the original file."""
    return cast("int | None", element.sourceline)  # lxml's stubs leave its type open

"""Run one table over a document: values by target, where each came from, and what nobody took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from lxml import etree

from gateway.mapping.plan import Found, every, find, find_from_root
from gateway.mapping.table import Each, Group, Ignored, Line, Row, Table
from schemas.errors import MappingError
from schemas.xmldoc import DS, XSI

_Element = etree._Element
_PLACES = (_Element, tuple)  # an element, or an element with the name of its attribute


_XSI = f"{{{XSI}}}"
_SPACE = " \t\r\n"  # what XML calls white space


@dataclass(slots=True)
class Reading:
    """What a table found. `values` is nested, JSON-ready; `unread` names targets whose text could not be read.

    `sources` and `taken` stay empty in a reading that is not `tracked`: half of the work is knowing where things stand.
    """

    tracked: bool = True
    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    taken: set[Any] = field(default_factory=set)  # elements, and (element, attribute name) pairs
    above: dict[Any, Reading] = field(default_factory=dict)  # what entries share, by group and parent


def read(root: etree._Element, table: Table, *, tracked: bool = True) -> Reading:
    """Read all rows. Raises MappingError `mapping.required_missing` with the target of the row that found nothing."""
    reading = Reading(tracked)
    for target, value in table.set.items():
        put(reading.values, target, value)
    found = find_from_root(table.plan, root)
    if table.plan.others:
        everything: tuple[Row | Each | Ignored, ...] = (*table.rows, *table.eaches, *table.ignored)
        for number in table.plan.others:
            if (look := everything[number].find) is not None:
                found[number] = _nodes(look(root))
    _take(reading, table.lines, found, reading.values, table)
    past = len(table.rows)
    for each, nodes in zip(table.eaches, found[past:], strict=False):
        if nodes is not None:
            _take_each(reading, every(nodes), each, table)
    if tracked:
        for nodes in found[past + len(table.eaches) :]:
            reading.taken.update(map(_place, every(nodes)))
    return reading


def unmapped(root: etree._Element, table: Table, taken: set[Any]) -> tuple[str, ...]:
    """Paths of content that no row took: texts and attributes, signatures left out; in document order of each kind."""
    texts: dict[_Element, None] = {}
    attributes: list[tuple[_Element, str]] = []
    skip = table.ignored_attributes
    for node in root.iter():  # comments and processing instructions too, for what stands after them
        # what is ASCII and space is what XML calls white space; asked first, because it is quick and nearly always so
        if (
            node not in taken and (text := node.text) and not (text.isspace() and text.isascii())
            and text.strip(_SPACE) and type(node) is _Element
        ):  # fmt: skip
            texts[node] = None
        if (tail := node.tail) and not (tail.isspace() and tail.isascii()) and tail.strip(_SPACE):
            parent = node.getparent()
            if parent is not None and parent not in taken:
                texts[parent] = None
        if names := node.keys():
            for name in map(str, names):
                if name not in skip and (node, name) not in taken and not name.startswith(_XSI):
                    attributes.append((node, name))
    if not texts and not attributes:
        return ()
    signed = {node for signature in root.iter(f"{{{DS}}}Signature") for node in signature.iter()}
    return (
        *(path_of(node, table.ns) for node in root.iter(etree.Element) if node in texts and node not in signed),
        *(f"{path_of(node, table.ns)}/@{name}" for node, name in attributes if node not in signed),
    )


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


def _take(reading: Reading, lines: tuple[Line, ...], found: Found, into: dict[str, Any], table: Table) -> None:
    """Store what the rows found. One leaf that is read as it stands, the usual case, is read without a call of ours."""
    tracked, taken, sources = reading.tracked, reading.taken, reading.sources
    for (row, read_plain, last, target, xpath), nodes in zip(lines, found, strict=False):
        if nodes is None:
            value = None
        elif read_plain is not None and type(nodes) is _Element and not len(nodes):
            try:
                value = read_plain(nodes.text or "")
            except ValueError:
                value = None
                reading.unread[target] = xpath
            else:
                if tracked:
                    taken.add(nodes)
        else:
            value = _value(reading, nodes, row, target, xpath)
        if value is not None:
            if last is not None:
                into[last] = value
            else:
                _store(into, row, value)
            if tracked:
                sources[target] = xpath
        elif row.required and target not in reading.unread:
            raise MappingError("mapping.required_missing", file=f"{table.name}.toml", key=target, xpath=xpath)


def _value(reading: Reading, nodes: Any, row: Row, target: str, xpath: str) -> Any:
    """What a row makes of a node, or of a list of nodes, of which all (`many`) or the first are taken."""
    if row.many:
        found = (_read(reading, node, row, target, xpath) for node in every(nodes))
        return [value for value in found if value is not None] or None
    if type(nodes) is not list:
        return _read(reading, nodes, row, target, xpath)
    return _read(reading, nodes[0], row, target, xpath) if nodes else None


def _read(reading: Reading, node: Any, row: Row, target: str, xpath: str) -> Any:
    """The value of one node; None where it is empty or cannot be read, the latter noted."""
    try:
        value = row.read(_text(node))
        if row.values is not None and value is not None:
            value = _translated(value, row.values)
    except ValueError:
        reading.unread[target] = xpath
        return None
    if reading.tracked:
        reading.taken.add(_place(node))
    return value


def _store(into: dict[str, Any], row: Row, value: Any) -> None:
    for name in row.above:
        into = into.setdefault(name, {})
    if row.last == "*":  # several values at once, each under its own name
        into.update(value)
    else:
        into[row.last] = value


def _take_each(reading: Reading, nodes: list[Any], each: Each, table: Table) -> None:
    if not nodes:
        return
    entries = _list_at(reading.values, each.target)
    own, number, shared = each.own, each.number, each.shared
    for position, node in enumerate(nodes, 1):
        entry = dict(each.set)
        index = len(entries)
        if number:
            put(entry, number, str(index + 1))
        known = each.entry(index, position)
        found = find(own.plan, node)
        for other in own.plan.others:
            found[other] = _nodes(own.rows[other].find(node))
        _take(reading, known.own, found, entry, table)
        if shared.rows:
            _share(_above(reading, shared, node.getparent(), table), reading, entry, known.shared)
        entries.append(entry)


def _above(reading: Reading, shared: Group, parent: Any, table: Table) -> Reading:
    """What entries of one parent share, read once for all of them, whatever their kind."""
    made = reading.above.get((id(shared), parent))
    if made is None:
        made = reading.above[id(shared), parent] = Reading(reading.tracked, taken=reading.taken)
        _take(made, shared.lines, find(shared.plan, parent), made.values, table)
    return made


def _share(above: Reading, reading: Reading, entry: dict[str, Any], places: dict[str, tuple[str, str]]) -> None:
    """What was read from above goes into an entry as well; no row of its own has a target in the same part."""
    entry.update(above.values)
    for target in above.sources:
        name, path = places[target]
        reading.sources[name] = path
    for target in above.unread:
        name, path = places[target]
        reading.unread[name] = path


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

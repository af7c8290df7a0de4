"""How a table is read fast: plain paths become one walk down the document, everything else stays a compiled XPath.

Most rows are plain child paths. A tree of their steps is walked once, beside the document's own tree: what is not there
costs one look-up for all rows below it, and no path is followed twice. Results are those of the XPaths, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from gateway.mapping.guards import Guard, guard

_NAME = r"[^\s/@\[\]()|*.:=!']+"
_PART = rf"(?:(?:{_NAME}:)?{_NAME}|\*)(?:\[[^\[\]]*\])?"
_PLAIN = re.compile(rf"(?:/|\.\./)?(?:{_PART}/)*(?:{_PART}|@{_NAME})|\.")
_PARTS = re.compile(rf"({_PART}|@{_NAME}|\.\.)(?:/|$)")
_COUNT = re.compile(r"count\(([^()|@]*)\)")


@dataclass(slots=True)
class Step:
    """One step of the paths of some rows: what is taken here, where it goes on. Keys of `below`: tag, `*` or `..`."""

    takes: list[int] = field(default_factory=list)  # numbers of rows that take the elements found here
    counts: list[int] = field(default_factory=list)  # of rows that only count them
    attributes: list[tuple[str, int]] = field(default_factory=list)
    guarded: dict[str, tuple[Guard, Step]] = field(default_factory=dict)  # further, where a condition holds
    below: dict[str, Step] = field(default_factory=dict)
    plain: bool = True  # nothing but `takes`: a leaf of most forms


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows by number, `size` in all: those in the tree of steps, and those that only their XPath finds."""

    steps: Step
    others: tuple[int, ...]
    size: int
    counted: tuple[int, ...] = ()


Found = list[Any]  # by row: None, a number for a count, one node, or a list of nodes (see `every`)


def find(plan: Plan, start: etree._Element) -> Found:
    """What each planned row finds from an element, in document order; an attribute is (element, name)."""
    found = _nothing(plan)
    _visit(plan.steps, start, found)
    return found


def find_from_root(plan: Plan, root: etree._Element) -> Found:
    """The same for absolute paths, whose first step is the root element itself."""
    found = _nothing(plan)
    for name in (root.tag, "*"):
        step = plan.steps.below.get(name)
        if step is not None:
            _visit(step, root, found)
    return found


def _nothing(plan: Plan) -> Found:
    found: Found = [None] * plan.size
    for number in plan.counted:
        found[number] = 0
    return found


def _descend(step: Step, element: etree._Element, found: Found) -> None:
    """Go down the document as far as any path goes along; everything else is never looked at."""
    below = step.below
    for child in element[:]:  # type: ignore[index]  # unknown to the stubs, and cheaper than an iterator
        following = below.get(child.tag)
        if following is not None:
            for number in following.takes:
                if found[number] is None:  # as nearly always: worth no call
                    found[number] = child
                else:
                    _add(found, number, child)
            if not following.plain:
                _go_on(following, child, found)
    if (star := below.get("*")) is not None:
        for child in element.iterchildren(etree.Element):
            _visit(star, child, found)
    if (above := below.get("..")) is not None and (parent := element.getparent()) is not None:
        _visit(above, parent, found)


def _visit(step: Step, element: etree._Element, found: Found) -> None:
    for number in step.takes:
        _add(found, number, element)
    if not step.plain:
        _go_on(step, element, found)


def _go_on(step: Step, element: etree._Element, found: Found) -> None:
    """Everything a step does apart from taking the element itself."""
    for number in step.counts:
        found[number] += 1
    for name, number in step.attributes:
        if element.get(name) is not None:
            _add(found, number, (element, name))
    if step.guarded:
        for holds, further in step.guarded.values():
            if holds(element):
                _visit(further, element, found)
    if step.below:
        _descend(step, element, found)


def _add(found: Found, number: int, node: Any) -> None:
    """The first as it is, a list only from the second on: most rows find one, and lists feed the collector."""
    before = found[number]
    if before is None:
        found[number] = node
    elif type(before) is list:
        before.append(node)
    else:
        found[number] = [before, node]


def every(found: Any) -> list[Any]:
    """What one row found, as a list."""
    if type(found) is list:
        return found
    return [] if found is None else [found]


def plan(xpaths: Sequence[str | None], namespaces: dict[str, str], unions: Iterable[int] = ()) -> Plan:
    """Sort XPaths into plain ones and others.

    Args: unions: numbers of rows that take all they find in any order, so that each part of `a | b` is a path.
    """
    steps = Step()
    together = frozenset(unions)
    others, counted = [], []
    for number, xpath in enumerate(xpaths):
        if xpath is None:  # takes its place and finds nothing
            continue
        count = _COUNT.fullmatch(xpath)
        paths = xpath.split(" | ") if number in together else [count[1] if count else xpath]
        read = [_parts(path, namespaces) for path in paths]
        if None in read:
            others.append(number)
            continue
        for parts in read:
            _enter(steps, parts or [], number, counts=count is not None)
        if count is not None:
            counted.append(number)
    return Plan(steps, tuple(others), len(xpaths), tuple(counted))


def is_above(xpath: str) -> bool:
    """A plain path that starts at the parent: what the entries of one parent share."""
    return xpath.startswith("../") and "[" not in xpath and _PLAIN.fullmatch(xpath) is not None


_Part = tuple[str, str, Guard | None]  # a tag, `*`, `..` or `@name`; the condition as written, and as a function


def _parts(xpath: str, namespaces: dict[str, str]) -> list[_Part] | None:
    """Steps of a plain path; None for anything else."""
    if not _PLAIN.fullmatch(xpath):
        return None
    if xpath == ".":
        return []

    def tag_of(name: str) -> str | None:
        prefix, colon, local = name.rpartition(":")
        if not colon:
            return name
        return f"{{{namespaces[prefix]}}}{local}" if prefix in namespaces else None

    parts: list[_Part] = []
    for part in _PARTS.findall(xpath.removeprefix("/")):
        name, _, condition = part.removesuffix("]").partition("[")
        tag = name if name[0] in "@*." else tag_of(name)
        holds = guard(condition, tag_of) if condition else None
        if tag is None or (condition and holds is None):
            return None
        parts.append((tag, condition, holds))
    return parts


def _enter(steps: Step, parts: list[_Part], number: int, *, counts: bool) -> None:
    for name, condition, holds in parts:
        steps.plain = False
        if name.startswith("@"):
            steps.attributes.append((name[1:], number))
            return
        steps = steps.below.setdefault(name, Step())
        if holds is not None:
            steps.plain = False
            steps = steps.guarded.setdefault(condition, (holds, Step()))[1]
    if counts:
        steps.plain = False
    (steps.counts if counts else steps.takes).append(number)

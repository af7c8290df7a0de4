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
    """One step of the paths of some rows: what is done with an element, and where it goes on from there."""

    takes: list[int] = field(default_factory=list)  # numbers of rows that take the elements found here
    counts: list[int] = field(default_factory=list)  # of rows that only count them
    attributes: list[tuple[str, int]] = field(default_factory=list)
    guarded: dict[str, tuple[Guard, Step]] = field(default_factory=dict)  # further, where a condition holds
    below: dict[str, Step] = field(default_factory=dict)  # by tag
    leaves: dict[str, int] = field(default_factory=dict)  # of these the ones that one row takes and no path goes beyond
    any_below: Step | None = None  # `*`
    above: Step | None = None  # `..`
    passes: bool = False  # goes on, and does nothing here


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
    found: Found = [None] * plan.size
    for number in plan.counted:
        found[number] = 0
    (_descend if plan.steps.passes else _visit)(plan.steps, start, found)
    return found


def find_from_root(plan: Plan, root: etree._Element) -> Found:
    """The same for absolute paths, whose first step is the root element itself."""
    first = plan.steps.below.get(root.tag)
    found: Found = [None] * plan.size
    for number in plan.counted:
        found[number] = 0
    if root.tag in plan.steps.leaves:
        found[plan.steps.leaves[root.tag]] = root
    for step in (first, plan.steps.any_below):
        if step is not None:
            _visit(step, root, found)
    return found


def _descend(step: Step, element: etree._Element, found: Found) -> None:
    """Go down the document as far as any path goes along; everything else is never looked at."""
    leaves, below = step.leaves, step.below
    for child in element[:]:  # type: ignore[index]  # unknown to the stubs, and cheaper than an iterator
        tag = child.tag
        if (number := leaves.get(tag)) is not None:
            if found[number] is None:  # as nearly always: worth no call
                found[number] = child
            else:
                _add(found, number, child)
        elif (following := below.get(tag)) is not None:
            (_descend if following.passes else _visit)(following, child, found)
    if step.any_below is not None:
        for child in element.iterchildren(etree.Element):
            _visit(step.any_below, child, found)
    if step.above is not None and (parent := element.getparent()) is not None:
        _visit(step.above, parent, found)


def _visit(step: Step, element: etree._Element, found: Found) -> None:
    """Everything one step does with an element, and further on."""
    for number in step.takes:
        _add(found, number, element)
    for number in step.counts:
        found[number] += 1
    for name, number in step.attributes:
        if element.get(name) is not None:
            _add(found, number, (element, name))
    for holds, further in step.guarded.values():
        if holds(element):
            _visit(further, element, found)
    if step.below or step.leaves or step.any_below or step.above:
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
    _settle(steps)
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
        if name.startswith("@"):
            steps.attributes.append((name[1:], number))
            return
        steps = _next(steps, name)
        if holds is not None:
            steps = steps.guarded.setdefault(condition, (holds, Step()))[1]
    (steps.counts if counts else steps.takes).append(number)


def _next(steps: Step, name: str) -> Step:
    if name == "*":
        steps.any_below = steps.any_below or Step()
        return steps.any_below
    if name == "..":
        steps.above = steps.above or Step()
        return steps.above
    return steps.below.setdefault(name, Step())


def _settle(steps: Step) -> None:
    """Once all paths are entered: put what is only taken, as most steps are, where the walk looks first."""
    following = [*steps.below.values(), steps.any_below, steps.above, *(step for _, step in steps.guarded.values())]
    for step in following:
        if step is not None:
            _settle(step)
    steps.leaves = {name: step.takes[0] for name, step in steps.below.items() if step == Step(takes=step.takes[:1])}
    steps.below = {name: step for name, step in steps.below.items() if name not in steps.leaves}
    goes_on = bool(steps.below or steps.leaves or steps.any_below or steps.above)
    steps.passes = goes_on and not (steps.takes or steps.counts or steps.attributes or steps.guarded)

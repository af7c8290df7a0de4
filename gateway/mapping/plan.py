"""How a table is read fast: plain paths become one walk down the document, everything else stays a compiled XPath.

Most rows are plain child paths. A tree of their steps is walked once, beside the document's own tree: what is not there
costs one look-up for all rows below it, and no path is followed twice. Results are those of the XPaths, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

_NAME = r"[^\s/@\[\]()|*.:]+"
_STEP = rf"(?:{_NAME}:)?{_NAME}"
_PLAIN = re.compile(rf"(?:/|\.\./)?(?:(?:{_STEP}|\*)/)*(?:{_STEP}|\*|@{_NAME})|\.")


@dataclass(slots=True)
class Step:
    """One step of the paths of some rows: what is taken here, where it goes on. Keys of `below`: tag, `*` or `..`."""

    takes: list[int] = field(default_factory=list)  # numbers of rows that take the elements found here
    attributes: list[tuple[str, int]] = field(default_factory=list)
    below: dict[str, Step] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows by number: those in the tree of steps, and those that only their XPath finds."""

    steps: Step
    others: tuple[int, ...]


Found = dict[int, Any]  # of a row: one node, or a list of nodes (see `every`)


def find(plan: Plan, start: etree._Element) -> Found:
    """What each planned row finds from an element, in document order; an attribute is (element, name)."""
    found: Found = {}
    _take(plan.steps, start, found)
    _descend(plan.steps, start, found)
    return found


def find_from_root(plan: Plan, root: etree._Element) -> Found:
    """The same for absolute paths, whose first step is the root element itself."""
    found: Found = {}
    for name in (root.tag, "*"):
        step = plan.steps.below.get(name)
        if step is not None:
            _take(step, root, found)
            _descend(step, root, found)
    return found


def _descend(step: Step, element: etree._Element, found: Found) -> None:
    """Go down the document as far as any path goes along; everything else is never looked at."""
    below = step.below
    for child in element:
        following = below.get(child.tag)
        if following is not None:
            for number in following.takes:
                if number in found:
                    _add(found, number, child)
                else:  # as nearly always: worth no call
                    found[number] = child
            if following.attributes:
                _take_attributes(following, child, found)
            if following.below:
                _descend(following, child, found)
    star = below.get("*")
    if star is not None:
        for child in element.iterchildren(etree.Element):
            _take(star, child, found)
            _descend(star, child, found)
    above = below.get("..")
    if above is not None and (parent := element.getparent()) is not None:
        _take(above, parent, found)
        _descend(above, parent, found)


def _take(step: Step, element: etree._Element, found: Found) -> None:
    for number in step.takes:
        _add(found, number, element)
    _take_attributes(step, element, found)


def _take_attributes(step: Step, element: etree._Element, found: Found) -> None:
    for name, number in step.attributes:
        if element.get(name) is not None:
            _add(found, number, (element, name))


def _add(found: Found, number: int, node: Any) -> None:
    """The first as it is, a list only from the second on: most rows find one, and lists feed the collector."""
    before = found.get(number)
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


def plan(xpaths: Sequence[str | None], namespaces: dict[str, str]) -> Plan:
    """Sort XPaths into plain ones and others; None holds the place of a row that another plan reads."""
    steps = Step()
    others = []
    for number, xpath in enumerate(xpaths):
        if xpath is None:
            continue
        parts = _parts(xpath, namespaces)
        if parts is None:
            others.append(number)
        else:
            _enter(steps, parts, number)
    return Plan(steps, tuple(others))


def is_above(xpath: str) -> bool:
    """A plain path that starts at the parent: what the entries of one parent share."""
    return xpath.startswith("../") and _PLAIN.fullmatch(xpath) is not None


def _parts(xpath: str, namespaces: dict[str, str]) -> list[str] | None:
    """Steps of a plain path as tags, `*`, `..` or `@name`; None for anything else."""
    if not _PLAIN.fullmatch(xpath):
        return None
    if xpath == ".":
        return []
    parts = []
    for part in xpath.removeprefix("/").split("/"):
        prefix, colon, local = part.rpartition(":")
        if colon and prefix not in namespaces:
            return None
        parts.append(f"{{{namespaces[prefix]}}}{local}" if colon else part)
    return parts


def _enter(steps: Step, parts: list[str], number: int) -> None:
    for part in parts:
        if part.startswith("@"):
            steps.attributes.append((part[1:], number))
            return
        steps = steps.below.setdefault(part, Step())
    steps.takes.append(number)

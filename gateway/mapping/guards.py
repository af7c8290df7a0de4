"""Conditions in plain paths, `[...]`, as functions of an element; they hold exactly where XPath's do.

Known: `@name='v'`, `p:name='v'`, `../@name='v'`, `../p:name='v'`, the same with `!=`, `p:name` (there is one),
`normalize-space()` (it says anything), `local-name()='v'`. Anything else is left to XPath.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lxml import etree

Guard = Callable[[etree._Element], bool]

_NAME = r"[^\W\d][\w.\-]*"  # never a number: that is a position
_COMPARED = re.compile(rf"(?P<above>\.\./)?(?P<name>@{_NAME}|(?:{_NAME}:)?{_NAME})(?P<sign>!?=)'(?P<value>[^']*)'")
_PRESENT = re.compile(rf"(?:{_NAME}:)?{_NAME}")
_LOCAL = re.compile(r"local-name\(\)='(?P<value>[^']*)'")


def guard(condition: str, tag_of: Callable[[str], str | None]) -> Guard | None:
    """The condition as a function; None where it is none of those known.

    Args: tag_of: the tag of a prefixed name, None where its prefix is not declared.
    """
    if condition == "normalize-space()":
        return _says_anything
    if local := _LOCAL.fullmatch(condition):
        return _named(local["value"])
    if _PRESENT.fullmatch(condition) and (tag := tag_of(condition)):
        return lambda element: element.find(tag) is not None
    compared = _COMPARED.fullmatch(condition)
    values = _values(compared["name"], tag_of) if compared else None
    if compared is None or values is None:
        return None
    return _comparison(values, compared["value"], equal=compared["sign"] == "=", above=bool(compared["above"]))


def _comparison(values: Callable[[etree._Element], Iterator[str]], wanted: str, *, equal: bool, above: bool) -> Guard:
    """As XPath compares a node set: it is enough that one of the values is equal, or that one differs."""

    def holds(element: etree._Element) -> bool:
        at = element.getparent() if above else element
        if at is not None:
            for value in values(at):
                if (value == wanted) is equal:
                    return True
        return False

    return holds


def _values(name: str, tag_of: Callable[[str], str | None]) -> Callable[[etree._Element], Iterator[str]] | None:
    """What an attribute, or the child elements of a name, say."""
    if name.startswith("@"):
        key = name[1:]
        return lambda element: iter([value] if (value := element.get(key)) is not None else [])
    tag = tag_of(name)
    if tag is None:
        return None
    return lambda element: map(_string, element.iterchildren(tag))


def _string(element: etree._Element) -> str:
    if len(element) == 0:
        return element.text or ""
    return "".join(map(str, element.itertext()))


def _says_anything(element: etree._Element) -> bool:
    return any(str(part).strip(" \t\r\n") for part in element.itertext())


def _named(local: str) -> Guard:
    suffix = "}" + local

    def holds(element: etree._Element) -> bool:
        tag = str(element.tag)
        return tag.endswith(suffix) or tag == local

    return holds

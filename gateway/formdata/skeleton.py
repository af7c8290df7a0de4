"""A document with every element and attribute a schema can contain, once: what an XPath of a mapping must hit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from gateway.formdata.model import ElementModel
from gateway.mapping.table import Table

_PREDICATE = re.compile(r"\[[^\[\]]*\]")
_FUNCTION = re.compile(r"^\s*(?:count|string|normalize-space|number|boolean)\((.*)\)\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stray:
    """A row of a mapping that points at nothing its schema can contain."""

    target: str
    xpath: str


def skeleton(root: ElementModel) -> etree._Element:
    """Every element of the model with every attribute, all branches, texts empty."""
    element = etree.Element(root.clark)
    for attribute in root.attributes:
        element.set(attribute.name, "")
    for child in root.children():
        element.append(skeleton(child))
    return element


def strays(table: Table, root: etree._Element) -> list[Stray]:
    """Rows whose XPath, conditions left out, finds nothing in the skeleton."""
    found = [Stray(row.target, row.xpath) for row in table.rows if not _hits(row.xpath, [root], table)]
    for each in table.eaches:
        nodes = _hits(each.xpath, [root], table)
        if not nodes:
            found.append(Stray(each.target, each.xpath))
            continue
        found += [
            Stray(f"{each.target}.{row.target}", row.xpath) for row in each.rows if not _hits(row.xpath, nodes, table)
        ]
    return found


def leaves(root: ElementModel, path: str = "") -> list[tuple[str, ElementModel]]:
    """Every element that holds text, with its path of local names."""
    here = f"{path}/{root.name[1]}"
    below = [leaf for child in root.children() for leaf in leaves(child, here)]
    return [(here, root), *below] if root.type is not None or not below else below


def _hits(xpath: str, contexts: list[Any], table: Table) -> list[Any]:
    plain = xpath
    while _PREDICATE.search(plain):  # from the innermost outwards
        plain = _PREDICATE.sub("", plain)
    inner = _FUNCTION.match(plain)
    find = etree.XPath(inner[1] if inner else plain, namespaces=table.ns)
    results = [find(context) for context in contexts]
    return [node for result in results if isinstance(result, list) for node in result if not isinstance(node, tuple)]

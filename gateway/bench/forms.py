"""Validating and mapping one 10 KB return, beside libxml2 and compiled XPaths used by hand; the figure is the ratio."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from lxml import etree

from gateway import mapper, validate
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from gateway.mapping.table import Table
from gateway.simulate import documents
from schemas.xmldoc import parse

BUDGET = 1.5


@dataclass(frozen=True, slots=True)
class Figures:
    """Microseconds of CPU per document, the best of several rounds; `ratio` is ours to the floor."""

    size_bytes: int
    rows: int
    floor_us: float
    validate_us: float
    map_us: float
    ratio: float
    budget: float = BUDGET

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def run(rounds: int = 7, repeat: int = 100) -> Figures:
    """Measure a DN-1 of about 10 KB, floor and ours in turn."""
    document = documents.property_return()
    forms, mappings = Forms.load(), Mappings.load()
    table = mappings.get(documents.PROPERTY_RETURN)
    assert table is not None
    facts = MessageFacts()
    with forms.schema(documents.PROPERTY_RETURN) as schema:
        assert schema is not None
        works: tuple[Callable[[], object], ...] = (
            lambda: _by_hand(document, schema, table),
            lambda: validate.check(document, forms, mappings),
            lambda: mapper.apply(document, mappings, facts),
        )
        best = [
            min(column)
            for column in zip(*([_timed(work, repeat) for work in works] for _ in range(rounds)), strict=True)
        ]
    floor, ours_validate, ours_map = best
    rows = len(table.rows) + sum(len(each.rows) for each in table.eaches)
    return Figures(len(document), rows, floor, ours_validate, ours_map, (ours_validate + ours_map) / floor)


def _by_hand(document: bytes, schema: etree.XMLSchema, table: Table) -> dict[str, Any]:
    """What somebody would write with lxml alone: parse, validate, run each compiled XPath, convert the first text.

    One parse. Ours parses twice, the octets to validate and the signed content to map; that counts against us.
    """
    tree = parse(document)
    schema.validate(tree)
    root = tree.getroot()
    found: dict[str, Any] = {}
    for row in table.rows:
        nodes = row.find(root)
        if isinstance(nodes, list) and nodes:
            found[row.target] = row.read(getattr(nodes[0], "text", None) or "")
    for each in table.eaches:
        entries = each.find(root)
        for number, entry in enumerate(_elements(entries)):
            for row in each.rows:
                nodes = row.find(entry)
                if isinstance(nodes, list) and nodes:
                    found[f"{each.target}[{number}].{row.target}"] = row.read(getattr(nodes[0], "text", None) or "")
    return found


def _elements(result: object) -> list[etree._Element]:
    return [node for node in result if isinstance(node, etree._Element)] if isinstance(result, list) else []


def _timed(work: Callable[[], object], repeat: int) -> float:
    start = time.process_time()
    for _ in range(repeat):
        work()
    return (time.process_time() - start) / repeat * 1e6

"""Validating and mapping one 10 KB return, beside libxml2 and compiled XPaths used by hand; the figure is the ratio.

Ours are two steps, `validate.check` and `mapper.apply`. Together they find what departs from the schema, hold the
taxpayer's figures against each other, make a typed case that knows where every value came from, and account for every
signed text and attribute. In one go (`read_once`, as `brama show` does it) they share one parse; in the service they
are apart by design, one before the citizen is answered, on the octets as they arrived, one later in a worker, on what
the signature covers, and each parses.

The floor is what an expert writes with lxml alone: a hardened parse; libxml2's schema validation; then every XPath of
the same table, compiled before and evaluated once, the first text of each converted by the same function. It checks
nothing, notes no places and accounts for nothing. `ratio` is one go against one go, `apart_ratio` two steps against two
steps, and `mixed_ratio` our two steps against a floor in one go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from gateway import mapper, validate
from gateway.forms import Forms
from gateway.mapper import Mappings, MessageFacts
from gateway.mapping.table import Table
from gateway.simulate import documents
from schemas.case import case_id
from schemas.ids import sha256
from schemas.xmldoc import read_once

BUDGET = 1.5
_PARSER = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)


@dataclass(frozen=True, slots=True)
class Figures:
    """Microseconds of CPU per document, the best of many short rounds; one parse unless the name says `apart`."""

    size_bytes: int
    rows: int
    floor_us: float
    ours_us: float
    ratio: float
    apart_validate_us: float
    apart_map_us: float
    apart_ratio: float
    mixed_ratio: float
    budget: float = BUDGET


def run(rounds: int = 150, repeat: int = 5) -> Figures:
    """Measure a DN-1 of about 10 KB, floor and ours in turn; rounds so short that some are left undisturbed."""
    document = documents.property_return()
    forms, mappings = Forms.load(), Mappings.load()
    table = mappings.get(documents.PROPERTY_RETURN)
    assert table is not None
    digest = sha256(document)  # intake has it already
    facts = MessageFacts(case_id=case_id("", digest), document_sha256=digest)
    with forms.schema(documents.PROPERTY_RETURN) as schema:
        assert schema is not None
        works: tuple[Callable[[], object], ...] = (
            lambda: _parsed(document),
            lambda: _validated_by_hand(document, schema),
            lambda: _read_by_hand(document, table),
            lambda: validate.check(document, forms, mappings),
            lambda: mapper.apply(document, mappings, facts),
            lambda: _in_one_go(document, forms, mappings, facts),
        )
        best = [
            min(column)
            for column in zip(*([_timed(work, repeat) for work in works] for _ in range(rounds)), strict=True)
        ]
    parse, validating, reading, ours_validate, ours_map, ours = best
    floor, apart = validating + reading - parse, ours_validate + ours_map
    return Figures(
        size_bytes=len(document),
        rows=len(table.rows) + sum(len(each.rows) for each in table.eaches),
        floor_us=floor,
        ours_us=ours,
        ratio=ours / floor,
        apart_validate_us=ours_validate,
        apart_map_us=ours_map,
        apart_ratio=apart / (floor + parse),
        mixed_ratio=apart / floor,
    )


def _in_one_go(document: bytes, forms: Forms, mappings: Mappings, facts: MessageFacts) -> object:
    with read_once(document):
        return validate.check(document, forms, mappings), mapper.apply(document, mappings, facts)


def _parsed(document: bytes) -> etree._Element:
    return etree.fromstring(document, _PARSER)


def _validated_by_hand(document: bytes, schema: etree.XMLSchema) -> bool:
    return schema.validate(_parsed(document))


def _read_by_hand(document: bytes, table: Table) -> dict[str, Any]:
    """What somebody would write with lxml alone: parse, run each compiled XPath, convert the first text."""
    root = _parsed(document)
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

"""A valid document of any form, made from its schema, with figures that hold together. Wholly fictitious."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from lxml import etree
from stdnum.pl import pesel

from gateway.checks.money import row_amount, to_zloty
from gateway.checks.rates import conversion_factors, highest_rate
from gateway.formdata.model import ElementModel, Particle
from gateway.formdata.plausible import make_plausible
from gateway.formdata.values import Values
from gateway.mapping.reader import Reading, read
from gateway.mapping.record import look_up
from gateway.mapping.table import Table
from schemas.xmldoc import ADR, DS, INST, META, OSO, STR, XSI

_PREFIXES = {
    "str": STR, "meta": META, "oso": OSO, "inst": INST, "adr": ADR, "xsi": XSI,
    "ed": "http://crd.gov.pl/xml/schematy/dziedzinowe/mf/2018/08/24/eD/DefinicjeTypy/",
}  # fmt: skip
_TECHNICAL = ("Jednostka",)  # an institution within an institution within an institution
_RARE = (
    "Departamenty", "TypInstytucji", "Pracownik", "InnyIdentyfikator", "Dostep", "Uwagi", "URIKontakt", "InnyKontakt",
    "Faks", "jakisInny", "DoWiadomosci",
)  # fmt: skip
_ALWAYS = ("DaneZalacznika", "Tytul")


def sample(
    root: ElementModel,
    *,
    seed: int = 1,
    full: bool = True,
    known: dict[str, str] | None = None,
    table: Table | None = None,
) -> bytes:
    """A document of this model.

    Args:    full: every optional part once, else each by chance; known: values by element name (KodFormularza ...);
             table: the form's mapping, by which amounts, totals and counts are made to agree.
    """
    chance = random.Random(f"sample-{seed}")  # noqa: S311 # samples, no secrets
    maker = _Maker(Values(chance, known or {}), chance, full)
    element = maker.element(root, None)
    if table is not None:
        settle(element, table)
    etree.indent(element)
    style = etree.ProcessingInstruction("xml-stylesheet", f'type="text/xsl" href="{root.name[0]}styl.xsl"')
    element.addprevious(style)
    written: bytes = etree.tostring(element.getroottree(), encoding="UTF-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + written


def settle(root: etree._Element, table: Table) -> None:
    """Make the figures agree: rows with objects, amounts with rates, the total, instalments, annex counts."""
    for step in (
        make_plausible,
        _kinds,
        _births,
        _wrapped_names,
        _rates,
        _conversions,
        _bases,
        _amounts,
        _total,
        _parts,
    ):
        step(Figures(root, table))


class _Maker:
    """Walks the model and writes elements; wildcards and signatures stay empty."""

    def __init__(self, values: Values, chance: random.Random, full: bool) -> None:
        self.values, self.chance, self.full = values, chance, full

    def element(self, model: ElementModel, parent: etree._Element | None) -> etree._Element:
        prefixes = {"wnio": model.name[0], **_PREFIXES} if parent is None else {}
        element = etree.Element(model.clark, nsmap=prefixes)
        if parent is not None:
            parent.append(element)
        for attribute in model.attributes:
            if attribute.name in _RARE:
                continue
            if attribute.required or self.full or model.name[1] == "Zalacznik" or self.chance.random() < 0.5:
                name = etree.QName(attribute.name).localname
                element.set(attribute.name, attribute.fixed or self.values.of(name, attribute.type))
        if model.content is not None:
            self._fill(element, model.content, depth=sum(1 for _ in element.iterancestors()))
        if model.type is not None:
            above = etree.QName(parent).localname if parent is not None else ""
            element.text = model.fixed or self.values.of(model.name[1], model.type, above)
        return element

    def _fill(self, element: etree._Element, particle: Particle, depth: int) -> None:
        for _ in range(self._times(particle, depth)):
            if particle.element is not None:
                self.element(particle.element, element)
            elif particle.kind == "choice" and particle.items:
                self._fill(element, self.chance.choice(particle.items), depth)
            else:
                for item in particle.items:
                    self._fill(element, item, depth)

    def _times(self, particle: Particle, depth: int) -> int:
        name = particle.element.name if particle.element else ("", "")
        if name[0] == DS or (particle.low == 0 and (name[1] in _TECHNICAL or depth > 14)):
            return 0
        if particle.low == 0 and self._left_out(name[1]):
            return 0
        most = min(particle.high, max(particle.low, 1 if self.full else 3))
        return self.chance.randint(max(particle.low, 1), most)

    def _left_out(self, name: str) -> bool:
        if self.full:
            return name in _RARE
        return name not in _ALWAYS and self.chance.random() < 0.4


class Figures:
    """What the mapping reads of a sample, and a way to write a target back to where it was read."""

    def __init__(self, root: etree._Element, table: Table) -> None:
        self.root, self.table = root, table
        self.reading: Reading = read(root, table)

    def get(self, path: str) -> Any:
        return look_up(self.reading.values, path)

    def write(self, target: str, value: object) -> None:
        source = self.reading.sources.get(target)
        nodes = self.root.xpath(source, namespaces=self.table.ns) if source else []
        node = nodes[0] if isinstance(nodes, list) and nodes else None
        if isinstance(node, etree._Element):
            node.text = str(value)

    def each(self, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
        yield from enumerate(self.get(path) or [])


def _kinds(figures: Figures) -> None:
    """The kind of taxpayer follows the branch that was chosen."""
    person = figures.root.find(".//{*}OsobaFizyczna") is not None
    for element in figures.root.iter("{*}RodzajPodatnika"):
        element.text = "1" if person else "2"


def _births(figures: Figures) -> None:
    """A PESEL says when its holder was born."""
    number = figures.get("taxpayer.pesel")
    if number and figures.get("taxpayer.birth_date"):
        figures.write("taxpayer.birth_date", pesel.get_birth_date(number).isoformat())


def _wrapped_names(figures: Figures) -> None:
    """In the signed-file wrapper names are base64."""
    if figures.table.inside is not None:
        for element in figures.root.iter(f"{{{STR}}}Zalacznik"):
            element.set("nazwaPliku", base64.b64encode(b"dokument.xml").decode("ascii"))


def _rates(figures: Figures) -> None:
    """No rate above what the law allows."""
    for index, row in figures.each("declared.rows"):
        bound = highest_rate(figures.table.kind, row["code"], figures.get("period.year") or 0)
        if bound is not None and row.get("rate") and Decimal(row["rate"]) > bound.value:
            figures.write(f"declared.rows[{index}].rate", bound.value.quantize(Decimal("0.01"), ROUND_DOWN))


def _conversions(figures: Figures) -> None:
    """A soil class that the use of the land has, and the conversion hectares it makes in the first tax district."""
    for index, item in figures.each("objects"):
        use, area = str(item.get("use_code")), item.get("area_ha")
        usual = _USUAL_CLASS.get(use)
        if usual is not None:
            figures.write(f"objects[{index}].soil_class", usual)
        factors = conversion_factors(use, str(item.get("stocking")) if use == "under_ponds" else usual or "")
        if factors and area:
            figures.write(f"objects[{index}].conversion_ha", (Decimal(area) * factors[0]).quantize(Decimal("0.0001")))


_USUAL_CLASS = {"arable": "IVa", "orchard": "IIIb", "meadow": "IV", "pasture": "V"}


def _bases(figures: Figures) -> None:
    """A row's base is the sum of its objects (property and forest tax)."""
    for index, row in figures.each("declared.rows"):
        parts = [item for _, item in figures.each("objects") if _code(item) == row["code"]]
        sizes = [Decimal(size) for item in parts for name in _SIZES if (size := item.get(name)) is not None][
            : len(parts)
        ]
        if sizes and figures.table.kind in ("property_return", "forest_return"):
            figures.write(f"declared.rows[{index}].base", sum(sizes, Decimal(0)))


_SIZES = ("area_m2", "area_ha", "usable_area_m2", "value_pln")


def _code(item: dict[str, Any]) -> str:
    return "structure" if item.get("type") == "structure" else str(item.get("use_code"))


def _amounts(figures: Figures) -> None:
    vehicles = [Decimal(item["vehicle"]["amount"]) for _, item in figures.each("objects") if item.get("vehicle")]
    for index, row in figures.each("declared.rows"):
        if figures.table.kind == "vehicle_return":
            figures.write(f"declared.rows[{index}].amount", sum(vehicles, Decimal(0)) if index == 0 else 0)
            for name in ("count", "count_co_first", "count_co_other"):
                figures.write(f"declared.rows[{index}].{name}", len(vehicles) if (index, name) == (0, "count") else 0)
        elif row.get("base") and row.get("rate"):
            amount = row_amount(Decimal(row["base"]), Decimal(row["rate"]), 12, percent=row["unit"] == "pln_percent")
            figures.write(f"declared.rows[{index}].amount", amount)
    for index, pot in figures.each("waste.containers"):
        figures.write(
            f"waste.containers[{index}].amount", Decimal(pot["rate"]).quantize(Decimal("0.01")) * pot["count"]
        )
        figures.write(f"waste.containers[{index}].rate", Decimal(pot["rate"]).quantize(Decimal("0.01")))


def _total(figures: Figures) -> None:
    rows = sum((Decimal(row["amount"]) for _, row in figures.each("declared.rows") if row.get("amount")), Decimal(0))
    reliefs = sum((Decimal(item["amount"]) for _, item in figures.each("reliefs") if item.get("amount")), Decimal(0))
    if figures.get("declared.rows"):
        due = max(rows - reliefs, Decimal(0))
        figures.write("declared.total", due if figures.table.kind == "vehicle_return" else to_zloty(due))
    litres = sum((Decimal(item["litres"]) for _, item in figures.each("excise.invoices")), Decimal(0))
    figures.write("excise.litres", litres)
    figures.write("excise.invoice_count", len(figures.get("excise.invoices") or []))
    figures.write("excise.requested_amount", "1.00")
    pots = sum((Decimal(item["amount"]) for _, item in figures.each("waste.containers")), Decimal(0))
    persons, rate = figures.get("waste.persons"), figures.get("waste.rate")
    monthly = pots or Decimal(rate or 0) * Decimal(persons or 0) - Decimal(figures.get("waste.relief") or 0)
    figures.write("waste.monthly_amount", max(monthly, Decimal(0)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _parts(figures: Figures) -> None:
    """Instalments add up to the total; annex counts are what is there."""
    total = to_zloty(Decimal(figures.get("declared.total") or 0))
    count = len(figures.get("declared.instalments") or [])
    for index in range(count):
        share = int(total) // count
        figures.write(f"declared.instalments[{index}].amount", total - share * (count - 1) if index == 0 else share)
    for name in figures.get("declared.annexes") or {}:
        figures.write(f"declared.annexes.{name}", figures.get(f"declared.annexes.{name}_present"))

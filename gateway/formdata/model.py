"""What a schema can contain, as a tree of particles: the ground for drafts, samples, differences and XPath checks.

Reads XML Schema 1.0 as forms use it: elements, sequences, choices, groups, extensions, restrictions, includes without a
namespace (they take the includer's), redefinitions, imports. Substitution groups, keys and wildcards are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from gateway.formdata.closure import XS, Closure
from gateway.formdata.simple import TEXT, SimpleType, SimpleTypes

UNBOUNDED = 1_000_000
_DEPTH = 40  # of nested elements; a form deeper than this is cut
_REPEAT = 1  # how often a type may stand inside itself
_ORIGINAL = " (original)"  # no name of XML has a space in it
_GLOBAL = ("element", "complexType", "simpleType", "group", "attribute", "attributeGroup")

Name = tuple[str, str]  # namespace, local name
Component = tuple[etree._Element, str]  # declaration, target namespace of the document it stands in


@dataclass(slots=True)
class Particle:
    """One place in a content model. kind: element | sequence | choice | all | any."""

    kind: str
    low: int = 1
    high: int = 1
    items: list[Particle] = field(default_factory=list)
    element: ElementModel | None = None


@dataclass(slots=True)
class Attribute:
    """One attribute of an element."""

    name: str  # Clark notation where it has a namespace
    required: bool
    type: SimpleType
    fixed: str | None = None


@dataclass(slots=True)
class ElementModel:
    """One element: its attributes, its content, or the simple type of its text."""

    name: Name
    content: Particle | None = None
    attributes: list[Attribute] = field(default_factory=list)
    type: SimpleType | None = None
    fixed: str | None = None
    mixed: bool = False

    @property
    def clark(self) -> str:
        """`{namespace}name`, or the plain name."""
        return f"{{{self.name[0]}}}{self.name[1]}" if self.name[0] else self.name[1]

    def children(self) -> Iterator[ElementModel]:
        """Every child element that can stand here, in schema order, all branches of choices."""
        yield from _elements(self.content)


def root_of(closure: Closure, name: str = "Dokument") -> ElementModel:
    """The model of the root element: the one called `name`, else the first global element of the entry schema.

    Raises KeyError where the schema declares no global element.
    """
    schema = _Schema(closure)
    found = [child.get("name", "") for child in schema.entry.iterchildren(f"{{{XS}}}element")]
    if not found:
        raise KeyError(closure.entry)
    chosen = name if name in found else found[0]
    declaration, namespace = schema.components["element"][(schema.namespace, chosen)]
    return schema.element(declaration, namespace, ())


def _elements(particle: Particle | None) -> Iterator[ElementModel]:
    if particle is None:
        return
    if particle.element is not None:
        yield particle.element
    for item in particle.items:
        yield from _elements(item)


class _Schema:
    """Global components of a closure by kind and name, and how declarations become models."""

    def __init__(self, closure: Closure) -> None:
        self.closure = closure
        self.components: dict[str, dict[Name, Component]] = {kind: {} for kind in _GLOBAL}
        self._seen: set[tuple[str, str]] = set()
        self.entry = closure.documents[closure.entry].getroot()
        self.namespace = self.entry.get("targetNamespace") or ""
        self._collect(closure.entry, self.namespace)
        self.types = SimpleTypes(self.components["simpleType"], self.resolve)

    def _collect(self, key: str, namespace: str, redefined: frozenset[str] = frozenset()) -> None:
        if (key, namespace) in self._seen:
            return
        self._seen.add((key, namespace))
        for child in self.closure.documents[key].getroot().iterchildren(etree.Element):
            kind, name = etree.QName(child).localname, child.get("name", "")
            if kind in _GLOBAL:
                known = f"{name}{_ORIGINAL}" if name in redefined else name
                self.components[kind].setdefault((namespace, known), (child, namespace))
            elif kind == "redefine":
                self._redefine(child, namespace)
            elif kind == "include":
                self._collect(child.get("schemaLocation", ""), namespace)
            elif kind == "import" and child.get("schemaLocation") in self.closure.documents:
                target = self.closure.documents[child.get("schemaLocation", "")].getroot()
                self._collect(child.get("schemaLocation", ""), target.get("targetNamespace") or "")

    def _redefine(self, node: etree._Element, namespace: str) -> None:
        """What stands inside takes the original's name; the original keeps living under another one."""
        for own in node.iterchildren(*(f"{{{XS}}}{kind}" for kind in _GLOBAL)):
            self.components[etree.QName(own).localname].setdefault((namespace, own.get("name", "")), (own, namespace))
        names = frozenset(own.get("name", "") for own in node.iterchildren(etree.Element))
        self._collect(node.get("schemaLocation", ""), namespace, names)

    def resolve(self, node: etree._Element, reference: str, namespace: str) -> Name:
        """A QName in the document of `node`; without a prefix and a default it is of the target namespace.

        Inside xs:redefine a component's own name means the original.
        """
        prefix, _, local = reference.rpartition(":")
        if any(above.get("name") == local and _is_redefinition(above) for above in (node, *node.iterancestors())):
            local += _ORIGINAL
        if prefix:
            return (node.nsmap.get(prefix) or "", local)
        return (node.nsmap.get(None) or namespace, local)

    def element(self, node: etree._Element, namespace: str, above: tuple[int, ...]) -> ElementModel:
        reference = node.get("ref")
        if reference:
            node, namespace = self.components["element"][self.resolve(node, reference, namespace)]
        qualified = node.getparent() is not None and self._is_qualified(node)
        model = ElementModel((namespace if qualified else "", node.get("name", "")), fixed=node.get("fixed"))
        inner = node.find(f"{{{XS}}}complexType")
        named = node.get("type")
        if inner is not None:
            self._complex(model, inner, namespace, above)
        elif named:
            name = self.resolve(node, named, namespace)
            if name in self.components["complexType"]:
                declaration, where = self.components["complexType"][name]
                self._complex(model, declaration, where, above)
            else:
                model.type = self.types.named(name)
        else:
            simple = node.find(f"{{{XS}}}simpleType")
            model.type = self.types.inline(simple, namespace) if simple is not None else TEXT
        return model

    def _is_qualified(self, node: etree._Element) -> bool:
        schema = node.getroottree().getroot()
        if node.getparent() is schema:
            return True
        form = node.get("form") or schema.get("elementFormDefault") or "unqualified"
        return form == "qualified"

    def _complex(self, model: ElementModel, node: etree._Element, namespace: str, above: tuple[int, ...]) -> None:
        if above.count(id(node)) > _REPEAT or len(above) > _DEPTH:
            return
        above = (*above, id(node))
        model.mixed = model.mixed or node.get("mixed") == "true"
        for child in node.iterchildren(etree.Element):
            kind = etree.QName(child).localname
            if kind in ("sequence", "choice", "all", "group"):
                self._append(model, self._particle(child, namespace, above))
            elif kind in ("attribute", "attributeGroup"):
                model.attributes += self._attributes(child, namespace)
            elif kind in ("complexContent", "simpleContent"):
                self._derived(model, child, namespace, above)

    def _derived(self, model: ElementModel, node: etree._Element, namespace: str, above: tuple[int, ...]) -> None:
        for step in node.iterchildren(f"{{{XS}}}extension", f"{{{XS}}}restriction"):
            base = self.resolve(step, step.get("base", ""), namespace)
            known = self.components["complexType"].get(base)
            extends = step.tag == f"{{{XS}}}extension"
            if known and (extends or etree.QName(node).localname == "simpleContent"):
                self._complex(model, known[0], known[1], above)
            elif not known and base != (XS, "anyType"):
                model.type = self.types.named(base)
            self._complex(model, step, namespace, above)

    def _append(self, model: ElementModel, particle: Particle) -> None:
        if model.content is None:
            model.content = particle
        else:
            model.content = Particle("sequence", items=[model.content, particle])

    def _particle(self, node: etree._Element, namespace: str, above: tuple[int, ...]) -> Particle:
        kind = etree.QName(node).localname
        low, high = _occurs(node)
        if kind == "element":
            return Particle("element", low, high, element=self.element(node, namespace, above))
        if kind == "group" and node.get("ref"):
            declaration, where = self.components["group"][self.resolve(node, node.get("ref", ""), namespace)]
            inner = next(declaration.iterchildren(f"{{{XS}}}sequence", f"{{{XS}}}choice", f"{{{XS}}}all"))
            return Particle("sequence", low, high, [self._particle(inner, where, above)])
        if kind == "any":
            return Particle("any", low, high)
        members = node.iterchildren(*(f"{{{XS}}}{name}" for name in ("element", "sequence", "choice", "group", "any")))
        return Particle(kind, low, high, [self._particle(member, namespace, above) for member in members])

    def _attributes(self, node: etree._Element, namespace: str) -> list[Attribute]:
        reference = node.get("ref")
        if node.tag == f"{{{XS}}}attributeGroup":
            name = self.resolve(node, reference or "", namespace)
            declaration, where = self.components["attributeGroup"][name]
            inner = declaration.iterchildren(f"{{{XS}}}attribute", f"{{{XS}}}attributeGroup")
            return [attribute for child in inner for attribute in self._attributes(child, where)]
        if node.get("use") == "prohibited":
            return []
        named, simple = node.get("type"), node.find(f"{{{XS}}}simpleType")
        kind = self.types.named(self.resolve(node, named, namespace)) if named else TEXT
        if simple is not None:
            kind = self.types.inline(simple, namespace)
        clark = "{{{}}}{}".format(*self.resolve(node, reference, namespace)) if reference else node.get("name", "")
        return [Attribute(clark, node.get("use") == "required", kind, node.get("fixed"))]


def _is_redefinition(node: etree._Element) -> bool:
    above = node.getparent()
    return above is not None and above.tag == f"{{{XS}}}redefine"


def _occurs(node: etree._Element) -> tuple[int, int]:
    high = node.get("maxOccurs", "1")
    return int(node.get("minOccurs", "1")), UNBOUNDED if high == "unbounded" else int(high)

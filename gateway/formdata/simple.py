"""Simple types of a schema, boiled down to a base and its facets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lxml import etree

from gateway.formdata.closure import XS

Name = tuple[str, str]
Component = tuple[etree._Element, str]


@dataclass(frozen=True, slots=True)
class SimpleType:
    """A built-in base and the facets that narrow it. `name` is the nearest named type, for people."""

    base: str = "string"
    name: str = "string"
    enumeration: tuple[str, ...] = ()
    pattern: str | None = None  # of the most derived step that has one
    facets: dict[str, str] = field(default_factory=dict)  # minLength, maxInclusive, fractionDigits ...


TEXT = SimpleType()


class SimpleTypes:
    """Resolves named and inline simple types."""

    def __init__(self, components: dict[Name, Component], resolve: Callable[[etree._Element, str, str], Name]) -> None:
        self._components = components
        self._resolve = resolve

    def named(self, name: Name) -> SimpleType:
        """A type of XML Schema itself, or one the schema declares; an unknown one counts as text."""
        if name[0] == XS:
            return SimpleType(base=name[1], name=name[1])
        if name not in self._components:
            return TEXT
        node, namespace = self._components[name]
        return replace(self.inline(node, namespace), name=name[1])

    def inline(self, node: etree._Element, namespace: str) -> SimpleType:
        """The type that an xs:simpleType element describes."""
        restriction = node.find(f"{{{XS}}}restriction")
        if restriction is not None:
            return self._restricted(restriction, namespace)
        union = node.find(f"{{{XS}}}union")
        if union is not None:
            members = (union.get("memberTypes") or "").split()
            inner = next(union.iterchildren(f"{{{XS}}}simpleType"), None)
            if members:
                return self.named(self._resolve(union, members[0], namespace))
            return self.inline(inner, namespace) if inner is not None else TEXT
        return TEXT

    def _restricted(self, node: etree._Element, namespace: str) -> SimpleType:
        inner = node.find(f"{{{XS}}}simpleType")
        base = node.get("base")
        below = self.inline(inner, namespace) if inner is not None else TEXT
        if base:
            below = self.named(self._resolve(node, base, namespace))
        values: list[str] = []
        facets = dict(below.facets)
        pattern = below.pattern
        for child in node.iterchildren(etree.Element):
            kind, value = etree.QName(child).localname, child.get("value", "")
            if kind == "enumeration":
                values.append(value)
            elif kind == "pattern":
                pattern = value
            elif kind not in ("annotation", "simpleType"):
                facets[kind] = value
        return SimpleType(below.base, below.name, tuple(values) or below.enumeration, pattern, facets)

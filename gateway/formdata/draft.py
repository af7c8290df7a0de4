"""Drafts for an integrator: a mapping with one row per leaf of a schema, and what differs between two versions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.formdata.model import ElementModel
from gateway.formdata.simple import SimpleType

_READ_BY_BASE = {
    "decimal": "decimal", "date": "date", "dateTime": "timestamp", "gYear": "year", "boolean": "flag",
    "integer": "integer", "byte": "integer", "int": "integer", "nonNegativeInteger": "integer",
    "positiveInteger": "integer",
}  # fmt: skip
_READ_BY_NAME = {"PESEL": "pesel", "NIP": "nip", "REGON": "regon", "KRS": "digits"}
_ENVELOPE = ("OpisDokumentu", "DaneDokumentu", "Zalaczniki", "Signature")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A place that holds text: path of names, its type in words, and whether something above it repeats."""

    path: str
    xpath: str
    kind: str
    type: SimpleType
    repeated: str | None  # XPath of the nearest repeated element above or at the leaf


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two versions of a template: paths added, removed, and those whose type changed (path, before, after)."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[tuple[str, str, str], ...]


def leaves_of(root: ElementModel) -> list[Leaf]:
    """Every place that holds text, in schema order, with XPaths in the prefixes a mapping uses."""
    return list(_walk(root, "", "", None, _prefixes(root)))


def draft(root: ElementModel, namespace: str, code: str, kind: str) -> str:
    """A mapping table for a form: rows for every leaf of its body, targets to be filled in, parts for its envelope."""
    prefixes = _prefixes(root)
    lines = [
        f"# Draft for {code}. Replace each target `?.…` by one of the case (see docs), delete what is not content.",
        f'form = "{namespace}"',
        f'kind = "{kind}"',
        "version = 1",
        'include = ["envelope"]',
        *(f'ns.{prefix} = "{uri}"' for uri, prefix in prefixes.items() if prefix != "w"),
        "",
    ]
    body = [leaf for leaf in leaves_of(root) if not any(f"/{name}" in leaf.path for name in _ENVELOPE)]
    for leaf in body:
        if leaf.repeated is None:
            lines += _row(f'field."?.{_target(leaf.path)}"', leaf.xpath, leaf)
    for repeated in dict.fromkeys(leaf.repeated for leaf in body if leaf.repeated):
        lines += ["[[each]]", f'target = "?{_target(repeated.replace("w:", ""))}"', f'xpath = "{repeated}"']
        for leaf in body:
            if leaf.repeated == repeated:
                inner = leaf.xpath.removeprefix(repeated).lstrip("/") or "."
                lines += _row(f'each.field."{_target(leaf.path)}"', inner, leaf)
    return "\n".join(lines) + "\n"


def difference(before: ElementModel, after: ElementModel) -> Difference:
    """What changed from one version of a template to another, by paths of names, namespaces left out."""
    old = {leaf.path: leaf.kind for leaf in leaves_of(before)}
    new = {leaf.path: leaf.kind for leaf in leaves_of(after)}
    return Difference(
        added=tuple(path for path in new if path not in old),
        removed=tuple(path for path in old if path not in new),
        changed=tuple((path, old[path], new[path]) for path in new if path in old and old[path] != new[path]),
    )


def _walk(model: ElementModel, path: str, xpath: str, repeated: str | None, prefixes: dict[str, str]) -> list[Leaf]:
    namespace, name = model.name
    step = f"{prefixes[namespace]}:{name}" if namespace else name
    path, xpath = f"{path}/{name}", f"{xpath}/{step}"
    found = []
    if model.type is not None:
        found.append(Leaf(path, xpath, _words(model.type), model.type, repeated))
    for attribute in model.attributes:
        if not attribute.name.startswith("{"):
            text = f"{path}/@{attribute.name}"
            found.append(Leaf(text, f"{xpath}/@{attribute.name}", _words(attribute.type), attribute.type, repeated))
    for particle, many in _particles(model):
        child_step = f"{prefixes[particle.name[0]]}:{particle.name[1]}" if particle.name[0] else particle.name[1]
        found += _walk(particle, path, xpath, f"{xpath}/{child_step}" if many else repeated, prefixes)
    return found


def _particles(model: ElementModel) -> list[tuple[ElementModel, bool]]:
    found: list[tuple[ElementModel, bool]] = []
    waiting = [(model.content, False)] if model.content else []
    while waiting:
        particle, many = waiting.pop(0)
        many = many or particle.high > 1
        if particle.element is not None:
            found.append((particle.element, many))
        waiting = [(item, many) for item in particle.items] + waiting
    return found


def _prefixes(root: ElementModel) -> dict[str, str]:
    """Namespace → prefix: `w` for the form's own, the last word of its path for libraries."""
    found = {root.name[0]: "w"}
    waiting = [root]
    while waiting:
        model = waiting.pop()
        uri = model.name[0]
        if uri and uri not in found:
            word = next((part for part in re.findall(r"[A-Za-z]{3,}", uri)[::-1] if part != "crd"), "x").lower()[:4]
            found[uri] = word if word not in found.values() else f"{word}{len(found)}"
        waiting += list(model.children())
    return found


def _words(kind: SimpleType) -> str:
    facets = ", ".join(f"{name} {value}" for name, value in sorted(kind.facets.items()) if name != "whiteSpace")
    codes = "|".join(kind.enumeration)
    return " ".join(
        part for part in (kind.name, f"({facets})" if facets else "", f"[{codes}]" if codes else "") if part
    )


def _row(head: str, xpath: str, leaf: Leaf) -> list[str]:
    name = leaf.path.rsplit("/", 1)[-1]
    read = _READ_BY_NAME.get(name) or _READ_BY_BASE.get(leaf.type.base)
    rows = [f"[{head}]", f'xpath = "{xpath}"']
    if read:
        rows.append(f'read = "{read}"')
    if leaf.type.enumeration:
        rows.append("values = { " + ", ".join(f'"{value}" = "?"' for value in leaf.type.enumeration) + " }")
    return [*rows, f'label = "{name.lstrip("@")}"', ""]


def _target(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]", "", path.replace("/Dokument/TrescDokumentu", "").replace("/", ".")).strip(".")

"""Drafts for an integrator: a mapping with one row per leaf of a schema, and what differs between two versions."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from gateway.formdata.model import ElementModel
from gateway.formdata.simple import SimpleType

_READ_BY_BASE = {
    "decimal": "decimal", "date": "date", "dateTime": "timestamp", "gYear": "year", "boolean": "flag",
    "integer": "integer", "byte": "integer", "int": "integer", "nonNegativeInteger": "integer",
    "positiveInteger": "integer",
}  # fmt: skip
_READ_BY_NAME = {"PESEL": "pesel", "NIP": "nip", "REGON": "regon", "KRS": "digits"}
_PARTY = {
    "PESEL": "pesel", "NIP": "nip", "REGON": "regon", "KRS": "krs", "Imie": "first_name", "PierwszeImie": "first_name",
    "ImieDrugie": "second_name", "Nazwisko": "surname", "NazwaPelna": "full_name", "NazwaInstytucji": "full_name",
    "NazwaSkrocona": "short_name", "DataUrodzenia": "birth_date", "Telefon": "contact.phone", "Email": "contact.email",
    "KodPocztowy": "address.post_code", "Poczta": "address.post_office", "Miejscowosc": "address.place",
    "Ulica": "address.street", "Budynek": "address.building", "NrDomu": "address.building", "Lokal": "address.premises",
    "NrLokalu": "address.premises", "Kraj": "address.country", "Wojewodztwo": "address.voivodeship",
    "Powiat": "address.county", "Gmina": "address.municipality", "SkrytkaPocztowa": "address.po_box",
    "WartoscIdentyfikatora": "other_id",
}  # fmt: skip
_LABELS = {
    "Imie": "Imię", "PierwszeImie": "Pierwsze imię", "ImieDrugie": "Drugie imię", "Miejscowosc": "Miejscowość",
    "Wojewodztwo": "Województwo", "Budynek": "Numer domu", "Lokal": "Numer lokalu", "Email": "E-mail",
    "WartoscIdentyfikatora": "Inny identyfikator", "TypIdentyfikatora": "Rodzaj innego identyfikatora",
}  # fmt: skip
_GUESSES = {"Rok": "period.year", **{name: f"taxpayer.{target}" for name, target in _PARTY.items()}}
_ENVELOPE = ("/Dokument/OpisDokumentu/", "/Dokument/DaneDokumentu/")
_SHARED = ("/w:Dokument/w:OpisDokumentu/", "/w:Dokument/w:DaneDokumentu/")  # as the shared part reads it
_UNQUALIFIED = ("/w:Dokument/OpisDokumentu/", "/w:Dokument/DaneDokumentu/")  # and with `unqualified = true`
_NOT_CONTENT = ("/Zalaczniki", "/Signature")
_CONTENT_KIND = frozenset(f"/Dokument/TrescDokumentu/@{name}" for name in ("format", "kodowanie", "wersja", "rodzaj"))
_FILE = """[[each]]
target = "attachments"
xpath = "{xpath}"
number = "id"
label = "Załączniki"
field.file_name = {{ xpath = "@nazwaPliku", label = "Nazwa pliku" }}
field.mime = {{ xpath = "@format", label = "Rodzaj" }}
field.encoding = {{ xpath = "@kodowanie", values = {{ base64 = "base64", URI = "uri" }}, label = "Kodowanie" }}
field.description = {{ xpath = "{prefix}:OpisZalacznika", read = "text", label = "Opis" }}
field."*" = {{ xpath = "{prefix}:DaneZalacznika[../@kodowanie='base64']", read = "base64_file", label = "Treść" }}
field.uri = {{ xpath = "{prefix}:DaneZalacznika[../@kodowanie='URI']", label = "Adres" }}
"""


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
    """A mapping table that works as it stands: a row for every leaf, parts for the envelope all documents share.

    Targets are guessed where a name occurs once and says it; everything else goes to `extra`, under its own name.
    Things of base types that may repeat (a second surname, a second address) are read once: further ones are listed.
    """
    prefixes = _prefixes(root)
    every = leaves_of(root)
    unqualified = any(leaf.xpath.startswith(_UNQUALIFIED) for leaf in every)
    shared = unqualified or any(leaf.xpath.startswith(_SHARED) for leaf in every)
    body = [
        leaf for leaf in every
        if not (shared and (leaf.path.startswith(_ENVELOPE) or leaf.path in _CONTENT_KIND))
        and not any(name in leaf.path for name in _NOT_CONTENT)
    ]  # fmt: skip
    files, usual = _files(every, "TrescDokumentu" if unqualified else "w:TrescDokumentu")
    include = [*(["envelope-head"] if shared else []), *(["attachments"] if usual else [])]
    lines = [
        f"# {code}: {len(body)} places. Rename targets `extra.…` that a case has a word for; give labels people read.",
        f'form = "{namespace}"',
        f'kind = "{kind}"',
        "version = 1",
        *(["unqualified = true  # below the root no element is in the form's namespace"] if unqualified else []),
        *([f"include = {json.dumps(include)}"] if include else []),
        *(f'ns.{prefix} = "{uri}"' for uri, prefix in prefixes.items() if prefix != "w"),
        f'set."form.code" = "{code}"',
        "",
        *_rows(body),
    ]
    if files and not usual:
        lines.append(_FILE.format(xpath=files, prefix=files.rsplit("/", 1)[1].partition(":")[0]))
    return "\n".join(lines) + "\n"


def _rows(body: list[Leaf]) -> list[str]:
    """Single places first, then what repeats, each list with its own rows."""
    lines: list[str] = []
    names = Counter(_name(leaf) for leaf in body)
    used: set[str] = set()
    for leaf in body:
        if _list_of(leaf) is None:
            guess = _GUESSES.get(_name(leaf)) if names[_name(leaf)] == 1 else None
            place = "document" if leaf.path.startswith(_ENVELOPE) else "extra"
            lines += _row("field", guess or _unique(f"{place}.{_target(leaf.path)}", used), leaf.xpath, leaf, guess)
    for repeated in dict.fromkeys(filter(None, map(_list_of, body))):
        inside = [leaf for leaf in body if _list_of(leaf) == repeated]
        head = "/".join(step.rpartition(":")[2] for step in repeated.split("/"))
        lines += ["[[each]]", f'target = "{_unique(f"extra.{_target(head)}", used)}"', f'xpath = "{repeated}"',
                  f'label = "{_label(head)}"', ""]  # fmt: skip
        own: set[str] = set()
        for leaf in inside:
            xpath = leaf.xpath.removeprefix(repeated).lstrip("/") or "."
            name = _target(leaf.path.removeprefix(head)) or _target(head)
            lines += _row("each.field", _unique(name, own), xpath, leaf, None)
    return lines


def _list_of(leaf: Leaf) -> str | None:
    """XPath of the repeated thing a leaf belongs to, where the form itself says that it repeats."""
    own = leaf.repeated is not None and leaf.repeated.rsplit("/", 1)[1].partition(":")[0] in ("w", _unprefixed(leaf))
    return leaf.repeated if own else None


def _unprefixed(leaf: Leaf) -> str:
    """The last step of what repeats, where it stands in no namespace (elementFormDefault unqualified)."""
    step = (leaf.repeated or "").rsplit("/", 1)[-1]
    return step if ":" not in step else ""


def _files(leaves: list[Leaf], content: str) -> tuple[str | None, bool]:
    """XPath of the attachments, and whether it is the one the shared part has."""
    found = next((leaf.xpath for leaf in leaves if leaf.path.endswith("/Zalacznik/DaneZalacznika")), None)
    if found is None:
        return None, False
    steps = found.rsplit("/", 1)[0].split("/")
    return "/".join(steps), steps[1:3] == ["w:Dokument", content] and len(steps) == 5


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


def _row(table: str, target: str, xpath: str, leaf: Leaf, guess: str | None) -> list[str]:
    name = _name(leaf)
    read = _READ_BY_NAME.get(name) or _READ_BY_BASE.get(leaf.type.base)
    rows = [f'[{table}."{target}"]', f'xpath = "{xpath}"']
    if read and (guess or not target.startswith("document.")):
        rows.append(f'read = "{read}"')
    if leaf.type.enumeration:
        codes = ", ".join(f'"{value}" = "…"' for value in leaf.type.enumeration)
        rows.append(f"# values = {{ {codes} }}")
    return [*rows, f'label = "{_label(leaf.path)}"', ""]


def _name(leaf: Leaf) -> str:
    return leaf.path.rsplit("/", 1)[-1].lstrip("@")


def _label(path: str) -> str:
    """`LiczbaDrzew` as people write it: Liczba drzew."""
    name = path.rsplit("/", 1)[-1].lstrip("@")
    if name in _LABELS:
        return _LABELS[name]
    first, *others = re.sub(r"(?<=[^\WA-Z_])(?=[A-ZĄĆĘŁŃÓŚŹŻ])", " ", name).split()
    return " ".join([first[:1].upper() + first[1:], *(word if word.isupper() else word.lower() for word in others)])


def _target(path: str) -> str:
    """`/Dokument/TrescDokumentu/Wartosc/LiczbaDrzew` as a name in ASCII: liczba_drzew."""
    inside = re.sub(r"^/Dokument(/TrescDokumentu|/OpisDokumentu|/DaneDokumentu)?(/Wartosc)?(?=/)", "", path)
    plain = unicodedata.normalize("NFKD", inside.replace("ł", "l").replace("Ł", "L")).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", plain)
    return "_".join(words).lower()


def _unique(target: str, used: set[str]) -> str:
    number = 1
    name = target
    while name in used:
        number += 1
        name = f"{target}_{number}"
    used.add(name)
    return name

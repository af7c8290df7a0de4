"""A document shown to a person: clean Polish HTML and text, made from the mapping, not from anyone's stylesheet.

Labels come from the mapping, values from the case, words for codes from the texts. What no row took is shown too, and a
document that no mapping reads is shown as it stands, so that nothing is hidden from a clerk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from gateway import resources
from gateway.clock import WARSAW
from gateway.mapping.record import look_up
from gateway.mapping.table import Each, Row, Table
from gateway.mapping.tables import Mappings
from gateway.mapping.transforms import TRANSFORMS
from gateway.page import Grid, Section, content, to_html, to_text
from gateway.typesetting import typeset
from schemas.case import Case
from schemas.errors import BramaError
from schemas.finding import Validation
from schemas.ids import sha256
from schemas.texts import all_texts, text
from schemas.verification import SignatureVerdict, Verification
from schemas.xmldoc import DS, XSI, parse

_FIGURES = "declared."
_ATTACHMENTS = "attachments"
_MARK = "Wzór odtworzony przez projekt Brama; nie jest to urzędowy schemat tego formularza."
_RAW = "Brama nie ma odwzorowania tego dokumentu. Pokazano wszystkie jego pola w kolejności dokumentu, pod ich nazwami."
_CAPTIONS = {"declared.instalments": "Raty", "objects": "Przedmioty"}
_NUMBERS = (TRANSFORMS["decimal"], TRANSFORMS["integer"])
_COLUMNS, _CELL = 6, 60  # a list with more columns, or longer texts, is no table that anybody could read
_LONGEST = 2000  # characters of one value of a document shown as it stands; attachments are longer


@dataclass(frozen=True, slots=True)
class Rendered:
    """The same content as a whole HTML page, as plain text, and as an accessible PDF when one is asked for."""

    html: str
    text: str
    content: dict[str, Any]  # title, marks, sections: what the PDF's layout gets

    def pdf(self, stamp: datetime) -> bytes:
        """PDF/UA-1 and PDF/A-2a; `stamp` (aware) is its time of making. Raises AnswerError `answers.pdf_missing`.

        What none of the fonts can print stands as its number, `[U+6F22]`: nothing a citizen wrote is left out.
        """
        layout = resources.folder("templates") / "documents" / "page.typ"
        return typeset(layout, "document", _printable(self.content), stamp)


def render(
    document: bytes, case: Case, validation: Validation, mappings: Mappings, verification: Verification | None = None
) -> Rendered:
    """Show a document: content, attachments, signatures, findings, and what nobody read.

    Args: document: its original octets, for the size and digest a clerk may compare.
    """
    table = mappings.get(case.form.namespace)
    name = validation.form.name_pl if validation.form else (case.form.code or "Dokument")
    unread = _unread(document, case.unmapped, table.ns if table else {})
    sections = [*_sections(case, table), *_signatures(verification), _findings(validation), unread, _file(document)]
    return _rendered(name, _marks(validation), sections)


def render_raw(
    document: bytes, validation: Validation, error: BramaError | None = None, verification: Verification | None = None
) -> Rendered:
    """Show a document without a mapping, field by field, under the names they have in the file.

    Args:   error: why there is no case; told among the findings.
    Raises: DocumentUnreadable where it is no XML we read: there is nothing to show then.
    """
    name = validation.form.name_pl if validation.form else "Dokument nieznanego wzoru"
    shown = Section("Treść", list(_fields(parse(document).getroot())))
    sections = [shown, *_signatures(verification), _findings(validation, error), _file(document)]
    return _rendered(name, [*_marks(validation), _RAW], sections)


def word(value: Any) -> str:
    """A code of ours in Polish, anything else as it stands."""
    if isinstance(value, bool):
        return "tak" if value else "nie"
    entry = all_texts().get(f"word.{value}")
    return entry["pl"] if entry else str(value)


def _rendered(name: str, marks: list[str], sections: list[Section]) -> Rendered:
    shown = [section for section in sections if section]
    return Rendered(to_html(name, marks, shown), to_text(name, marks, shown), content(name, marks, shown))


def _marks(validation: Validation) -> list[str]:
    return [_MARK] if validation.form is not None and validation.form.status == "reconstructed" else []


def _sections(case: Case, table: Table | None) -> list[Section]:
    """What the mapping reads, in the order in which a clerk asks: what, who, of what, how much, with what."""
    if table is None:
        return []
    shown = case.to_json()
    body, party, lists, figures = (
        Section("Treść"),
        Section("Podatnik lub wnioskodawca"),
        Section("Wykazy"),
        Section("Kwoty"),
    )
    files, sender, envelope = Section("Załączniki"), Section("Nadawca według koperty"), Section("Dane dokumentu")
    by_prefix = {"taxpayer.": party, _FIGURES: figures, "submitter.": sender, "document.": envelope}
    for row in table.rows:
        value = look_up(shown, row.target)
        if row.label and value is not None and (told := _shown(value, row)).strip():
            section = next((by_prefix[prefix] for prefix in by_prefix if row.target.startswith(prefix)), body)
            section.rows.append((row.label, told))
    for target in dict.fromkeys(each.target for each in table.eaches):
        section = figures if target.startswith(_FIGURES) else files if target == _ATTACHMENTS else lists
        _add_list(section, list(_entries(shown, case.sources, target, table)), _CAPTIONS.get(target, "Pozycje"))
    return [body, party, lists, figures, files, sender, envelope]


_Entry = tuple[str, list[tuple[str, str, bool]]]  # what it is, and its (label, value, is a number)


def _entries(shown: dict[str, Any], sources: dict[str, str], target: str, table: Table) -> Iterator[_Entry]:
    for index, entry in enumerate(look_up(shown, target) or []):
        each = _origin(f"{target}[{index}].", sources, table)
        if each is None:
            continue
        rows = [
            (row.label, told, row.read in _NUMBERS)
            for row in each.rows
            if row.label and (value := look_up(entry, row.target)) is not None and (told := _shown(value, row)).strip()
        ]
        if target == _ATTACHMENTS:
            rows += [(label, str(entry[key]), False) for key, label in _FILE if entry.get(key)]
        yield each.label or target, rows


_FILE = (("size", "Rozmiar (bajty)"), ("sha256", "Skrót SHA-256"))


def _add_list(section: Section, entries: list[_Entry], caption: str) -> None:
    """As a table where it is one, else one part for each entry. `caption`: of a table of different things."""
    titles = [title for title, _ in entries]
    grid = _grid(entries, caption)
    if grid is not None:
        section.grids.append(grid)
        return
    if titles == [section.title]:
        section.rows += [(label, value) for label, value, _ in entries[0][1]]
        return
    for number, (title, rows) in enumerate(entries):
        count = titles[: number + 1].count(title)
        named = f"{title} – {count}" if titles.count(title) > 1 else title
        section.parts.append(Section(named, [(label, value) for label, value, _ in rows]))


def _grid(entries: list[_Entry], caption: str) -> Grid | None:
    """The entries as rows of one table, or None where that could not be read."""
    heads = dict.fromkeys(label for _, rows in entries for label, _, _ in rows)
    longest = max((len(value) for _, rows in entries for _, value, _ in rows), default=0)
    if len(entries) < 2 or len(heads) >= _COLUMNS or longest > _CELL:
        return None
    titles = [title for title, _ in entries]
    same = len(set(titles)) == 1
    firsts = [str(number) for number in range(1, len(titles) + 1)] if same else titles
    values = [{label: value for label, value, _ in rows} for _, rows in entries]
    numbers = {label for _, rows in entries for label, _, number in rows if number}
    return Grid(
        caption=titles[0] if same else caption,
        head=("Lp." if same else "Pozycja", *heads),
        rows=tuple(
            (first, *(row.get(label, "—") for label in heads)) for first, row in zip(firsts, values, strict=True)
        ),
        numbers=tuple(column for column, label in enumerate(heads, 1) if label in numbers),
    )


def _origin(prefix: str, sources: dict[str, str], table: Table) -> Each | None:
    source = next((path for target, path in sources.items() if target.startswith(prefix)), "")
    return next((each for each in table.eaches if source.startswith(f"({each.xpath})[")), None)


def _shown(value: Any, row: Row) -> str:
    if isinstance(value, list):
        return "\n\n".join(word(item) for item in value)
    return polish_number(str(value)) if row.read is TRANSFORMS["decimal"] else word(value)


def polish_number(written: str) -> str:
    """`17531.64` as `17 531,64`, every digit kept; anything that is no number as it stands."""
    found = re.fullmatch(r"(-?)(\d+)(?:\.(\d+))?", written)
    if found is None:
        return written
    whole = f"{int(found[2]):,}".replace(",", "\N{NO-BREAK SPACE}")
    return f"{found[1]}{whole}" + (f",{found[3]}" if found[3] else "")


def _signatures(verification: Verification | None) -> list[Section]:
    if verification is None:
        return []
    parts = [
        Section(f"Podpis {number}", list(_signature(verdict)))
        for number, verdict in enumerate(verification.signatures, 1)
    ]
    return [Section("Podpisy elektroniczne", [] if parts else [("Podpis", "brak")], parts=parts)]


def _signature(verdict: SignatureVerdict) -> Iterator[tuple[str, str]]:
    yield "Wynik", f"{word(verdict.indication.value)} ({verdict.indication.value})"
    yield "Podpisał(a)", (verdict.signer.name if verdict.signer else None) or "nie ustalono"
    if verdict.signer is not None:
        yield "Rodzaj podpisu", word(f"signed_{verdict.signer.kind}")
    if verdict.signing_time is not None:
        yield "Czas podpisania (deklarowany)", f"{verdict.signing_time.astimezone(WARSAW):%Y-%m-%d %H:%M:%S}"
    yield "Zakres", "cały dokument" if verdict.covers_document else "tylko część dokumentu"
    if verdict.reasons:
        yield "Dlaczego", "\n".join(text(reason.code, "pl", **reason.facts) for reason in verdict.reasons)


def _findings(validation: Validation, error: BramaError | None = None) -> Section:
    rows = [
        (word(item.severity.value), str(item.line or "—"), item.message_pl, item.code) for item in validation.findings
    ]
    if error is not None:
        rows.append((word("error"), "—", text(error.code, "pl", **error.facts), error.code))
    section = Section("Uwagi ze sprawdzenia")
    if rows:
        section.grids.append(Grid("Co znalazło sprawdzenie", ("Waga", "Wiersz", "Uwaga", "Kod"), tuple(rows)))
    else:
        section.rows.append(("Wynik", "bez uwag"))
    return section


def _unread(document: bytes, paths: tuple[str, ...], namespaces: dict[str, str]) -> Section:
    """What no row took, by its place, with what stands there."""
    if not paths:
        return Section("")
    root = parse(document).getroot()
    known = {**{prefix: uri for prefix, uri in root.nsmap.items() if prefix}, **namespaces}
    rows = tuple((path, _at(root, path, known)) for path in paths)
    return Section(
        "Nieodczytane części dokumentu", grids=[Grid("Czego nie czyta odwzorowanie", ("Miejsce", "Treść"), rows)]
    )


def _at(root: etree._Element, path: str, namespaces: dict[str, str]) -> str:
    try:
        found = root.xpath(path, namespaces=namespaces)
    except etree.XPathEvalError:  # a prefix of a part of the document only
        return "—"
    first = found[0] if isinstance(found, list) and found else ""
    return _cut(" ".join(str(first.text if isinstance(first, etree._Element) else first).split())) or "—"


def _fields(root: etree._Element) -> Iterator[tuple[str, str]]:
    """Every text and attribute with the names above it; signatures are told elsewhere."""
    for element in root.iter(etree.Element):
        above = [etree.QName(node).localname for node in element.iterancestors()][::-1][1:]
        name = etree.QName(element)
        if name.namespace == DS or "Signature" in above:
            continue
        path = " / ".join([*above, name.localname]) if element is not root else name.localname
        written = " ".join((element.text or "").split())
        if written:
            yield path, _cut(written)
        for key, value in element.attrib.items():
            if str(key).startswith(f"{{{XSI}}}"):
                continue
            yield f"{path} / {etree.QName(key).localname}", _cut(str(value))


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[:100]}… (znaków: {len(value)})"


def _file(document: bytes) -> Section:
    return Section("Plik", [("Rozmiar (bajty)", str(len(document))), ("SHA-256", sha256(document))])


# Latin, Greek, Cyrillic, punctuation and currencies, which the fonts of the PDF have; the rest is shown by number.
_UNPRINTABLE = re.compile(
    r"[^\n\x20-\x7e\xa0-\xac\xae-\u017f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f\u2010-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u20ac\u2212]"
)


def _printable(told: Any) -> Any:
    if isinstance(told, str):
        plain = told.replace("\r\n", "\n").replace("\t", " ")
        return _UNPRINTABLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", plain)
    if isinstance(told, dict):
        return {key: _printable(value) for key, value in told.items()}
    return [_printable(value) for value in told] if isinstance(told, list | tuple) else told

"""A document shown to a person: clean Polish HTML and text, made from the mapping, not from anyone's stylesheet.

Labels come from the mapping, values from the case, words for codes from the texts. Everything is escaped; there is no
script, no image and no address in the page. What no row took is shown too, so that nothing is hidden from a clerk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from gateway import resources
from gateway.mapping.record import look_up
from gateway.mapping.table import Each, Table
from gateway.mapping.tables import Mappings
from gateway.typesetting import typeset
from schemas.case import Case
from schemas.finding import Validation
from schemas.texts import all_texts
from schemas.verification import Verification

_SECTIONS = (
    ("taxpayer.", "Podatnik lub wnioskodawca"),
    ("submitter.", "Nadawca według koperty"),
    ("document.", "Dane dokumentu"),
)
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:2px solid #1b1b1b}h3{font-size:1rem}"
    "dl{display:grid;grid-template-columns:minmax(12rem,18rem) 1fr;gap:.25rem 1rem}"
    "dt{font-weight:600}dd{margin:0;white-space:pre-wrap}"
    ".mark{border:2px solid #7a4b00;padding:.5rem 1rem}"
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The same content as a whole HTML page, as plain text, and as an accessible PDF when one is asked for."""

    html: str
    text: str
    content: dict[str, Any]  # title, mark, sections: what the PDF's layout gets

    def pdf(self, stamp: datetime) -> bytes:
        """PDF/UA-1 and PDF/A-2a; `stamp` (aware) is its time of making. Raises AnswerError `answers.pdf_missing`.

        What none of the fonts can print stands as its number, `[U+6F22]`: nothing a citizen wrote is left out.
        """
        layout = resources.folder("templates") / "documents" / "page.typ"
        return typeset(layout, "document", _printable(self.content), stamp)


@dataclass(slots=True)
class _Section:
    title: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    parts: list[_Section] = field(default_factory=list)


def render(
    document: bytes, case: Case, validation: Validation, mappings: Mappings, verification: Verification | None = None
) -> Rendered:
    """Show a document: content, attachments, signatures, findings, and what nobody read.

    Args: document: its original octets, for the size and digest a clerk may compare.
    """
    table = mappings.get(case.form.namespace)
    name = validation.form.name_pl if validation.form else (case.form.code or "Dokument")
    sections = [section for section in _sections(case, table) if section.rows or section.parts]
    sections += _about(document, case, validation, verification)
    reconstructed = validation.form is not None and validation.form.status == "reconstructed"
    content = {"title": name, "mark": _MARK if reconstructed else None, "sections": [asdict(one) for one in sections]}
    return Rendered(_html(name, sections, reconstructed), _text(name, sections, reconstructed), content)


def word(value: Any) -> str:
    """A code of ours in Polish, anything else as it stands."""
    if isinstance(value, bool):
        return "tak" if value else "nie"
    entry = all_texts().get(f"word.{value}")
    return entry["pl"] if entry else str(value)


def _sections(case: Case, table: Table | None) -> Iterator[_Section]:
    if table is None:
        return
    shown = case.to_json()
    content = _Section("Treść")
    named = {prefix: _Section(title) for prefix, title in _SECTIONS}
    for row in table.rows:
        value = look_up(shown, row.target)
        if row.label and value is not None:
            section = next((named[prefix] for prefix in named if row.target.startswith(prefix)), content)
            section.rows.append((row.label, _shown(value)))
    content.parts = list(_lists(shown, case.sources, table))
    yield content
    yield from named.values()


def _lists(shown: dict[str, Any], sources: dict[str, str], table: Table) -> Iterator[_Section]:
    for target in dict.fromkeys(each.target for each in table.eaches):
        counts: dict[str, int] = {}
        for index, entry in enumerate(look_up(shown, target) or []):
            each = _origin(f"{target}[{index}].", sources, table)
            if each is None:
                continue
            title = each.label or target
            counts[title] = counts.get(title, 0) + 1
            part = _Section(f"{title} – {counts[title]}")
            for row in each.rows:
                value = look_up(entry, row.target)
                if row.label and value is not None:
                    part.rows.append((row.label, _shown(value)))
            if target == "attachments":
                part.rows += [(label, str(entry[key])) for key, label in _FILE if entry.get(key)]
            yield part


_FILE = (("size", "Rozmiar (bajty)"), ("sha256", "Skrót SHA-256"))


def _origin(prefix: str, sources: dict[str, str], table: Table) -> Each | None:
    source = next((path for target, path in sources.items() if target.startswith(prefix)), "")
    return next((each for each in table.eaches if source.startswith(f"({each.xpath})[")), None)


def _shown(value: Any) -> str:
    return "\n\n".join(word(item) for item in value) if isinstance(value, list) else word(value)


def _about(
    document: bytes, case: Case, validation: Validation, verification: Verification | None
) -> Iterator[_Section]:
    if verification is not None:
        rows = [
            (f"Podpis {number}", f"{verdict.indication.value}; {verdict.signer.name if verdict.signer else '—'}")
            for number, verdict in enumerate(verification.signatures, 1)
        ]
        yield _Section("Podpisy elektroniczne", rows or [("Podpis", "brak")])
    where = [(f"wiersz {item.line}" if item.line else item.code, item.message_pl) for item in validation.findings]
    yield _Section("Uwagi ze sprawdzenia", where or [("Wynik", "bez uwag")])
    if case.unmapped:
        yield _Section("Nieodczytane części dokumentu", [(str(n), path) for n, path in enumerate(case.unmapped, 1)])
    yield _Section("Plik", [("Rozmiar (bajty)", str(len(document))), ("SHA-256", case.message.document_sha256 or "—")])


_MARK = "Wzór odtworzony przez projekt Brama; nie jest to urzędowy schemat tego formularza."


def _html(name: str, sections: list[_Section], reconstructed: bool) -> str:
    body = "".join(_html_section(section, f"s{number}", 2) for number, section in enumerate(sections))
    mark = f'<p class="mark">{escape(_MARK)}</p>' if reconstructed else ""
    return (
        f'<!DOCTYPE html><html lang="pl"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(name)}</h1>{mark}{body}</main></body></html>"
    )


def _html_section(section: _Section, name: str, level: int) -> str:
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in section.rows)
    parts = "".join(_html_section(part, f"{name}-{n}", level + 1) for n, part in enumerate(section.parts))
    listed = f"<dl>{rows}</dl>" if rows else ""
    head = f'<h{level} id="{name}">{escape(section.title)}</h{level}>'
    return f'<section aria-labelledby="{name}">{head}{listed}{parts}</section>'


def _text(name: str, sections: list[_Section], reconstructed: bool) -> str:
    lines = [name, "=" * len(name), *([_MARK] if reconstructed else [])]
    for section in sections:
        lines += _text_section(section)
    return "\n".join(lines) + "\n"


def _text_section(section: _Section) -> list[str]:
    lines = ["", section.title, "-" * len(section.title)]
    lines += [f"{label}: {value}" for label, value in section.rows]
    return lines + [line for part in section.parts for line in _text_section(part)]


# Latin, Greek, Cyrillic, punctuation and currencies, which the fonts of the PDF have; the rest is shown by number.
_UNPRINTABLE = re.compile(
    r"[^\n\x20-\x7e\xa0-\xac\xae-\u017f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f\u2010-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u20ac\u2212]"
)


def _printable(content: Any) -> Any:
    if isinstance(content, str):
        plain = content.replace("\r\n", "\n").replace("\t", " ")
        return _UNPRINTABLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", plain)
    if isinstance(content, dict):
        return {key: _printable(value) for key, value in content.items()}
    return [_printable(value) for value in content] if isinstance(content, list | tuple) else content

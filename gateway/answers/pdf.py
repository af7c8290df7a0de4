"""A letter as an accessible PDF (see typesetting.py)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import Any

from gateway.answers.letter import Block, Code, Codes, Letter, address_lines
from gateway.answers.polish import bound, day
from gateway.answers.templates import CREST, LAYOUT, Templates
from gateway.clock import WARSAW
from gateway.typesetting import typeset

CLOSING = "dokument podpisany elektronicznie"


def render(letter: Letter, templates: Templates) -> bytes:
    """The PDF's octets; the same letter gives the same file.

    Raises: AnswerError: `answers.layout_failed`, with what typst says of the layout (a gmina's own may be wrong);
            `answers.pdf_missing` without the extra.
    """
    layout = templates.file(LAYOUT)
    assert layout is not None
    stamp = datetime.combine(letter.dated, time(), WARSAW).astimezone(UTC)
    return typeset(layout, "letter", _content(letter, templates), stamp)


def file_name(letter: Letter) -> str:
    """A name for the attachment: `informacja-o-stanie-rozliczen.pdf` style, ASCII, from the template's name."""
    return f"{letter.template.replace('_', '-')}-{letter.dated:%Y-%m-%d}.pdf"


def _content(letter: Letter, templates: Templates) -> dict[str, Any]:
    sender = letter.sender
    crest = templates.file(*CREST)
    numbers = [f"{name} {value}" for name, value in (("NIP", sender.nip), ("REGON", sender.regon)) if value]
    content: dict[str, Any] = {
        "title": bound(letter.title),
        "subtitle": bound(letter.subtitle) if letter.subtitle else None,
        "full_title": " ".join(part for part in (letter.title, letter.subtitle) if part),
        "basis": bound(letter.basis) if letter.basis else None,
        "place_and_day": f"{sender.place}, {day(letter.dated)}",
        "case_number": letter.case_number,
        "addressee": list(address_lines(letter.addressee)) or [""],
        "sender": {
            "authority": sender.authority,
            "lines": [*sender.address, *sender.contact, ", ".join(numbers)] if numbers else [*sender.address],
            "signatory": sender.signatory,
            "position": sender.position or sender.authority,
        },
        "footer": " · ".join(part for part in (sender.authority, letter.title, letter.case_number) if part),
        "closing": CLOSING,
        "blocks": [_block(block) for block in letter.blocks],
    }
    if crest is not None:
        content["crest"] = {"octets": list(crest.read_bytes()), "alt": f"Herb: {sender.authority}"}
    return content


def _block(block: Block) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": type(block).__name__.lower(), **asdict(block)}
    if isinstance(block, Codes):
        return {**plain, "codes": [_code(code) for code in block.codes]}
    return {name: _bound(value) for name, value in plain.items()}


def _code(code: Code) -> dict[str, Any]:
    return {"svg": code.svg, "lines": list(code.lines), "alt": "Kod QR do przelewu. " + "; ".join(code.lines)}


def _bound(value: Any) -> Any:
    if isinstance(value, str):
        return bound(value)
    return [_bound(part) for part in value] if isinstance(value, tuple | list) else value

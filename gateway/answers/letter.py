"""A letter as a value: who, to whom, what is said, block by block. Text, XML and PDF are three views of this one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from schemas.case_parts import Party
from schemas.ids import sha256


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph. style: body | strong | small."""

    text: str
    style: str = "body"


@dataclass(frozen=True, slots=True)
class Points:
    """A list. `numbered`: 1. 2. 3., else dashes."""

    items: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head and side: left | right | center. `width` is a share of the line, 0: as wide as its content."""

    head: str
    align: str = "left"
    width: float = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under heads, a last row of sums if there is one; `caption` names it for those who cannot see it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    sums: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """A payment code: the image, what it says, and the same in words (it is the image's alternative text)."""

    svg: str = field(repr=False)
    content: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Codes:
    """Payment codes side by side."""

    codes: tuple[Code, ...]


Block = Heading | Paragraph | Points | Table | Codes


@dataclass(frozen=True, slots=True)
class Sender:
    """The office as the letterhead shows it; `authority` signs (Wójt Gminy …), `office` is where it sits."""

    authority: str
    office: str
    place: str
    address: tuple[str, ...] = ()
    nip: str | None = None
    regon: str | None = None
    contact: tuple[str, ...] = ()
    signatory: str | None = None  # name; None: the seal signs for the authority
    position: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One document to one addressee. `template` names what it was made from; `dated` is the day it bears."""

    template: str
    title: str
    dated: date
    sender: Sender
    addressee: Party = field(repr=False)
    blocks: tuple[Block, ...] = field(repr=False)
    case_number: str | None = None
    subtitle: str | None = None
    basis: str | None = None  # the law it rests on, above the text

    @property
    def digest(self) -> str:
        """SHA-256 over everything it says, lower-case hex; the document's CID comes from it."""
        return sha256(json.dumps(asdict(self), default=_plain, sort_keys=True, ensure_ascii=False).encode())


def address_lines(party: Party) -> tuple[str, ...]:
    """Name and address as on an envelope; the delivery address where there is one."""
    place = party.delivery_address or party.address
    lines = [name_of(party)]
    if place is not None:
        house = "/".join(part for part in (place.building, place.premises) if part)
        lines.append(" ".join(part for part in (place.street or place.place, house) if part))
        lines.append(" ".join(part for part in (place.post_code, place.post_office or place.place) if part))
    return tuple(line for line in lines if line)


def name_of(party: Party) -> str:
    """A company's name, or first name and surname."""
    return party.full_name or " ".join(part for part in (party.first_name, party.surname) if part)


def plain_text(letter: Letter) -> str:
    """The whole letter as text, for samples, searches and people without a PDF reader."""
    head = [letter.sender.authority, *letter.sender.address, "", f"{letter.sender.place}, {letter.dated:%d.%m.%Y}"]
    if letter.case_number:
        head.append(f"Znak sprawy: {letter.case_number}")
    head += ["", *address_lines(letter.addressee), "", letter.title.upper()]
    head += [letter.subtitle] if letter.subtitle else []
    body = [line for block in letter.blocks for line in ("", *block_lines(block))]
    basis = ["", letter.basis] if letter.basis else []
    signed = [letter.sender.signatory or "", letter.sender.position or letter.sender.authority]
    return "\n".join([*head, *basis, *body, "", *(line for line in signed if line)]) + "\n"


def block_lines(block: Block) -> Iterator[str]:
    """One block as lines of text; a table's cells stand between bars."""
    match block:
        case Heading(text):
            yield text
        case Paragraph(text):
            yield text
        case Points(items, numbered):
            yield from (f"{f'{index}.' if numbered else '–'} {item}" for index, item in enumerate(items, 1))
        case Table():
            yield block.caption
            for row in (tuple(column.head for column in block.columns), *block.rows, block.sums):
                if row:
                    yield " | ".join(row)
        case Codes(codes):
            yield from ("; ".join((*code.lines, f"kod: {code.content}")) for code in codes)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, Party) else value.isoformat()

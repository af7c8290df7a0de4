"""A letter as an ePUAP document: the general letter's structure, the text as paragraphs, the PDF inside as attachment.

The template the office writes in is a setting, because none for "a letter from an office" is known for certain; the
default is the general letter (pismo ogólne), whose body knows an office as author (`Podpis`). The document is not
signed here: whoever sends it signs these octets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from gateway.answers.letter import Block, Heading, Letter, block_lines, name_of
from schemas.case_parts import Address, Party
from schemas.ids import FormId
from schemas.octets import Octets
from schemas.xmldoc import ADR, INST, META, OSO, STR, XSI

LETTER = FormId.crd("2017/10/24/4566").namespace
OTHER_KIND = "inne pismo"
_PREFIXES = {"wnio": "", "str": STR, "meta": META, "oso": OSO, "inst": INST, "adr": ADR, "xsi": XSI}

_Part = etree._Element | str | None


@dataclass(frozen=True, slots=True)
class File:
    """Something attached: file name, MIME type, what it is, and its octets.

    With an `address` the octets lie there, in ePUAP's store of big files, and the document only says where.
    """

    name: str
    content_type: str
    description: str
    content: Octets
    address: str = ""


def write(letter: Letter, files: Sequence[File] = (), *, namespace: str = LETTER) -> bytes:
    """The document's octets, UTF-8, with the attachments in base64 or as addresses.

    Args: namespace: of the template; one with the general letter's structure.
    """
    pen = _Pen(namespace)
    root = pen(
        "wnio:Dokument",
        _description(pen, letter),
        _parties(pen, letter),
        _body(pen, letter, files),
    )
    root.set(f"{{{XSI}}}schemaLocation", f"{namespace} {namespace}schemat.xsd")
    root.addprevious(etree.ProcessingInstruction("xml-stylesheet", f'type="text/xsl" href="{namespace}styl.xsl"'))
    written: bytes = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
    return written


def cid_of(letter: Letter) -> str:
    """The document's CID; a receipt for it may repeat it."""
    return f"{letter.digest[:40]}@brama"


class _Pen:
    """Writes elements by prefix; empty ones are left out."""

    def __init__(self, namespace: str) -> None:
        self.prefixes = {**_PREFIXES, "wnio": namespace}

    def __call__(self, name: str, *parts: _Part, **attributes: str) -> etree._Element:
        prefix, _, local = name.partition(":")
        element = etree.Element(f"{{{self.prefixes[prefix]}}}{local}", attributes, nsmap=self.prefixes)
        for part in parts:
            if isinstance(part, str):
                element.text = part
            elif part is not None:
                element.append(part)
        return element

    def given(self, name: str, value: str | None) -> etree._Element | None:
        return self(name, value) if value else None


def _description(pen: _Pen, letter: Letter) -> etree._Element:
    return pen(
        "wnio:OpisDokumentu",
        pen("str:CID", cid_of(letter)),
        pen("meta:Data", pen("meta:Czas", letter.dated.isoformat()), typDaty="stworzony"),
        pen("meta:RodzajDokumentu", pen("meta:Kategoria", "tekst")),
        pen("meta:Jezyk", kodJezyka="pol"),
    )


def _parties(pen: _Pen, letter: Letter) -> etree._Element:
    return pen(
        "wnio:DaneDokumentu",
        pen("str:Naglowek", pen("str:NazwaDokumentu", letter.title)),
        pen("meta:Data", pen("meta:Czas", letter.dated.isoformat()), typDaty="stworzony"),
        pen("str:Adresaci", pen("meta:Podmiot", _party(pen, letter.addressee))),
        pen("str:Nadawcy", pen("meta:Podmiot", _office(pen, letter))),
    )


def _office(pen: _Pen, letter: Letter) -> etree._Element:
    sender = letter.sender
    numbers = pen("inst:IdInstytucji", pen.given("inst:NIP", sender.nip), pen.given("inst:REGON", sender.regon))
    return pen("inst:Instytucja", numbers if len(numbers) else None, pen("inst:NazwaInstytucji", sender.authority))


def _party(pen: _Pen, party: Party) -> etree._Element:
    if party.full_name:
        numbers = pen("inst:IdInstytucji", pen.given("inst:NIP", party.nip), pen.given("inst:REGON", party.regon))
        return pen(
            "inst:Instytucja",
            numbers if len(numbers) else None,
            pen("inst:NazwaInstytucji", party.full_name),
            _address(pen, party.address),
        )
    numbers = pen("oso:IdOsoby", pen.given("oso:PESEL", party.pesel), pen.given("oso:NIP", party.nip))
    return pen(
        "oso:Osoba",
        numbers if len(numbers) else None,
        pen.given("oso:Imie", party.first_name),
        pen.given("oso:Nazwisko", party.surname),
        _address(pen, party.address),
    )


def _address(pen: _Pen, place: Address | None) -> etree._Element | None:
    if place is None:
        return None
    return pen(
        "adr:Adres",
        pen.given("adr:KodPocztowy", place.post_code),
        pen.given("adr:Poczta", place.post_office),
        pen.given("adr:Miejscowosc", place.place),
        pen.given("adr:Ulica", place.street),
        pen.given("adr:Budynek", place.building),
        pen.given("adr:Lokal", place.premises),
    )


def _body(pen: _Pen, letter: Letter, files: Sequence[File]) -> etree._Element:
    head = [f"Znak sprawy: {letter.case_number}"] if letter.case_number else []
    head += [text for text in (letter.subtitle, letter.basis) if text]
    said = [*head, *(line for block in letter.blocks for line in _paragraphs(block))]
    return pen(
        "wnio:TrescDokumentu",
        pen("wnio:MiejscowoscDokumentu", letter.sender.place),
        pen("wnio:Tytul", letter.title),
        pen("wnio:RodzajWnioskuRozszerzony", rodzaj=OTHER_KIND, jakiInny=letter.title),
        pen("wnio:Informacje", *(pen("wnio:Informacja", line) for line in said)),
        _signed_by(pen, letter),
        pen("str:Zalaczniki", *(_attachment(pen, file) for file in files)) if files else None,
        format="text/xml",
        kodowanie="XML",
    )


def _paragraphs(block: Block) -> list[str]:
    lines = list(block_lines(block))
    return [line.upper() for line in lines] if isinstance(block, Heading) else lines


def _signed_by(pen: _Pen, letter: Letter) -> etree._Element:
    names = (letter.sender.signatory or "").split()
    return pen(
        "wnio:Podpis",
        pen.given("oso:Imie", " ".join(names[:-1])),
        pen.given("oso:Nazwisko", "".join(names[-1:])),
        pen("wnio:Stanowisko", letter.sender.position or letter.sender.authority),
    )


def _attachment(pen: _Pen, file: File) -> etree._Element:
    return pen(
        "str:Zalacznik",
        pen("str:DaneZalacznika", file.address or b"".join(file.content.base64()).decode("ascii")),
        pen("str:OpisZalacznika", file.description),
        format=file.content_type,
        kodowanie="URI" if file.address else "base64",
        nazwaPliku=file.name,
    )


def recipient_of(letter: Letter) -> str:
    """The addressee's name, for lists and timelines. Personal data: never logged."""
    return name_of(letter.addressee)

"""Write ePUAP-like documents: elements by prefix, the common envelope, attachments. Only for demo, drills and tests."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lxml import etree

from gateway.simulate.people import Address, Company, Person
from schemas.ids import sha256
from schemas.xmldoc import ADR, DS, INST, META, OSO, STR, XSI

ED = "http://crd.gov.pl/xml/schematy/dziedzinowe/mf/2018/08/24/eD/DefinicjeTypy/"
BASE_PREFIXES = {"str": STR, "meta": META, "oso": OSO, "inst": INST, "adr": ADR, "ed": ED, "ds": DS, "xsi": XSI}

Party = Person | Company
Part = etree._Element | str | None


@dataclass(frozen=True, slots=True)
class Office:
    """A gmina's office as addressee. `teryt` is its TERC code, `place` the gmina's name."""

    teryt: str
    name: str
    place: str


OFFICES = {
    office.teryt: office
    for office in (
        Office("2003011", "Urząd Miasta Bielsk Podlaski", "Bielsk Podlaski"),
        Office("2004011", "Urząd Miasta Grajewo", "Grajewo"),
        Office("2062011", "Urząd Miejski w Łomży", "Łomża"),
        Office("2010023", "Urząd Miejski w Drohiczynie", "Drohiczyn"),
        Office("2006032", "Urząd Gminy Kolno", "Kolno"),
        Office("2009032", "Urząd Gminy Krasnopol", "Krasnopol"),
        Office("2007022", "Urząd Gminy Łomża", "Łomża"),
        Office("2010062", "Urząd Gminy Milejczyce", "Milejczyce"),
        Office("2013072", "Urząd Gminy Nowe Piekuty", "Nowe Piekuty"),
        Office("2010092", "Urząd Gminy Siemiatycze", "Siemiatycze"),
        Office("2011083", "Urząd Miejski w Sokółce", "Sokółka"),
        Office("2011093", "Urząd Miejski w Suchowoli", "Suchowola"),
        Office("2012072", "Urząd Gminy Suwałki", "Suwałki"),
    )
}


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as the sender declares it. `encoded` overrides the base64 text, to break it.

    With an `address` there is no content: the file lies in ePUAP's store.
    """

    name: str
    content: bytes
    content_type: str = "application/pdf"
    description: str = ""
    encoded: str | None = None
    address: str = ""


class Pen:
    """Writes elements of one document: `pen("w:Tytul", "text")`, where `w` is the form's own namespace."""

    def __init__(self, namespace: str, own_prefix: str = "wnio") -> None:
        self.namespace = namespace
        self.prefixes = {own_prefix: namespace, **BASE_PREFIXES}

    def __call__(self, name: str, *parts: Part, **attributes: str) -> etree._Element:
        """One element; None parts are left out, text parts become its text."""
        prefix, local = name.split(":")
        namespace = self.namespace if prefix == "w" else self.prefixes[prefix]
        element = etree.Element(f"{{{namespace}}}{local}", attrib=attributes, nsmap=self.prefixes)
        for part in parts:
            if isinstance(part, str):
                element.text = part
            elif part is not None:
                element.append(part)
        return element

    def optional(self, name: str, value: str | None) -> etree._Element | None:
        """The element, or nothing for None."""
        return None if value is None else self(name, value)


def document(
    pen: Pen,
    title: str,
    content: Sequence[Part],
    *,
    sender: Party,
    office: Office,
    files: Sequence[File] = (),
    created: date = date(2026, 2, 5),
    form_id: str = "PROBNY/formularz",
) -> bytes:
    """A whole document as ePUAP forms write it: stylesheet, schemaLocation, description, parties, content."""
    root = pen(
        "w:Dokument",
        _description(pen, title, created, form_id),
        _parties(pen, title, sender, office, created),
        pen("w:TrescDokumentu", *content, attachments(pen, files), format="text/xml", kodowanie="XML"),
    )
    root.set(f"{{{XSI}}}schemaLocation", f"{pen.namespace} {pen.namespace}schemat.xsd")
    etree.indent(root)
    style = etree.ProcessingInstruction("xml-stylesheet", f'type="text/xsl" href="{pen.namespace}styl.xsl"')
    root.addprevious(style)
    written: bytes = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=False)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + written.replace(b"?><wnio:", b"?>\n<wnio:", 1)


def attachments(pen: Pen, files: Sequence[File]) -> etree._Element | None:
    """`str:Zalaczniki` with base64 content, or nothing."""
    if not files:
        return None
    return pen("str:Zalaczniki", *(_attachment(pen, file) for file in files))


def _attachment(pen: Pen, file: File) -> etree._Element:
    encoded = file.encoded if file.encoded is not None else base64.b64encode(file.content).decode("ascii")
    encoded = file.address or encoded
    return pen(
        "str:Zalacznik",
        pen("str:DaneZalacznika", encoded),
        pen("str:OpisZalacznika", file.description) if file.description else None,
        format=file.content_type, kodowanie="URI" if file.address else "base64", nazwaPliku=file.name,
    )  # fmt: skip


def _description(pen: Pen, title: str, created: date, form_id: str) -> etree._Element:
    cid = sha256(f"{pen.namespace}|{title}|{created}".encode())[:40]
    return pen(
        "w:OpisDokumentu",
        pen("str:CID", f"{cid}@epuap.gov.pl"),
        pen("meta:Data", pen("meta:Czas", created.isoformat()), typDaty="stworzony"),
        pen("meta:Identyfikator", pen("meta:Wartosc", form_id), typIdentyfikatora="idFormularza"),
        pen("meta:RodzajDokumentu", pen("meta:Kategoria", "tekst")),
    )


def _parties(pen: Pen, title: str, sender: Party, office: Office, created: date) -> etree._Element:
    to = pen(
        "inst:Instytucja",
        pen("inst:NazwaInstytucji", office.name),
        address(pen, Address(office.place, "16-999", "1", "Szkolna", municipality=office.place)),
    )
    return pen(
        "w:DaneDokumentu",
        pen("str:Naglowek", pen("str:NazwaDokumentu", title)),
        pen("meta:Data", pen("meta:Czas", created.isoformat()), typDaty="stworzony"),
        pen("str:Adresaci", pen("meta:Podmiot", to)),
        pen("str:Nadawcy", pen("meta:Podmiot", party(pen, sender))),
    )


def party(pen: Pen, sender: Party) -> etree._Element:
    """`oso:Osoba` or `inst:Instytucja`."""
    if isinstance(sender, Company):
        return pen(
            "inst:Instytucja",
            pen("inst:IdInstytucji", pen("inst:NIP", sender.nip), pen("inst:REGON", sender.regon)),
            pen("inst:NazwaInstytucji", sender.name),
            address(pen, sender.address),
        )
    return pen(
        "oso:Osoba",
        pen("oso:IdOsoby", pen("oso:PESEL", sender.pesel)),
        pen("oso:Imie", sender.first_name),
        pen("oso:Nazwisko", sender.surname),
        address(pen, sender.address),
        pen("adr:Kontakt", pen("adr:Telefon", sender.phone), pen("adr:Email", sender.email)),
    )


def address(pen: Pen, place: Address) -> etree._Element:
    """`adr:Adres`; unused parts stay as empty elements, as forms leave them."""
    return pen(
        "adr:Adres",
        pen("adr:KodPocztowy", place.post_code),
        pen("adr:Poczta", place.place),
        pen("adr:Miejscowosc", place.place),
        pen("adr:Ulica", place.street),
        pen("adr:Budynek", place.building),
        pen("adr:Lokal", place.premises),
    )


def tax_address(pen: Pen, name: str, place: Address) -> etree._Element:
    """An address in the ministry's types: a choice element around `ed:` parts."""
    return pen(
        name,
        pen("ed:KodKraju", "PL"),
        pen("ed:Wojewodztwo", place.voivodeship),
        pen("ed:Powiat", place.county or "PRZYKŁADOWSKI"),
        pen("ed:Gmina", place.municipality or place.place),
        pen.optional("ed:Ulica", place.street or None),
        pen("ed:NrDomu", place.building),
        pen.optional("ed:NrLokalu", place.premises or None),
        pen("ed:Miejscowosc", place.place),
        pen("ed:KodPocztowy", place.post_code),
    )

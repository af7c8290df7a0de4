"""What citizens send to be answered: the settlement query and the application for a certificate, valid as they come."""

from __future__ import annotations

from datetime import date

from gateway.simulate.documents import PDF, authority_block
from gateway.simulate.people import Company, Person, person
from gateway.simulate.writing import OFFICES, File, Part, Party, Pen, document, tax_address

SETTLEMENT_QUERY = "urn:brama:wzor:STAN-ROZLICZEN:1"
CERTIFICATE = "urn:brama:wzor:ZAS-NIEZALEGANIE:1"
PROOF = File("dowod-wplaty.pdf", PDF, description="dowód zapłaty opłaty skarbowej")


def settlement_query(
    teryt: str = "2009032",
    *,
    seed: int = 1,
    applicant: Party | None = None,
    as_of: date = date(2026, 2, 5),
    created: date = date(2026, 2, 5),
) -> bytes:
    """Zapytanie o stan rozliczeń. `applicant`: about whom; the default is the person of this seed."""
    office, pen = OFFICES[teryt], Pen(SETTLEMENT_QUERY)
    who = applicant or person(seed, office.place)
    asked = (pen("w:NaDzien", as_of.isoformat()), pen("w:SposobOdbioru", "1"))
    value = pen("w:Wartosc", *_head(pen, teryt, who, "STAN-ROZLICZEN"), *asked, _signed(pen, who, created))
    title = "Zapytanie o stan rozliczeń"
    return document(pen, title, (value,), sender=who, office=office, created=created, form_id="PROBNY/STAN-ROZLICZEN")


def certificate_application(
    teryt: str = "2009032",
    *,
    seed: int = 1,
    applicant: Party | None = None,
    purpose: str = "przedłożenie w banku",
    copies: int = 1,
    fee: str | None = "21.00",
    paid: bool = True,
    files: tuple[File, ...] = (PROOF,),
    statement: str | None = None,
    created: date = date(2026, 2, 5),
) -> bytes:
    """Wniosek o zaświadczenie o niezaleganiu, with its stamp duty paid and the proof attached.

    Break it: `fee=None` and `files=()` (no fee), `copies=2` (paid for one only), `paid=False`; an exemption is claimed
    by `statement=`.
    """
    office, pen = OFFICES[teryt], Pen(CERTIFICATE)
    who = applicant or person(seed, office.place)
    asked: tuple[Part, ...] = (
        pen("w:Cel", purpose), pen("w:LiczbaEgzemplarzy", str(copies)), pen("w:SposobOdbioru", "1"),
        None if fee is None else pen("w:OplataSkarbowa", pen("w:Kwota", fee), pen("w:Zaplacono", _flag(paid))),
        None if statement is None else pen("w:Oswiadczenie", pen("w:Tresc", statement), pen("w:Zlozone", "1")),
    )  # fmt: skip
    value = pen("w:Wartosc", *_head(pen, teryt, who, "ZAS-NIEZALEGANIE"), *asked, _signed(pen, who, created))
    title = "Wniosek o zaświadczenie o niezaleganiu w podatkach lub stwierdzające stan zaległości"
    return document(
        pen, title, (value,),
        sender=who, office=office, files=files, created=created, form_id="PROBNY/ZAS-NIEZALEGANIE",
    )  # fmt: skip


def _head(pen: Pen, teryt: str, who: Party, code: str) -> tuple[Part, ...]:
    return (
        pen("w:Naglowek", pen("w:KodFormularza", code), pen("w:WariantFormularza", "1")),
        authority_block(pen, OFFICES[teryt]),
        pen("w:Wnioskodawca", *_identity(pen, who), tax_address(pen, "w:AdresZamieszkaniaSiedziby", who.address)),
    )


def _identity(pen: Pen, who: Party) -> tuple[Part, ...]:
    if isinstance(who, Company):
        names = pen("w:OsobaNiefizyczna", pen("w:NIP", who.nip), pen("w:NazwaPelna", who.name))
        return pen("w:RodzajPodatnika", "2"), names
    names = pen(
        "w:OsobaFizyczna", pen("w:PESEL", who.pesel), pen("w:Nazwisko", who.surname),
        pen("w:PierwszeImie", who.first_name),
    )  # fmt: skip
    return pen("w:RodzajPodatnika", "1"), names


def _signed(pen: Pen, who: Party, created: date) -> Part:
    signer = who if isinstance(who, Person) else person(99)
    return pen(
        "w:Podpis", pen("w:Imie", signer.first_name), pen("w:Nazwisko", signer.surname),
        pen("w:DataWypelnienia", created.isoformat()),
    )  # fmt: skip


def _flag(value: bool) -> str:
    return "1" if value else "2"

"""Unsigned, valid documents as bytes, with one parameter for each thing that can be broken. Nobody real is in them.

`general_letter()` and `property_return()` are valid as they come; give one argument and exactly that one thing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from lxml import etree

from gateway.simulate.people import Company, Person, company, person
from gateway.simulate.writing import OFFICES, File, Office, Party, Pen, attachments, document, tax_address

LETTER = "http://crd.gov.pl/wzor/2013/12/12/1410/"
PROPERTY_RETURN = "http://crd.gov.pl/wzor/2020/01/07/8990/"
UNKNOWN = "http://crd.gov.pl/wzor/2099/01/01/9999/"
PDF = b"%PDF-1.4\n% a fictitious attachment, not a real document\n%%EOF\n"

__all__ = ["LETTER", "OFFICES", "PDF", "PROPERTY_RETURN", "UNKNOWN", "File", "Row", "attachments", "general_letter",
           "property_return", "unknown_form"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One taxable row of DN-1. `rate` in złoty per unit, for structures in per cent; `amount` None: computed."""

    group: str  # Grunty | Budynki | Budowle
    kind: str | None
    base: str
    rate: str
    amount: str | None = None

    @property
    def tax(self) -> Decimal:
        """The exact amount to the grosz."""
        if self.amount is not None:
            return Decimal(self.amount)
        share = Decimal(100) if self.group == "Budowle" else Decimal(1)
        return (Decimal(self.base) * Decimal(self.rate) / share).quantize(Decimal("0.01"), ROUND_HALF_UP)


DEFAULT_ROWS = (
    Row("Grunty", "WDzialalnosciGospodarczej", "2450.00", "1.10"),
    Row("Grunty", "PodWodamiPowierzchniowymi", "0.3500", "6.20"),
    Row("Grunty", "Pozostale", "1200.50", "0.52"),
    Row("Budynki", "Mieszkalne", "84.20", "1.02"),
    Row("Budynki", "WDzialalnosciGospodarczej", "618.40", "28.35"),
    Row("Budowle", None, "184500.00", "2.00"),
)


def general_letter(
    teryt: str = "2009032",
    *,
    seed: int = 1,
    namespace: str = LETTER,
    title: str | None = "Wniosek o wydanie zaświadczenia o niezaleganiu w podatkach",
    paragraphs: Sequence[str] = ("Proszę o wydanie zaświadczenia w jednym egzemplarzu – źdźbło, gżegżółka, łąka.",),
    files: Sequence[File] = (),
    sender: Party | None = None,
    pesel: str | None = None,
    created: date = date(2026, 2, 5),
    place: str | None = "Przykładowo",
) -> bytes:
    """Pismo ogólne do podmiotu publicznego. Break it: `title=None` (missing), `pesel=`, a File with `encoded=`."""
    office = OFFICES[teryt]
    pen = Pen(namespace)
    who = sender or _with_pesel(person(seed, office.place), pesel)
    content = (
        pen.optional("w:MiejscowoscDokumentu", place),
        pen.optional("w:Tytul", title),
        pen("w:RodzajWnioskuRozszerzony", jakiInny="inne pismo", rodzaj="wniosek"),
        pen("w:Informacje", *(pen("w:Informacja", text) for text in paragraphs)),
        pen("w:Oswiadczenia", pen("w:Oswiadczenie", "Proszę o doręczanie pism drogą elektroniczną.")),
    )
    return document(
        pen, "Pismo ogólne do podmiotu publicznego", content,
        sender=who, office=office, files=files, created=created, form_id="PROBNY/pismo-ogolne",
    )  # fmt: skip


def property_return(
    teryt: str = "2009032",
    *,
    seed: int = 1,
    year: int | None = 2026,
    purpose: str = "1",
    from_month: str | None = None,
    taxpayer: Party | None = None,
    nip: str | None = None,
    pesel: str | None = None,
    regon: str | None = None,
    rows: Sequence[Row] = DEFAULT_ROWS,
    total: str | None = None,
    instalments: Sequence[str] | None = None,
    annexes: int | None = None,
    files: Sequence[File] = (),
    created: date = date(2026, 1, 28),
) -> bytes:
    """Deklaracja na podatek od nieruchomości, DN-1. Valid by default; a corrected one has `purpose="2"`.

    Break it: `year=None` (missing), `total=` (wrong sum), `rows=` with an `amount=`, `nip=`/`pesel=`/`regon=` (wrong
    check digit), `instalments=`, `annexes=` (declared count differs), a File with `encoded=` (not base64).
    A natural person as taxpayer (co-owner with a company): `taxpayer=people.person(3)`.
    """
    office = OFFICES[teryt]
    pen = Pen(PROPERTY_RETURN)
    who = taxpayer or company(seed, office.place)
    amount = total if total is not None else str(rounded(rows))
    value = pen(
        "w:Wartosc",
        _header(pen, year, purpose, from_month),
        authority_block(pen, office),
        taxpayer_block(pen, who, nip=nip, pesel=pesel, regon=regon),
        _taxable(pen, rows),
        pen("w:LacznaKwotaPodatku", amount),
        _instalments(pen, monthly(amount) if instalments is None else instalments),
        pen("w:InformacjaOZalacznikach", pen("w:LiczbaZDN1", str(1 if annexes is None else annexes)),
            pen("w:LiczbaZDN2", "1")),
        _annex_taxable(pen, who, rows),
        _annex_exempt(pen),
        _signed_by(pen, created),
    )  # fmt: skip
    return document(
        pen, "Deklaracja na podatek od nieruchomości", (value,),
        sender=who, office=office, files=files, created=created, form_id="PROBNY/DN-1",
    )  # fmt: skip


def unknown_form(teryt: str = "2009032", *, seed: int = 1) -> bytes:
    """A well-formed document of a template nobody registered."""
    return general_letter(teryt, seed=seed, namespace=UNKNOWN)


def rounded(rows: Sequence[Row]) -> Decimal:
    """Sum of the rows, rounded once to full złoty, half up (art. 63 §1 Ordynacji podatkowej)."""
    return sum((row.tax for row in rows), Decimal(0)).quantize(Decimal(1), ROUND_HALF_UP)


def monthly(total: str, count: int = 12) -> tuple[str, ...]:
    """Equal instalments in full złoty; the first takes the remainder. Of a total that is no number: twelve zeros."""
    whole = int(total) if total.isdecimal() else 0
    return (str(whole - whole // count * (count - 1)), *(str(whole // count) for _ in range(count - 1)))


def taxpayer_block(
    pen: Pen, who: Party, *, nip: str | None = None, pesel: str | None = None, regon: str | None = None
) -> etree._Element:
    """`w:Podatnik`, boxes 1 and 7 to 23 of the ministry's local tax forms."""
    if isinstance(who, Company):
        identity = pen(
            "w:OsobaNiefizyczna", pen("w:NIP", nip or who.nip), pen("w:NazwaPelna", who.name),
            pen("w:NazwaSkrocona", who.name[:20].strip()), pen("w:REGON", regon or who.regon),
        )  # fmt: skip
    else:
        identity = pen(
            "w:OsobaFizyczna", pen("w:NIP", nip) if nip else pen("w:PESEL", pesel or who.pesel),
            pen("w:Nazwisko", who.surname), pen("w:PierwszeImie", who.first_name),
        )  # fmt: skip
    email = who.email if isinstance(who, Person) else "biuro@example.invalid"
    return pen(
        "w:Podatnik", pen("w:RodzajPodmiotu", "1"), pen("w:RodzajPodatnika", "2" if isinstance(who, Company) else "1"),
        identity, tax_address(pen, "w:AdresZamieszkaniaSiedziby", who.address),
        pen("w:Kontakt", pen("w:Telefon", "000000000"), pen("w:Email", email)),
    )  # fmt: skip


def _header(pen: Pen, year: int | None, purpose: str, from_month: str | None) -> etree._Element:
    return pen(
        "w:Naglowek",
        pen("w:KodFormularza", "DN-1"),
        pen("w:WariantFormularza", "1"),
        pen.optional("w:Rok", None if year is None else str(year)),
        pen("w:CelZlozenia", purpose),
        pen.optional("w:MiesiacOd", from_month),
    )


def _taxable(pen: Pen, rows: Sequence[Row]) -> etree._Element:
    groups = []
    for group in ("Grunty", "Budynki"):
        members = [_row(pen, f"w:{row.kind}", row) for row in rows if row.group == group]
        groups.append(pen(f"w:{group}", *members) if members else None)
    groups += [_row(pen, "w:Budowle", row) for row in rows if row.group == "Budowle"]
    return pen("w:PrzedmiotyOpodatkowania", *groups)


def _row(pen: Pen, name: str, row: Row) -> etree._Element:
    return pen(name, pen("w:Podstawa", row.base), pen("w:Stawka", row.rate), pen("w:KwotaPodatku", str(row.tax)))


def _instalments(pen: Pen, amounts: Sequence[str]) -> etree._Element | None:
    if not amounts:
        return None
    rows = (pen("w:Rata", pen("w:Numer", str(n)), pen("w:Kwota", amount)) for n, amount in enumerate(amounts, 1))
    return pen("w:Raty", *rows)


def _annex_taxable(pen: Pen, who: Party, rows: Sequence[Row]) -> etree._Element:
    return pen(
        "w:ZalacznikZDN1",
        tax_address(pen, "w:Polozenie", who.address),
        pen("w:IdentyfikatorDzialki", "200903_2.0005.123/4"),
        pen("w:KsiegaWieczysta", pen("w:Sad", "Sąd Rejonowy w Przykładowie"), pen("w:Numer", "BI1B/00012345/5")),
        pen("w:FormaWladania", "1"),
        *(_object(pen, row) for row in rows),
    )


def _object(pen: Pen, row: Row) -> etree._Element:
    if row.group == "Budowle":
        return pen("w:Budowla", pen("w:Opis", "ogrodzenie i place utwardzone"), pen("w:Wartosc", row.base))
    if row.group == "Grunty":
        return pen("w:Grunt", pen("w:Rodzaj", str(row.kind)), pen("w:Powierzchnia", row.base))
    return pen(
        "w:Budynek", pen("w:Rodzaj", str(row.kind)), pen("w:PowierzchniaUzytkowa", row.base),
        pen("w:PowierzchniaPowyzej220", row.base),
    )  # fmt: skip


def _annex_exempt(pen: Pen) -> etree._Element:
    return pen(
        "w:ZalacznikZDN2",
        pen("w:TytulPrawny", "art. 7 ust. 1 pkt 10 – grunty"),
        pen("w:PowierzchniaGruntu", "312.00"),
    )


def _signed_by(pen: Pen, created: date) -> etree._Element:
    signer = person(99)
    return pen(
        "w:Podpis", pen("w:Imie", signer.first_name), pen("w:Nazwisko", signer.surname),
        pen("w:DataWypelnienia", created.isoformat()),
    )  # fmt: skip


def authority_block(pen: Pen, office: Office) -> etree._Element:
    """`w:OrganPodatkowy`, box 4: the tax authority is the head of the gmina."""
    chief = "BURMISTRZ" if office.teryt.endswith(("1", "3")) else "WÓJT"
    return pen(
        "w:OrganPodatkowy", pen("w:Nazwa", f"{chief} – {office.name}"),
        pen("w:Adres", f"Szkolna 1, 16-999 {office.place}"),
    )  # fmt: skip


def _with_pesel(who: Person, pesel: str | None) -> Person:
    if pesel is None:
        return who
    return Person(who.first_name, who.surname, pesel, who.birth_date, who.address, who.email, who.phone)

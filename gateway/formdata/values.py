"""Realistic fictitious values for the leaves of a sample: by the element's name, else by its type."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from gateway.formdata.patterns import PatternUnknown, matching
from gateway.formdata.simple import SimpleType
from schemas import fictitious
from schemas.errors import FormError
from schemas.ids import land_register_digit

FILE = base64.b64encode(b"%PDF-1.4\n% a fictitious attachment, not a real document\n%%EOF\n").decode("ascii")
FILLERS = ("Treść próbna", "Przykładowy opis – źdźbło", "Zapis próbny", "Wartość przykładowa")
_INTEGERS = frozenset(
    {"integer", "int", "long", "short", "byte", "nonNegativeInteger", "positiveInteger", "unsignedInt", "unsignedByte"}
)


@dataclass(slots=True)
class Values:
    """Makes values for one sample; the same seed makes the same ones. `known` overrides by element name."""

    chance: random.Random
    known: dict[str, str] = field(default_factory=dict)

    def of(self, name: str, kind: SimpleType, parent: str = "") -> str:
        """A value of this type; the name decides where a value of that name is acceptable to the type."""
        if kind.enumeration:
            return self.chance.choice(kind.enumeration)
        named = self._named(name, parent)
        if named is not None and _acceptable(named, kind):
            return named
        return self._typed(kind)

    def _named(self, name: str, parent: str) -> str | None:
        if name in self.known:
            return self.known[name]
        if parent == "KsiegaWieczysta" and name == "Numer":
            number = str(self.chance.randrange(10**7, 10**8))
            return f"BI1B/{number}/{land_register_digit('BI1B', number)}"
        maker = _NAMED.get(name)
        return maker(self.chance) if maker else None

    def _typed(self, kind: SimpleType) -> str:
        if kind.pattern and kind.base in ("string", "token", "normalizedString"):
            try:
                return matching(kind.pattern, self.chance)
            except PatternUnknown as error:
                raise FormError("form.pattern_unknown", pattern=kind.pattern[:200]) from error
        if kind.base in _INTEGERS or kind.base == "decimal":
            return self._number(kind)
        if kind.base in _BY_BASE:
            return _BY_BASE[kind.base](self.chance)
        return self._text(kind)

    def _number(self, kind: SimpleType) -> str:
        low = Decimal(kind.facets.get("minInclusive", "0"))
        high = min(Decimal(kind.facets.get("maxInclusive", "900")), low + 900)
        digits = 0 if kind.base in _INTEGERS else int(kind.facets.get("fractionDigits", "2"))
        step = Decimal(1).scaleb(-digits)
        span = int((high - max(low, Decimal(0))) / step)
        return str((max(low, Decimal(0)) + step * self.chance.randint(min(1, span), max(span, 1))).quantize(step))

    def _text(self, kind: SimpleType) -> str:
        most = int(kind.facets.get("maxLength", kind.facets.get("length", "200")))
        least = int(kind.facets.get("minLength", kind.facets.get("length", "0")))
        return self.chance.choice(FILLERS)[:most].strip().ljust(least, "x")


def _acceptable(value: str, kind: SimpleType) -> bool:
    if kind.base in _INTEGERS:
        return value.isdecimal()
    if kind.base == "decimal":
        return value.replace(".", "", 1).isdecimal()
    if kind.base not in ("string", "token", "normalizedString"):
        return kind.base in ("gYear", "date", "dateTime") and value[:4].isdecimal()
    return len(value) <= int(kind.facets.get("maxLength", "100000"))


def _day(chance: random.Random) -> str:
    return (date(2026, 1, 5) + timedelta(days=chance.randrange(20))).isoformat()


def _pesel(chance: random.Random) -> str:
    return fictitious.pesel(date(1950, 1, 1) + timedelta(days=chance.randrange(18_000)), chance.randrange(10_000))


_BY_BASE: dict[str, Callable[[random.Random], str]] = {
    "date": _day,
    "dateTime": lambda chance: f"{_day(chance)}T10:00:00",
    "gYear": lambda _: "2026",
    "boolean": lambda _: "true",
    "base64Binary": lambda _: FILE,
    "anyURI": lambda _: "urn:przyklad",
}

_NAMED: dict[str, Callable[[random.Random], str]] = {
    "PESEL": _pesel,
    "NIP": lambda chance: fictitious.nip(chance.randrange(10**6)),
    "REGON": lambda chance: fictitious.regon(chance.randrange(10**6)),
    "KRS": lambda chance: f"{chance.randrange(10**10):010d}",
    "RachunekBankowy": lambda chance: fictitious.nrb(chance.randrange(10**6)),
    "Rok": lambda _: "2026",
    "Imie": lambda chance: chance.choice(("Anna", "Łucja", "Błażej", "Zdzisław")),
    "PierwszeImie": lambda chance: chance.choice(("Anna", "Łucja", "Błażej", "Zdzisław")),
    "Nazwisko": lambda chance: chance.choice(("Próbny-Źdźbło", "Testowa", "Przykładowa", "Wzorcowa")),
    "NazwaPelna": lambda _: "PRZYKŁADOWA SPÓŁKA Z O.O.",
    "NazwaInstytucji": lambda _: "Urząd Gminy Przykładowo",
    "KodPocztowy": lambda _: "16-999",
    "Miejscowosc": lambda _: "Przykładowo",
    "Poczta": lambda _: "Przykładowo",
    "Ulica": lambda chance: chance.choice(("Leśna", "Źródlana", "Łąkowa")),
    "Gmina": lambda _: "Przykładowo",
    "Powiat": lambda _: "PRZYKŁADOWSKI",
    "Wojewodztwo": lambda _: "PODLASKIE",
    "KodKraju": lambda _: "PL",
    "Kraj": lambda _: "PL",
    "NrDomu": lambda chance: str(chance.randrange(1, 90)),
    "Budynek": lambda chance: str(chance.randrange(1, 90)),
    "NrLokalu": lambda chance: str(chance.randrange(1, 20)),
    "Lokal": lambda chance: str(chance.randrange(1, 20)),
    "Email": lambda _: "osoba.probna@example.invalid",
    "Telefon": lambda _: "000000000",
    "CID": lambda chance: f"{chance.getrandbits(160):040x}@epuap.gov.pl",
    "Czas": _day,
    "Kategoria": lambda _: "tekst",
    "IdentyfikatorDzialki": lambda chance: f"200903_2.0005.{chance.randrange(1, 400)}/{chance.randrange(1, 9)}",
    "DaneZalacznika": lambda _: FILE,
    "kodowanie": lambda _: "base64",
    "format": lambda _: "application/pdf",
    "nazwaPliku": lambda _: "załącznik.pdf",
    "typIdentyfikatora": lambda _: "idFormularza",
    "typDaty": lambda _: "stworzony",
    "P_B5": lambda chance: f"PROBNY{chance.randrange(10**10):011d}",
    "P_B4": lambda chance: f"BXX{chance.randrange(10**5):05d}",
    "P_B14": lambda chance: f"{chance.randrange(4, 40)},{chance.randrange(1, 9)}",
    "P_B20": lambda _: "12",
    "Udzial": lambda _: "1/8",
    "OdDnia": lambda _: "2026-02-02",
    "DoDnia": lambda _: "2026-12-31",
    "DataUrodzenia": lambda _: "1971-05-17",
}

"""Fictitious people, companies and identifiers with correct check digits; nobody real is meant."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from schemas.fictitious import nip, nrb, pesel, regon, wrong_check_digit

__all__ = ["Address", "Company", "Person", "address", "company", "nip", "nrb", "person", "pesel", "regon",
           "wrong_check_digit"]  # fmt: skip

_FIRST_NAMES = ("Anna", "Bożena", "Celina", "Dagmara", "Elżbieta", "Grażyna", "Łucja", "Małgorzata")
_FIRST_NAMES_M = ("Adam", "Błażej", "Czesław", "Dariusz", "Grzegorz", "Józef", "Łukasz", "Zdzisław")
_SURNAMES = ("Próbna", "Testowa", "Przykładowa", "Wzorcowa", "Fikcyjna", "Żółtopróbna")
_STREETS = ("Leśna", "Polna", "Źródlana", "Łąkowa", "Świerkowa", "Kościelna")
_COMPANIES = ("PRZYKŁADOWA SPÓŁKA Z O.O.", "ZAKŁAD PRÓBNY „ŹDŹBŁO” SP. J.", "WZORZEC I SYNOWIE SP. K.")


@dataclass(frozen=True, slots=True)
class Address:
    """A Polish address; `post_code` as 99-999."""

    place: str
    post_code: str
    building: str
    street: str = ""
    premises: str = ""
    municipality: str = ""
    county: str = ""
    voivodeship: str = "PODLASKIE"


@dataclass(frozen=True, slots=True)
class Person:
    """A fictitious natural person."""

    first_name: str
    surname: str
    pesel: str
    birth_date: date
    address: Address
    email: str = "osoba.probna@example.invalid"
    phone: str = "000000000"


@dataclass(frozen=True, slots=True)
class Company:
    """A fictitious organisation."""

    name: str
    nip: str
    regon: str
    address: Address


def person(seed: int = 1, place: str = "Przykładowo") -> Person:
    """The same person for the same seed."""
    chance = random.Random(f"person-{seed}")
    born = date(1950, 1, 1) + timedelta(days=chance.randrange(18_000))
    woman = chance.random() < 0.5
    surname = chance.choice(_SURNAMES)
    return Person(
        first_name=chance.choice(_FIRST_NAMES if woman else _FIRST_NAMES_M),
        surname=surname if woman else surname.removesuffix("a") + "y",
        pesel=pesel(born, chance.randrange(0, 1000) * 10 + (0 if woman else 1)),
        birth_date=born,
        address=address(seed, place),
    )


def company(seed: int = 1, place: str = "Przykładowo") -> Company:
    """The same company for the same seed."""
    chance = random.Random(f"company-{seed}")
    return Company(chance.choice(_COMPANIES), nip(seed), regon(seed), address(seed, place))


def address(seed: int, place: str) -> Address:
    """The same address for the same seed; post code 16-999 is not in use."""
    chance = random.Random(f"address-{seed}")
    return Address(
        place, "16-999", str(chance.randrange(1, 120)), chance.choice(_STREETS),
        premises=str(chance.randrange(1, 9)), municipality=place, county="PRZYKŁADOWSKI",
    )  # fmt: skip

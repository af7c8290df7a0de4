"""Fictitious people, companies and identifiers with correct check digits; nobody real is meant."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

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


def pesel(born: date, serial: int) -> str:
    """PESEL of a birth date between 1900 and 2099 and a serial of four digits (the last one odd for men)."""
    month = born.month + (20 if born.year >= 2000 else 0)
    body = f"{born.year % 100:02d}{month:02d}{born.day:02d}{serial % 10_000:04d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True))
    return body + str(-total % 10)


def nip(seed: int) -> str:
    """A NIP with a correct check digit, of a form the ministry's pattern takes."""
    chance = random.Random(f"nip-{seed}")
    while True:
        body = f"{chance.randrange(111, 999)}{chance.randrange(0, 10**6):06d}"
        total = sum(int(digit) * weight for digit, weight in zip(body, (6, 5, 7, 2, 3, 4, 5, 6, 7), strict=True))
        if total % 11 < 10 and body[1:3] != "00":
            return body + str(total % 11)


def regon(seed: int) -> str:
    """A nine-digit REGON with a correct check digit."""
    chance = random.Random(f"regon-{seed}")
    body = f"{chance.randrange(10**7, 10**8)}"
    total = sum(int(digit) * weight for digit, weight in zip(body, (8, 9, 2, 3, 4, 5, 6, 7), strict=True))
    return body + str(total % 11 % 10)


def wrong_check_digit(identifier: str) -> str:
    """The same identifier with its last digit changed, so that only the check digit is wrong."""
    return identifier[:-1] + str((int(identifier[-1]) + 1) % 10)


def nrb(seed: int) -> str:
    """A Polish account number (NRB, 26 digits) with correct check digits (mod 97 with PL)."""
    body = f"{random.Random(f'nrb-{seed}').randrange(10**23, 10**24)}"
    return f"{98 - int(body + '252100') % 97:02d}{body}"

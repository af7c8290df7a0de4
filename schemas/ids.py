"""Identifiers, parsed once and then trusted by their type. Check digits come from python-stdnum."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from stdnum.pl import nip as _nip
from stdnum.pl import pesel as _pesel
from stdnum.pl import regon as _regon

from schemas.errors import IdentifierInvalid

_TERYT = re.compile(r"\d{7}")
_LAND_LETTERS = "0123456789XABCDEFGHIJKLMNOPRSTUWYZ"  # each sign counts as its place here
_LAND_REGISTER = re.compile(r"([A-PR-UW-Z]{2}[0-9][A-PR-UW-Z])/([0-9]{8})/([0-9])")
_MAILBOX = re.compile(r"/[^/\s]{1,100}/[^/\s]{1,100}")
_CRD = re.compile(r"^http://crd\.gov\.pl/wzor/(\d{4}/\d{2}/\d{2}/\d+)/$")


class Teryt(str):
    """TERC code of a gmina, seven digits (WWPPGGR); text, because leading zeros count."""

    def __new__(cls, value: str) -> Teryt:
        if not _TERYT.fullmatch(value):
            raise IdentifierInvalid(kind="TERYT", expected="7 cyfr")
        return super().__new__(cls, value)


class Mailbox(str):
    """Address of an ePUAP box (adres skrytki): `/podmiot/nazwaSkrytki`."""

    def __new__(cls, value: str) -> Mailbox:
        if not _MAILBOX.fullmatch(value):
            raise IdentifierInvalid(kind="skrytka", expected="/podmiot/nazwaSkrytki")
        return super().__new__(cls, value)


@dataclass(frozen=True, slots=True)
class FormId:
    """A published form template (wzór dokumentu elektronicznego), known by its root namespace."""

    namespace: str

    @property
    def short(self) -> str:
        """`2020/01/07/8990` for a CRD template, the whole namespace for any other."""
        found = _CRD.match(self.namespace)
        return found.group(1) if found else self.namespace

    @classmethod
    def crd(cls, number: str) -> FormId:
        """From `2020/01/07/8990`."""
        return cls(f"http://crd.gov.pl/wzor/{number}/")


def sha256(data: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits: how every digest is stored and shown."""
    return hashlib.sha256(data).hexdigest()


def is_land_register(value: str) -> bool | None:
    """Does the check digit of a land and mortgage register number (księga wieczysta) hold, `WA4M/00123456/4`?

    None where it is not such a number: older registers, and paper forms, carry any text.
    """
    found = _LAND_REGISTER.fullmatch("".join(value.split()).upper())
    return None if found is None else land_register_digit(found[1], found[2]) == found[3]


def land_register_digit(court: str, number: str) -> str:
    """The check digit for a court's code and the eight digits: weights 1, 3, 7 in turn, modulo 10.

    Raises ValueError for a letter such numbers do not have (Q, V). Source: public descriptions of the register's
    numbers and their examples; four independent ones agree.
    """
    return str(sum(_LAND_LETTERS.index(sign) * (1, 3, 7)[at % 3] for at, sign in enumerate(court + number)) % 10)


def is_pesel(value: str) -> bool:
    """PESEL with a correct check digit and a possible birth date."""
    return bool(re.fullmatch(r"[0-9]{11}", value)) and _pesel.is_valid(value)


def is_nip(value: str) -> bool:
    """NIP (tax number), ten digits, correct check digit; no separators."""
    return bool(re.fullmatch(r"[0-9]{10}", value)) and bool(_nip.checksum(value) == 0)


def is_regon(value: str) -> bool:
    """REGON (business register number), nine or fourteen digits, correct check digits."""
    if not re.fullmatch(r"[0-9]{9}|[0-9]{14}", value) or _regon.calc_check_digit(value[:8]) != value[8]:
        return False
    return len(value) == 9 or bool(_regon.calc_check_digit(value[:13]) == value[13])

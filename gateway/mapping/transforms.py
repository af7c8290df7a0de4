"""How a value is read: small named functions from text to a JSON-ready value. None means "not given".

A ValueError says that the text cannot be read so; the caller then lists the value as unread and never guesses.
Names here are the `read = "..."` of mapping tables.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from schemas.octets import from_base64

Transform = Callable[[str], Any]

_CANONICAL = re.compile(r"(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,12})?")
_NUMBER = re.compile(r"[+-]?\d{1,16}([.,]\d{1,12})?")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:T.*|Z|[+-]\d\d:\d\d)?")
_YEAR = re.compile(r"\d{4}(?!\d)")
_YES = frozenset({"1", "true", "tak", "t", "x"})
_NO = frozenset({"0", "false", "nie", "n", "2"})


def text(value: str) -> str | None:
    """Outer space removed, inner kept: paragraphs keep their lines."""
    return value.strip() or None


def token(value: str) -> str | None:
    """One line: every run of white space is one space. Element names and codes arrive padded."""
    if value.isalnum():  # one word, as often
        return value
    return " ".join(value.split()) or None


def digits(value: str) -> str | None:
    """An identifier (PESEL, NIP, REGON, KRS, account): white space and dashes removed, else as declared."""
    if value.isdigit():  # as nearly always
        return value
    return "".join(value.split()).replace("-", "") or None


def decimal(value: str) -> str | None:
    """An exact decimal with dot or comma; spaces as thousands separators are dropped."""
    if _CANONICAL.fullmatch(value):  # as nearly always
        return value
    compact = "".join(value.split())
    if not compact:
        return None
    if _CANONICAL.fullmatch(compact):
        return compact
    if not _NUMBER.fullmatch(compact):
        raise ValueError("decimal")
    return format(Decimal(compact.replace(",", ".")), "f")


def integer(value: str) -> int | None:
    """A whole number; "12.00" counts as 12."""
    if len(value) <= 16 and value.isdigit():  # as nearly always
        return int(value)
    exact = decimal(value)
    if exact is None:
        return None
    if Decimal(exact) != int(Decimal(exact)):
        raise ValueError("integer")
    return int(Decimal(exact))


def iso_date(value: str) -> str | None:
    """A calendar date from a date or a date-time, zone dropped as written; months without a leading zero occur."""
    if _ISO_DATE.fullmatch(value):  # as nearly always
        date.fromisoformat(value)  # is there such a day?
        return value
    compact = value.strip()
    if not compact:
        return None
    found = _DATE.fullmatch(compact)
    if not found:
        raise ValueError("date")
    return date(int(found[1]), int(found[2]), int(found[3])).isoformat()


def timestamp(value: str) -> str | None:
    """A date-time or date in ISO 8601, as written."""
    compact = value.strip()
    if not compact:
        return None
    return datetime.fromisoformat(compact).isoformat() if "T" in compact else iso_date(compact)


def year(value: str) -> int | None:
    """A year, 1900 to 2100; a zone after it (xs:gYear) is dropped."""
    compact = value.strip()
    if not compact:
        return None
    found = _YEAR.match(compact)
    if not found or not 1900 <= int(found[0]) <= 2100:
        raise ValueError("year")
    return int(found[0])


def flag(value: str) -> bool | None:
    """Yes (1, true, tak, x) or no (0, 2, false, nie)."""
    word = value.strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    if not word:
        return None
    raise ValueError("flag")


def base64_file(value: str) -> dict[str, Any] | None:
    """Size and SHA-256 of strictly decoded base64; white space between the lines is allowed."""
    if not value.strip():
        return None
    content = decode_base64(value)
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def base64_name(value: str) -> str | None:
    """A file name that is itself base64 of UTF-8 (the podpisanyPlik wrapper writes names so)."""
    return decode_base64(value).decode("utf-8") or None if value.strip() else None


def decode_base64(value: str) -> bytes:
    """Strict: any other character than the alphabet and XML white space is a ValueError."""
    try:
        return from_base64(value)
    except ValueError:  # white space, perhaps
        return from_base64("".join(value.split()))


TRANSFORMS: dict[str, Transform] = {
    "text": text,
    "token": token,
    "digits": digits,
    "pesel": digits,
    "nip": digits,
    "regon": digits,
    "decimal": decimal,
    "money": decimal,
    "area": decimal,
    "integer": integer,
    "year": year,
    "month": integer,
    "date": iso_date,
    "timestamp": timestamp,
    "flag": flag,
    "base64_file": base64_file,
    "base64_name": base64_name,
}
NEVER_FAIL = frozenset({text, token, digits})  # any text can be read so

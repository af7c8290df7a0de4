"""Made-up identifiers with correct check digits, for samples, drills and tests. They belong to nobody on purpose."""

from __future__ import annotations

import random
from datetime import date


def pesel(born: date, serial: int) -> str:
    """PESEL of a birth date between 1900 and 2099 and a serial of four digits (the last one odd for men)."""
    month = born.month + (20 if born.year >= 2000 else 0)
    body = f"{born.year % 100:02d}{month:02d}{born.day:02d}{serial % 10_000:04d}"
    return body + str(-_weighed(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def nip(seed: int) -> str:
    """A NIP with a correct check digit, of a form the ministry's pattern takes."""
    chance = random.Random(f"nip-{seed}")  # noqa: S311 # samples, no secrets
    while True:
        body = f"{chance.randrange(111, 999)}{chance.randrange(0, 10**6):06d}"
        total = _weighed(body, (6, 5, 7, 2, 3, 4, 5, 6, 7))
        if total % 11 < 10 and body[1:3] != "00":
            return body + str(total % 11)


def regon(seed: int) -> str:
    """A nine-digit REGON with a correct check digit."""
    body = f"{random.Random(f'regon-{seed}').randrange(10**7, 10**8)}"  # noqa: S311 # samples, no secrets
    return body + str(_weighed(body, (8, 9, 2, 3, 4, 5, 6, 7)) % 11 % 10)


def nrb(seed: int) -> str:
    """A Polish account number (NRB, 26 digits) with correct check digits (mod 97 with PL)."""
    body = f"{random.Random(f'nrb-{seed}').randrange(10**23, 10**24)}"  # noqa: S311 # samples, no secrets
    return f"{98 - int(body + '252100') % 97:02d}{body}"


def wrong_check_digit(identifier: str) -> str:
    """The same identifier with its last digit changed, so that only the check digit is wrong."""
    return identifier[:-1] + str((int(identifier[-1]) + 1) % 10)


def _weighed(body: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True))

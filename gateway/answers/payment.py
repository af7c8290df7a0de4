"""The 2D payment code of the Polish Bank Association (ZBP, recommendation of 3 December 2013) as text and as QR image.

Nine fields between bars, at most 160 characters, UTF-8: NIP (ten digits or nothing), PL, NRB (26), the amount in grosze
(six digits), recipient (up to 20), title (up to 32), and three reserved ones (20, 12, 24) that stay empty:
`1234567890|PL|92124012340001567890123456|001200|Gmina Przykładowo|Podatek rolny 2026 rata 1|||`.
Amount 000000 leaves the amount to the payer; six digits end at 9 999,99 zł, so a larger one is left to the payer, too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping

import segno

from gateway.answers.polish import plural
from gateway.answers.templates import Words
from schemas.answers import ZERO, DueItem, PaymentOrder

LARGEST_GROSZE = 999_999
_RECIPIENT, _TITLE, _WHOLE = 20, 32, 160
_UNFIT = re.compile(r"[^A-Za-z0-9ĄĆĘŁŃÓŚŹŻąćęłńóśźż ,./\\\-@#&*_]")
_QUIET_ZONE = 4  # modules of white around the code, as ISO/IEC 18004 asks


def code_text(order: PaymentOrder) -> str:
    """What the code says. Recipient and title are cut to their lengths; characters banks do not take become spaces."""
    grosze = int((order.amount * 100).to_integral_exact())
    amount = grosze if grosze <= LARGEST_GROSZE else 0
    fields = (
        order.nip or "", "PL", order.account, f"{amount:06d}",
        _fit(order.recipient, _RECIPIENT), _fit(order.title, _TITLE), "", "", "",
    )  # fmt: skip
    text = "|".join(fields)
    if len(text) > _WHOLE:
        raise ValueError("the payment code is longer than 160 characters")
    return text


def carries_amount(order: PaymentOrder) -> bool:
    """Does the code hold the amount, or does the payer type it?"""
    return order.amount * 100 <= LARGEST_GROSZE


def qr_svg(text: str) -> str:
    """The code as an SVG image, error correction M, black on white with its quiet zone."""
    drawn = io.BytesIO()
    segno.make(text, error="m", boost_error=False, encoding="utf-8", micro=False).save(
        drawn, kind="svg", border=_QUIET_ZONE, dark="#000", light="#fff", xmldecl=False
    )
    return drawn.getvalue().decode()


def orders(items: Iterable[DueItem], words: Words, *, recipient: str, nip: str | None) -> tuple[PaymentOrder, ...]:
    """One transfer per due that has an account and something left to transfer."""
    payable = [(item.account, item) for item in items if item.to_transfer > ZERO]
    return tuple(
        PaymentOrder(
            name=name_of(item, words.kinds),
            account=account,
            amount=item.to_transfer,
            recipient=recipient,
            title=item.title or _title(item, words.short),
            nip=nip,
        )
        for account, item in payable
        if account is not None
    )


def together(single: Iterable[PaymentOrder], what: str) -> tuple[PaymentOrder, ...]:
    """One transfer for each account that several share, `what` with their count as its title."""
    shared: dict[str, list[PaymentOrder]] = {}
    for order in single:
        shared.setdefault(order.account, []).append(order)
    return tuple(_sum(group, what) for group in shared.values() if len(group) > 1)


def name_of(item: DueItem, kinds: Mapping[str, str]) -> str:
    """For people: `Podatek od nieruchomości za 2026 r., rata 3`; a kind without a name shows itself."""
    year = f" za {item.year} r." if item.year else ""
    return f"{kinds.get(item.kind, item.kind)}{year}" + (f", rata {item.instalment}" if item.instalment else "")


def _title(item: DueItem, short: Mapping[str, str]) -> str:
    """For a transfer, which has 32 characters: `Pod. nieruchomości 2026 rata 3`."""
    parts = (short.get(item.kind, item.kind), item.year, f"rata {item.instalment}" if item.instalment else "")
    return " ".join(str(part) for part in parts if part)


def _sum(group: list[PaymentOrder], what: str) -> PaymentOrder:
    amount = sum((order.amount for order in group), ZERO)
    count = len(group)
    title = f"{what}, {count} {plural(count, 'pozycja', 'pozycje', 'pozycji')}"
    return group[0].model_copy(update={"amount": amount, "title": title, "name": title})


def _fit(text: str, length: int) -> str:
    return " ".join(_UNFIT.sub(" ", text).split())[:length].rstrip()

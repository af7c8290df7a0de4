"""What offices answer and what we make of it: dues, arrears, the status of a case. Exact decimals, złoty and grosze.

An office's figures are never recomputed: interest (odsetki) and costs are its own, as of the moment it was asked. What
a ledger could not answer stays in `sources`, so that a total is never silently short.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from stdnum import iban

from schemas.case_parts import Exact, Part

ZERO = Decimal("0.00")


def _grosze(value: Decimal) -> Decimal:
    if value != value.quantize(ZERO):
        raise ValueError("no more than two decimals")
    return value.quantize(ZERO)


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError("not negative")
    return value


def _nrb(value: str | None) -> str | None:
    if value is None:
        return None
    digits = value.replace(" ", "").removeprefix("PL")
    if len(digits) != 26 or not iban.is_valid("PL" + digits):
        raise ValueError("an account number of 26 digits with correct check digits is expected")
    return digits


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a moment with its zone is expected")
    return value


Amount = Annotated[Exact, AfterValidator(_grosze), AfterValidator(_not_negative)]
Account = Annotated[str, AfterValidator(_nrb)]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Moment = Annotated[datetime, AfterValidator(_aware)]


class DueItem(Part):
    """One due (należność) of one party in one ledger.

    kind: property_tax, agricultural_tax, forest_tax, joint_obligation, vehicle_tax, waste_fee ... (see `kinds` of the
    answer templates). `paid` is what was posted; `unposted` is money received and not posted yet. `account` is the NRB
    without spaces. A due whose payment was deferred (odroczenie, układ ratalny) has `deferred_to` as its day.
    """

    id: Line | None = None  # the ledger's own number of the entry
    kind: Line
    year: int | None = Field(default=None, ge=1900, le=2999)
    instalment: int | None = Field(default=None, ge=1)
    due_on: date
    deferred_to: date | None = None
    amount: Amount
    paid: Amount = ZERO
    unposted: Amount = ZERO
    interest: Amount = ZERO
    costs: Amount = ZERO  # reminders (koszty upomnienia)
    account: Account | None = None
    title: Line | None = None
    ledger: Line = ""

    @property
    def payable_on(self) -> date:
        """The day it is to be paid by; a Saturday or holiday still counts as itself here."""
        return self.deferred_to or self.due_on

    @property
    def outstanding(self) -> Decimal:
        """What is left of the due itself, without interest and costs; never negative."""
        return max(self.amount - self.paid, ZERO)

    @property
    def overpaid(self) -> Decimal:
        """Posted beyond the due (nadpłata)."""
        return max(self.paid - self.amount, ZERO)

    @property
    def to_pay(self) -> Decimal:
        """The due's rest with interest and costs."""
        return self.outstanding + self.interest + self.costs

    @property
    def to_transfer(self) -> Decimal:
        """What a transfer should still bring: money already received is not asked for twice."""
        return max(self.to_pay - self.unposted, ZERO)


class Source(Part):
    """One ledger that was asked. `code` says why it did not answer (`answers.*`); None when it did."""

    name: str
    asked_at: Moment | None = None
    code: str | None = None
    cached: bool = False


class Totals(Part):
    """Exact sums of a list of dues."""

    amount: Exact = ZERO
    paid: Exact = ZERO
    unposted: Exact = ZERO
    outstanding: Exact = ZERO
    interest: Exact = ZERO
    costs: Exact = ZERO
    overpaid: Exact = ZERO
    to_pay: Exact = ZERO

    @classmethod
    def of(cls, items: tuple[DueItem, ...]) -> Totals:
        """Add up; nothing is rounded."""
        return cls(**{name: sum((getattr(item, name) for item in items), ZERO) for name in cls.model_fields})


class Dues(Part):
    """Everything one party owes a gmina, from every ledger asked. `as_of`: when the earliest of the answers was given.

    `party_key` is the digest of schemas.case.taxpayer_key, never an identifier.
    """

    party_key: str
    as_of: Moment
    items: tuple[DueItem, ...] = ()
    sources: tuple[Source, ...] = ()

    @property
    def complete(self) -> bool:
        """Did every ledger answer?"""
        return bool(self.sources) and not self.missing

    @property
    def missing(self) -> tuple[Source, ...]:
        """The ledgers that did not."""
        return tuple(source for source in self.sources if source.code is not None)

    @property
    def totals(self) -> Totals:
        """Of all items."""
        return Totals.of(self.items)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, amounts as text. Holds what a person owes: store and show, never log."""
        return self.model_dump(mode="json")


class Arrears(Part):
    """What was not paid in time (zaległości) on a day, Polish calendar."""

    day: date
    items: tuple[DueItem, ...] = ()

    @property
    def totals(self) -> Totals:
        """Of the items in arrears."""
        return Totals.of(self.items)


class CaseStatus(Part):
    """What an office says about a case (stan sprawy): its number, a word of its own and a text for the citizen."""

    case_number: str
    status: str
    as_of: Moment
    text: str = ""


class PaymentOrder(Part):
    """One transfer the citizen may make. `name` says in full what it pays; `title` is the transfer's own, short one."""

    name: str
    account: Account
    amount: Amount
    recipient: str
    title: str
    nip: str | None = None


class SettlementStatement(Part):
    """Informacja o stanie rozliczeń: the dues sorted into what is late, what comes, and what was paid too much."""

    dues: Dues
    day: date
    arrears: tuple[DueItem, ...]
    upcoming: tuple[DueItem, ...]
    overpaid: tuple[DueItem, ...]
    unposted: tuple[DueItem, ...]
    payments: tuple[PaymentOrder, ...]

"""What becomes of an application for a certificate of no arrears (zaświadczenie o niezaleganiu): a pure decision.

The order of the questions: is the fee paid, did every ledger answer, is the answer of today, is money on its way, and
only then whether something is owed. Where a machine cannot be sure the clerk decides; it never certifies on a guess.

Sources: art. 306a-306e Ordynacji podatkowej; the stamp duty act of 16 November 2006, annex part II.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from gateway.answers.ledgers import arrears_of
from gateway.clock import WARSAW
from schemas.answers import ZERO, Arrears, Dues
from schemas.case import Case
from schemas.case_parts import Statement

FEE_PER_COPY = Decimal("21.00")
NOT_TODAY = "answers.dues_not_of_today"
UNPOSTED = "answers.payment_unposted"
ONLY_COSTS = "answers.only_costs_left"
_UNPAID = {"missing": "answers.fee_missing", "short": "answers.fee_short"}
EXEMPTION = "stamp_duty_exemption"  # code of the statement in which a form gives the exemption's legal title
_EXEMPTION_WORDS = re.compile(r"(nie podlega|zwoln|woln[aey]).*opła[tc]\w* skarbow", re.IGNORECASE | re.DOTALL)


class Wanted(StrEnum):
    """What the applicant asks for."""

    NO_ARREARS = "no_arrears"  # zaświadczenie o niezaleganiu: arrears mean a refusal (art. 306c)
    STATE = "state"  # zaświadczenie o niezaleganiu lub stwierdzające stan zaległości: arrears are stated


class Outcome(StrEnum):
    """What is to be drafted; CLERK: nothing, a person looks first."""

    CERTIFY_NONE = "certify_none"
    CERTIFY_ARREARS = "certify_arrears"
    REFUSE = "refuse"
    CALL_FOR_FEE = "call_for_fee"
    CLERK = "clerk"


@dataclass(frozen=True, slots=True)
class Fee:
    """Stamp duty of an application: what is owed, what the evidence says was paid, or the exemption claimed.

    `evidence` names the attachments that prove payment; `paid` is their amount where it is known.
    """

    due: Decimal
    paid: Decimal | None = None
    evidence: tuple[str, ...] = ()
    exemption: str | None = None

    @property
    def standing(self) -> Literal["exempt", "proven", "short", "missing"]:
        """A claimed exemption and evidence of payment are believed here and checked by the clerk who approves."""
        if self.exemption:
            return "exempt"
        if not self.evidence:
            return "missing"
        return "short" if self.paid is not None and self.paid < self.due else "proven"

    @property
    def missing(self) -> Decimal:
        """What is still to be paid; without evidence, what the form says was paid does not count."""
        paid = {"exempt": self.due, "missing": ZERO, "proven": self.due}.get(self.standing, self.paid or ZERO)
        return self.due - paid


@dataclass(frozen=True, slots=True)
class Request:
    """An application, reduced to what the decision needs."""

    wanted: Wanted
    fee: Fee
    copies: int = 1
    purpose: str | None = None

    @classmethod
    def of(cls, case: Case, evidence: Sequence[str] = ()) -> Request:
        """From a mapped application.

        Args: evidence: ids of the attachments that prove payment; empty: the form's own fee entry decides, and where
              it says "paid" every attachment counts as evidence.
        """
        copies = (case.application.copies if case.application else None) or 1
        said = next((fee for fee in case.fees if fee.kind == "stamp_duty" and fee.paid), None)
        proofs = tuple(evidence)
        if not proofs and said is not None:
            proofs = tuple(attachment.id for attachment in case.attachments)
        exemption = next((one.text for one in case.statements if one.given and _claims_exemption(one)), None)
        fee = Fee(due=FEE_PER_COPY * copies, paid=said.amount if said else None, evidence=proofs, exemption=exemption)
        matter = (case.application.matter if case.application else None) or Wanted.STATE
        wanted = Wanted.NO_ARREARS if matter == Wanted.NO_ARREARS else Wanted.STATE
        return cls(wanted, fee, copies, case.application.purpose if case.application else None)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision, the codes of what led to it (`answers.*`), and the arrears it looked at."""

    outcome: Outcome
    reasons: tuple[str, ...]
    arrears: Arrears


def decide(
    request: Request, dues: Dues, *, required: Sequence[str], today: date, cleared: Collection[str] = ()
) -> Ruling:
    """Which document to draft; never raises, whatever the ledgers say.

    Args: required: ledgers that must have answered: a certificate speaks for all dues of the gmina.
          today: Polish calendar; a certificate confirms the state of the day it is issued (art. 306a § 3).
          cleared: doubts a person has looked at: a payment under way, costs alone; never silence and age.
    """
    arrears = arrears_of(dues, today)
    unpaid = _UNPAID.get(request.fee.standing)
    if unpaid:
        return Ruling(Outcome.CALL_FOR_FEE, (unpaid,), arrears)
    doubts = (*_silence(dues, required), *_doubts(dues, today, arrears, cleared))
    if doubts:
        return Ruling(Outcome.CLERK, doubts, arrears)
    if not _owed(arrears):
        return Ruling(Outcome.CERTIFY_NONE, ("answers.no_arrears",), arrears)
    if request.wanted is Wanted.STATE:
        return Ruling(Outcome.CERTIFY_ARREARS, ("answers.arrears_stated",), arrears)
    return Ruling(Outcome.REFUSE, ("answers.arrears_found",), arrears)


def _claims_exemption(statement: Statement) -> bool:
    """Forms without codes say it in words; whoever approves reads them."""
    return statement.code == EXEMPTION or bool(_EXEMPTION_WORDS.search(statement.text or ""))


def _silence(dues: Dues, required: Sequence[str]) -> tuple[str, ...]:
    answered = {source.name for source in dues.sources if source.code is None}
    silent = not set(required) <= answered or not dues.complete
    return ("answers.ledger_silent",) if silent else ()


def _doubts(dues: Dues, today: date, arrears: Arrears, cleared: Collection[str]) -> tuple[str, ...]:
    found = []
    if dues.as_of.astimezone(WARSAW).date() != today or any(source.cached for source in dues.sources):
        found.append(NOT_TODAY)
    if arrears.items and arrears.totals.unposted > ZERO:
        found.append(UNPOSTED)
    if arrears.items and not _owed(arrears):
        found.append(ONLY_COSTS)
    return tuple(code for code in found if code not in cleared or code == NOT_TODAY)


def _owed(arrears: Arrears) -> bool:
    """Tax or fee with its interest; a reminder's costs alone are no tax arrears."""
    return arrears.totals.outstanding + arrears.totals.interest > ZERO

"""What the end of an attempt means for the rows that remember it: pure functions of an outcome and a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway import retry
from gateway.store.attempts import Said
from gateway.store.delivering import Claim
from schemas.delivery import (
    Delivered,
    DeliveryState,
    Outcome,
    Refused,
    Unreachable,
    Unsettled,
    outcome_word,
)


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended: an outcome, what was sent, and whether the office could not even be asked."""

    outcome: Outcome
    digest_sent: str | None = None
    asked_in_vain: bool = False
    doubt_stays: bool = False  # this try surely did nothing, but an earlier one may have


def state_of(result: Result, follows: retry.Next) -> DeliveryState:
    """The state of the delivery from now on."""
    match result.outcome:
        case Delivered():
            return DeliveryState.DELIVERED
        case Refused():
            return DeliveryState.REFUSED
        case Unsettled():
            return DeliveryState.UNSETTLED  # also when giving up: it may be there, so only a person may say otherwise
        case Unreachable() if result.doubt_stays:
            return DeliveryState.UNSETTLED
        case Unreachable():
            return DeliveryState.GIVEN_UP if isinstance(follows, retry.GiveUp) else DeliveryState.WAITING


def left(result: Result, follows: retry.Next) -> dict[str, Any]:
    """Outcome and decision as columns of the delivery."""
    outcome = result.outcome
    values: dict[str, Any] = {"last_code": getattr(outcome, "code", None), "last_text": getattr(outcome, "text", None)}
    if isinstance(outcome, Delivered):
        values |= {"reference": outcome.reference, "details": outcome.details}
    if isinstance(outcome, Unsettled):
        values |= {"in_doubt": True, "doubtful": True}
    if result.doubt_stays:
        values["in_doubt"] = True
    if isinstance(follows, retry.RetryAt | retry.AskAt):
        values["due_at"] = follows.at
    return values


def said(claim: Claim, result: Result, took_ms: int, follows: retry.Next) -> Said:
    """The attempt's own row, and what the timeline gets of it: codes and numbers, never the office's words."""
    delivery, outcome = claim.delivery, result.outcome
    word, code = outcome_word(outcome), getattr(outcome, "code", None)
    references: dict[str, str] = {}
    if isinstance(outcome, Delivered):
        references = {**outcome.details, **({"reference": outcome.reference} if outcome.reference else {})}
    return Said(
        outcome=word,
        code=code,
        text=getattr(outcome, "text", None),
        took_ms=took_ms,
        digest_sent=result.digest_sent,
        references=references,
        facts={
            "delivery": str(delivery.id),
            "connector": delivery.connector,
            "round": delivery.round,
            "number": delivery.attempts,
            "outcome": word,
            "code": code,
            "then": type(follows).__name__,
        },
    )

"""The way of one answer as a pure value: what is to be done next, and what may not be done yet.

    query ──► draft ──► approve ──► sign ──► send ──► sent
      ▲  │      │        │    │       │
      │  └──────┴─► held │    │       │       any of query, draft, approve, sign, held ──► withdrawn
      └─────────────┴────┴────┴───────┘       (returned, resumed: the ledgers are asked again)

`advance` is the only way on. It refuses what the law refuses: nothing is sent unsigned, nothing that needs a person's
approval is signed without it, and what is signed is, octet by octet, what was approved, on the day it speaks of.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from gateway.answers.events import (
    ASKS_LEDGERS,
    DOCUMENTS,
    NEEDS_APPROVAL,
    OF_ITS_DAY,
    STATES_PROCEEDINGS,
    Answered,
    Approved,
    Document,
    Drafted,
    Event,
    Held,
    Resumed,
    Returned,
    Sent,
    Service,
    Signed,
    Withdrawn,
)
from gateway.clock import WARSAW
from schemas.errors import AnswerError


class Step(StrEnum):
    """What is to be done next."""

    QUERY = "query"
    DRAFT = "draft"
    APPROVE = "approve"
    SIGN = "sign"
    SEND = "send"
    SENT = "sent"
    HELD = "held"
    WITHDRAWN = "withdrawn"


ALLOWED: dict[Step, tuple[type[Event], ...]] = {
    Step.QUERY: (Answered, Held, Withdrawn),
    Step.DRAFT: (Drafted, Held, Withdrawn),
    Step.APPROVE: (Drafted, Approved, Returned, Withdrawn),  # Drafted: the clerk changed it and looks again
    Step.SIGN: (Signed, Returned, Withdrawn),
    Step.SEND: (Sent,),
    Step.HELD: (Resumed, Withdrawn),
    Step.SENT: (),
    Step.WITHDRAWN: (),
}


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """Where one answer stands. `approve_all`: this tenant wants a person to approve every document."""

    service: Service
    step: Step
    approve_all: bool = False
    as_of: datetime | None = None
    document: Document | None = None
    digest: str | None = None
    dated: date | None = None
    approval: Approved | None = None
    signed_sha256: str | None = None
    reason: str | None = None  # why it is held, was returned or withdrawn
    cleared: tuple[str, ...] = ()  # codes a person has looked at; not held for these again

    def to_json(self) -> dict[str, Any]:
        """To be stored; `from_json` reads it back."""
        plain = asdict(self)
        for name in ("as_of", "dated"):
            plain[name] = plain[name].isoformat() if plain[name] else None
        if self.approval:
            plain["approval"]["at"] = self.approval.at.isoformat()
        return plain

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> AnswerPlan:
        """Read back what `to_json` wrote."""
        approval, as_of, dated = stored["approval"], stored["as_of"], stored["dated"]
        return cls(
            **{
                **stored,
                "service": Service(stored["service"]),
                "step": Step(stored["step"]),
                "document": Document(stored["document"]) if stored["document"] else None,
                "as_of": datetime.fromisoformat(as_of) if as_of else None,
                "dated": date.fromisoformat(dated) if dated else None,
                "cleared": tuple(stored["cleared"]),
                "approval": Approved(**{**approval, "at": datetime.fromisoformat(approval["at"])})
                if approval
                else None,
            }
        )


def start(service: Service, *, approve_all: bool = False) -> AnswerPlan:
    """A fresh plan; services that speak of dues ask the ledgers first."""
    return AnswerPlan(service, _first(service), approve_all)


def advance(plan: AnswerPlan, event: Event) -> AnswerPlan:
    """The plan after `event`.

    Raises: AnswerError: `answers.step_not_allowed` (not now), `answers.document_not_of_service`,
            `answers.digest_differs` (not what was drafted), `answers.day_passed` (its day is over: return it),
            `answers.proceedings_unchecked`, `answers.actor_missing`.
    """
    if not isinstance(event, ALLOWED[plan.step]):
        raise AnswerError("answers.step_not_allowed", step=plan.step.value, event=type(event).__name__.lower())
    if not getattr(event, "actor", "nobody").strip():
        raise AnswerError("answers.actor_missing")
    match event:
        case Answered(as_of):
            return replace(plan, step=Step.DRAFT, as_of=as_of, reason=None)
        case Drafted():
            return _drafted(plan, event)
        case Approved():
            return _approved(plan, event)
        case Signed():
            _same(plan, event.digest)
            _of_its_day(plan, event.at)
            return replace(plan, step=Step.SEND, signed_sha256=event.sha256)
        case Sent():
            return replace(plan, step=Step.SENT)
        case Held(code):
            return replace(plan, step=Step.HELD, reason=code)
        case Withdrawn():
            return replace(plan, step=Step.WITHDRAWN, reason=event.reason)
        case Returned():
            return replace(_again(plan), reason=event.reason)
        case Resumed():
            looked_at = {*plan.cleared, plan.reason} - {None}
            return replace(_again(plan), cleared=tuple(sorted(str(code) for code in looked_at)))


def needs_approval(plan: AnswerPlan, document: Document) -> bool:
    """Does a person stand between draft and signature?"""
    return plan.approve_all or document in NEEDS_APPROVAL


def _again(plan: AnswerPlan) -> AnswerPlan:
    """From the start, with what a person has looked at still known."""
    return AnswerPlan(plan.service, _first(plan.service), plan.approve_all, cleared=plan.cleared)


def _drafted(plan: AnswerPlan, event: Drafted) -> AnswerPlan:
    if event.document not in DOCUMENTS[plan.service]:
        raise AnswerError("answers.document_not_of_service", document=event.document.value, service=plan.service.value)
    step = Step.APPROVE if needs_approval(plan, event.document) else Step.SIGN
    return replace(plan, step=step, document=event.document, digest=event.digest, dated=event.dated, reason=None)


def _approved(plan: AnswerPlan, event: Approved) -> AnswerPlan:
    _same(plan, event.digest)
    _of_its_day(plan, event.at)
    if plan.document in STATES_PROCEEDINGS and not event.proceedings_checked:
        raise AnswerError("answers.proceedings_unchecked")
    return replace(plan, step=Step.SIGN, approval=event)


def _same(plan: AnswerPlan, digest: str) -> None:
    if digest != plan.digest:
        raise AnswerError("answers.digest_differs")


def _of_its_day(plan: AnswerPlan, at: datetime) -> None:
    """A certificate speaks of the day it is issued: the ledgers' answer, its date and its signature are of one day."""
    if plan.document not in OF_ITS_DAY:
        return
    today = at.astimezone(WARSAW).date()
    asked = plan.as_of.astimezone(WARSAW).date() if plan.as_of else None
    if today != plan.dated or today != asked:
        raise AnswerError("answers.day_passed", dated=str(plan.dated))


def _first(service: Service) -> Step:
    return Step.QUERY if service in ASKS_LEDGERS else Step.DRAFT

"""What a submission waits for from a person: everything that goes on only when somebody decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection

from gateway.answers.plan import Step
from gateway.operations.correspondence import AnswerView
from gateway.store import outbox, receipts_wanted
from schemas.delivery import Delivery, DeliveryState
from schemas.effectiveness import Effect, Effectiveness
from schemas.submission import Submission, SubmissionState

What = Literal["release", "ruling", "approve", "answer", "message", "delivery", "receipt"]
_STUCK = frozenset({DeliveryState.REFUSED, DeliveryState.GIVEN_UP})


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to decide: what, about which submission, answer, message or delivery, and the code of why."""

    what: What
    id: UUID
    code: str | None


def questions(
    transaction: Connection,
    submission: Submission,
    ruling: Effectiveness | None,
    answers: tuple[AnswerView, ...],
    deliveries: tuple[tuple[Delivery, bool], ...],
) -> tuple[Question, ...]:
    """All of them, in the order a clerk would take them.

    Args: deliveries: each with whether something else still moves it (a time it is due at, or what it is parked for).
    """
    asked: list[Question] = []
    if submission.state is SubmissionState.HELD:
        asked.append(Question("release", submission.id, submission.reason))
    if ruling is not None and ruling.effect is Effect.CLERK_DECIDES:
        asked.append(Question("ruling", submission.id, ruling.reason))
    for view in answers:
        if view.answer.step == Step.APPROVE:
            asked.append(Question("approve", view.answer.id, None))
        elif view.answer.step == Step.HELD:
            asked.append(Question("answer", view.answer.id, view.answer.plan["reason"]))
    asked += [Question("message", one.id, one.last_code) for one in outbox.for_a_person(transaction, submission.id)]
    for one, moves in deliveries:
        if one.state in _STUCK or (one.state is DeliveryState.UNSETTLED and not moves):
            asked.append(Question("delivery", one.id, one.last_code))
    missing = receipts_wanted.given_up(transaction, submission.id)
    return (*asked, *([Question("receipt", submission.id, missing)] if missing else ()))

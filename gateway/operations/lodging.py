"""A clerk rules whether a letter is effectively lodged; what follows from it follows in the same commit.

The ruling stands beside the earlier ones, never over them. Answers that went out are not called back: they stay in the
timeline, and a ruling that comes after them says so by its place.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, select

from gateway import lodging, reply
from gateway.answers.events import Service, Withdrawn
from gateway.answers.plan import ALLOWED, AnswerPlan, Step, advance
from gateway.effectiveness import ruled
from gateway.operations.act import ActionResult, named, note
from gateway.store import answers, events, jobs, rulings, submissions
from gateway.store import tables as t
from gateway.store.database import database_now
from gateway.tools import Tools
from schemas.case import Case
from schemas.effectiveness import Effect
from schemas.errors import OperationRefused
from schemas.submission import Decision, Submission, SubmissionState

S = t.submission.c
RULED_OTHERWISE = "effectiveness.ruled_otherwise"  # why an answer under way was withdrawn
_ON_MERITS = frozenset({Service.SETTLEMENT_QUERY, Service.ARREARS_CERTIFICATE})
_RULED_ON = frozenset({Decision.ACCEPTED, Decision.QUARANTINED})


def rule(
    tools: Tools, submission_id: UUID, effect: Literal["effective", "ineffective"], *, actor: str, reason: str
) -> ActionResult:
    """Rule on one letter. Ineffective: the notice is begun, other answers under way are withdrawn; effective: reversed.

    What was held only for want of a ruling goes on as the gmina's policy says.
    Args: reason: the basis of the ruling; it may be told to the sender.
    Raises: OperationRefused: `operation.not_found`, `effectiveness.not_for_ruling` (a test, rejected, undecided),
            `effectiveness.already_ruled`, `operation.actor_and_reason`.
    """
    named(actor, reason)
    verdict = Effect(effect)
    with tools.store.begin() as transaction:
        submission = _for_ruling(transaction, submission_id)
        before = rulings.standing(transaction, submission_id)
        now = database_now(transaction)
        made = ruled(before, effect=verdict, actor=actor, at=now, basis=reason)
        action = note(transaction, "rule", actor, reason, {"submission": str(submission_id), "effect": effect}, 1)
        rulings.add(transaction, submission_id, made, actor, action)
        events.append(transaction, submission_id, lodging.RULED, actor, **rulings.facts(made), action=action)
        _withdraw(transaction, submission_id, notices=verdict is Effect.EFFECTIVE, actor=actor, at=now)
        _answer(transaction, submission, tools)
        _go_on(transaction, submission, tools)
    return ActionResult(submission_id, effect)


def _for_ruling(transaction: Connection, submission_id: UUID) -> Submission:
    transaction.execute(select(S.id).where(S.id == submission_id).with_for_update())
    found = submissions.load(transaction, submission_id)
    if found is None:
        raise OperationRefused("operation.not_found", id=submission_id)
    if found.decision not in _RULED_ON or found.is_test or found.tenant is None:
        raise OperationRefused("effectiveness.not_for_ruling", id=submission_id)
    return found


def _withdraw(transaction: Connection, submission_id: UUID, *, notices: bool, actor: str, at: datetime) -> None:
    """End what was begun on the other ruling and has not gone out: notices, or answers to what the letter asks."""
    for one in answers.of_submission(transaction, submission_id):
        ours = one.service == Service.INEFFECTIVE_NOTICE if notices else one.service in _ON_MERITS
        if not ours or Withdrawn not in ALLOWED[Step(one.step)]:
            continue
        held = answers.locked(transaction, one.id)
        assert held is not None
        plan = advance(AnswerPlan.from_json(held.plan), Withdrawn(actor, at, RULED_OTHERWISE))
        answers.move(transaction, one.id, held.fence, plan.to_json(), wait_s=None, last_code=RULED_OTHERWISE)
        events.append(transaction, submission_id, "answer_withdraw", actor, answer=str(one.id), code=RULED_OTHERWISE)


def _answer(transaction: Connection, submission: Submission, tools: Tools) -> None:
    """The notice, or the answer the letter asks for; each is begun once, whatever is ruled how often."""
    stands = rulings.standing(transaction, submission.id)
    assert stands is not None
    if stands.effect is Effect.INEFFECTIVE:
        reply.notice(transaction, submission, tools)
        return
    found = submissions.latest_case(transaction, submission.id)
    if found is not None and submission.state is SubmissionState.PROCESSED:
        reply.begin(transaction, submission, Case.model_validate(found[1]), stands, tools)


def _go_on(transaction: Connection, submission: Submission, tools: Tools) -> None:
    """What was held only because of a ruling: processed now, or held for what is ruled now."""
    if submission.state is not SubmissionState.HELD or submission.reason not in lodging.HELD.values():
        return
    code = lodging.held_for(transaction, submission, rulings.standing(transaction, submission.id), tools)
    if code is not None:
        submissions.move(transaction, submission.id, SubmissionState.HELD, code)
        return
    submissions.move(transaction, submission.id, SubmissionState.DECIDED)
    jobs.wake(transaction, jobs.PROCESS, [submission.id])

"""What begins an answer. Each writes in the caller's transaction: what led to it and the answer become true together.

By themselves begin: the answer to a case of an answered service, the notice to the sender of a letter that is not
effectively lodged, the call for correction where the gmina wants one drafted. A clerk begins calls and decisions.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from gateway.answers.compose import Decision, Doubt
from gateway.answers.events import Returned, Service
from gateway.answers.plan import AnswerPlan, Step, advance, start
from gateway.config import TenantConfig
from gateway.store import answers, events, submissions
from gateway.tools import Tools
from schemas.case import Case
from schemas.effectiveness import Effect, Effectiveness
from schemas.files import LOST
from schemas.finding import Finding, Severity, Validation
from schemas.submission import Submission

_WEIGHTY = frozenset({Severity.ERROR, Severity.WARNING})


def begin(
    transaction: Connection,
    submission: Submission,
    case: Case,
    ruling: Effectiveness | None,
    tools: Tools,
    *,
    held: bool = False,
) -> None:
    """Open a plan where the tenant answers such cases; a letter that does not count gets the notice instead.

    Args: held: a clerk looks first, so there is no answer yet; the notice is due all the same.
    """
    if ruling is not None and ruling.effect is Effect.INEFFECTIVE:
        notice(transaction, submission, tools)
        return
    tenant = _answering(submission, tools)
    if tenant is None or held or case.kind not in tenant.answers.services:
        return
    _open(transaction, submission, tenant, Service(case.kind), approve=tenant.answers.approve_all)


def notice(transaction: Connection, submission: Submission, tools: Tools) -> None:
    """The notice that a letter was not effectively lodged, where the gmina sends one; one per letter."""
    tenant = _answering(submission, tools)
    if tenant is None or tenant.effectiveness.notice == "none":
        return
    approve = tenant.answers.approve_all or tenant.effectiveness.notice == "approve"
    _open(transaction, submission, tenant, Service.INEFFECTIVE_NOTICE, approve=approve)


def rejection(transaction: Connection, submission_id: UUID, tools: Tools) -> None:
    """The notice that a document was rejected, to a sender whose channel carried no answer; one per document."""
    submission = submissions.load(transaction, submission_id)
    assert submission is not None
    tenant = _answering(submission, tools)
    if tenant is not None:
        _open(transaction, submission, tenant, Service.REJECTION_NOTICE, approve=tenant.answers.approve_all)


def correction(transaction: Connection, submission: Submission, tools: Tools) -> None:
    """A call for correction drafted because of the stored findings, where the gmina wants that for the form."""
    tenant = _answering(submission, tools)
    if tenant is None or not tenant.answers.corrections.forms:
        return
    _, stored = submissions.verdicts_of(transaction, submission.id)
    validation = Validation.from_json(stored) if stored else None
    if validation is None or validation.form is None:
        return
    settings = tenant.answers.corrections
    doubts = doubts_of(validation.findings) if settings.wanted(validation.form.namespace) else []
    if doubts:
        asked = _call(doubts, settings.days, arithmetic=False)
        _open(transaction, submission, tenant, Service.CORRECTION_CALL, asked=asked, approve=True)


def file_lost(transaction: Connection, submission_id: UUID, tools: Tools) -> None:
    """A file of this submission cannot be had any more: the sender is asked for it, once a clerk approves.

    Another loss while the request waits for approval lets it be drafted again, with every file in it.
    """
    submission = submissions.load(transaction, submission_id)
    assert submission is not None
    tenant = _answering(submission, tools)
    if tenant is None:
        return
    if _open(transaction, submission, tenant, Service.RESEND_REQUEST, approve=True, again=True) is None:
        _draft_again(transaction, submission_id, Service.RESEND_REQUEST, tools)


def _draft_again(transaction: Connection, submission_id: UUID, service: Service, tools: Tools) -> None:
    for one in answers.of_submission(transaction, submission_id):
        plan = AnswerPlan.from_json(one.plan)
        if one.service == service.value and plan.step is Step.APPROVE:
            back = advance(plan, Returned("brama", tools.clock.now(), LOST))
            answers.move(transaction, one.id, one.fence, back.to_json(), wait_s=0.0)


def call_for_correction(
    transaction: Connection,
    submission: Submission,
    tenant: TenantConfig,
    doubts: list[Doubt],
    *,
    actor: str,
    days: int | None = None,
    arithmetic: bool = False,
    case_number: str | None = None,
) -> UUID | None:
    """A clerk calls for correction; None while an earlier call about this submission is under way."""
    asked = _call(doubts, days or tenant.answers.corrections.days, arithmetic=arithmetic, case_number=case_number)
    return _open(
        transaction, submission, tenant, Service.CORRECTION_CALL, asked=asked, approve=True, again=True, actor=actor
    )


def deliver_decision(
    transaction: Connection,
    submission: Submission,
    tenant: TenantConfig,
    decision: Decision,
    file: tuple[str, bytes],
    *,
    actor: str,
    case_number: str | None = None,
) -> UUID | None:
    """A clerk delivers a decision about a submission; None while an earlier one is under way."""
    name, content = file
    asked = {**asdict(decision), "dated": decision.dated.isoformat(), "file_name": name, "case_number": case_number}
    return _open(
        transaction, submission, tenant, Service.DECISION_DELIVERY,
        asked=asked, enclosure=content, approve=True, again=True, actor=actor,
    )  # fmt: skip


def doubts_of(findings: tuple[Finding, ...]) -> list[Doubt]:
    """What a citizen can correct: errors and warnings, each once, as the clerk reads them."""
    weighty = (finding for finding in findings if finding.severity in _WEIGHTY)
    return list(dict.fromkeys(Doubt(_place(finding), finding.message_pl) for finding in weighty))


def _place(finding: Finding) -> str:
    """The last named element of the path, without prefix and position; the form itself where there is none."""
    last = (finding.path or "").rstrip("/").rpartition("/")[2]
    return last.rpartition(":")[2].partition("[")[0] or "formularz"


def _call(doubts: list[Doubt], days: int, *, arithmetic: bool, case_number: str | None = None) -> dict[str, Any]:
    points = [asdict(one) for one in doubts]
    return {"points": points, "days": days, "arithmetic": arithmetic, "case_number": case_number}


def _answering(submission: Submission, tools: Tools) -> TenantConfig | None:
    """The gmina that answers this submission; a test is never answered."""
    if tools.mail is None or submission.is_test:
        return None
    return tools.config.tenants.get(submission.tenant or "")


def _open(
    transaction: Connection,
    submission: Submission,
    tenant: TenantConfig,
    service: Service,
    *,
    approve: bool,
    actor: str | None = None,
    **begun: Any,
) -> UUID | None:
    plan = start(service, approve_all=approve)
    new = answers.begin(transaction, submission.id, tenant.teryt, service.value, plan.to_json(), **begun)
    if new is not None:
        events.append(transaction, submission.id, "answer_begun", actor, answer=str(new), service=service.value)
    return new

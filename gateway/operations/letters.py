"""Letters a clerk begins: a call for correction, and the delivery of a decision. Both are drafted, approved, then sent.

A decision goes against the addressee's receipt (UPD), whatever the gmina's other answers do; that ends the wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import Connection, select

from gateway import reply
from gateway.answers.compose import Decision, Doubt
from gateway.config import TenantConfig
from gateway.operations.act import ActionResult, named, note
from gateway.store import submissions
from gateway.store import tables as t
from gateway.tools import Tools
from schemas.errors import OperationRefused
from schemas.finding import Finding, Validation
from schemas.ids import sha256
from schemas.submission import Decision as Decided
from schemas.submission import Submission

UNSIGNED = "answers.decision_unsigned"
VOUCHED = frozenset({"answers.decision_untrusted", "answers.decision_unchecked"})  # a person may know the signer
_ANSWERED = frozenset({Decided.ACCEPTED, Decided.QUARANTINED, Decided.REJECTED})
S = t.submission.c


def findings_of(tools: Tools, submission_id: UUID) -> tuple[Finding, ...]:
    """The findings a call may name, numbered from 1 in this order. Raises OperationRefused `operation.not_found`."""
    with tools.store.begin() as transaction:
        if submissions.load(transaction, submission_id) is None:
            raise OperationRefused("operation.not_found", id=submission_id)
        _, stored = submissions.verdicts_of(transaction, submission_id)
    return Validation.from_json(stored).findings if stored else ()


def call_for_correction(
    tools: Tools,
    submission_id: UUID,
    *,
    actor: str,
    reason: str,
    findings: Sequence[int] | None = None,
    points: Sequence[str] = (),
    days: int | None = None,
    arithmetic: bool = False,
    case_number: str | None = None,
) -> ActionResult:
    """Begin a call for explanations or a correction (wezwanie do wyjaśnień lub korekty).

    Args: findings: numbers of `findings_of`; None: every error and warning. points: further ones, in the clerk's words.
          days: to answer, from delivery; arithmetic: on art. 274 § 1 pkt 2 instead of art. 274a § 2.
    Returns: the answer's id and step.
    Raises: OperationRefused: `answers.nothing_to_correct`, `answers.no_such_finding`, `answers.under_way`,
            `answers.not_answerable`, `operation.not_found`, `operation.actor_and_reason`.
    """
    named(actor, reason)
    known = findings_of(tools, submission_id)
    doubts = [*reply.doubts_of(_chosen(known, findings)), *(Doubt("", point) for point in points)]
    if not doubts:
        raise OperationRefused("answers.nothing_to_correct", id=submission_id)
    with tools.store.begin() as transaction:
        submission, tenant = _answerable(transaction, submission_id, tools)
        asked = {"submission": str(submission_id), "points": len(doubts)}
        note(transaction, "call_for_correction", actor, reason, asked, 1)
        new = reply.call_for_correction(
            transaction, submission, tenant, doubts,
            actor=actor, days=days, arithmetic=arithmetic, case_number=case_number,
        )  # fmt: skip
    return _begun(new, submission_id)


def deliver_decision(
    tools: Tools,
    submission_id: UUID,
    file: tuple[str, bytes],
    *,
    number: str,
    dated: date,
    subject: str,
    actor: str,
    reason: str,
    unsigned: bool = False,
    signature_checked: bool = False,
    case_number: str | None = None,
) -> ActionResult:
    """Begin the delivery of a decision (doręczenie decyzji) by Doręczyciel; the UPD is awaited.

    Args: file: name and octets of a PDF; one that does not fit into a letter goes into ePUAP's store of big files, and
          the letter says where it lies. unsigned: it carries no signature and that is known; the letter around it is
          sealed in any case, since Doręczyciel takes only signed documents. signature_checked: somebody has checked
          its signature, whose signer Brama cannot confirm; that does not help one that is broken.
    Raises: OperationRefused: `answers.not_a_pdf`, `answers.decision_unsigned`, `.decision_broken`,
            `.decision_partial`, `.decision_untrusted`, `.decision_unchecked`, `answers.enclosure_too_large`,
            `answers.under_way`, `answers.not_answerable`, `operation.not_found`, `operation.actor_and_reason`.
    """
    named(actor, reason)
    _fit(file[1], reply.most_bytes(tools))
    waived = _waived(file[1], tools, unsigned=unsigned, signature_checked=signature_checked)
    with tools.store.begin() as transaction:
        submission, tenant = _answerable(transaction, submission_id, tools)
        asked = {"submission": str(submission_id), "sha256": sha256(file[1]), "waived": waived}
        note(transaction, "deliver_decision", actor, reason, asked, 1)
        new = reply.deliver_decision(
            transaction, submission, tenant, Decision(number, dated, subject), file,
            actor=actor, case_number=case_number,
        )  # fmt: skip
    return _begun(new, submission_id)


def _chosen(known: Sequence[Finding], numbers: Sequence[int] | None) -> tuple[Finding, ...]:
    if numbers is None:
        return tuple(known)
    strange = [number for number in numbers if not 1 <= number <= len(known)]
    if strange:
        raise OperationRefused("answers.no_such_finding", number=strange[0], count=len(known))
    return tuple(known[number - 1] for number in numbers)


def _answerable(transaction: Connection, submission_id: UUID, tools: Tools) -> tuple[Submission, TenantConfig]:
    """Locked: the submission of a gmina that can answer it."""
    transaction.execute(select(S.id).where(S.id == submission_id).with_for_update())
    found = submissions.load(transaction, submission_id)
    if found is None:
        raise OperationRefused("operation.not_found", id=submission_id)
    tenant = tools.config.tenants.get(found.tenant or "")
    if tenant is None or tools.mail is None or found.is_test or found.decision not in _ANSWERED:
        raise OperationRefused("answers.not_answerable", id=submission_id)
    if not found.reply_mailbox:
        raise OperationRefused("outbox.no_reply_mailbox", id=submission_id)
    return found, tenant


def _begun(new: UUID | None, submission_id: UUID) -> ActionResult:
    if new is None:
        raise OperationRefused("answers.under_way", id=submission_id)
    return ActionResult(new, "draft")


def _fit(content: bytes, most_bytes: int) -> None:
    if b"%PDF-" not in content[:1024]:
        raise OperationRefused("answers.not_a_pdf")
    if len(content) > most_bytes:
        raise OperationRefused("answers.enclosure_too_large", size_bytes=len(content), most_bytes=most_bytes)


def _waived(content: bytes, tools: Tools, *, unsigned: bool, signature_checked: bool) -> str | None:
    """The doubt about a decision's signature that a person stands for; None where there is none. Others are refused."""
    doubt = tools.mail.doubt(content) if tools.mail else None
    if doubt is not None and not (doubt == UNSIGNED and unsigned) and not (doubt in VOUCHED and signature_checked):
        raise OperationRefused(doubt)
    return doubt

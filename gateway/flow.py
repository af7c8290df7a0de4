"""Start here: the steps in their order. `accept` answers ePUAP, `process` and `deliver` run in workers.

    accept    keep → commit → verify → validate → decide → receipt → commit → answer
    finish    the same from "verify" on, for a submission whose process died before it was decided
    process   signed content → case → effectively lodged? → deliveries, one commit
    deliver   one try at one delivery (see deliver.py)
    answer    one step of an answer to a citizen: ask, draft, sign (see reply/)
    send      one try at one message of the outbox (see outbox/send.py)
    fetch     one try at one big file (see bigfiles/fetch.py)
    obtain    ask for receipts that ePUAP gave the senders (see outbox/obtaining.py)
Each step returns a value; nothing is decided by exceptions. Repeating any of them is harmless.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from gateway import deliver as delivering
from gateway import history, intake, lodging, policy, reply, schedule
from gateway.bigfiles import fetch as fetching
from gateway.bigfiles import links
from gateway.clock import WARSAW
from gateway.crashpoint import crashpoint
from gateway.outbox import obtaining, receipts
from gateway.outbox import send as sending
from gateway.policy import Verdict
from gateway.store import accepting, events, jobs, reports, submissions
from gateway.store.accepting import Found
from gateway.tools import Tools
from schemas.case import Case, MessageFacts
from schemas.errors import BramaError, IntakeRefused, StoreUnavailable
from schemas.finding import Validation
from schemas.receipt import OF_LODGING, Receipt
from schemas.submission import Answer, Decision, Envelope, Submission, SubmissionState
from schemas.texts import text
from schemas.verification import Verification
from schemas.xmldoc import read_once

log = structlog.get_logger()

LOOK_AGAIN_FOR = timedelta(days=7)  # newer revocation data that have not come by then will not
TRIES = 5  # of deciding, before a submission is held for a person
_TWIN_POLL_S = 0.05

_NEXT = {
    Decision.ACCEPTED: SubmissionState.DECIDED,
    Decision.TEST: SubmissionState.DECIDED,
    Decision.QUARANTINED: SubmissionState.HELD,
    Decision.REJECTED: SubmissionState.CLOSED,
}


class NeverDecided(BramaError):
    """Whoever decided it died over it, again and again: a person must look before anybody else does."""

    code = "flow.never_decided"


class StillDeciding(IntakeRefused):
    """The same document arrived moments ago and is not decided yet; nothing is lost, ask again."""

    code = "intake.still_deciding"


def accept(envelope: Envelope, tools: Tools) -> Answer:
    """Take one document from ePUAP and answer truthfully; repeating it is harmless.

    Raises: StoreUnavailable, IntakeRefused: nothing may be acknowledged.
    """
    kept = intake.keep(envelope, tools.store, tools.config)  # committed before anyone is told we have it
    crashpoint("after_keep")
    if not kept.is_new:
        return _answer_again(kept.submission, tools)
    try:
        return decide(kept.submission, tools)
    except Exception:
        _give_back(kept.submission.id, tools)
        raise


def decide(submission: Submission, tools: Tools) -> Answer:
    """From kept bytes to a stored decision and its receipt, in one commit."""
    receipt_for_us = receipts.receipt_in(submission.document) if tools.mail is not None else None
    if receipt_for_us is not None:
        return _file_receipt(submission, receipt_for_us, tools)
    with read_once(submission.document):
        return _decide(submission, tools)


def _decide(submission: Submission, tools: Tools) -> Answer:
    verification = tools.verify(submission.document, sha256=submission.sha256)
    validation = tools.check(submission.document, submission.received_at.astimezone(WARSAW).date(), submission.tenant)
    verdict = policy.decide(
        mailbox_known=submission.tenant is not None,
        is_test=submission.is_test,
        verification=verification,
        validation=validation,
        rules=tools.rules(submission.tenant, validation.form),
    )
    receipt = None
    if verdict.decision is not Decision.REJECTED:
        receipt = tools.seal(submission)
        links.note(submission, tools)  # big files it refers to: fetched from now on
    with tools.store.direct() as connection:
        decided = accepting.decide(connection, submission.id, _found(verification, validation, verdict, receipt))
    if not decided:
        return _stored_answer(submission.id, tools)  # a twin was faster: its decision and receipt stand
    crashpoint("after_receipt")
    if verdict.decision is Decision.QUARANTINED:
        _draft_correction(submission, tools)
    log.info("submission_decided", submission=str(submission.id), decision=verdict.decision, reason=verdict.reason)
    return _answer(submission, verdict.decision, verdict.reason, receipt.xml if receipt else None, tools)


def _draft_correction(submission: Submission, tools: Tools) -> None:
    """A convenience: it is decided and answered, and a clerk looks at it, whether or not we get this far."""
    try:
        with tools.store.begin() as transaction:
            reply.correction(transaction, submission, tools)
    except Exception:
        log.exception("correction_not_drafted", submission=str(submission.id))


def _file_receipt(submission: Submission, receipt: Receipt, tools: Tools) -> Answer:
    """Mail that is a receipt (UPO) is no submission: it goes to the message it is for, or in sight of a clerk."""
    judged = receipts.judge(receipt, tools, reply_to=submission.mailbox)
    state, reason = (
        (SubmissionState.CLOSED, receipts.MATCHED) if judged.message else (SubmissionState.HELD, receipts.UNMATCHED)
    )
    with tools.store.begin() as transaction:
        if submissions.save_decision(transaction, submission.id, state, Decision.RECEIPT, reason, None):
            events.append(
                transaction, submission.id, "decided", decision="receipt", reason=reason, receipt=receipt.id,
                message=str(judged.message.id) if judged.message else None, indication=judged.indication,
            )  # fmt: skip
            receipts.keep(
                transaction, judged,
                came_by=submission.channel.value, tenant=submission.tenant, arrival=submission.id,
            )  # fmt: skip
    log.info("receipt_filed", submission=str(submission.id), reason=reason, indication=judged.indication)
    return _stored_answer(submission.id, tools)


def finish(submission_id: UUID, tools: Tools) -> None:
    """Decide a submission that was kept and then forgotten by a crash; after a few failures a person must look."""
    submission, tries = _take_over(submission_id, tools)
    if submission is None:
        return
    try:
        decide(submission, tools)
    except StoreUnavailable:
        raise
    except Exception as error:
        log.exception("decision_failed", submission=str(submission_id), tries=tries)
        if tries >= TRIES:
            _hold(submission_id, SubmissionState.KEPT, error, "decision_failed", tools)


def _take_over(submission_id: UUID, tools: Tools) -> tuple[Submission | None, int]:
    """Become the one who decides it, and for which time; None if somebody is at it, or if it only ends processes."""
    with tools.store.begin() as transaction:
        submission = submissions.take(transaction, submission_id, SubmissionState.KEPT, intake.DECIDE_WITHIN_S)
        tries = submissions.tries_of(transaction, submission_id)
    if submission is None or tries <= TRIES:
        return submission, tries
    _hold(submission_id, SubmissionState.KEPT, NeverDecided(), "decision_failed", tools)
    return None, tries


def look_again(submission_id: UUID, tools: Tools) -> None:
    """Judge the signatures anew, as of receipt, on newer revocation data; the decision stays what it is.

    What is found is kept as a further report and stands in the timeline: a clerk may act on it.
    """
    with tools.store.begin() as transaction:
        submission = submissions.load(transaction, submission_id)
        known, _ = submissions.verdicts_of(transaction, submission_id)
        if submission is None or known is None or tools.verify_again is None:
            return
        document = submissions.document_of(transaction, submission_id)
    verification = tools.verify_again(document, submission.received_at)
    late = tools.clock.now() - submission.received_at > LOOK_AGAIN_FOR
    recheck_at = None if late else verification.recheck_at
    with tools.store.begin() as transaction:
        if verification.report is None or (recheck_at is not None and _as_before(verification, known)):
            reports.postpone(transaction, submission_id, recheck_at)
            return
        reports.add(transaction, submission_id, verification.report, recheck_at)
        indication = verification.indication.value
        events.append(transaction, submission_id, "verified_again", indication=indication, final=recheck_at is None)
    log.info("submission_verified_again", submission=str(submission_id), indication=indication)


def _as_before(verification: Verification, known: dict[str, Any]) -> bool:
    found = [item.sub_indication for item in verification.signatures]
    return found == [item["sub_indication"] for item in known["signatures"]]


def process(submission_id: UUID, tools: Tools) -> None:
    """In a worker: signed content to case to scheduled deliveries. An error here never costs the UPO."""
    with tools.store.begin() as transaction:
        submission = submissions.load(transaction, submission_id)
    if submission is None or submission.state is not SubmissionState.DECIDED:
        return  # done already: a doubled wake-up
    try:
        _map_and_schedule(submission, tools)
    except StoreUnavailable:
        raise
    except Exception as error:
        log.exception("processing_failed", submission=str(submission_id))
        _hold(submission_id, SubmissionState.DECIDED, error, "processing_failed", tools)


def deliver(delivery_id: UUID, tools: Tools) -> None:
    """In a worker: one try at one delivery, if it is due, in order and nobody else's."""
    delivering.attempt(delivery_id, tools)


def deliver_next(tools: Tools) -> bool:
    """In a worker: the same for the oldest wake-up of a delivery, without going through the queue; False: none."""
    return delivering.attempt_next(tools)


def answer(answer_id: UUID, tools: Tools) -> None:
    """In a worker: one step of one answer to a citizen, if it is due and nobody else's."""
    reply.work(answer_id, tools)


def send(message_id: UUID, tools: Tools) -> None:
    """In a worker: one try at one message of the outbox, if it is due and nobody else's."""
    sending.attempt(message_id, tools)


def fetch(file_id: UUID, tools: Tools) -> None:
    """In a worker: one try at one big file, if it is due and nobody else's."""
    fetching.attempt(file_id, tools, reply.file_lost)


def obtain(submission_id: UUID, tools: Tools) -> None:
    """In a worker: ask ePUAP for the receipts that are due of one gmina, if nobody else does."""
    obtaining.obtain(submission_id, tools)


STEPS = {  # what a wake-up asks for
    jobs.PROCESS: process,
    jobs.DELIVER: deliver,
    jobs.ANSWER: answer,
    jobs.SEND: send,
    jobs.FETCH: fetch,
    jobs.RECEIPTS: obtain,
}


def map_again(submission: Submission, tools: Tools) -> Case:
    """The case as today's mappings read it; raises MappingError."""
    with tools.store.begin() as transaction:
        signed = submissions.signed_xml_of(transaction, submission.id)
        verification, _ = submissions.verdicts_of(transaction, submission.id)
        receipts = submissions.receipts_of(transaction, submission.id)
        document = signed or submissions.document_of(transaction, submission.id)
    facts = MessageFacts.of(
        submission,
        Verification.from_json(verification) if verification else None,
        receipts[0].identifier if receipts else None,
    )
    return history.told(tools.map(document, facts), submission, tools)


def _map_and_schedule(submission: Submission, tools: Tools) -> None:
    """One commit: the case, its deliveries, and the submission's new state; nothing if somebody was faster."""
    case = map_again(submission, tools)
    with tools.store.begin() as transaction:
        if not submissions.still(transaction, submission.id, SubmissionState.DECIDED):
            return
        ruling = lodging.ruling(transaction, submission, tools)
        held_for = lodging.held_for(transaction, submission, ruling, tools)
        held_for = held_for or schedule.schedule(transaction, submission, case, tools)
        reply.begin(transaction, submission, case, ruling, tools, held=held_for is not None)
        reply.correction(transaction, submission, tools)
        if held_for is None:
            submissions.move(transaction, submission.id, SubmissionState.PROCESSED)
            events.append(transaction, submission.id, "processed", kind=case.kind)
        else:
            submissions.move(transaction, submission.id, SubmissionState.HELD, held_for)
            events.append(transaction, submission.id, "held", code=held_for)


def _found(verification: Verification, validation: Validation, verdict: Verdict, receipt: Receipt | None) -> Found:
    """What is to be stored of a decision."""
    said = {
        "decision": verdict.decision.value,
        "reason": verdict.reason,
        "indication": verification.indication.value,
        "findings": len(validation.findings),
        "receipt": receipt.id if receipt else None,
    }
    return Found(
        state=_NEXT[verdict.decision],
        decision=verdict.decision,
        reason=verdict.reason,
        form_namespace=validation.form.namespace if validation.form else None,
        verification=verification,
        validation=validation.to_json(),
        receipt=receipt,
        said=said,
    )


def _answer_again(first: Submission, tools: Tools) -> Answer:
    """The answer of the first arrival; a twin that came moments later waits for it, bounded."""
    give_up = time.monotonic() + tools.config.gateway.push.twin_wait_s
    while True:
        with tools.store.begin() as transaction:
            current = submissions.load(transaction, first.id)
        assert current is not None
        if current.decision is not None:
            return _stored_answer(first.id, tools)
        abandoned, _ = _take_over(first.id, tools)
        if abandoned is not None:
            return decide(abandoned, tools)  # the process that kept it died: we are here, so we finish it
        if current.state is not SubmissionState.KEPT or time.monotonic() > give_up:
            raise StillDeciding()  # a person has it, or somebody is at it for long
        time.sleep(_TWIN_POLL_S)


def _stored_answer(submission_id: UUID, tools: Tools) -> Answer:
    with tools.store.begin() as transaction:
        submission = submissions.load(transaction, submission_id)
        receipts = submissions.receipts_of(transaction, submission_id)
    assert submission is not None
    assert submission.decision is not None
    assert submission.reason is not None
    own = next((item.xml for item in receipts if item.origin == "own"), None)
    return _answer(submission, submission.decision, submission.reason, own, tools)


def _answer(submission: Submission, decision: Decision, reason: str, receipt: bytes | None, tools: Tools) -> Answer:
    push = tools.config.gateway.push
    rejected = decision is Decision.REJECTED
    return Answer(
        code=push.rejected_code if rejected else push.accepted_code,
        text=text(f"answer.{decision.value}", reason=text(reason)),
        receipt=receipt,
        receipt_file_name=f"{OF_LODGING.value}-{submission.id}.xml" if receipt else None,
    )


def _give_back(submission_id: UUID, tools: Tools) -> None:
    """Deciding failed: let the next arrival or the sweep try at once; if the database is away, they wait a minute."""
    try:
        with tools.store.begin() as transaction:
            submissions.give_back(transaction, submission_id)
    except StoreUnavailable:
        log.warning("give_back_failed", submission=str(submission_id))


def _hold(submission_id: UUID, stood: SubmissionState, error: Exception, word: str, tools: Tools) -> None:
    """Processing or deciding failed: keep it in sight of a clerk with the error's code; nothing is lost."""
    code = error.code if isinstance(error, BramaError) else "flow.escaped"
    with tools.store.begin() as transaction:
        if submissions.still(transaction, submission_id, stood):
            submissions.move(transaction, submission_id, SubmissionState.HELD, code)
            events.append(transaction, submission_id, word, code=code, error=type(error).__name__)

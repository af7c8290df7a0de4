"""Hand a case to its back office: try one delivery when it is due, remember how it went.

    attempt   claim → (in doubt: ask first) → record → send → store outcome and what follows, one commit
What may have reached the office is never sent again before the office was asked, or before a person decided. A worker
sends only while its lease lasts longer than the call may take; an outcome is stored only by whoever still holds the
fencing number.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection, RowMapping

from connectors.base import LookUpFailed
from gateway import admission, retry
from gateway.clock import steady_s
from gateway.crashpoint import crashpoint
from gateway.limits import Circuit
from gateway.steps import Lease, LeaseLost, RememberedSteps
from gateway.store import attempts, deliveries, events, offices, submissions
from gateway.store import files as file_rows
from gateway.store.attempts import Claim, Said
from gateway.tools import Office, Tools
from schemas.delivery import (
    AttachmentFile,
    CaseRecord,
    Delivered,
    DeliveryState,
    Outcome,
    Refused,
    Repeat,
    StepInDoubt,
    Unreachable,
    Unsettled,
    outcome_word,
)
from schemas.errors import BramaError, ConnectorError, MappingError, StoreUnavailable
from schemas.files import FileState

log = structlog.get_logger()

_MARGIN_S = 2.0  # between a call's time-out and the end of the lease


@dataclass(frozen=True, slots=True)
class _Try:
    """Everything one attempt needs. `what` is the record to send, or already an outcome: nothing can be sent."""

    claim: Claim
    lease: Lease
    circuit: Circuit  # of the office, when it was claimed
    office: Office | None
    what: CaseRecord | Outcome


@dataclass(frozen=True, slots=True)
class _Result:
    """How an attempt ended: an outcome, what was sent, and whether the office could not even be asked."""

    outcome: Outcome
    digest_sent: str | None = None
    asked_in_vain: bool = False
    doubt_stays: bool = False  # this try surely did nothing, but an earlier one may have


def attempt(delivery_id: UUID, tools: Tools) -> None:
    """One try, if the delivery is due, in order and free; otherwise nothing.

    Raises: StoreUnavailable: the database went away; what was begun is recovered when its lease ends.
    """
    trial = _claim(delivery_id, tools)
    if trial is None:
        return
    started = time.monotonic()
    crashpoint("before_send")
    try:
        result = _carry_out(trial)
    except LeaseLost:
        log.warning("lease_lost", delivery=str(delivery_id), fence=trial.claim.fence)
        return
    crashpoint("after_send")
    took_ms = round((time.monotonic() - started) * 1000)
    trial.lease.patiently(lambda: _store(trial, result, took_ms, tools))
    crashpoint("after_store")


def _claim(delivery_id: UUID, tools: Tools) -> _Try | None:
    """Claim and load everything the try needs in one transaction."""
    asked_at = steady_s()
    with tools.store.begin() as transaction:
        known = offices.of_delivery(transaction, delivery_id)
        if known is None:
            return None
        office = _office(known.tenant, known.connector, tools)
        lease_s = tools.config.gateway.worker.lease_s
        leave = admission.Admission()
        if isinstance(office, Office):
            if office.connector.capabilities.fetched:
                _leave_for_fetch(transaction, delivery_id)
                return None
            lease_s = max(lease_s, office.longest_s + _MARGIN_S)
            answer = admission.ask(transaction, known, office, lease_s)
            if isinstance(answer, datetime):
                deliveries.postpone(transaction, delivery_id, answer)
                return None
            leave = answer
        claim = attempts.claim(
            transaction,
            delivery_id,
            worker=tools.worker,
            lease_s=lease_s,
            message_id=str(uuid4()),
            **_doubt(office),
        )
        if claim is None:
            admission.give_back(transaction, leave)
            return None
        lease = Lease(tools.store, delivery_id, claim.fence, lease_s, asked_at)
        circuit = admission.circuit_of(known)
        if isinstance(office, Unreachable):
            return _Try(claim, lease, circuit, None, office)
        return _Try(claim, lease, circuit, office, _record(transaction, claim, office, tools))


def _leave_for_fetch(transaction: Connection, delivery_id: UUID) -> None:
    """The office comes for it: due, without a time, until its acknowledgement delivers it (operations.exchange)."""
    submission_id = deliveries.leave_for_fetch(transaction, delivery_id)
    if submission_id is not None:
        events.append(transaction, submission_id, "waits_for_fetch", delivery=str(delivery_id))


def _doubt(office: Office | Unreachable) -> dict[str, Any]:
    """What recovery must know if this worker vanishes; a connector that could not be built sends nothing."""
    if isinstance(office, Unreachable):
        return {"repeat": Repeat.SAFE, "settle_s": 0.0}
    return {"repeat": office.connector.capabilities.repeat, "settle_s": office.settle_delay_s}


def _office(tenant: str, connector: str, tools: Tools) -> Office | Unreachable:
    """The connector, or why it cannot be built: nothing is sent then, and a corrected configuration heals it."""
    try:
        return tools.offices.get(tenant, connector)
    except BramaError as error:
        log.error("connector_unusable", tenant=tenant, connector=connector, code=error.code)
        return Unreachable(error.code)


def _record(transaction: Connection, claim: Claim, office: Office, tools: Tools) -> CaseRecord | Outcome:
    """What the office gets, from the newest version of the case; an outcome instead where it cannot be made."""
    try:
        fields = tools.record(claim.case_json, claim.record) if claim.record else {}
    except MappingError as error:
        return Refused(error.code, str(error))
    except Exception as error:  # nothing was sent, so a person may replay it once the table is put right
        log.exception("record_failed", delivery=str(claim.delivery.id), record=claim.record)
        return Refused("delivery.record_failed", type(error).__name__)
    return CaseRecord(
        key=claim.delivery.key,
        tenant=claim.delivery.tenant,
        kind=claim.delivery.kind,
        case=claim.case_json,
        fields=fields,
        files=_files(transaction, claim) if office.connector.capabilities.attachments else (),
        is_test=claim.is_test,
    )


def _files(transaction: Connection, claim: Claim) -> tuple[AttachmentFile, ...]:
    """The citizen's document as it came, and every receipt."""
    document = submissions.document_of(transaction, claim.delivery.submission_id)
    files = [AttachmentFile(claim.file_name, "application/xml", document, role="document")]
    files += [
        AttachmentFile(f"{receipt.kind}-{receipt.origin}.xml", "application/xml", receipt.xml, role="receipt")
        for receipt in submissions.receipts_of(transaction, claim.delivery.submission_id)
    ]
    return (*files, *_big_files(transaction, claim)) if claim.has_files else tuple(files)


def _big_files(transaction: Connection, claim: Claim) -> Iterator[AttachmentFile]:
    """Files that are kept beside the document; whole in memory, as connectors want them."""
    for linked in file_rows.of_submission(transaction, claim.delivery.submission_id):
        if linked.id is not None and linked.state is FileState.KEPT and not linked.waived:
            content = b"".join(file_rows.pieces(transaction, linked.id))
            yield AttachmentFile(linked.name, linked.content_type or "application/octet-stream", content)


def _carry_out(trial: _Try) -> _Result:
    if not isinstance(trial.what, CaseRecord):
        return _Result(trial.what)
    assert trial.office is not None
    if trial.claim.in_doubt:
        answer = _ask(trial.office, trial.claim, trial.lease)
        if isinstance(answer, _Result):
            return answer
        result = _send(trial.office, trial.claim, trial.lease, trial.what)
        return replace(result, doubt_stays=answer == "unknown" and isinstance(result.outcome, Unreachable))
    return _send(trial.office, trial.claim, trial.lease, trial.what)


def _ask(office: Office, claim: Claim, lease: Lease) -> _Result | Literal["absent", "unknown"]:
    """An earlier try may have reached the office: does it have the case?

    Returns: how this attempt ends; or that it may be sent: it is surely absent there, or sending twice is harmless.
    """
    capabilities = office.connector.capabilities
    safe = capabilities.repeat is Repeat.SAFE  # the far side enforces our key: sending without an answer is no risk
    if not capabilities.look_up:
        return "unknown" if safe else _Result(Unsettled(retry.STEP_IN_DOUBT))
    lease.ensure(office.timeout_s)
    try:
        reference = office.connector.find(claim.delivery.key)
    except Exception as error:  # noqa: BLE001 - whatever it is: nothing is known
        code = error.code if isinstance(error, ConnectorError) else "connector.look_up_failed"
        log.warning("look_up_failed", delivery=str(claim.delivery.id), code=code, error=type(error).__name__)
        return "unknown" if safe else _Result(Unsettled(code), asked_in_vain=True)
    return "absent" if reference is None else _Result(Delivered(reference))


def _send(office: Office, claim: Claim, lease: Lease, record: CaseRecord) -> _Result:
    """Call the connector; whatever escapes it is recorded as ours and leaves the delivery unsettled."""
    repeat = office.connector.capabilities.repeat
    steps = RememberedSteps(lease, repeat, office.timeout_s, claim.message_id, claim.steps)
    lease.ensure(office.longest_s)
    digest = digest_of(record)
    try:
        return _Result(office.connector.deliver(record, claim.delivery.key, steps), digest)
    except (LeaseLost, StoreUnavailable):
        raise
    except StepInDoubt:
        return _Result(Unsettled(retry.STEP_IN_DOUBT), digest)
    except LookUpFailed as error:
        return _Result(Unsettled(error.code), digest, asked_in_vain=True)
    except Exception as error:
        log.exception("connector_escaped", delivery=str(claim.delivery.id), connector=claim.delivery.connector)
        return _Result(Unsettled(retry.ESCAPED, type(error).__name__), digest)


def digest_of(record: CaseRecord) -> str:
    """SHA-256 of everything a record says, files by their own digests; hex."""
    files = [[file.name, file.role, hashlib.sha256(file.content).hexdigest()] for file in record.files]
    said = {"key": record.key, "case": record.case, "fields": record.fields, "files": files}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _store(trial: _Try, result: _Result, took_ms: int, tools: Tools) -> None:
    """The outcome and what follows from it, in one commit; refused if somebody else holds the delivery by now."""
    claim, delivery, outcome = trial.claim, trial.claim.delivery, result.outcome
    word = outcome_word(outcome)
    with tools.store.begin() as transaction:
        row = attempts.still_held(transaction, delivery.id, claim.fence)
        if row is None:
            _too_late(transaction, claim, outcome)
            return
        follows = _follows(row, result, tools)
        attempts.finish(
            transaction, row, _state(result, follows), _said(row, result, took_ms, follows), _left(result, follows)
        )
        if trial.office is not None:
            admission.remember(transaction, trial.circuit, row, outcome, tools.config.gateway.worker)
        if isinstance(outcome, Delivered):
            deliveries.wake_next(transaction, row["order_key"])
    log.info(
        "attempt_finished",
        delivery=str(delivery.id),
        tenant=delivery.tenant,
        outcome=word,
        code=getattr(outcome, "code", None),
        took_ms=took_ms,
    )


def _too_late(transaction: Connection, claim: Claim, outcome: Outcome) -> None:
    """Not ours any more: somebody else decides, and what we saw is kept as an event.

    Unless it was us: the first commit succeeded and only its answer was lost.
    """
    delivery, word = claim.delivery, outcome_word(outcome)
    if attempts.ended_as(transaction, delivery.id, claim.fence) == (word, getattr(outcome, "code", None)):
        return
    facts: dict[str, Any] = {"delivery": str(delivery.id), "fence": claim.fence, "outcome": word}
    events.append(transaction, delivery.submission_id, "late_outcome_refused", **facts)
    log.warning("late_outcome_refused", **facts)


def _follows(row: RowMapping, result: _Result, tools: Tools) -> retry.Next:
    policy = retry_policy(tools, Repeat(row["repeat"]), row["settle_s"])
    luck = random.random()  # noqa: S311 - jitter, not a secret
    if result.asked_in_vain:
        return retry.next_ask(row["attempts"], row["first_tried_at"], row["now"], policy, luck)
    return retry.next_try(result.outcome, row["attempts"], row["first_tried_at"], row["now"], policy, luck)


def retry_policy(tools: Tools, repeat: Repeat, settle_delay_s: float) -> retry.RetryPolicy:
    """The configured patience, for one connector."""
    worker = tools.config.gateway.worker
    return retry.RetryPolicy(worker.retry_s, worker.retry_for_h * 3600, worker.jitter, repeat, settle_delay_s)


def _left(result: _Result, follows: retry.Next) -> dict[str, Any]:
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


def _state(result: _Result, follows: retry.Next) -> DeliveryState:
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


def _said(row: RowMapping, result: _Result, took_ms: int, follows: retry.Next) -> Said:
    """The attempt's own row, and what the timeline gets of it: codes and numbers, never the office's words."""
    outcome = result.outcome
    code = getattr(outcome, "code", None)
    references: dict[str, str] = {}
    if isinstance(outcome, Delivered):
        references = {**outcome.details, **({"reference": outcome.reference} if outcome.reference else {})}
    return Said(
        outcome=outcome_word(outcome),
        code=code,
        text=getattr(outcome, "text", None),
        took_ms=took_ms,
        digest_sent=result.digest_sent,
        references=references,
        word="attempt_finished",
        facts={
            "delivery": str(row["id"]),
            "connector": row["connector"],
            "round": row["round"],
            "number": row["attempts"],
            "outcome": outcome_word(outcome),
            "code": code,
            "then": type(follows).__name__,
        },
    )

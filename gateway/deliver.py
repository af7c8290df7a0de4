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
from gateway import admission, outcomes, retry
from gateway.clock import steady_s
from gateway.crashpoint import crashpoint
from gateway.limits import Circuit
from gateway.outcomes import Result
from gateway.steps import Lease, LeaseLost, RememberedSteps
from gateway.store import attempts, deliveries, delivering, events, submissions
from gateway.store import files as file_rows
from gateway.store.database import driver_connection
from gateway.store.delivering import Claim
from gateway.store.offices import OfficeRow
from gateway.tools import Office, Tools
from schemas.delivery import (
    AttachmentFile,
    CaseRecord,
    Delivered,
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


def attempt(delivery_id: UUID, tools: Tools) -> None:
    """One try, if the delivery is due, in order and free; otherwise nothing.

    Raises: StoreUnavailable: the database went away; what was begun is recovered when its lease ends.
    """
    with tools.store.direct() as connection:
        known = delivering.office_of(connection, delivery_id)
    if known is not None:
        _attempt(delivery_id, known, tools)


def attempt_next(tools: Tools) -> bool:
    """The same for the oldest wake-up of a delivery; False if there is none. Raises StoreUnavailable, as `attempt`."""
    with tools.store.direct() as connection:
        taken = delivering.take(connection)
    if taken is None:
        return False
    delivery_id, known = taken
    if known is not None:
        _attempt(delivery_id, known, tools)
    return True


def _attempt(delivery_id: UUID, known: OfficeRow, tools: Tools) -> None:
    trial = _claim(delivery_id, known, tools)
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


def _claim(delivery_id: UUID, known: OfficeRow, tools: Tools) -> _Try | None:
    """Claim and load everything the try needs: in one statement, or in one transaction where there is more to it."""
    asked_at = steady_s()
    office = _office(known.tenant, known.connector, tools)
    terms = _terms(office, tools)
    files: tuple[AttachmentFile, ...] = ()
    if isinstance(office, Unreachable) or _is_plain(known, office):
        claim = _claim_alone(delivery_id, terms, tools)
    else:
        with tools.store.begin() as transaction:
            claim = _claim_with_leave(transaction, delivery_id, known, office, terms)
            if claim is not None and office.connector.capabilities.attachments:
                files = _files(transaction, claim)
    if claim is None:
        return None
    lease = Lease(tools.store, delivery_id, claim.fence, terms["lease_s"], asked_at)
    circuit = admission.circuit_of(known)
    if isinstance(office, Unreachable):
        return _Try(claim, lease, circuit, None, office)
    return _Try(claim, lease, circuit, office, _record(claim, files, tools))


def _is_plain(known: OfficeRow, office: Office) -> bool:
    """Nothing is to be asked before the claim, and nothing to be read with it."""
    capabilities = office.connector.capabilities
    return not (capabilities.fetched or capabilities.attachments or admission.must_ask(known, office))


def _claim_alone(delivery_id: UUID, terms: dict[str, Any], tools: Tools) -> Claim | None:
    with tools.store.direct() as connection:
        claim = delivering.claim(connection, delivery_id, **terms)
    if claim is None:
        with tools.store.begin() as transaction:
            deliveries.park_if_blocked(transaction, delivery_id)
    return claim


def _claim_with_leave(
    transaction: Connection, delivery_id: UUID, known: OfficeRow, office: Office, terms: dict[str, Any]
) -> Claim | None:
    """Claim it if its office may be called now; what was taken of the office's limits is given back if not claimed."""
    if office.connector.capabilities.fetched:
        _leave_for_fetch(transaction, delivery_id)
        return None
    leave = admission.ask(transaction, known, office, terms["lease_s"])
    if isinstance(leave, datetime):
        deliveries.postpone(transaction, delivery_id, leave)
        return None
    claim = delivering.claim(driver_connection(transaction), delivery_id, **terms)
    if claim is None:
        deliveries.park_if_blocked(transaction, delivery_id)
        admission.give_back(transaction, leave)
    return claim


def _leave_for_fetch(transaction: Connection, delivery_id: UUID) -> None:
    """The office comes for it: due, without a time, until its acknowledgement delivers it (operations.exchange)."""
    submission_id = deliveries.leave_for_fetch(transaction, delivery_id)
    if submission_id is not None:
        events.append(transaction, submission_id, "waits_for_fetch", delivery=str(delivery_id))


def _terms(office: Office | Unreachable, tools: Tools) -> dict[str, Any]:
    """Who claims, for how long, and what recovery must know if this worker vanishes.

    A connector that could not be built sends nothing, so nothing of it is in doubt.
    """
    terms: dict[str, Any] = {"worker": tools.worker, "message_id": str(uuid4())}
    lease_s = tools.config.gateway.worker.lease_s
    if isinstance(office, Unreachable):
        return {**terms, "lease_s": lease_s, "repeat": Repeat.SAFE, "settle_s": 0.0}
    return {
        **terms,
        "lease_s": max(lease_s, office.longest_s + _MARGIN_S),
        "repeat": office.connector.capabilities.repeat,
        "settle_s": office.settle_delay_s,
    }


def _office(tenant: str, connector: str, tools: Tools) -> Office | Unreachable:
    """The connector, or why it cannot be built: nothing is sent then, and a corrected configuration heals it."""
    try:
        return tools.offices.get(tenant, connector)
    except BramaError as error:
        log.error("connector_unusable", tenant=tenant, connector=connector, code=error.code)
        return Unreachable(error.code)


def _record(claim: Claim, files: tuple[AttachmentFile, ...], tools: Tools) -> CaseRecord | Outcome:
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
        files=files,
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


def _carry_out(trial: _Try) -> Result:
    if not isinstance(trial.what, CaseRecord):
        return Result(trial.what)
    assert trial.office is not None
    if trial.claim.in_doubt:
        answer = _ask(trial.office, trial.claim, trial.lease)
        if isinstance(answer, Result):
            return answer
        result = _send(trial.office, trial.claim, trial.lease, trial.what)
        return replace(result, doubt_stays=answer == "unknown" and isinstance(result.outcome, Unreachable))
    return _send(trial.office, trial.claim, trial.lease, trial.what)


def _ask(office: Office, claim: Claim, lease: Lease) -> Result | Literal["absent", "unknown"]:
    """An earlier try may have reached the office: does it have the case?

    Returns: how this attempt ends; or that it may be sent: it is surely absent there, or sending twice is harmless.
    """
    capabilities = office.connector.capabilities
    safe = capabilities.repeat is Repeat.SAFE  # the far side enforces our key: sending without an answer is no risk
    if not capabilities.look_up:
        return "unknown" if safe else Result(Unsettled(retry.STEP_IN_DOUBT))
    lease.ensure(office.timeout_s)
    try:
        reference = office.connector.find(claim.delivery.key)
    except Exception as error:  # noqa: BLE001 - whatever it is: nothing is known
        code = error.code if isinstance(error, ConnectorError) else "connector.look_up_failed"
        log.warning("look_up_failed", delivery=str(claim.delivery.id), code=code, error=type(error).__name__)
        return "unknown" if safe else Result(Unsettled(code), asked_in_vain=True)
    return "absent" if reference is None else Result(Delivered(reference))


def _send(office: Office, claim: Claim, lease: Lease, record: CaseRecord) -> Result:
    """Call the connector; whatever escapes it is recorded as ours and leaves the delivery unsettled."""
    repeat = office.connector.capabilities.repeat
    steps = RememberedSteps(lease, repeat, office.longest_s, claim.message_id, claim.steps)
    lease.ensure(office.longest_s)
    digest = digest_of(record)
    try:
        return Result(office.connector.deliver(record, claim.delivery.key, steps), digest)
    except (LeaseLost, StoreUnavailable):
        raise
    except StepInDoubt:
        return Result(Unsettled(retry.STEP_IN_DOUBT), digest)
    except LookUpFailed as error:
        return Result(Unsettled(error.code), digest, asked_in_vain=True)
    except Exception as error:
        log.exception("connector_escaped", delivery=str(claim.delivery.id), connector=claim.delivery.connector)
        return Result(Unsettled(retry.ESCAPED, type(error).__name__), digest)


def digest_of(record: CaseRecord) -> str:
    """SHA-256 of everything a record says, files by their own digests; hex."""
    files = [[file.name, file.role, hashlib.sha256(file.content).hexdigest()] for file in record.files]
    said = {"key": record.key, "case": record.case, "fields": record.fields, "files": files}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _store(trial: _Try, result: Result, took_ms: int, tools: Tools) -> None:
    """The outcome and what follows from it, in one commit; refused if somebody else holds the delivery by now."""
    if _store_delivered(trial, result, took_ms, tools) or _store_outcome(trial, result, took_ms, tools):
        log.info(
            "attempt_finished",
            delivery=str(trial.claim.delivery.id),
            tenant=trial.claim.delivery.tenant,
            outcome=outcome_word(result.outcome),
            code=getattr(result.outcome, "code", None),
            took_ms=took_ms,
        )


def _store_delivered(trial: _Try, result: Result, took_ms: int, tools: Tools) -> bool:
    """The usual end in one statement: the office has it and never failed before. False: not stored, for any reason."""
    if not (isinstance(result.outcome, Delivered) and trial.circuit.clean):
        return False
    said = outcomes.said(trial.claim, result, took_ms, retry.Done())
    with tools.store.direct() as connection:
        return delivering.delivered(connection, trial.claim, result.outcome, said)


def _store_outcome(trial: _Try, result: Result, took_ms: int, tools: Tools) -> bool:
    """Any end of an attempt, with what it means for its office; False if it came too late."""
    claim, outcome = trial.claim, result.outcome
    with tools.store.begin() as transaction:
        row = attempts.still_held(transaction, claim.delivery.id, claim.fence)
        if row is None:
            _too_late(transaction, claim, outcome)
            return False
        follows = _follows(row, result, tools)
        said = outcomes.said(claim, result, took_ms, follows)
        attempts.finish(transaction, row, outcomes.state_of(result, follows), said, outcomes.left(result, follows))
        if trial.office is not None:
            admission.remember(transaction, trial.circuit, row, outcome, tools.config.gateway.worker)
        if isinstance(outcome, Delivered):
            deliveries.wake_next(transaction, row["order_key"])
    return True


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


def _follows(row: RowMapping, result: Result, tools: Tools) -> retry.Next:
    policy = retry_policy(tools, Repeat(row["repeat"]), row["settle_s"])
    luck = random.random()  # noqa: S311 - jitter, not a secret
    if result.asked_in_vain:
        return retry.next_ask(row["attempts"], row["first_tried_at"], row["now"], policy, luck)
    return retry.next_try(result.outcome, row["attempts"], row["first_tried_at"], row["now"], policy, luck)


def retry_policy(tools: Tools, repeat: Repeat, settle_delay_s: float) -> retry.RetryPolicy:
    """The configured patience, for one connector."""
    worker = tools.config.gateway.worker
    return retry.RetryPolicy(worker.retry_s, worker.retry_for_h * 3600, worker.jitter, repeat, settle_delay_s)

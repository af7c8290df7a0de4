"""Send one message: claim it, look first where it may have been sent, send once, remember how it went.

No key on this wire makes a repeat harmless. So a message whose answer was lost is `unsettled`: it is looked for among
what was sent, and sent again only if that list is known to be complete and does not have it. Otherwise it waits for its
receipt, or for a person.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, RowMapping, func

from gateway import retry
from gateway.clock import steady_s
from gateway.crashpoint import crashpoint
from gateway.outbox import receipts
from gateway.outbox.receipts import Judged
from gateway.steps import Lease
from gateway.store import events, outbox
from gateway.store.outbox import Claim
from gateway.tools import Tools
from schemas.delivery import Delivered, Outcome, Refused, Repeat, Unreachable, Unsettled, outcome_word
from schemas.errors import BramaError, ConfigError, ServiceRefused, ServiceUnreachable
from schemas.outgoing import Accepted, LookUp, MessageState, Post

log = structlog.get_logger()

NOT_IN_SENT = "outbox.not_in_sent"
CANNOT_LOOK = "outbox.cannot_look"
ESCAPED = "outbox.escaped"
WORKER_LOST = "outbox.worker_lost"
LEASE_SHORT = "outbox.lease_short"
_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class _Result:
    """How a try ended. `looked_up`: what was sent was looked into; `in_vain`: that could not be done."""

    outcome: Outcome
    accepted: Accepted | None = None
    looked_up: bool = False
    in_vain: bool = False


def attempt(message_id: UUID, tools: Tools) -> None:
    """One try, if the message is due and nobody else's; otherwise nothing.

    Raises: StoreUnavailable: the database went away; what was begun is recovered when its lease ends.
    """
    with tools.store.begin() as transaction:
        message = outbox.load(transaction, message_id)
    if message is None:
        return
    post = _post(message.tenant, tools)
    lease_s = tools.config.gateway.worker.lease_s
    if not isinstance(post, Unreachable):
        lease_s = max(lease_s, 2 * post.timeout_s + _MARGIN_S)  # a look, and then sending
    asked_at = steady_s()
    crashpoint("before_claim")
    with tools.store.begin() as transaction:
        claim = outbox.claim(transaction, message_id, worker=tools.worker, lease_s=lease_s)
    if claim is None:
        return
    lease = Lease(tools.store, message_id, claim.fence, lease_s, asked_at)
    crashpoint("before_send")
    started = time.monotonic()
    result = _Result(post) if isinstance(post, Unreachable) else _carry_out(claim, post, lease)
    crashpoint("after_send")
    judged = _given_at_once(claim, result.accepted, tools)
    took_ms = round((time.monotonic() - started) * 1000)
    lease.patiently(lambda: _store(claim, post, result, judged, took_ms, tools))
    crashpoint("after_store")


def recover(transaction: Connection, row: RowMapping, tools: Tools) -> None:
    """The lease of a try ended without an outcome: it may have been sent; the fence bars the late worker."""
    post = _post(row["tenant"], tools)
    follows = retry.lost_worker(
        row["lease_until"], _repeat(post), 0.0 if isinstance(post, Unreachable) else post.settle_s
    )
    outbox.finish_attempt(transaction, row["id"], row["fence"], outcome="unsettled", code=WORKER_LOST)
    outbox.settle(
        transaction,
        row["id"],
        MessageState.UNSETTLED,
        fence=row["fence"] + 1,
        in_doubt=True,
        due_at=getattr(follows, "at", None),
        last_code=WORKER_LOST,
        last_text=None,
    )
    events.append(transaction, row["submission_id"], "reply_worker_lost", message=str(row["id"]))
    log.warning("reply_worker_lost", message=str(row["id"]))


def _post(tenant: str, tools: Tools) -> Post | Unreachable:
    """The channel, or why there is none: nothing is sent then, and a corrected configuration heals it."""
    assert tools.mail is not None
    try:
        return tools.mail.post(tenant)
    except BramaError as error:
        log.error("channel_unusable", tenant=tenant, code=error.code)
        return Unreachable(error.code, str(error) if isinstance(error, ConfigError) else "")


def _repeat(post: Post | Unreachable) -> Repeat:
    if isinstance(post, Unreachable):
        return Repeat.FINDABLE  # looked for once the channel can be used again
    return Repeat.BLIND if post.look_up is LookUp.NONE else Repeat.FINDABLE


def _carry_out(claim: Claim, post: Post, lease: Lease) -> _Result:
    if claim.in_doubt:
        looked = _look(claim, post)
        if looked is not None:
            return looked
    if lease.left_s() < post.timeout_s:
        return _Result(Unreachable(LEASE_SHORT), looked_up=claim.in_doubt)
    try:
        accepted = post.send(claim.message)
        return _Result(Delivered(accepted.document_id), accepted, looked_up=claim.in_doubt)
    except Exception as error:  # noqa: BLE001 - sorted by what may have happened there
        return _Result(_outcome(error, claim), looked_up=claim.in_doubt)


def _look(claim: Claim, post: Post) -> _Result | None:
    """Was it sent by an earlier try? None: surely not, so send."""
    if post.look_up is LookUp.NONE:
        return _Result(Unsettled(CANNOT_LOOK))
    try:
        found = post.find(claim.message)
    except Exception as error:  # noqa: BLE001 - whatever it is: nothing is known
        code = error.code if isinstance(error, BramaError) else ESCAPED
        log.warning("look_up_failed", message=str(claim.message.id), code=code, error=type(error).__name__)
        return _Result(Unsettled(code), in_vain=True)
    if found is not None:
        return _Result(Delivered(found.document_id), found, looked_up=True)
    return None if post.look_up is LookUp.COMPLETE else _Result(Unsettled(NOT_IN_SENT), looked_up=True)


def _outcome(error: Exception, claim: Claim) -> Outcome:
    if isinstance(error, ServiceUnreachable):
        return Unreachable(error.code, str(error.facts.get("reason", "")))
    if isinstance(error, ServiceRefused):
        return Refused(error.code, f"{error.facts.get('number', '')} {error.facts.get('text', '')}".strip())
    if isinstance(error, BramaError):
        return Unsettled(error.code, str(error.facts.get("reason", "")))
    log.error("sending_escaped", message=str(claim.message.id), error=type(error).__name__)
    return Unsettled(ESCAPED, type(error).__name__)


def _given_at_once(claim: Claim, accepted: Accepted | None, tools: Tools) -> Judged | None:
    """The receipt that came with the answer; one we cannot read does not undo that the message was sent."""
    receipt = receipts.receipt_in(accepted.receipt) if accepted and accepted.receipt else None
    return receipts.judge(receipt, tools, message=claim.message) if receipt else None


def _store(
    claim: Claim, post: Post | Unreachable, result: _Result, judged: Judged | None, took_ms: int, tools: Tools
) -> None:
    """The outcome and what follows from it, in one commit; refused if somebody else holds the message by now."""
    message, outcome, word = claim.message, result.outcome, outcome_word(result.outcome)
    with tools.store.begin() as transaction:
        row = outbox.still_held(transaction, message.id, claim.fence)
        if row is None:
            events.append(
                transaction, message.submission_id, "reply_late_outcome_refused", message=str(message.id), outcome=word
            )
            return
        follows = _follows(row, result, post, tools)
        doubt = isinstance(outcome, Unsettled) or (row["in_doubt"] and not result.looked_up)
        state = _state(outcome, follows, doubt=doubt)
        kinds = receipts.believed_kinds(transaction, message.id)
        state = receipts.rest_state(row, state, kinds)
        outbox.settle(transaction, message.id, state, **_values(result, follows, state, doubt=doubt))
        outbox.finish_attempt(
            transaction, message.id, claim.fence, outcome=word, took_ms=took_ms, looked_up=result.looked_up,
            code=getattr(outcome, "code", None), text=getattr(outcome, "text", None),
        )  # fmt: skip
        events.append(
            transaction, message.submission_id, "reply_attempt_finished",
            message=str(message.id), number=row["attempts"], outcome=word, state=state.value,
            code=getattr(outcome, "code", None), looked_up=result.looked_up, then=type(follows).__name__,
        )  # fmt: skip
        if judged is not None:
            receipts.keep(transaction, judged, came_by="answer", tenant=message.tenant, arrival=None)
    log.info("reply_attempt_finished", message=str(message.id), outcome=word, state=state.value, took_ms=took_ms)


def _follows(row: RowMapping, result: _Result, post: Post | Unreachable, tools: Tools) -> retry.Next:
    worker = tools.config.gateway.worker
    settle_s = 0.0 if isinstance(post, Unreachable) else post.settle_s
    patience = retry.RetryPolicy(worker.retry_s, worker.retry_for_h * 3600, worker.jitter, _repeat(post), settle_s)
    luck = random.random()  # noqa: S311 - jitter, not a secret
    if result.in_vain:
        return retry.next_ask(row["attempts"], row["first_tried_at"], row["now"], patience, luck)
    return retry.next_try(result.outcome, row["attempts"], row["first_tried_at"], row["now"], patience, luck)


def _state(outcome: Outcome, follows: retry.Next, *, doubt: bool) -> MessageState:
    """While an earlier try may have sent it, it is unsettled, whatever became of this one."""
    match outcome:
        case Delivered():
            return MessageState.SENT
        case Refused():
            return MessageState.REFUSED
        case _ if doubt:
            return MessageState.UNSETTLED
        case _:
            return MessageState.GIVEN_UP if isinstance(follows, retry.GiveUp) else MessageState.DUE


def _values(result: _Result, follows: retry.Next, state: MessageState, *, doubt: bool) -> dict[str, Any]:
    """What changes beside the state. Doubt stays until it is known that nothing was sent, or that it was."""
    values: dict[str, Any] = {
        "last_code": getattr(result.outcome, "code", None),
        "last_text": getattr(result.outcome, "text", None),
    }
    if result.accepted is not None:
        values |= {
            "remote_document_id": result.accepted.document_id,
            "remote_receipt_id": result.accepted.receipt_id,
            "remote_order_id": result.accepted.order_id,
        }
    if state in (MessageState.SENT, MessageState.RECEIPTED):
        return {**values, "in_doubt": False, "sent_at": func.now()}
    values["in_doubt"] = doubt
    if state in (MessageState.DUE, MessageState.UNSETTLED):
        values["due_at"] = getattr(follows, "at", None)
    return values

"""Answers to citizens and what became of them: look, approve, send back, let go on, withdraw; settle what is in doubt.

Every act names an actor and a reason and is recorded for ever. A person approves the SHA-256 of what they opened:
exactly those octets are then sealed and sent, or nothing is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, RowMapping, func

from gateway.answers.events import Approved, Event, Resumed, Returned, Withdrawn
from gateway.answers.plan import AnswerPlan, Step, advance
from gateway.attachments import attachments_of
from gateway.operations.act import ActionResult, named, note
from gateway.operations.correspondence import AnswerView, MessageView, answer_json, answer_view, message_views
from gateway.outbox import receipts
from gateway.store import answers as answer_rows
from gateway.store import events, jobs, outbox
from gateway.store.answers import StoredAnswer
from gateway.store.database import Store, database_now
from schemas.errors import OperationRefused
from schemas.outgoing import MessageState
from schemas.verification import Indication
from schemas.xmldoc import parse

__all__ = [
    "AnswerView", "MessageView", "answer_json", "approve", "bind_receipt", "draft_of", "let_go_on", "listed",
    "messages_of", "pdf_in", "send_back", "set_message_aside", "settle_message", "shown", "unmatched", "withdraw",
]  # fmt: skip

_GOES_ON = frozenset({Step.QUERY, Step.DRAFT, Step.SIGN})


def listed(
    store: Store, *, tenant: str | None = None, step: str | None = None, limit: int = 200
) -> tuple[StoredAnswer, ...]:
    """Answers, who waits longest first; `step`: approve and held are what waits for a person."""
    with store.begin() as transaction:
        return tuple(answer_rows.listed(transaction, tenant=tenant, step=step, limit=limit))


def shown(store: Store, answer_id: UUID) -> AnswerView:
    """One answer. Raises OperationRefused `operation.not_found`."""
    with store.begin() as transaction:
        found = answer_rows.load(transaction, answer_id)
        if found is None:
            raise OperationRefused("operation.not_found", id=answer_id)
        return answer_view(transaction, found)


def messages_of(store: Store, submission_id: UUID) -> tuple[MessageView, ...]:
    """What was, or is to be, sent about a submission."""
    with store.begin() as transaction:
        return message_views(transaction, submission_id)


def draft_of(store: Store, answer_id: UUID) -> bytes:
    """The drafted octets, to be opened and approved by their SHA-256. Raises OperationRefused: there are none."""
    with store.begin() as transaction:
        found = answer_rows.load(transaction, answer_id)
    if found is None or found.octets is None:
        raise OperationRefused("operation.not_found", id=answer_id)
    return found.octets


def pdf_in(draft: bytes) -> bytes:
    """The same letter to be read: its own PDF stands first among the attachments.

    Raises: OperationRefused `answers.pdf_elsewhere`: it was too large for the letter, and lies in the store of files.
    """
    own = attachments_of(parse(draft).getroot())[0]
    if own.uri:
        raise OperationRefused("answers.pdf_elsewhere", address=own.uri)
    return own.content


def approve(
    store: Store, answer_id: UUID, *, sha256: str, actor: str, reason: str, proceedings_checked: bool = False
) -> ActionResult:
    """Stand for the draft with this digest; it is sealed and sent next.

    Raises: AnswerError: `answers.digest_differs`, `answers.day_passed`, `answers.proceedings_unchecked`,
            `answers.step_not_allowed`; OperationRefused.
    """

    def event(at: datetime) -> Event:
        return Approved(actor, at, sha256, proceedings_checked)

    return _act(store, answer_id, "answer_approve", event, actor, reason, sha256=sha256)


def send_back(store: Store, answer_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """Not as it stands: ledgers are asked and the letter is drafted again."""
    return _act(store, answer_id, "answer_return", lambda at: Returned(actor, at, reason), actor, reason)


def let_go_on(store: Store, answer_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """A held answer goes on; what it was held for counts as looked at."""
    return _act(store, answer_id, "answer_resume", lambda at: Resumed(actor, at), actor, reason)


def withdraw(store: Store, answer_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """Nothing is sent by us; the citizen is answered another way."""
    return _act(store, answer_id, "answer_withdraw", lambda at: Withdrawn(actor, at, reason), actor, reason)


def settle_message(
    store: Store, message_id: UUID, verdict: Literal["sent", "not_sent"], *, actor: str, reason: str
) -> ActionResult:
    """A person found out whether it was sent. `not_sent` sends it; the same octets, the same id."""
    named(actor, reason)
    with store.begin() as transaction:
        row = _changeable(transaction, message_id)
        action = note(transaction, "message_settle", actor, reason, {"message": str(message_id), "verdict": verdict}, 1)
        if verdict == "sent":
            kinds = receipts.believed_kinds(transaction, message_id)
            state = receipts.rest_state(row, MessageState.SENT, kinds)
            outbox.settle(transaction, message_id, state, in_doubt=False, sent_at=func.now(), last_code=None)
        else:
            state = MessageState.DUE
            outbox.settle(transaction, message_id, state, in_doubt=False, due_at=func.now(), woken_at=func.now())
            jobs.wake(transaction, jobs.SEND, [message_id])
        events.append(
            transaction, row["submission_id"], "reply_settled", actor,
            message=str(message_id), verdict=verdict, action=action,
        )  # fmt: skip
    return ActionResult(message_id, state.value)


def set_message_aside(store: Store, message_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """Nobody will send this one."""
    named(actor, reason)
    with store.begin() as transaction:
        row = _changeable(transaction, message_id)
        action = note(transaction, "message_set_aside", actor, reason, {"message": str(message_id)}, 1)
        outbox.settle(transaction, message_id, MessageState.SET_ASIDE)
        events.append(
            transaction, row["submission_id"], "reply_set_aside", actor, message=str(message_id), action=action
        )
    return ActionResult(message_id, MessageState.SET_ASIDE.value)


def unmatched(store: Store) -> tuple[dict[str, Any], ...]:
    """Receipts nobody knows the message of, newest first, without their XML."""
    with store.begin() as transaction:
        found = outbox.unmatched_receipts(transaction)
    return tuple({name: value for name, value in one.items() if name != "xml"} for one in found)


def bind_receipt(store: Store, receipt_id: int, message_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """A person says which message a receipt is for, and stands for it where its seal could not be judged.

    It settles the message, unless the seal is broken or covers other octets than ours: then it is only shown there.
    Raises: OperationRefused: `operation.not_found` (also: bound already), `operation.actor_and_reason`.
    """
    named(actor, reason)
    with store.begin() as transaction:
        receipt = outbox.receipt(transaction, receipt_id)
        row = outbox.locked(transaction, message_id)
        message = outbox.load(transaction, message_id)
        if receipt is None or receipt["message_id"] is not None or row is None or message is None:
            raise OperationRefused("operation.not_found", id=message_id if row is None else receipt_id)
        asked = {"receipt": receipt_id, "message": str(message_id)}
        action = note(transaction, "receipt_bind", actor, reason, asked, 1)
        binding = receipts.binding_of(bytes(receipt["xml"]), row)
        outbox.bind_receipt(
            transaction, receipt_id, message_id, matched_by="person", tenant=message.tenant, binding=binding
        )
        settles = receipt["indication"] != Indication.FAILED and binding != "is_not"
        receipts.bound(transaction, message, receipt["kind"], settles, actor, receipt=receipt["identifier"],
                       matched_by="person", binding=binding, action=action)  # fmt: skip
        receipts.arrival_done(transaction, receipt["submission_id"])
        now = outbox.load(transaction, message_id)
    assert now is not None
    return ActionResult(message_id, now.state.value)


def _act(
    store: Store, answer_id: UUID, operation: str, event: Any, actor: str, reason: str, **asked: Any
) -> ActionResult:
    """The plan decides whether it may; whoever was at it comes late and is barred by the fence."""
    named(actor, reason)
    with store.begin() as transaction:
        found = answer_rows.locked(transaction, answer_id)
        if found is None:
            raise OperationRefused("operation.not_found", id=answer_id)
        before = AnswerPlan.from_json(found.plan)
        after = advance(before, event(database_now(transaction)))
        action = note(transaction, operation, actor, reason, {"answer": str(answer_id), **asked}, 1)
        answer_rows.move(
            transaction, answer_id, found.fence, after.to_json(),
            wait_s=0.0 if after.step in _GOES_ON else None, tries=0, last_code=None,
        )  # fmt: skip
        events.append(
            transaction, found.submission_id, operation, actor,
            answer=str(answer_id), then=after.step.value, held_for=before.reason,
            action=action, **asked,
        )  # fmt: skip
    return ActionResult(answer_id, after.step.value)


def _changeable(transaction: Connection, message_id: UUID) -> RowMapping:
    row = outbox.locked(transaction, message_id)
    if row is None:
        raise OperationRefused("operation.not_found", id=message_id)
    if row["state"] == "trying":
        raise OperationRefused("operation.being_tried", id=message_id)
    if row["state"] in ("sent", "receipted"):
        raise OperationRefused("operation.already_sent", id=message_id)
    return row

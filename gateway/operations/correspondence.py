"""What is shown of answers and messages: each answer with the messages it became, each message with its receipts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from gateway.operations.plain import plain
from gateway.store import answers, outbox, uploads
from gateway.store.answers import StoredAnswer
from gateway.store.database import Store
from gateway.store.uploads import StoredUpload
from schemas.outgoing import Message


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message with every try and every receipt. Receipts hold personal data: shown, never logged."""

    message: Message
    attempts: tuple[dict[str, Any], ...]
    receipts: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """The contract of `answers show --json`, without octets."""
        shown: dict[str, Any] = plain(self)
        shown["message"].pop("document", None)
        for receipt in shown["receipts"]:
            receipt.pop("xml")
        return {**shown.pop("message"), **shown}


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One answer: where its plan stands, what is drafted, and the messages it became."""

    answer: StoredAnswer
    messages: tuple[MessageView, ...]
    uploads: tuple[StoredUpload, ...] = ()  # of files the letter only refers to, oldest first

    def to_json(self) -> dict[str, Any]:
        """The contract of `answers show --json`, without octets."""
        shown = {"messages": [one.to_json() for one in self.messages], "uploads": plain(self.uploads)}
        return {**answer_json(self.answer), **shown}


def answer_json(answer: StoredAnswer) -> dict[str, Any]:
    """One line of `answers list --json`: what a clerk needs to choose."""
    plan = answer.plan
    shown: dict[str, Any] = plain(
        {
            "id": answer.id,
            "submission": answer.submission_id,
            "tenant": answer.tenant,
            "service": answer.service,
            "step": answer.step,
            "document": plan["document"],
            "sha256": plan["digest"],
            "dated": plan["dated"],
            "reason": plan["reason"],
            "code": answer.last_code,
            "cleared": plan["cleared"],
            "created_at": answer.created_at,
            "updated_at": answer.updated_at,
        }
    )
    return shown


@dataclass(frozen=True, slots=True)
class OutboxView:
    """How the messages of one gmina stand. `oldest_…`: aware UTC, None where nothing waits; `last_code`: in the way."""

    tenant: str
    receipted: int
    awaiting_receipt: int  # sent: the receipt that ends the wait has not come
    under_way: int
    unsettled: int  # may have been sent; under way while it is looked for, else for a person
    for_a_person: int
    set_aside: int
    oldest_unsent: datetime | None
    oldest_unreceipted: datetime | None
    last_code: str | None

    def to_json(self) -> dict[str, Any]:
        """One line of `answers outbox --json`."""
        shown: dict[str, Any] = plain(self)
        return shown


def outboxes(store: Store) -> tuple[OutboxView, ...]:
    """The health of every gmina's outbox."""
    with store.begin() as transaction:
        return tuple(OutboxView(**row) for row in outbox.health(transaction))


def messages(
    store: Store, *, tenant: str | None = None, state: str | None = None, limit: int = 200
) -> tuple[Message, ...]:
    """Messages, who waits longest first; without octets."""
    with store.begin() as transaction:
        return tuple(outbox.listed(transaction, tenant=tenant, state=state, limit=limit))


def message_json(message: Message) -> dict[str, Any]:
    """One line of `answers messages --json`."""
    shown: dict[str, Any] = plain(message)
    shown.pop("document", None)
    return shown


def answer_views(transaction: Connection, submission_id: UUID) -> tuple[AnswerView, ...]:
    """The answers to a submission, oldest first."""
    found = answers.of_submission(transaction, submission_id)
    return tuple(answer_view(transaction, one) for one in found)


def answer_view(transaction: Connection, one: StoredAnswer) -> AnswerView:
    """One answer with what it became."""
    messages = message_views(transaction, one.submission_id, one.id)
    return AnswerView(one, messages, uploads.of_answer(transaction, one.id))


def message_views(
    transaction: Connection, submission_id: UUID, answer_id: UUID | None = None
) -> tuple[MessageView, ...]:
    """What was, or is to be, sent about a submission; with `answer_id`, only what one answer became."""
    return tuple(
        MessageView(
            one,
            tuple(outbox.attempts_of(transaction, one.id)),
            tuple(outbox.receipts_of(transaction, [one.id])),
        )
        for one in outbox.of_submission(transaction, submission_id, answer_id)
    )

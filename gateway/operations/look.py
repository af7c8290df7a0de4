"""Lists and single views of submissions and deliveries. Lists page by sequence, newest first, and stay flat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Select, select

from gateway.operations.correspondence import AnswerView, MessageView, answer_views, message_views
from gateway.operations.plain import plain
from gateway.operations.questions import Question, questions
from gateway.store import deliveries as delivery_rows
from gateway.store import events as event_rows
from gateway.store import files as file_rows
from gateway.store import rulings as ruling_rows
from gateway.store import submissions as submission_rows
from gateway.store import tables as t
from gateway.store.database import Store
from gateway.store.events import Event
from gateway.store.rulings import StoredRuling
from gateway.store.submissions import StoredReceipt
from schemas.delivery import Attempt, Delivery
from schemas.errors import OperationRefused
from schemas.files import LinkedFile
from schemas.submission import Submission

S, D = t.submission.c, t.delivery.c
MOST = 1000  # rows of one page


@dataclass(frozen=True, slots=True)
class SubmissionFilter:
    """Which submissions; None means any. `code`: the reason starts with it. `cursor`: a page's `next_cursor`."""

    tenant: str | None = None
    state: str | None = None
    decision: str | None = None
    form: str | None = None  # namespace
    since: datetime | None = None
    until: datetime | None = None
    code: str | None = None
    effect: str | None = None  # of the standing ruling: effective | ineffective | clerk_decides
    limit: int = 50
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; None means any. `code`: the last code starts with it."""

    tenant: str | None = None
    connector: str | None = None
    state: str | None = None
    form: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    code: str | None = None
    submission: UUID | None = None
    limit: int = 50
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class SubmissionPage:
    """One page, newest first; `next_cursor` is None on the last."""

    items: tuple[Submission, ...]
    next_cursor: int | None

    def to_json(self) -> dict[str, Any]:
        """The contract of `submissions list --json`."""
        result: dict[str, Any] = plain(self)
        return result


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """One page, newest first."""

    items: tuple[Delivery, ...]
    next_cursor: int | None

    def to_json(self) -> dict[str, Any]:
        """The contract of `deliveries list --json`."""
        result: dict[str, Any] = plain(self)
        return result


@dataclass(frozen=True, slots=True)
class StepView:
    """A remembered step: `result` is None while its effect is in doubt."""

    name: str
    intended_at: datetime
    done_at: datetime | None
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One delivery with every attempt there ever was."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    steps: tuple[StepView, ...]
    in_doubt: bool
    parked: str | None  # order | pause | files | fetch (the office comes for it)
    details: dict[str, str]

    @property
    def moves(self) -> bool:
        """Will something other than a person go on with it?"""
        return self.delivery.due_at is not None or self.parked is not None

    def to_json(self) -> dict[str, Any]:
        """The contract of `deliveries show --json`."""
        result: dict[str, Any] = plain(self)
        return {**result.pop("delivery"), **result}


@dataclass(frozen=True, slots=True)
class SubmissionView:
    """Everything about one submission. Holds personal data: shown to those who may see it, never logged."""

    submission: Submission
    verification: dict[str, Any] | None
    validation: dict[str, Any] | None
    receipts: tuple[StoredReceipt, ...]
    rulings: tuple[StoredRuling, ...]  # on effective lodging; the last one stands
    questions: tuple[Question, ...]  # what waits for a person
    answers: tuple[AnswerView, ...]
    messages: tuple[MessageView, ...]
    arrivals: tuple[dict[str, Any], ...]
    cases: tuple[dict[str, Any], ...]
    deliveries: tuple[DeliveryView, ...]
    files: tuple[LinkedFile, ...]  # attachments that are only an address
    events: tuple[Event, ...]
    chain_broken_at: int | None  # number of the first event that does not follow from the one before

    def to_json(self) -> dict[str, Any]:
        """The contract of `submissions show --json`."""
        result: dict[str, Any] = plain(self)
        shown = {
            "answers": [item.to_json() for item in self.answers],
            "messages": [item.to_json() for item in self.messages],
            "deliveries": [item.to_json() for item in self.deliveries],
            "rulings": [{"at": plain(item.at), "actor": item.actor, **item.ruling.to_json()} for item in self.rulings],
        }
        return {**result.pop("submission"), **result, **shown}


def submissions(store: Store, wanted: SubmissionFilter) -> SubmissionPage:
    """One page of submissions, newest first."""
    with store.begin() as transaction:
        query = filtered_submissions(wanted).order_by(S.sequence.desc()).limit(_limit(wanted.limit) + 1)
        rows = [submission_rows.from_row(row) for row in transaction.execute(query).mappings()]
    page, more = rows[: _limit(wanted.limit)], len(rows) > _limit(wanted.limit)
    return SubmissionPage(tuple(page), page[-1].sequence if more else None)


def submission(store: Store, submission_id: UUID) -> SubmissionView:
    """Everything about one. Raises OperationRefused `operation.not_found`."""
    with store.begin() as transaction:
        found = submission_rows.load(transaction, submission_id)
        if found is None:
            raise OperationRefused("operation.not_found", id=submission_id)
        verification, validation = submission_rows.verdicts_of(transaction, submission_id)
        ids = transaction.execute(select(D.id).where(D.submission_id == submission_id).order_by(D.connector))
        handed = tuple(_delivery_view(transaction, one) for one in ids.scalars().all())
        ruled = tuple(ruling_rows.of_submission(transaction, submission_id))
        answers = answer_views(transaction, submission_id)
        moving = tuple((view.delivery, view.moves) for view in handed)
        return SubmissionView(
            submission=found,
            verification=verification,
            validation=validation,
            receipts=tuple(submission_rows.receipts_of(transaction, submission_id)),
            arrivals=_rows(transaction, t.arrival, submission_id, t.arrival.c.id),
            cases=_rows(transaction, t.case_version, submission_id, t.case_version.c.version),
            rulings=ruled,
            questions=questions(transaction, found, ruled[-1].ruling if ruled else None, answers, moving),
            answers=answers,
            messages=message_views(transaction, submission_id),
            deliveries=handed,
            files=tuple(file_rows.of_submission(transaction, submission_id)),
            events=tuple(event_rows.timeline(transaction, submission_id)),
            chain_broken_at=event_rows.broken_at(transaction, submission_id),
        )


def deliveries(store: Store, wanted: DeliveryFilter) -> DeliveryPage:
    """One page of deliveries, newest first, each with what it waits for; a submission's are never split by a page."""
    with store.begin() as transaction:
        rows, more = _whole_submissions(transaction, filtered_deliveries(wanted), _limit(wanted.limit))
        items = [delivery_rows.from_row(row, delivery_rows.waits_for(transaction, row)) for row in rows]
    return DeliveryPage(tuple(items), items[-1].sequence if more else None)


def delivery(store: Store, delivery_id: UUID) -> DeliveryView:
    """One delivery with its attempts and steps. Raises OperationRefused `operation.not_found`."""
    with store.begin() as transaction:
        return _delivery_view(transaction, delivery_id)


def receipt_of(store: Store, submission_id: UUID) -> StoredReceipt:
    """The receipt to show a citizen: ours where we issued one. Raises OperationRefused `operation.no_receipt`."""
    with store.begin() as transaction:
        if submission_rows.load(transaction, submission_id) is None:
            raise OperationRefused("operation.not_found", id=submission_id)
        found = submission_rows.receipts_of(transaction, submission_id)
    if not found:
        raise OperationRefused("operation.no_receipt", id=submission_id)
    return next((item for item in found if item.origin == "own"), found[0])


def filtered_submissions(wanted: SubmissionFilter) -> Select[Any]:
    """The query of a filter, without order."""
    query = select(t.submission)
    for column, value in ((S.tenant, wanted.tenant), (S.state, wanted.state), (S.decision, wanted.decision),
                          (S.form_namespace, wanted.form)):  # fmt: skip
        query = query if value is None else query.where(column == value)
    if wanted.since is not None:
        query = query.where(S.received_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(S.received_at < wanted.until)
    if wanted.code is not None:
        query = query.where(S.reason.startswith(wanted.code, autoescape=True))
    if wanted.effect is not None:
        query = query.where(ruling_rows.stands_as(wanted.effect))
    return query if wanted.cursor is None else query.where(S.sequence < wanted.cursor)


def filtered_deliveries(wanted: DeliveryFilter) -> Select[Any]:
    """The query of a filter, without order."""
    query = select(t.delivery)
    for column, value in ((D.tenant, wanted.tenant), (D.connector, wanted.connector), (D.state, wanted.state),
                          (D.form, wanted.form), (D.submission_id, wanted.submission)):  # fmt: skip
        query = query if value is None else query.where(column == value)
    if wanted.since is not None:
        query = query.where(D.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(D.created_at < wanted.until)
    if wanted.code is not None:
        query = query.where(D.last_code.startswith(wanted.code, autoescape=True))
    return query if wanted.cursor is None else query.where(D.sequence < wanted.cursor)


def _delivery_view(transaction: Connection, delivery_id: UUID) -> DeliveryView:
    found = delivery_rows.load(transaction, delivery_id)
    if found is None:
        raise OperationRefused("operation.not_found", id=delivery_id)
    row = transaction.execute(select(D.in_doubt, D.parked, D.details).where(D.id == delivery_id)).one()
    steps = transaction.execute(
        select(t.step).where(t.step.c.delivery_id == delivery_id).order_by(t.step.c.intended_at)
    ).mappings()
    return DeliveryView(
        delivery=found,
        attempts=tuple(delivery_rows.attempts_of(transaction, delivery_id)),
        steps=tuple(StepView(*(step[name] for name in StepView.__slots__)) for step in steps),
        in_doubt=row[0],
        parked=row[1],
        details=row[2] or {},
    )


def _whole_submissions(transaction: Connection, query: Select[Any], most: int) -> tuple[list[RowMapping], bool]:
    """The first rows, up to `most` or to the end of the last one's submission; whether more follow."""
    ordered = query.order_by(D.sequence.desc(), D.id)
    rows = list(transaction.execute(ordered.limit(most + 1)).mappings())
    if len(rows) <= most:
        return rows, False
    last = rows[most - 1]["sequence"]
    kept = [row for row in rows if row["sequence"] > last]
    kept += transaction.execute(query.where(D.sequence == last).order_by(D.id)).mappings()
    more = transaction.execute(query.where(D.sequence < last).limit(1)).first() is not None
    return kept, more


def _rows(transaction: Connection, table: Any, submission_id: UUID, order: Any) -> tuple[dict[str, Any], ...]:
    rows = transaction.execute(select(table).where(table.c.submission_id == submission_id).order_by(order)).mappings()
    return tuple({name: value for name, value in row.items() if name != "submission_id"} for row in rows)


def _limit(asked: int) -> int:
    return max(1, min(asked, MOST))

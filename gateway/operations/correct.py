"""Correct a case and send it again: a clerk's change, today's mapping, or what an office lost. All versions stay."""

from __future__ import annotations

import copy
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Connection, null, select, update

from gateway import flow
from gateway.operations.act import ReplayResult, locked, named, note, open_round, replay
from gateway.store import deliveries, events, submissions
from gateway.store import tables as t
from gateway.store.database import Store
from gateway.tools import Tools
from schemas.case import Case
from schemas.delivery import DeliveryState
from schemas.errors import OperationRefused
from schemas.submission import Submission


def edit(
    store: Store, submission_id: UUID, changes: dict[str, Any], *, actor: str, reason: str, resend: bool = True
) -> ReplayResult:
    """Change mapped values by path (`taxpayer.surname`, `objects.0.area_m2`; None removes) and send it again.

    The citizen's document is never touched; the new version of the case records every value before and after, the
    timeline only the paths. What is delivered already is refused by the replay and keeps the version it got.

    Raises: OperationRefused: `operation.not_found`, `operation.no_case`, `operation.no_such_field`,
            `operation.value_wrong`.
    """
    named(actor, reason)
    with store.begin() as transaction:
        found, before = _case_of(transaction, submission_id)
        after, changed = _changed(before, changes)
        submissions.save_case(transaction, found.id, after, actor, reason, changed)
        action = note(transaction, "edit", actor, reason, {"submission": str(found.id)}, len(changed))
        events.append(transaction, found.id, "case_edited", actor, paths=sorted(changed), action=action)
        ids = _deliveries_of(transaction, found.id)
    return replay(store, ids, actor=actor, reason=reason, dry_run=not resend)


def map_again(tools: Tools, submission_id: UUID, *, actor: str, reason: str, resend: bool = True) -> ReplayResult:
    """Read the stored document with today's mappings and send the new case. Raises MappingError, OperationRefused."""
    named(actor, reason)
    with tools.store.begin() as transaction:
        found, _ = _case_of(transaction, submission_id)
    case = flow.map_again(found, tools).to_json()
    with tools.store.begin() as transaction:
        submissions.save_case(transaction, found.id, case, actor, reason)
        action = note(transaction, "map_again", actor, reason, {"submission": str(found.id)}, 1)
        events.append(transaction, found.id, "mapped_again", actor, action=action)
        ids = _deliveries_of(transaction, found.id)
    return replay(tools.store, ids, actor=actor, reason=reason, dry_run=not resend)


def look_up(tools: Tools, delivery_id: UUID, *, actor: str, reason: str) -> str | None:
    """Ask the office whether it has a delivered case; if it says no, send it again in a new round.

    "No" means: not all of it. So every step of it is in doubt then, and asked about before it is taken again.

    Returns: the office's reference, or None: a new round is open.
    Raises:  OperationRefused: `operation.not_found`, `operation.not_delivered` (replay it instead),
             `operation.cannot_ask`; ConnectorError: nothing is known, nothing changed.
    """
    named(actor, reason)
    with tools.store.begin() as transaction:
        found = deliveries.load(transaction, delivery_id)
    if found is None:
        raise OperationRefused("operation.not_found", id=delivery_id)
    _was_delivered(delivery_id, found.state)
    connector = tools.offices.get(found.tenant, found.connector).connector
    if not connector.capabilities.look_up:
        raise OperationRefused("operation.cannot_ask", connector=found.connector)
    reference = connector.find(found.key)
    with tools.store.begin() as transaction:
        row = locked(transaction, delivery_id)
        _was_delivered(delivery_id, DeliveryState(row["state"]))  # still: somebody else may have asked meanwhile
        asked = {"delivery": str(delivery_id), "found": reference is not None}
        action = note(transaction, "look_up", actor, reason, asked, int(reference is None))
        events.append(transaction, found.submission_id, "looked_up", actor, **asked, action=action)
        if reference is None:
            _doubt_steps(transaction, delivery_id)
            open_round(transaction, row, in_doubt=False)
    return reference


def _was_delivered(delivery_id: UUID, state: DeliveryState) -> None:
    if state is not DeliveryState.DELIVERED:
        raise OperationRefused("operation.not_delivered", id=delivery_id, state=state.value)


def _doubt_steps(transaction: Connection, delivery_id: UUID) -> None:
    """What each step gave is not to be relied on any more; that it was begun stays known."""
    s = t.step.c
    transaction.execute(update(t.step).where(s.delivery_id == delivery_id).values(result=null(), done_at=None))


def _case_of(transaction: Connection, submission_id: UUID) -> tuple[Submission, dict[str, Any]]:
    found = submissions.load(transaction, submission_id)
    if found is None:
        raise OperationRefused("operation.not_found", id=submission_id)
    case = submissions.latest_case(transaction, submission_id)
    if case is None:
        raise OperationRefused("operation.no_case", id=submission_id)
    return found, case[1]


def _deliveries_of(transaction: Connection, submission_id: UUID) -> list[UUID]:
    query = select(t.delivery.c.id).where(t.delivery.c.submission_id == submission_id)
    return list(transaction.execute(query).scalars())


def _changed(before: dict[str, Any], changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The case with the changes, checked against its schema, and what each value was."""
    after = copy.deepcopy(before)
    changed = {path: [_set(after, path, value), value] for path, value in changes.items()}
    try:
        return Case.model_validate(after).to_json(), changed
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise OperationRefused("operation.value_wrong", path=path, problem=first["type"]) from None


def _set(case: dict[str, Any], path: str, value: Any) -> Any:
    """Put `value` at `path`; returns what stood there."""
    *parents, last = path.split(".")
    holder: Any = case
    try:
        for name in parents:
            holder = holder[_place(name)] if isinstance(holder, list) else holder[name]
        if isinstance(holder, list):
            before, holder[_place(last)] = holder[_place(last)], value
            return before
        if value is None:
            return holder.pop(last)
        before = holder.get(last)
        holder[last] = value
        return before
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise OperationRefused("operation.no_such_field", path=path) from error


def _place(name: str) -> int:
    """Of an entry in a list, from 0. Raises ValueError: also for -1, which would be another entry than was meant."""
    if not name.isdecimal():
        raise ValueError(name)
    return int(name)

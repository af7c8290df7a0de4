"""Big files that wait for a person: look, save one, ask for it again, let it go on, or let the case go without it.

Every act names an actor and a reason and is recorded for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, func

from gateway.operations.act import ActionResult, named, note
from gateway.operations.plain import plain
from gateway.store import events, files, jobs, submissions
from gateway.store.database import Store
from schemas.errors import OperationRefused
from schemas.files import FileState

_HERE = (FileState.KEPT, FileState.HELD)


@dataclass(frozen=True, slots=True)
class FileView:
    """One file as a person chooses by; times aware UTC. The name is the repository's: shown, never logged."""

    id: UUID
    tenant: str
    state: str
    name: str | None
    type: str | None
    size_bytes: int | None
    sha256: str | None
    attempts: int
    in_doubt: bool
    due_at: datetime | None
    last_code: str | None
    last_text: str | None
    findings: tuple[dict[str, Any], ...]
    submissions: tuple[UUID, ...]

    def to_json(self) -> dict[str, Any]:
        """One item of `files list --json`."""
        shown: dict[str, Any] = plain(self)
        return shown


def listed(store: Store, *, tenant: str | None = None, state: str | None = None, limit: int = 200) -> list[FileView]:
    """Files that are not here (or in one state), who waits longest first."""
    with store.begin() as transaction:
        rows = files.listed(transaction, tenant=tenant, state=state, limit=limit)
    return [
        FileView(
            **{name: row[name] for name in FileView.__slots__ if name not in ("findings", "submissions")},
            findings=tuple(row["findings"]),
            submissions=tuple(row["submissions"] or ()),
        )
        for row in rows
    ]


def save(store: Store, file: UUID, into: Path) -> int:
    """Write its octets to a file, one piece in memory at a time; how many. Raises OperationRefused: not here."""
    with store.begin() as transaction:
        _in_state(transaction, file, *_HERE)
        with into.open("wb") as sink:
            return sum(sink.write(piece) for piece in files.pieces(transaction, file))


def ask_again(store: Store, file: UUID, *, actor: str, reason: str) -> ActionResult:
    """Ask ePUAP for it once more, from the start of the schedule. Raises OperationRefused."""

    def due(transaction: Connection, _row: RowMapping) -> FileState:
        files.settle(transaction, file, FileState.DUE, due_at=func.now(), woken_at=func.now(), refusals=0, attempts=0,
                     first_tried_at=None)  # fmt: skip
        jobs.wake(transaction, jobs.FETCH, [file])
        return FileState.DUE

    return _act(store, file, "file_asked_again", due, (FileState.FAILED, FileState.LOST), actor, reason)


def accept(store: Store, file: UUID, *, actor: str, reason: str) -> ActionResult:
    """A person has looked at what spoke against it: it goes on. Raises OperationRefused."""

    def kept(transaction: Connection, row: RowMapping) -> FileState:
        files.settle(transaction, file, FileState.KEPT, last_code=row["last_code"])
        return FileState.KEPT

    return _act(store, file, "file_accepted", kept, (FileState.HELD,), actor, reason)


def go_without(store: Store, submission_id: UUID, *, actor: str, reason: str) -> ActionResult:
    """The case goes on without the files that are not here. Raises OperationRefused: it waits for none."""
    named(actor, reason)
    with store.begin() as transaction:
        if submissions.load(transaction, submission_id) is None:
            raise OperationRefused("operation.not_found", id=submission_id)
        count = files.waive(transaction, submission_id)
        if count == 0:
            raise OperationRefused("operation.no_file_awaited", id=submission_id)
        asked = {"submission": str(submission_id)}
        action = note(transaction, "go_without_files", actor, reason, asked, count)
        events.append(transaction, submission_id, "files_waived", actor, files=count, action=action)
        files.free_deliveries(transaction, submission_id)
    return ActionResult(submission_id, "files_waived")


def _act(
    store: Store,
    file: UUID,
    word: str,
    change: Callable[[Connection, RowMapping], FileState],
    states: tuple[FileState, ...],
    actor: str,
    reason: str,
) -> ActionResult:
    named(actor, reason)
    with store.begin() as transaction:
        row = _in_state(transaction, file, *states)
        state = change(transaction, row)
        action = note(transaction, word, actor, reason, {"file": str(file)}, 1)
        for submission in files.linked_to(transaction, file):
            events.append(transaction, submission, word, actor, file=str(file), action=action)
            files.free_deliveries(transaction, submission)
    return ActionResult(file, state.value)


def _in_state(transaction: Connection, file: UUID, *states: FileState) -> RowMapping:
    row = files.locked(transaction, file)
    if row is None:
        raise OperationRefused("operation.not_found", id=file)
    if row["state"] not in states:
        raise OperationRefused("operation.file_state", id=file, state=row["state"])
    return row

"""Rows of uploads: what a letter only refers to, put into ePUAP's store. Intent before the call, result after it.

    begun → kept        the store has it under `file_id`, which is what the letter says
          → orphaned    it may lie there, and no letter says so: an answer was lost, a worker died, the letter changed
          → failed      it surely does not
An answer has one `kept` row for one content (its SHA-256), however often it is drafted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update

from gateway.store import mail_tables as t

U = t.answer_upload.c


class UploadState(StrEnum):
    """How one upload ended; BEGUN: it has not, or nobody lived to tell."""

    BEGUN = "begun"
    KEPT = "kept"
    ORPHANED = "orphaned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """One upload as stored; times aware UTC. The name is of an office's file: shown, never logged."""

    id: int
    answer_id: UUID
    sha256: str
    name: str
    size_bytes: int
    state: UploadState
    worker: str
    begun_at: datetime
    ended_at: datetime | None
    file_id: str | None
    code: str | None
    text: str | None


def kept(connection: Connection, answer_id: UUID, sha256: str) -> str | None:
    """The id under which ePUAP's store has this content for this answer; None: it does not, for all we know."""
    query = select(U.file_id).where(U.answer_id == answer_id, U.sha256 == sha256, U.state == UploadState.KEPT.value)
    found: str | None = connection.execute(query).scalar()
    return found


def begin(connection: Connection, answer_id: UUID, *, sha256: str, name: str, size_bytes: int, worker: str) -> int:
    """Note that an upload begins; its number. The caller holds the answer."""
    values = {"answer_id": answer_id, "sha256": sha256, "name": name, "size_bytes": size_bytes, "worker": worker}
    new: int = connection.execute(insert(t.answer_upload).values(values).returning(U.id)).scalar_one()
    return new


def abandon(connection: Connection, answer_id: UUID, sha256: str, code: str) -> Sequence[int]:
    """Uploads of this content that nobody lived to finish are orphans; their numbers. The caller holds the answer."""
    query = (
        update(t.answer_upload)
        .where(U.answer_id == answer_id, U.sha256 == sha256, U.state == UploadState.BEGUN.value)
        .values(state=UploadState.ORPHANED.value, ended_at=func.now(), code=code)
        .returning(U.id)
    )
    return list(connection.execute(query).scalars())


def finish(
    connection: Connection,
    number: int,
    state: UploadState,
    *,
    file_id: str | None = None,
    code: str | None = None,
    text: str | None = None,
) -> bool:
    """How it ended; False if it counts as an orphan by now. What its id was is written down in any case."""
    row = U.id == number
    values = {"state": state.value, "ended_at": func.now(), "file_id": file_id, "code": code, "text": text}
    query = update(t.answer_upload).where(row, U.state == UploadState.BEGUN.value).values(values)
    if connection.execute(query).rowcount == 1:
        return True
    connection.execute(update(t.answer_upload).where(row).values(file_id=file_id))
    return False


def forsake(connection: Connection, number: int, code: str) -> None:
    """What was kept for a letter is named by none any more. The caller holds the answer."""
    query = update(t.answer_upload).where(U.id == number, U.state == UploadState.KEPT.value)
    connection.execute(query.values(state=UploadState.ORPHANED.value, code=code))


def of_answer(connection: Connection, answer_id: UUID) -> tuple[StoredUpload, ...]:
    """Every upload for one answer, oldest first."""
    query = select(t.answer_upload).where(U.answer_id == answer_id).order_by(U.id)
    return tuple(
        StoredUpload(**{**row, "state": UploadState(row["state"])}) for row in connection.execute(query).mappings()
    )

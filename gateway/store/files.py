"""Rows of big files: linked to submissions, claimed, kept in pieces, let go. Every time is the database's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, RowMapping, Select, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store import file_tables as t
from gateway.store import jobs
from gateway.store.tables import delivery
from schemas.files import FileState, Link, LinkedFile

F, L, P, D = t.remote_file.c, t.submission_file.c, t.remote_file_piece.c, delivery.c

WAITED_FOR, HERE = "waited_for", "here"  # of delivery.files

_CLAIM = """
UPDATE remote_file SET state = 'fetching', fence = fence + 1, attempts = attempts + :tries, worker = :worker,
       due_at = NULL, woken_at = NULL, lease_until = now() + make_interval(secs => :lease_s),
       first_tried_at = coalesce(first_tried_at, now()), updated_at = now()
 WHERE id = :id AND {when}
RETURNING *
"""
_DUE = text(_CLAIM.format(when="state = 'due' AND due_at <= now()"))
_LEFT = text(_CLAIM.format(when="state NOT IN ('kept', 'held') AND (state <> 'fetching' OR lease_until < now())"))


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's right to fetch a file, or to read what was written down of it."""

    id: UUID
    tenant: str
    file_id: str
    fence: int
    in_doubt: bool


def link(connection: Connection, submission_id: UUID, tenant: str, links: Iterable[Link]) -> int:
    """Note what a document refers to; files nobody has asked for yet are due now. How many links are new."""
    new: list[UUID] = []
    count = 0
    for one in links:
        file = None if one.file_id is None else _file_of(connection, tenant, one.file_id, new)
        count += connection.execute(
            pg_insert(t.submission_file)
            .values(submission_id=submission_id, number=one.number, remote_file_id=file, name=_plain(one.name),
                    declared_type=_plain(one.declared_type), address=_plain(one.address))
            .on_conflict_do_nothing()
        ).rowcount  # fmt: skip
    jobs.wake(connection, jobs.FETCH, new)
    return count


def _file_of(connection: Connection, tenant: str, file_id: str, new: list[UUID]) -> UUID:
    """The gmina's one row of a file; a concurrent twin waits until the first has committed."""
    made = connection.execute(
        pg_insert(t.remote_file)
        .values(id=uuid4(), tenant=tenant, file_id=file_id, due_at=func.now(), woken_at=func.now())
        .on_conflict_do_nothing(index_elements=["tenant", "file_id"])
        .returning(F.id)
    ).scalar()
    if made is not None:
        new.append(made)
    known = select(F.id).where(F.tenant == tenant, F.file_id == file_id)
    found: UUID = made or connection.execute(known).scalar_one()
    return found


def claim(connection: Connection, file: UUID, *, worker: str, lease_s: float) -> Claim | None:
    """Take a due file for one try; None if it is not due or somebody has it."""
    return _claimed(connection, _DUE, id=file, worker=worker, lease_s=lease_s, tries=1)


def take_over(connection: Connection, file: UUID, *, worker: str, lease_s: float) -> Claim | None:
    """Take a file whose answer lies on this machine; None if it is kept, or its worker is still at it."""
    return _claimed(connection, _LEFT, id=file, worker=worker, lease_s=lease_s, tries=0)


def still_held(connection: Connection, claimed: Claim) -> RowMapping | None:
    """The locked row with the database's time as `now`, if this claim still holds it."""
    query = select(t.remote_file, func.now().label("now"))
    held = query.where(F.id == claimed.id, F.fence == claimed.fence, F.state == "fetching")
    return connection.execute(held.with_for_update()).mappings().first()


def settle(connection: Connection, file: UUID, state: FileState, **values: Any) -> None:
    """Write how a try, or a person, left the file; `due_at` is NULL unless given."""
    plain = {"due_at": None, "woken_at": None, "lease_until": None, "worker": None, **values}
    connection.execute(
        update(t.remote_file).where(F.id == file).values({**plain, "state": state.value, "updated_at": func.now()})
    )


def add_piece(connection: Connection, file: UUID, number: int, octets: bytes) -> None:
    """One piece of its content, in the transaction that keeps it."""
    connection.execute(insert(t.remote_file_piece), {"remote_file_id": file, "number": number, "octets": octets})


def pieces(connection: Connection, file: UUID) -> Iterator[bytes]:
    """Its content, one piece in memory at a time."""
    count = connection.execute(select(func.count()).select_from(t.remote_file_piece).where(P.remote_file_id == file))
    for number in range(count.scalar_one()):
        query = select(P.octets).where(P.remote_file_id == file, P.number == number)
        yield bytes(connection.execute(query).scalar_one())


def expired(connection: Connection, limit: int = 50) -> list[RowMapping]:
    """Files whose worker vanished, locked for the caller to recover."""
    query = select(t.remote_file).where(F.state == "fetching", F.lease_until < func.now()).order_by(F.lease_until)
    return list(connection.execute(query.limit(limit).with_for_update(skip_locked=True)).mappings())


def promote(connection: Connection, again_after_s: float, limit: int = 100) -> list[UUID]:
    """Due files get a wake-up; those woken long ago get another."""
    late = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, again_after_s)
    due = (
        select(F.id)
        .where(F.state == "due", F.due_at <= func.now(), or_(F.woken_at.is_(None), F.woken_at < late))
        .order_by(F.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    woken = connection.execute(update(t.remote_file).where(F.id.in_(due)).values(woken_at=func.now()).returning(F.id))
    found = list(woken.scalars())
    jobs.wake(connection, jobs.FETCH, found)
    return found


def under_way(connection: Connection) -> list[RowMapping]:
    """Files being fetched: id, worker and fence."""
    return list(connection.execute(select(F.id, F.worker, F.fence).where(F.state == "fetching")).mappings())


def end_lease(connection: Connection, file: UUID, fence: int) -> None:
    """Its worker is surely dead: nobody needs to wait for the end of its time."""
    held = (F.id == file, F.fence == fence, F.state == "fetching", F.lease_until > func.now())
    connection.execute(update(t.remote_file).where(*held).values(lease_until=func.now()))


def locked(connection: Connection, file: UUID) -> RowMapping | None:
    """The locked row."""
    return connection.execute(select(t.remote_file).where(F.id == file).with_for_update()).mappings().first()


def linked_to(connection: Connection, file: UUID) -> list[UUID]:
    """The submissions that refer to it, oldest first."""
    query = select(L.submission_id).where(L.remote_file_id == file).distinct().order_by(L.submission_id)
    return list(connection.execute(query).scalars())


def of_submission(connection: Connection, submission_id: UUID) -> list[LinkedFile]:
    """Every link of a submission with its file, in the document's order."""
    rows = connection.execute(_links().where(L.submission_id == submission_id).order_by(L.number)).mappings()
    return [_linked(row) for row in rows]


def listed(connection: Connection, *, tenant: str | None, state: str | None, limit: int) -> list[RowMapping]:
    """Files that are not kept (or in one state), who waits longest first, each with its submissions."""
    submissions = select(func.array_agg(L.submission_id)).where(L.remote_file_id == F.id).scalar_subquery()
    query = select(t.remote_file, submissions.label("submissions")).order_by(F.created_at, F.id).limit(limit)
    query = query.where(F.state == state if state else F.state != "kept")
    query = query if tenant is None else query.where(F.tenant == tenant)
    return list(connection.execute(query).mappings())


def waive(connection: Connection, submission_id: UUID) -> int:
    """A person lets the case go without the files that are not here; how many those are."""
    missing = select(F.id).where(F.state != "kept")
    done = connection.execute(
        update(t.submission_file)
        .where(L.submission_id == submission_id, L.remote_file_id.in_(missing), L.waived.is_(False))
        .values(waived=True)
    )
    return done.rowcount


def standing(connection: Connection, submission_id: UUID) -> str | None:
    """For delivery.files: `waited_for` while a file is to come or to be decided about, `here`, None: it has none."""
    found = [one for one in of_submission(connection, submission_id) if one.id is not None]
    return None if not found else WAITED_FOR if any(one.awaited for one in found) else HERE


def free_deliveries(connection: Connection, submission_id: UUID) -> list[UUID]:
    """Deliveries that waited for nothing but files, if none is awaited any more: they are due now."""
    if standing(connection, submission_id) == WAITED_FOR:
        return []
    waiting = (D.submission_id == submission_id, D.files == WAITED_FOR)
    freed = connection.execute(
        update(delivery)
        .where(*waiting, D.parked == "files")
        .values(files=HERE, parked=None, last_code=None, due_at=func.now(), woken_at=func.now())
        .returning(D.id)
    ).scalars()
    found = list(freed)
    connection.execute(update(delivery).where(*waiting).values(files=HERE))
    jobs.wake(connection, jobs.DELIVER, found)
    return found


def _claimed(connection: Connection, statement: Any, **asked: Any) -> Claim | None:
    row = connection.execute(statement, asked).mappings().first()
    return Claim(row["id"], row["tenant"], row["file_id"], row["fence"], row["in_doubt"]) if row else None


def _links() -> Select[Any]:
    return select(
        L.number, L.name, L.address, L.waived, F.id, F.state, F.content_type, F.type, F.sha256, F.size_bytes,
        F.attempts, F.due_at, F.last_code, F.last_text, F.findings,
    ).outerjoin_from(t.submission_file, t.remote_file, L.remote_file_id == F.id)  # fmt: skip


def _linked(row: RowMapping) -> LinkedFile:
    values = dict(row)
    values["state"] = FileState(row["state"]) if row["state"] else None
    values["findings"] = tuple(row["findings"] or ())
    return LinkedFile(**values)


def _plain(value: str) -> str:
    """Text PostgreSQL can hold."""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")

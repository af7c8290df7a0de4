"""How polling each mailbox goes: one row per mailbox, so that a box that stands still is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, Integer, Table, Text, func, select
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gateway.store.tables import _time, metadata

mailbox_poll = Table(
    "mailbox_poll",
    metadata,
    Column("mailbox", Text, primary_key=True),
    _time("polled_at", nullable=False),
    _time("taken_at"),  # when a document was last taken
    Column("failures", Integer, nullable=False, server_default=sql("0")),  # in a row
    _time("failing_since"),
    Column("last_code", Text),  # of the trouble; NULL: none
    Column("last_text", Text),  # number and words of the other side, as they came
)


@dataclass(frozen=True, slots=True)
class PollRow:
    """One mailbox. Times aware UTC; `now` is the database's."""

    mailbox: str
    polled_at: datetime
    taken_at: datetime | None
    failures: int
    failing_since: datetime | None
    last_code: str | None
    last_text: str | None
    now: datetime


def went_well(connection: Connection, mailbox: str, *, took: bool) -> None:
    """A look at the box that ended as it should, with a document or without."""
    seen = {"polled_at": func.now(), "failures": 0, "failing_since": None, "last_code": None, "last_text": None}
    _save(connection, mailbox, {**seen, **({"taken_at": func.now()} if took else {})}, {})


def went_wrong(connection: Connection, mailbox: str, code: str, text: str) -> None:
    """One that did not; the first of a row of them says since when."""
    c = mailbox_poll.c
    seen = {"polled_at": func.now(), "failures": 1, "failing_since": func.now(), "last_code": code, "last_text": text}
    again = {"failures": c.failures + 1, "failing_since": func.coalesce(c.failing_since, func.now())}
    _save(connection, mailbox, seen, again)


def rows(connection: Connection) -> dict[str, PollRow]:
    """Every mailbox that was ever polled."""
    found = connection.execute(select(mailbox_poll, func.now().label("now"))).mappings()
    return {row["mailbox"]: PollRow(**row) for row in found}


def _save(connection: Connection, mailbox: str, new: Mapping[str, object], known: Mapping[str, object]) -> None:
    """`known`: what is written otherwise where there is a row already."""
    statement = pg_insert(mailbox_poll).values(mailbox=mailbox, **new)
    connection.execute(statement.on_conflict_do_update(index_elements=["mailbox"], set_={**new, **known}))

"""From what a person types to the one thing meant."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from sqlalchemy import Text, cast, select

from gateway.store import file_tables, mail_tables
from gateway.store import tables as t
from gateway.store.database import Store
from schemas.errors import OperationRefused

SHORTEST = 8
Kind = Literal["submission", "delivery", "answer", "message", "file"]
_TABLES = {
    "submission": t.submission,
    "delivery": t.delivery,
    "answer": mail_tables.answer,
    "message": mail_tables.message,
    "file": file_tables.remote_file,
}


def by_prefix(store: Store, kind: Kind, prefix: str) -> UUID:
    """The id that begins so; a person copies the beginning from a list.

    Raises: OperationRefused: `operation.id_too_short`, `operation.not_found`, `operation.id_ambiguous`.
    """
    if len(prefix) < SHORTEST:
        raise OperationRefused("operation.id_too_short", id=prefix, shortest=SHORTEST)
    table = _TABLES[kind]
    with store.begin() as transaction:
        query = select(table.c.id).where(cast(table.c.id, Text).startswith(prefix.lower(), autoescape=True)).limit(2)
        found = list(transaction.execute(query).scalars())
    if not found:
        raise OperationRefused("operation.not_found", id=prefix)
    if len(found) > 1:
        raise OperationRefused("operation.id_ambiguous", id=prefix)
    return UUID(str(found[0]))

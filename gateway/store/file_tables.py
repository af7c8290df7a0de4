"""Tables of big files, in the same metadata as those of `gateway.store.tables`.

    remote_file       one file of ePUAP's store, of one gmina; it can be had once, whoever refers to it
    remote_file_piece its octets, in pieces: a file of half a gigabyte is never in memory
    submission_file   what a document says of a file: one row for each attachment that is only an address

`delivery.files` is `waited_for` while a delivery must not go without its files, `here` once it may; NULL: has none.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, false, text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import JSONB, UUID

from gateway.store.tables import _now, _of_submission, _one_of, _time, metadata
from schemas.files import FileState

remote_file = Table(
    "remote_file",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("file_id", Text, nullable=False),  # in the repository
    Column("state", Text, nullable=False, server_default="due"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("refusals", Integer, nullable=False, server_default=text("0")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("in_doubt", Boolean, nullable=False, server_default=false()),  # a transfer was begun and did not end here
    Column("worker", Text),
    _time("lease_until"),
    _time("due_at"),
    _time("woken_at"),
    _time("first_tried_at"),
    Column("name", Text),  # as the repository calls it
    Column("content_type", Text),
    Column("type", Text),
    Column("sha256", Text),
    Column("size_bytes", BigInteger),
    Column("findings", JSONB, nullable=False, server_default=text("'[]'")),
    Column("last_code", Text),
    Column("last_text", Text),
    _now("created_at"),
    _now("updated_at"),
    Unique("tenant", "file_id"),
    _one_of("state", tuple(state.value for state in FileState)),
    Index("ix_remote_file_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_remote_file_lease_until", "lease_until", postgresql_where=text("state = 'fetching'")),
    Index("ix_remote_file_state_created_at", "state", "created_at"),
)

remote_file_piece = Table(
    "remote_file_piece",
    metadata,
    Column("remote_file_id", UUID(as_uuid=True), ForeignKey(remote_file.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("octets", LargeBinary, nullable=False),
)

submission_file = Table(
    "submission_file",
    metadata,
    _of_submission(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("remote_file_id", UUID(as_uuid=True), ForeignKey(remote_file.c.id), index=True),
    Column("name", Text, nullable=False),
    Column("declared_type", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("waived", Boolean, nullable=False, server_default=false()),
)

"""Was this item of a package imported before? Told by the mailbox, the document and what the descriptor says of it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, exists, func, or_, select

from gateway.store.tables import arrival, content, submission


def known(connection: Connection, mailbox: str, sha256: str, envelope_sha256: str) -> UUID | None:
    """The submission this very item became, or was found to be a further arrival of."""
    s = submission.c
    first = select(content.c.submission_id).where(
        content.c.submission_id == s.id, func.encode(func.sha256(content.c.envelope), "hex") == envelope_sha256
    )
    further = select(arrival.c.id).where(
        arrival.c.submission_id == s.id, arrival.c.envelope_sha256 == envelope_sha256
    )  # fmt: skip
    query = select(s.id).where(s.mailbox == mailbox, s.sha256 == sha256, or_(exists(first), exists(further)))
    return connection.execute(query).scalar()

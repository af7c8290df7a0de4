"""Whose senders are still to be told what became of their document, where no answer carried it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, text

DOCUMENT_ID = "BRAMA-RECEIPT-"  # and the submission's id: the message that carries our receipt

_UNTOLD = text("""
SELECT s.id, s.decision = 'rejected' AS rejected FROM submission s
 WHERE s.received_at > now() - cast(:within AS interval) AND s.channel = ANY(:channels)
   AND s.decision IN ('accepted', 'quarantined', 'rejected')
   AND s.tenant = ANY(:tenants) AND s.reply_mailbox IS NOT NULL AND NOT s.is_test
   AND CASE WHEN s.decision = 'rejected'
       THEN NOT EXISTS (SELECT 1 FROM answer a WHERE a.submission_id = s.id AND a.service = 'rejection_notice')
       ELSE EXISTS (SELECT 1 FROM receipt r WHERE r.submission_id = s.id AND r.origin = 'own')
            AND NOT EXISTS (SELECT 1 FROM message m WHERE m.document_id = :document_id || s.id) END
 ORDER BY s.sequence LIMIT :limit
""")


def untold(
    connection: Connection, channels: Sequence[str], tenants: Sequence[str], within: timedelta, limit: int = 100
) -> list[tuple[UUID, bool]]:
    """What came within this time through these channels to these gminas, oldest first, and whether it was rejected."""
    asked = {
        "within": within,
        "channels": list(channels),
        "tenants": list(tenants),
        "document_id": DOCUMENT_ID,
        "limit": limit,
    }
    return [(row.id, row.rejected) for row in connection.execute(_UNTOLD, asked)]

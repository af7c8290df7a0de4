"""What came through this gateway before, of one taxpayer."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

_EARLIER = text("""
SELECT EXISTS (
    SELECT 1 FROM case_version c JOIN submission s ON s.id = c.submission_id
    WHERE c.version = 1
      AND COALESCE(c.stored #>> '{taxpayer,pesel}', c.stored #>> '{taxpayer,nip}', c.stored #>> '{taxpayer,regon}')
          = :taxpayer
      AND c.stored ->> 'kind' = :kind
      AND (CAST(:year AS text) IS NULL OR c.stored #>> '{period,year}' = :year)
      AND s.tenant = :tenant AND s.id <> :submission AND s.sequence < :sequence
)""")


def has_earlier(
    connection: Connection,
    *,
    submission: UUID,
    tenant: str,
    sequence: int,
    taxpayer: str,
    kind: str,
    year: int | None,
) -> bool:
    """Is there a case of the same taxpayer (PESEL, else NIP, else REGON), kind and year, of a document kept before?"""
    values = {"submission": submission, "tenant": tenant, "sequence": sequence, "taxpayer": taxpayer, "kind": kind}
    found = connection.execute(_EARLIER, {**values, "year": None if year is None else str(year)})
    return bool(found.scalar_one())

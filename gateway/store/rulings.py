"""Rulings on effective lodging: appended, never changed; the newest one of a submission is the one that stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, insert, select

from gateway.store import mail_tables as t
from gateway.store.tables import submission
from schemas.effectiveness import Effectiveness

R = t.ruling.c


@dataclass(frozen=True, slots=True)
class StoredRuling:
    """One ruling as stored; `actor` None: the policy."""

    at: datetime
    ruling: Effectiveness
    actor: str | None


def add(
    connection: Connection,
    submission_id: UUID,
    ruling: Effectiveness,
    actor: str | None = None,
    action: int | None = None,
) -> None:
    """Beside those that are there; it stands from now on."""
    connection.execute(
        insert(t.ruling).values(
            submission_id=submission_id, effect=ruling.effect.value, stored=ruling.to_json(), actor=actor,
            action_id=action,
        )
    )  # fmt: skip


def standing(connection: Connection, submission_id: UUID) -> Effectiveness | None:
    """What holds now; None where nobody has judged it (tests, what was rejected, receipts)."""
    query = select(R.stored).where(R.submission_id == submission_id).order_by(R.id.desc()).limit(1)
    stored = connection.execute(query).scalar()
    return Effectiveness.from_json(stored) if stored else None


def of_submission(connection: Connection, submission_id: UUID) -> list[StoredRuling]:
    """Every ruling, oldest first."""
    query = select(R.at, R.stored, R.actor).where(R.submission_id == submission_id).order_by(R.id)
    return [StoredRuling(at, Effectiveness.from_json(stored), actor) for at, stored, actor in connection.execute(query)]


def let_go_on(connection: Connection, submission_id: UUID) -> bool:
    """Has a person released it, whatever it was held for?"""
    return bool(connection.execute(select(submission.c.released).where(submission.c.id == submission_id)).scalar())


def stands_as(effect: str) -> ColumnElement[bool]:
    """A condition on `submission`: its standing ruling says this."""
    later = t.ruling.alias("later")
    overtaken = select(later.c.id).where(later.c.submission_id == R.submission_id, later.c.id > R.id).exists()
    return select(R.id).where(R.submission_id == submission.c.id, R.effect == effect, ~overtaken).exists()


def facts(ruling: Effectiveness) -> dict[str, Any]:
    """What an event may say of it: no words of people, which may hold names."""
    since = ruling.since.isoformat() if ruling.since else None
    rule = {"form": ruling.form, "since": since} if ruling.form else None
    return {"effect": ruling.effect.value, "reason": ruling.reason, "rule": rule}

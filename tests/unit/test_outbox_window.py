"""How far back sweeps look: little, and once an hour far enough to mend what an outage left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.outbox.window import lately


def test_once_an_hour_a_week_is_looked_through_and_else_an_hour():
    at = datetime(2026, 3, 2, 10, 0, 59, tzinfo=UTC)
    assert lately(at) == timedelta(days=7)
    assert {lately(at + timedelta(minutes=minute)) for minute in range(1, 60)} == {timedelta(hours=1)}

"""The connectors' only source of the current time, and of what a time is in Poland."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_WARSAW = ZoneInfo("Europe/Warsaw")


def now() -> datetime:
    """Aware UTC."""
    return datetime.now(UTC)


def local(moment: datetime) -> datetime:
    """An aware time as Poland's clocks show it; one without a zone is Poland's already."""
    return moment if moment.tzinfo is None else moment.astimezone(_WARSAW)

"""How far back sweeps look for what is missing."""

from __future__ import annotations

from datetime import datetime, timedelta

_USUAL = timedelta(hours=1)
_WHOLE = timedelta(days=7)


def lately(now: datetime) -> timedelta:
    """An hour, and in the first minute of each hour a week: looking costs next to nothing, an outage only time."""
    return _WHOLE if now.minute == 0 else _USUAL

"""The only source of the current time inside the process; work that must agree across machines asks the database."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

WARSAW = ZoneInfo("Europe/Warsaw")


class Clock(Protocol):
    """Says what time it is; tests pass one that stands where they want it."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Aware, UTC, microseconds."""
        return datetime.now(UTC)


def shown(moment: datetime | None) -> str:
    """For a person: Polish wall time to the second, or a dash."""
    return moment.astimezone(WARSAW).strftime("%Y-%m-%d %H:%M:%S") if moment else "—"


def steady_s() -> float:
    """Seconds that only grow, also while the machine sleeps, when Linux's monotonic clock stands: for leases.

    A laptop that was closed, or a virtual machine that was suspended, must not wake up and believe in an old lease.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()

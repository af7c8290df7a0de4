"""Waiting for what must come, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 240.0  # no test depends on it: it ends those that wait in vain, before pytest's own limit does


def wait_until(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Until `condition()` is true; a test that waits in vain fails here."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)

"""Connections kept open between exchanges: idle sessions of one office, each lent to one exchange at a time.

The other side closes an idle connection when it likes, and may do so while our next request is on its way. So they live
shortly, and only calls whose repetition is harmless, or whose loss shows by itself, may use one (`Use`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import requests

_OLDEST_S = 300.0  # then a new one: balancers, certificates and addresses change
_MOST = 8  # idle at a time; more are closed when given back


class Use(Enum):
    """Which connection an exchange may have."""

    FRESH = "fresh"  # its own: an effect, where a connection that died unnoticed would leave a doubt
    KEPT = "kept"  # a kept one, and never again: an effect whose loss the next question shows
    QUESTION = "question"  # a kept one; asked once more on a fresh one when it died before the answer


@dataclass(slots=True)
class Held:
    """A session lent out."""

    session: requests.Session
    exchanges: int = 0  # before this one
    born: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)


class Sessions:
    """Those of one office. Safe for several threads."""

    def __init__(self, make: Callable[[], requests.Session], idle_s: float) -> None:
        """`idle_s`: how long one may lie unused; shorter than the other side's patience."""
        self._make, self._idle_s = make, idle_s
        self._idle: list[Held] = []
        self._lock = threading.Lock()

    def take(self) -> Held:
        """The one used last, if there is a young one; else a new one."""
        now = time.monotonic()
        with self._lock:
            good = [one for one in self._idle if now - one.used < self._idle_s and now - one.born < _OLDEST_S]
            old = [one for one in self._idle if one not in good]
            self._idle = good
            found = good.pop() if good else None
        for one in old:
            one.session.close()
        return found or self.new()

    def new(self) -> Held:
        """One that was never used."""
        return Held(self._make())

    def give_back(self, held: Held) -> None:
        """After a whole answer; after anything else, close it."""
        held.exchanges += 1
        held.used = time.monotonic()
        with self._lock:
            kept = len(self._idle) < _MOST
            if kept:
                self._idle.append(held)
        if not kept:
            held.session.close()

    def close(self) -> None:
        """Close what lies idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.session.close()

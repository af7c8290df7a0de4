"""What an office was told to do wrong, how often, and to whom."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

MODES = {
    "refuse": "answers that it does not want this; stores nothing",
    "error_in_success": "answers HTTP 200 with an error inside; stores nothing",
    "hang_up_before_storing": "closes the connection; stores nothing",
    "hang_up_after_storing": "stores, then closes the connection without an answer",
    "slow": "stores, then answers after `seconds`, or at the next `up`",
    "drip": "stores, then answers a byte at a time over `seconds`",
    "garbage": "stores, then answers HTTP 200 with something else",
    "truncate": "stores, then sends half of the answer",
    "unavailable": "answers HTTP 503 with Retry-After; stores nothing",
    "error_page": "stores nothing, answers HTTP 500 with a page",
    "unauthorized": "answers HTTP 401; stores nothing",
    "redirect": "answers HTTP 302; stores nothing",
    "say": "stores nothing, answers with `status` and `body`",
    "huge": "stores, then answers with an endless body",
    "down": "does not listen at all, until `up`",
    "up": "listens again, and forgets every other fault",
}


@dataclass
class Fault:
    """One standing order. `times` None: until told otherwise; `match`: only requests this expression finds."""

    mode: str
    times: int | None = None
    match: str | None = None
    seconds: float = 3.0
    skip: int = 0
    status: int = 200
    body: str = ""


class Faults:
    """Standing orders, the newest first that fits."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []
        self._lock = threading.Lock()
        self._over = threading.Event()  # of the faults told since the last `up`

    def tell(self, fault: Fault) -> None:
        """Add an order."""
        if fault.mode not in MODES:
            raise ValueError(f"unknown mode {fault.mode}; known: {', '.join(MODES)}")
        with self._lock:
            self._orders.insert(0, fault)

    def clear(self) -> None:
        """Behave well again."""
        with self._lock:
            self._orders.clear()
            self._over.set()
            self._over = threading.Event()

    def pause(self, seconds: float) -> None:
        """For so long, or until told to behave well."""
        with self._lock:
            over = self._over
        over.wait(seconds)

    def next(self, request: str, is_effect: bool) -> Fault | None:
        """The order for this request, counted down. Without `match` only requests with an effect are hit."""
        with self._lock:
            for order in self._orders:
                if (re.search(order.match, request) if order.match else is_effect) and self._takes(order):
                    return order
        return None

    def _takes(self, order: Fault) -> bool:
        if order.skip > 0:
            order.skip -= 1
            return False
        if order.times is not None:
            order.times -= 1
            if order.times <= 0:
                self._orders.remove(order)
        return True

"""Answers kept for a while, so that a portal full of citizens does not ask an old database once each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connectors.base import QueryAnswer
from connectors.clock import now

_MOST = 10_000


class QueryCache:
    """Keeps answers no longer than `keep_s`; each says when the office was really asked (`as_of`) and `cached`.

    Failures are never kept. Lives in this process only, and holds personal data no longer than that.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep = timedelta(seconds=keep_s)
        self._answers: OrderedDict[tuple[Any, ...], QueryAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, parameters: Mapping[str, Any], ask: Callable[[], QueryAnswer]) -> QueryAnswer:
        """The kept answer if it is young enough, else a fresh one."""
        key = (name, *sorted((parameter, str(value)) for parameter, value in parameters.items()))
        with self._lock:
            kept = self._answers.get(key)
            if kept is not None and now() - kept.as_of < self._keep:
                return replace(kept, cached=True)
        answer = ask()
        if self._keep:
            with self._lock:
                self._answers[key] = answer
                self._answers.move_to_end(key)
                while len(self._answers) > _MOST:
                    self._answers.popitem(last=False)
        return answer

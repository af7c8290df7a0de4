"""Remembered steps in memory, with the crashes a real store survives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from schemas.delivery import Repeat, StepInDoubt, StepStopped, Unsettled


class MemorySteps:
    """The Steps of one delivery; keep the object for a later try, as the store would.

    `forget_result_of` plays a worker that died after the call and before its result was stored. `repeat` is the
    connector's own declaration; `calls` names the steps that were really run, in order.
    """

    def __init__(self, repeat: Repeat = Repeat.BLIND) -> None:
        self.repeat = repeat
        self.results: dict[str, dict[str, Any]] = {}
        self.intents: set[str] = set()
        self.calls: list[str] = []
        self._message_id = str(uuid4())

    @property
    def message_id(self) -> str:
        """Fresh for each attempt, see `next_attempt`."""
        return self._message_id

    def next_attempt(self) -> MemorySteps:
        """The same memory under a new message id."""
        self._message_id = str(uuid4())
        return self

    def forget_result_of(self, name: str) -> None:
        """The intent stays, the result is lost."""
        self.results.pop(name)
        self.intents.add(name)

    def once(
        self,
        name: str,
        call: Callable[[], dict[str, Any]],
        find: Callable[[], dict[str, Any] | None] | None = None,
    ) -> dict[str, Any]:
        """As schemas.delivery.Steps.once says."""
        if name in self.results:
            return self.results[name]
        if name in self.intents:
            found = find() if find else None
            if found is not None:
                return self._store(name, found)
            if find is None and self.repeat is not Repeat.SAFE:
                raise StepInDoubt(name)
        self.intents.add(name)
        self.calls.append(name)
        try:
            result = call()
        except StepStopped as stop:
            if not isinstance(stop.outcome, Unsettled):
                self.intents.discard(name)
            raise
        return self._store(name, result)

    def _store(self, name: str, result: dict[str, Any]) -> dict[str, Any]:
        self.results[name] = json.loads(json.dumps(result))  # what is not JSON must fail here, not in production
        self.intents.discard(name)
        return self.results[name]

"""Where test submissions go, and what operators drill with: delivers, refuses or hangs up on request."""

from __future__ import annotations

import json
import threading
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from connectors.base import Capabilities, Options
from connectors.drop import case_json, safe_name
from connectors.outcomes import stopped
from schemas.delivery import CaseRecord, Delivered, Outcome, Repeat, Steps, StepStopped
from schemas.errors import ConnectorError


class Behaviour(StrEnum):
    """What the rehearsal does with the next case."""

    DELIVER = "deliver"
    REFUSE = "refuse"
    UNREACHABLE = "unreachable"
    HANG_UP_BEFORE = "hang_up_before_storing"
    HANG_UP_AFTER = "hang_up_after_storing"


class RehearsalOptions(Options):
    """How the rehearsal behaves. Without a folder it remembers only as long as the process lives."""

    behaviour: Behaviour = Field(default=Behaviour.DELIVER, description="What happens to cases.")
    times: int | None = Field(default=None, ge=1, description="For how many cases; afterwards it delivers. Empty: all.")
    folder: Path | None = Field(default=None, description="Where to keep what was delivered; made when needed.")


class RehearsalConnector:
    """Deliver nowhere real: keep the case in memory or a folder, or fail as asked."""

    options_model: ClassVar[type[Options]] = RehearsalOptions
    capabilities = Capabilities(repeat=Repeat.FINDABLE, look_up=True, attachments=True)

    def __init__(self, options: RehearsalOptions) -> None:
        self._folder = options.folder
        self._behaviour = options.behaviour
        self._left = options.times
        self._kept: dict[str, bytes] = {}
        self._received: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def received(self) -> Counter[str]:
        """How often each key was stored by this instance: more than once would be a double."""
        with self._lock:
            return Counter(self._received)

    def behave(self, behaviour: Behaviour, times: int | None = None) -> None:
        """Change what happens to the next cases."""
        with self._lock:
            self._behaviour, self._left = behaviour, times

    def check(self) -> None:
        """Fails while told to be unreachable."""
        if self._behaviour is Behaviour.UNREACHABLE:
            raise ConnectorError("rehearsal.unreachable")

    def find(self, key: str) -> str | None:
        """The key itself, if it was kept."""
        if self._folder is not None:
            return key if self._path(self._folder, key).exists() else None
        return key if key in self._kept else None

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Keep it, or fail as told."""
        try:
            steps.once("keep", lambda: self._take(record, key), lambda: {"key": key} if self.find(key) else None)
        except StepStopped as stop:
            return stop.outcome
        return Delivered(key)

    def _take(self, record: CaseRecord, key: str) -> dict[str, Any]:
        match self._next():
            case Behaviour.REFUSE:
                raise stopped("rehearsal.refused", "as asked")
            case Behaviour.UNREACHABLE:
                raise stopped("rehearsal.unreachable", "as asked")
            case Behaviour.HANG_UP_BEFORE:
                raise stopped("rehearsal.hung_up", "as asked, before storing")
            case Behaviour.HANG_UP_AFTER:
                self._keep(record, key)
                raise stopped("rehearsal.hung_up", "as asked, after storing")
            case Behaviour.DELIVER:
                self._keep(record, key)
        return {"key": key}

    def _next(self) -> Behaviour:
        with self._lock:
            now = self._behaviour
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self._behaviour, self._left = Behaviour.DELIVER, None
            return now

    def _keep(self, record: CaseRecord, key: str) -> None:
        content = case_json(record, key)
        with self._lock:
            self._received[key] += 1
            if self._folder is None:
                self._kept[key] = content
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path(self._folder, key).write_bytes(content)

    def kept(self, key: str) -> dict[str, Any] | None:
        """What was kept for this key, as JSON."""
        if self._folder is not None:
            path = self._path(self._folder, key)
            return json.loads(path.read_bytes()) if path.exists() else None
        return json.loads(self._kept[key]) if key in self._kept else None

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / f"{safe_name(key)}.json"

"""What an office got, on disk, so that a restart forgets nothing and a double is seen."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Ledger:
    """Append-only effects: `what` (letter, document, case …), `identity` (what may exist only once), and data."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._file = state / "effects.jsonl"
        self._calls = state / "calls.jsonl"
        self._lock = threading.RLock()
        self.when_cleared: list[Callable[[], None]] = []  # whoever keeps in memory what follows from the effects
        lines = self._file.read_text("utf-8").splitlines() if self._file.exists() else []
        self._effects: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def add(self, what: str, identity: str, key: str | None = None, **data: Any) -> dict[str, Any]:
        """Store one effect; its `number` is its place in the book, from 1."""
        with self._lock:
            effect = {"number": len(self._effects) + 1, "what": what, "identity": identity, "key": key, **data}
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(effect, ensure_ascii=False) + "\n")
            self._effects.append(effect)
            return effect

    def called(self, text: str) -> None:
        """Note that storing something was asked for, whatever becomes of it: when, and every UUID in the request."""
        call = {"at": time.time(), "ids": sorted(set(_UUID.findall(text)))}
        with self._lock, self._calls.open("a", encoding="utf-8") as file:
            file.write(json.dumps(call) + "\n")

    def calls(self) -> list[dict[str, Any]]:
        """Every request to store something, oldest first."""
        with self._lock:
            lines = self._calls.read_text("utf-8").splitlines() if self._calls.exists() else []
        return [json.loads(line) for line in lines]

    def find(self, what: str, **wanted: Any) -> dict[str, Any] | None:
        """The first effect of this kind with these values."""
        return next(iter(self.all(what, **wanted)), None)

    def all(self, what: str | None = None, **wanted: Any) -> list[dict[str, Any]]:
        """Every effect that fits, oldest first."""
        with self._lock:
            return [
                effect
                for effect in self._effects
                if what in (None, effect["what"]) and all(effect.get(name) == value for name, value in wanted.items())
            ]

    def counts(self) -> dict[str, Any]:
        """`keys`: how often each key came as a new record; `doubled`: everything that exists more than once."""
        with self._lock:
            keys = Counter(effect["key"] for effect in self._effects if effect["key"])
            identities = Counter(f"{effect['what']} {effect['identity']}" for effect in self._effects)
        return {"keys": dict(keys), "doubled": sorted(name for name, count in identities.items() if count > 1)}

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._effects.clear()
            self._file.unlink(missing_ok=True)
            self._calls.unlink(missing_ok=True)
            for forget in self.when_cleared:
                forget()

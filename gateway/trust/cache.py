"""Revocation data already fetched: in memory, and in a folder when one is given. Bounded; losing it loses nothing."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer. `fresh_until`: not asked again before; `usable_until`: worth something until then."""

    data: bytes
    fetched_at: datetime
    fresh_until: datetime
    usable_until: datetime


class EvidenceCache:
    """Answers by what was asked. Safe for threads; several processes may share the folder (files appear whole)."""

    def __init__(self, folder: Path | None = None, *, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.Lock()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def get(self, asked: bytes, at: datetime) -> Kept | None:
        """What was answered to this, if it is still worth something at `at`."""
        name = _name(asked)
        with self._lock:
            kept = self._kept.get(name) or self._from_folder(name)
            if kept is None or kept.usable_until < at:
                return None
            self._keep(name, kept)
            return kept

    def put(self, asked: bytes, kept: Kept) -> None:
        """Remember an answer; the longest unused go when there are too many."""
        name = _name(asked)
        with self._lock:
            self._keep(name, kept)
            if self._folder is not None:
                self._to_folder(name, kept)
                self._shrink_folder()

    def _keep(self, name: str, kept: Kept) -> None:
        self._kept[name] = kept
        self._kept.move_to_end(name)
        while sum(len(item.data) for item in self._kept.values()) > self._max_bytes:
            self._kept.popitem(last=False)

    def _from_folder(self, name: str) -> Kept | None:
        if self._folder is None:
            return None
        for file in self._folder.glob(f"{name}-*.der"):
            with suppress(OSError, ValueError):
                times = [datetime.fromtimestamp(int(part), UTC) for part in file.stem.split("-")[1:]]
                return Kept(file.read_bytes(), *times)
        return None

    def _to_folder(self, name: str, kept: Kept) -> None:
        assert self._folder is not None
        times = "-".join(
            str(int(moment.timestamp())) for moment in (kept.fetched_at, kept.fresh_until, kept.usable_until)
        )
        old = list(self._folder.glob(f"{name}-*.der"))
        target = self._folder / f"{name}-{times}.der"
        beside = target.with_suffix(f".{os.getpid()}.tmp")
        beside.write_bytes(kept.data)
        beside.replace(target)
        for file in old:
            if file != target:
                file.unlink(missing_ok=True)

    def _shrink_folder(self) -> None:
        assert self._folder is not None
        files = []
        for file in self._folder.glob("*.der"):
            with suppress(OSError):
                files.append((file.stat().st_mtime, file.stat().st_size, file))
        total = sum(size for _, size, _ in files)
        for _, size, file in sorted(files):
            if total <= self._max_bytes:
                return
            file.unlink(missing_ok=True)
            total -= size


def _name(asked: bytes) -> str:
    return hashlib.sha256(asked).hexdigest()

"""The folder where answers of the repository are written before anything reads them.

    <file>.<fence>.answer   octets as they come; synced to disk when the transfer has ended
    <file>.<fence>.json     written after that, whole or not at all: the answer is complete, and this is its type
    <file>.<fence>.octets   the file itself, taken out of the answer; made anew whenever it is needed
    <file>.<fence>.unread   the answer could not be understood: kept for a person
The fence is that of the try, so that a late worker never writes into the answer of the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer on this machine's disk."""

    file: UUID
    fence: int
    content_type: str
    path: Path


class Spool:
    """One folder of one machine; several processes may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has_room_for(self, size_bytes: int) -> bool:
        """Room for an answer with base64, and for the file beside it; asked before, because a transfer comes once."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return shutil.disk_usage(self.folder).free > 3 * size_bytes

    def begin(self, file: UUID, fence: int) -> BinaryIO:
        """Open for the octets of a transfer, readable by us alone. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _private(self._path(file, fence, "answer"))

    def complete(self, sink: BinaryIO, file: UUID, fence: int, content_type: str) -> Answer:
        """From here on nothing but this disk can lose it. Raises OSError."""
        _synced(sink)
        beside = self._path(file, fence, "new")
        with beside.open("wb") as note:
            note.write(json.dumps({"content_type": content_type}).encode())
            _synced(note)
        beside.replace(self._path(file, fence, "json"))
        self._sync_folder()
        return Answer(file, fence, content_type, self._path(file, fence, "answer"))

    def waiting(self) -> Iterator[Answer]:
        """Complete answers somebody has left, oldest first."""
        notes = sorted(self.folder.glob("*.json"), key=lambda note: note.name) if self.folder.is_dir() else []
        for note in notes:
            name, fence, _ = note.name.split(".")
            try:
                content_type = str(json.loads(note.read_bytes())["content_type"])
            except FileNotFoundError:  # its worker has just finished with it
                continue
            yield Answer(UUID(name), int(fence), content_type, self._path(UUID(name), int(fence), "answer"))

    def take_out(self, answer: Answer, octets: Iterable[bytes]) -> tuple[Path, str, int]:
        """Write the file itself beside its answer: (path, SHA-256, size in bytes)."""
        path, digest, size = answer.path.with_suffix(".octets"), hashlib.sha256(), 0
        with _private(path) as file:
            for piece in octets:
                digest.update(piece)
                size += file.write(piece)
        return path, digest.hexdigest(), size

    def discard(self, file: UUID, fence: int | None = None) -> None:
        """Nobody needs it any more: one try's, or all."""
        for left in self.folder.glob(f"{file}.{'*' if fence is None else fence}.*"):
            if left.suffix != ".unread":
                left.unlink(missing_ok=True)

    def set_aside(self, answer: Answer) -> None:
        """It cannot be understood: out of the way, and kept."""
        answer.path.replace(answer.path.with_suffix(".unread"))
        self.discard(answer.file, answer.fence)

    def _path(self, file: UUID, fence: int, suffix: str) -> Path:
        return self.folder / f"{file}.{fence}.{suffix}"

    def _sync_folder(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _private(path: Path) -> BinaryIO:
    """For writing anew, readable by us alone: these are citizens' files."""
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600))


def _synced(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())

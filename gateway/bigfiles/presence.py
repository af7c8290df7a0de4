"""Who is at work on a spool: each process keeps a file there locked, and the lock ends with it, however it ends.

Host names and process numbers say nothing once two containers have the same ones. This lock is the kernel's, on a file
that all who share the spool see. It needs neither clock nor connection; who signed in elsewhere is never judged.

    here/<holder>   empty; locked (flock) while its process lives
    here/id         the spool's own name, made once: holders are known by both
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_lock = threading.Lock()
_held: dict[tuple[Path, int], Path] = {}  # by folder and process: the file kept locked, never closed


class Presence:
    """This process among those that share a spool, and which of the others have ended."""

    def __init__(self, spool: Path) -> None:
        self._folder = spool / "here"

    def sign_in(self) -> str:
        """This process's name, `<spool>.<holder>`; the same until it ends. Raises OSError."""
        with _lock:
            mine = _held.get((self._folder, os.getpid()))
            if mine is None or not mine.exists():
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                mine = _held[self._folder, os.getpid()] = self._hold()
        return f"{self._spool()}.{mine.name}"

    def knows(self, name: str) -> bool:
        """Whether whoever has this name signed in here."""
        own = self._folder / "id"
        return own.exists() and name.partition(".")[0] == own.read_text("ascii")

    @contextmanager
    def departed(self) -> Iterator[frozenset[str]]:
        """The names of those who have ended; after the block they are forgotten.

        Their locks are ours meanwhile, so that nobody who is just coming in is taken for one of them.
        """
        with contextlib.ExitStack() as open_files:
            ended = [path for path in self._holders() if _taken(path, open_files)]
            yield frozenset(f"{self._spool()}.{path.name}" for path in ended)
            for path in ended:
                path.unlink(missing_ok=True)

    def _holders(self) -> list[Path]:
        return [path for path in self._folder.glob("*") if "." not in path.name and path.name != "id"]

    def _spool(self) -> str:
        path = self._folder / "id"
        if not path.exists():
            beside = self._folder / f"{uuid4().hex}.new"
            beside.write_text(uuid4().hex, "ascii")
            with contextlib.suppress(FileExistsError):
                os.link(beside, path)  # whole at once, and the first one's stays
            beside.unlink()
        return path.read_text("ascii")

    def _hold(self) -> Path:
        while True:
            path = self._folder / uuid4().hex
            file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:  # else somebody was quicker, and has taken it for one that ended
                return path
            os.close(file)


def named(worker: str, holder: str) -> str:
    """What a file's row says of who is at it: a name for people, and one for us."""
    return f"{worker} {holder}"


def holder_in(worker: str | None) -> str:
    """The name for us in it; empty where there is none."""
    return (worker or "").partition(" ")[2]


def _taken(path: Path, open_files: contextlib.ExitStack) -> bool:
    """Lock a holder's file if nobody has it locked; one that is another user's is not ours to judge."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    open_files.callback(os.close, file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

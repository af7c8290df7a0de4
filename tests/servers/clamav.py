"""A real clamd with a database of our own: one invented signature, nothing fetched, a socket in a folder."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import require
from tests.waiting import PATIENCE_S

MARK = b"fictitious-test-virus-of-brama"


@contextmanager
def clamd(folder: Path) -> Iterator[str]:
    """Run one in `folder`; yields the path of its socket. It finds whatever holds MARK."""
    program = require.program("clamd")
    (folder / "own.ndb").write_text(f"Brama.Test:0:*:{MARK.hex()}\n", "ascii")
    folder.chmod(0o755)
    wire = folder / "c.sock"
    (folder / "clamd.conf").write_text(
        f"LocalSocket {wire}\nDatabaseDirectory {folder}\nForeground yes\nLogFile {folder}/log\nUser root\n", "ascii"
    )
    command = [program, "-c", str(folder / "clamd.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not wire.exists() and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.1)
        yield str(wire)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)

"""The gateway as real processes: `brama serve` and `brama work` on a configuration folder, to be killed at will."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.waiting import PATIENCE_S, wait_until


@dataclass
class Process:
    """One running command."""

    popen: subprocess.Popen[bytes]
    log: Path

    def died_of_sigkill(self, within_s: float = PATIENCE_S) -> bool:
        """Wait for its end; was it SIGKILL, as a crash point sends?"""
        return self.popen.wait(within_s) == -signal.SIGKILL

    def kill(self) -> None:
        """SIGKILL, now."""
        self.popen.kill()
        self.popen.wait(PATIENCE_S)


@contextmanager
def brama(
    command: str, config: Path, crash_at: str | None = None, *arguments: str, before: tuple[str, ...] = ()
) -> Iterator[Process]:
    """Run `brama COMMAND --config CONFIG`; it dies at the crash point, or when the block ends.

    Args: before: a program that runs it, with its arguments.
    """
    environment = {**os.environ, **({"BRAMA_CRASH_AT": crash_at} if crash_at else {})}
    log = config / f"{command}.log"
    with log.open("ab") as out:
        popen = subprocess.Popen(
            [*before, sys.executable, "-m", "gateway", command, "--config", str(config), *arguments],
            stdout=out, stderr=out, env=environment, cwd=Path(__file__).parent.parent,
        )  # fmt: skip
    try:
        yield Process(popen, log)
    finally:
        if popen.poll() is None:
            popen.terminate()
            try:
                popen.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()


@contextmanager
def serving(config: Path, port: int, crash_at: str | None = None) -> Iterator[Process]:
    """`brama serve`, ready to take documents."""
    with brama("serve", config, crash_at) as process:
        wait_until(lambda: _ready(port, process))
        yield process


def _ready(port: int, process: Process) -> bool:
    assert process.popen.poll() is None, process.log.read_text("utf-8")[-3000:]
    try:
        return requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=PATIENCE_S).status_code == 200
    except requests.RequestException:
        return False

"""`brama serve` as a process of its own, as an operator would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from gateway.simulate.epuap import Push, PushAnswer, push
from gateway.simulate.ports import held_port
from tests.gateways import GATEWAY_TOML, write_config
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Service:
    """The running process."""

    process: subprocess.Popen[bytes]
    base: str
    log_file: Path

    @property
    def url(self) -> str:
        """Where ePUAP pushes to."""
        return self.base + "/epuap/odbiorca"

    def push(self, call: Push) -> PushAnswer:
        """One push."""
        return push(self.url, call)

    def memory_peak_bytes(self) -> int:
        """Largest resident size since the start or the last `forget_peak`, of the process itself."""
        return self._memory("VmHWM")

    def memory_bytes(self) -> int:
        """Resident size now."""
        return self._memory("VmRSS")

    def forget_peak(self) -> None:
        """Let the peak start anew from what is resident now."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024

    def stop(self) -> int:
        """SIGTERM, as a supervisor would; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)


@contextmanager
def serving(folder: Path, database_url: str, http: str = "", crash_at: str = "") -> Iterator[Service]:
    """Start it on a free port and wait until it is ready; killed at the end if it still runs.

    Args: http: further lines of the [http] table. crash_at: a name of `gateway.crashpoint`.
    """
    port = held_port()
    write_config(folder, gateway=f'database_url = "{database_url}"\n{GATEWAY_TOML}\n[http]\nport = {port}\n{http}\n')
    log_file = folder / "serve.log"
    environment = os.environ | ({"BRAMA_CRASH_AT": crash_at} if crash_at else {})
    with log_file.open("wb") as log:
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(folder)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    service = Service(process, f"http://127.0.0.1:{port}", log_file)
    try:
        wait_until(lambda: _ready(service))
        yield service
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the processes it may have started
        process.wait()


def _ready(service: Service) -> bool:
    assert service.process.poll() is None, service.log_file.read_text("utf-8", "replace")[-4000:]
    try:
        return requests.get(service.base + "/health/ready", timeout=PATIENCE_S).status_code == 200
    except requests.ConnectionError:
        return False

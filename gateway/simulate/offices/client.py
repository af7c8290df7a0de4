"""Start, stop, command and count a simulated office from tests and the demo."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.request import ProxyHandler, Request, build_opener

from gateway.simulate.ports import held_port

_OPENER = build_opener(ProxyHandler({}))


class Office:
    """A simulated office in its own process. It ends with us, however we end; its ports survive a restart."""

    def __init__(self, name: str, state: Path, *arguments: str, address: str = "127.0.0.1") -> None:
        """`address`: where its service listens; an office on the loopback is asked for none."""
        self.name = name
        self.address = address
        self.state = state
        self._arguments = arguments if address == "127.0.0.1" else (*arguments, "--address", address)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = held_port() if address == "127.0.0.1" else 0
        self.control_port = held_port()

    @property
    def url(self) -> str:
        """Where its service is, without a path."""
        return f"http://{self.address}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout_s: float = 120.0) -> Self:
        """Start it, and wait until it listens. The same ports as before, if it ran before."""
        self.state.mkdir(parents=True, exist_ok=True)
        port_file = self.state / "ports.json"
        port_file.unlink(missing_ok=True)
        command = [
            sys.executable, "-m", f"gateway.simulate.offices.{self.name}", "--with-parent",
            "--port", str(self.port), "--control-port", str(self.control_port),
            "--port-file", str(port_file), "--state", str(self.state), *self._arguments,
        ]  # fmt: skip
        with (self.state / "office.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)  # noqa: S603
        self._await(port_file, timeout_s)
        return self

    def stop(self) -> None:
        """End it at once, whatever it is doing; harmless when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # its sign to leave, see server.end_with_parent
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def restart(self) -> None:
        """Stop and start on the same ports; what it got it still has."""
        self.stop()
        self.start()

    def tell(self, mode: str, times: int | None = None, match: str | None = None, **more: Any) -> None:
        """Order a fault, see faults.MODES; `times=None` until told `up`."""
        self._call("POST", "/control", {"mode": mode, "times": times, "match": match, **more})

    def reset(self) -> None:
        """Well-behaved and empty again."""
        self._call("POST", "/control/reset", {})

    def keys(self) -> dict[str, int]:
        """How often each delivery key arrived as a new record."""
        return cast("dict[str, int]", self._call("GET", "/control/count")["keys"])

    def doubled(self) -> list[str]:
        """Everything it has more than once: must be empty."""
        return cast("list[str]", self._call("GET", "/control/count")["doubled"])

    def effects(self, what: str | None = None) -> list[dict[str, Any]]:
        """Everything it got, oldest first, or only one kind."""
        effects = cast("list[dict[str, Any]]", self._call("GET", "/control/effects"))
        return [effect for effect in effects if what in (None, effect["what"])]

    def connections(self) -> int:
        """How many connections its service has accepted since it was opened."""
        return cast("int", self._call("GET", "/control/connections"))

    def calls(self) -> list[dict[str, Any]]:
        """Every request to store something, also those it refused or dropped: `at` (epoch), `ids` (UUIDs in it)."""
        return cast("list[dict[str, Any]]", self._call("GET", "/control/calls"))

    def _call(self, method: str, path: str, order: dict[str, Any] | None = None) -> Any:
        body = None if order is None else json.dumps(order).encode()
        request = Request(f"http://127.0.0.1:{self.control_port}{path}", data=body, method=method)
        with _OPENER.open(request, timeout=60) as answer:
            return json.loads(answer.read())

    def _await(self, port_file: Path, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while not port_file.exists():
            if self._process is None or self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                log = (self.state / "office.log").read_text("utf-8", "replace")
                raise RuntimeError(f"office {self.name} did not start: {log[-2000:]}")
            time.sleep(0.02)
        ports = json.loads(port_file.read_text())
        self.port, self.control_port = ports["port"], ports.get("control", 0)

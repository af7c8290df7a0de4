"""A line to a database that can break at a named moment. `… -m gateway.simulate.offices.wire --to HOST:PORT|SOCKET`.

Control as for every office, with these modes, each for the first bytes from the caller that `match` finds:

    cut_before    the bytes are not passed on: the database never sees them
    cut_after     the bytes are passed on, the database works on them, its answer is thrown away
    down, up      does not listen, listens again
    silent        until `up` nothing passes either way and nobody is told; whoever lost something is cut off then
"""

from __future__ import annotations

import argparse
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.simulate.offices.ledger import Ledger
from gateway.simulate.offices.server import announce, control_server, end_with_parent

_ANSWERS_WITHIN_S = 60.0  # a database that says nothing at all to what it was sent


@dataclass
class _Talk:
    """One conversation: `mute` keeps the database's words from the caller, `answered` says that there were some."""

    mute: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)


class Line:
    """Listens, connects through, and cuts as told."""

    def __init__(self, target: str, port: int, state: Path) -> None:
        self.ledger = Ledger(state)
        self.port = port
        self._target = target
        self._orders: list[dict[str, Any]] = []
        self._listener: socket.socket | None = None
        self._passing = threading.Event()
        self._passing.set()
        self._lock = threading.Lock()

    def open(self) -> int:
        """Listen; the same port again after `close`."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self.port

    def close(self) -> None:
        """Stop listening. Open lines stay."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def tell(self, order: dict[str, Any]) -> None:
        """Follow an order of the control port."""
        if order["mode"] == "up":
            self._orders.clear()
            self._passing.set()
            self.open()
        elif order["mode"] == "down":
            self.close()
        elif order["mode"] == "silent":
            self._passing.clear()
        else:
            with self._lock:
                self._orders.append({"times": 1, **{name: value for name, value in order.items() if value is not None}})

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:  # we were told to go down
                return
            try:
                database = self._connect()
            except OSError:  # the database is down: so are we, for this caller
                caller.close()
                continue
            talk = _Talk()
            for source, sink, watched in ((caller, database, True), (database, caller, False)):
                threading.Thread(target=self._pass, args=(source, sink, watched, talk), daemon=True).start()

    def _connect(self) -> socket.socket:
        if self._target.startswith("/"):
            line = socket.socket(socket.AF_UNIX)
            line.connect(self._target)
            return line
        host, _, port = self._target.rpartition(":")
        return socket.create_connection((host, int(port)))

    def _pass(self, source: socket.socket, sink: socket.socket, watched: bool, talk: _Talk) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self._passing.is_set():  # these bytes are gone, and with them the conversation
                    break
                order = self._order(data) if watched else None
                if order is not None:
                    talk.mute.set()
                    self._cut(order, data, source, sink, talk)
                    return
                if watched or not talk.mute.is_set():
                    sink.sendall(data)
                else:
                    talk.answered.set()
        self._passing.wait()  # who went away while nothing passed: the other side does not hear of it
        for line in (source, sink):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _order(self, data: bytes) -> dict[str, Any] | None:
        text = data.decode("latin-1")
        with self._lock:
            for order in self._orders:
                if re.search(order["match"], text):
                    order["times"] -= 1
                    if order["times"] <= 0:
                        self._orders.remove(order)
                    return order
        return None

    def _cut(
        self, order: dict[str, Any], data: bytes, caller: socket.socket, database: socket.socket, talk: _Talk
    ) -> None:
        if order["mode"] == "cut_after":
            database.sendall(data)
            talk.answered.wait(_ANSWERS_WITHIN_S)  # it has done what it was sent
        for line in (caller, database):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--with-parent", action="store_true")
    options = parser.parse_args()
    line = Line(options.to, options.port, options.state)
    control = control_server(line, options.control_port)
    announce(options.port_file, {"port": line.open(), "control": control.server_address[1]})
    if options.with_parent:
        end_with_parent()
    control.serve_forever(0.05)


if __name__ == "__main__":
    main()

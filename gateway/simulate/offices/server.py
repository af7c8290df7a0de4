"""The frame of a simulated office over HTTP: a service port with faults, and a control port that always answers.

POST /control        {"mode": "...", "times": 1, "match": "regex", "seconds": 3, "skip": 0}; modes: see faults.MODES
POST /control/reset  forget orders and effects
GET  /control/count  {"keys": {key: n}, "doubled": [...]}
GET  /control/effects
GET  /control/connections  how many the service has accepted
GET  /control/calls  every request to store something: [{"at": seconds of the epoch, "ids": [UUIDs in it]}]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from gateway.simulate.offices.faults import Fault, Faults
from gateway.simulate.offices.ledger import Ledger

_QUIET = frozenset({"hang_up_before_storing", "unavailable", "error_page", "unauthorized", "redirect", "say"})
_GARBAGE = b"<html><body>Prosimy spr\xf3bowa\xe6 p\xf3\xbcniej</body>"


@dataclass(frozen=True)
class Request:
    """What came in. Header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """What goes out."""

    status: int
    body: bytes
    content_type: str = "text/xml; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class Office(Protocol):
    """What a particular office knows: its own operations and how it says no."""

    def is_effect(self, request: Request) -> bool:
        """Would this request store something?"""
        ...

    def answer(self, request: Request) -> Response:
        """Do what is asked, and answer."""
        ...

    def refusal(self, request: Request, inside_success: bool) -> Response:
        """Say no, in this office's way; `inside_success`: with HTTP 200 around it."""
        ...


class Controlled(Protocol):
    """What the control port needs."""

    ledger: Ledger

    def tell(self, order: dict[str, Any]) -> None:
        """Follow an order."""
        ...


class Desk:
    """One office at work: its service listener (which may go down), its faults, its book."""

    def __init__(self, make: Callable[[Ledger], Office], port: int, state: Path, address: str = "127.0.0.1") -> None:
        self.address = address
        self.ledger = Ledger(state)
        self.faults = Faults()
        self.office = make(self.ledger)
        self.port = port
        self._server: _Server | None = None
        self._lock = threading.Lock()
        self.keep_alive_s: float | None = None

    @property
    def connections(self) -> int:
        """How many its service has accepted since it was opened."""
        return self._server.connections if self._server else 0

    def open(self) -> int:
        """Listen; the same port again after `close`."""
        with self._lock:
            if self._server is None:
                self._server = _Server((self.address, self.port), _ServiceHandler, self)
                self.port = self._server.server_address[1]
                self._server.keep_alive_s = self.keep_alive_s
                threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self.port

    def close(self) -> None:
        """Stop listening: callers are refused by the system."""
        with self._lock:
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None

    def tell(self, order: dict[str, Any]) -> None:
        """Follow an order of the control port."""
        fault = Fault(**order)
        if fault.mode == "up":
            self.faults.clear()
            self.open()
        elif fault.mode == "down":
            self.close()
        else:
            self.faults.tell(fault)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], desk: Any) -> None:
        self.desk = desk
        self.connections = 0  # accepted so far
        self.keep_alive_s: float | None = None  # None: each answer ends its connection
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        """Note the connection; one that lies idle too long is closed."""
        super().setup()
        self.connection.settimeout(self.server.keep_alive_s)
        self.server.connections += 1

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def _read(self) -> Request:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, self.rfile.read(length))

    def _write(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in {"Content-Type": response.content_type, **response.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        if self.server.keep_alive_s is None:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.body)
        self.close_connection = self.close_connection or self.server.keep_alive_s is None

    def do_GET(self) -> None:
        """GET."""
        self._serve()

    def do_POST(self) -> None:
        """POST."""
        self._serve()

    def do_PUT(self) -> None:
        """PUT."""
        self._serve()

    def _serve(self) -> None:
        raise NotImplementedError


class _ControlHandler(_Handler):
    def _serve(self) -> None:
        desk, request = self.server.desk, self._read()
        try:
            match (request.method, request.path):
                case ("GET", "/control/count"):
                    answer: Any = desk.ledger.counts()
                case ("GET", "/control/effects"):
                    answer = desk.ledger.all()
                case ("GET", "/control/connections"):
                    answer = desk.connections
                case ("GET", "/control/calls"):
                    answer = desk.ledger.calls()
                case ("POST", "/control/reset"):
                    desk.tell({"mode": "up"})
                    desk.ledger.clear()
                    answer = {}
                case ("POST", "/control"):
                    desk.tell(json.loads(request.body))
                    answer = {}
                case _:
                    self._write(Response(404, b"{}", "application/json"))
                    return
        except (ValueError, TypeError) as error:
            self._write(Response(400, json.dumps({"error": str(error)}).encode(), "application/json"))
            return
        self._write(Response(200, json.dumps(answer, ensure_ascii=False).encode(), "application/json"))


class _ServiceHandler(_Handler):
    def _serve(self) -> None:
        desk, request = self.server.desk, self._read()
        line = f"{request.method} {request.path} {request.headers.get('soapaction', '')} "
        text = line + request.body[:200_000].decode("utf-8", "replace")
        is_effect = desk.office.is_effect(request)
        if is_effect:
            desk.ledger.called(text)
        fault = desk.faults.next(text, is_effect)
        if fault is None:
            self._write(desk.office.answer(request))
        elif fault.mode in ("refuse", "error_in_success"):
            self._write(desk.office.refusal(request, fault.mode == "error_in_success"))
        elif fault.mode in _QUIET:
            self._fail_before(fault)
        else:
            self._fail_after(fault, desk.office.answer(request))

    def _fail_before(self, fault: Fault) -> None:
        match fault.mode:
            case "unavailable":
                self._write(Response(503, b"", headers={"Retry-After": "7"}))
            case "error_page":
                self._write(Response(500, b"<html><body>Server Error</body></html>", "text/html"))
            case "unauthorized":
                self._write(Response(401, b"", headers={"WWW-Authenticate": 'Basic realm="urzad"'}))
            case "redirect":
                self._write(Response(302, b"", headers={"Location": "http://127.0.0.1:9/"}))
            case "say":
                self._write(Response(fault.status, fault.body.encode()))
            case _:
                self._hang_up()

    def _fail_after(self, fault: Fault, response: Response) -> None:
        match fault.mode:
            case "slow":
                self.server.desk.faults.pause(fault.seconds)
                self._write(response)
            case "drip":
                self._drip(response, fault.seconds)
            case "garbage":
                self._write(Response(200, _GARBAGE, response.content_type))
            case "truncate":
                self._half(response)
            case "huge":
                self._endless()
            case _:
                self._hang_up()

    def _hang_up(self) -> None:
        """Reset the connection: no answer, not even an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _half(self, response: Response) -> None:
        self._head(response.status, response.content_type, len(response.body))
        self.wfile.write(response.body[: len(response.body) // 2])
        self.wfile.flush()

    def _drip(self, response: Response, seconds: float) -> None:
        self._head(response.status, response.content_type, len(response.body))
        for byte in response.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(seconds / len(response.body))

    def _endless(self) -> None:
        self._head(200, "text/xml", 10**12)
        while True:
            self.wfile.write(b" " * 65536)

    def _head(self, status: int, content_type: str, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.close_connection = True


def run(
    make: Callable[[Ledger, argparse.Namespace], Office],
    add: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> None:
    """Read `--port`, `--control-port`, `--port-file`, `--state`; start, say where, serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--address", default="127.0.0.1", help="of the service; the control port stays on loopback")
    parser.add_argument("--keep-alive", type=float, help="seconds until it closes an idle connection; none: at once")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--with-parent", action="store_true", help="end when stdin ends")
    add(parser)
    options = parser.parse_args()
    desk = Desk(lambda ledger: make(ledger, options), options.port, options.state, options.address)
    desk.keep_alive_s = options.keep_alive
    control = control_server(desk, options.control_port)
    announce(options.port_file, {"port": desk.open(), "control": control.server_address[1]})
    if options.with_parent:
        end_with_parent()
    control.serve_forever(0.05)


def control_server(desk: Controlled, port: int) -> ThreadingHTTPServer:
    """The control port of anything that has a book and takes orders."""
    return _Server(("127.0.0.1", port), _ControlHandler, desk)


def announce(port_file: Path, ports: dict[str, int]) -> None:
    """Write where we listen, whole or not at all."""
    beside = port_file.with_suffix(".new")
    beside.write_text(json.dumps(ports))
    beside.replace(port_file)


def end_with_parent() -> None:
    """End the process when its stdin does: whoever started us is gone, however it went."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()

"""CRL, OCSP and time-stamp responders on loopback, with the faults real ones have: slow, huge, redirecting, silent."""

from __future__ import annotations

import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.simulate.pki import Identity

Answer = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Served:
    """What one path answers. `drip_s` sends one byte at a time; `redirect` answers 302 with that Location."""

    answer: Answer
    status: int = 200
    delay_s: float = 0.0
    drip_s: float = 0.0
    redirect: str | None = None
    declared_length: int | None = None


@dataclass
class _Desk:
    served: dict[str, Served] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


class Responders:
    """A loopback HTTP server in a thread of its own; use it as a context manager.

    `asked` lists every request as "METHOD path", so that tests can say what was and what was not asked.
    """

    def __init__(self, tls: Identity | None = None) -> None:
        self._desk = _Desk()
        self._server = _Server(("127.0.0.1", 0), _handler(self._desk))
        if tls is not None:
            self._server.socket = _secured(self._server.socket, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Responders:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._desk.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, as an allow-list wants it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def asked(self) -> list[str]:
        """Every request so far."""
        return list(self._desk.asked)

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://{self.host}{path}"

    def serve(self, path: str, answer: bytes | Answer, **how: object) -> str:
        """Answer `path` from now on; `how` are fields of `Served`. Returns its address."""
        said = answer if callable(answer) else _always(answer)
        self._desk.served[path] = Served(said, **how)  # type: ignore[arg-type]
        return self.url(path)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that goes away, or trusts another certificate, is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _secured(plain: socket.socket, tls: Identity) -> socket.socket:
    """The socket behind TLS with this certificate, which no system trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        key = tls.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write(key + tls.certificate_pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)


def _always(answer: bytes) -> Answer:
    return lambda _: answer


def _handler(desk: _Desk) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, body: bytes) -> None:
            desk.asked.append(f"{self.command} {self.path}")
            served = desk.served.get(self.path)
            if served is None:
                self.send_error(404)
                return
            desk.closing.wait(served.delay_s)
            data = served.answer(body)
            self.send_response(302 if served.redirect else served.status)
            if served.redirect:
                self.send_header("Location", served.redirect)
            self.send_header("Content-Length", str(served.declared_length or len(data)))
            self.end_headers()
            self._send(data, served.drip_s)

        def _send(self, data: bytes, drip_s: float) -> None:
            try:
                if not drip_s:
                    self.wfile.write(data)
                    return
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(drip_s)
                    if desk.closing.is_set():
                        return
            except OSError:  # the caller has had enough
                self.close_connection = True

    return Handler

"""The first byte decides: what TLS, proxies and slow names do to an exchange, on real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.http import AnswerLost, Http, HttpOptions, NotSent, Reply, retry_after


class Handler(BaseHTTPRequestHandler):
    """Answers everything with `ok`, and counts."""

    def do_POST(self) -> None:
        self.server.got.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Handler)
    server.got = []
    server.handle_error = lambda *_: None  # a caller that goes away in the handshake is what we test
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(server: Any, scheme: str = "https", **options: Any) -> bytes:
    url = f"{scheme}://127.0.0.1:{server.server_port}/"
    return Http(HttpOptions.model_validate({"timeout_s": 30.0, **options})).send("POST", url, content=b"x").content


class Authority:
    """A CA and what it issues, as PEM files."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(self._issue(self._subject, self._key.public_key(), is_ca=True))

    def issue(self, name: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = self.folder / f"{self.name}-{name}.pem"
        file.write_bytes(private + self._issue(subject, key.public_key(), is_ca=False))
        return file

    def _issue(self, subject: x509.Name, public: Any, is_ca: bool) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "urzad")


def server_side(authority: Authority, clients: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("serwer"))
    if clients is not None:
        context.load_verify_locations(clients.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_certificate_of_the_named_authority_is_accepted(authority: Authority) -> None:
    with serving(server_side(authority)) as server:
        assert send(server, ca_file=authority.certificate) == b"ok"


def test_any_other_certificate_ends_it_before_the_first_byte(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "obcy")
    with serving(server_side(authority)) as server:
        for options in ({"ca_file": other.certificate}, {}):
            with pytest.raises(NotSent):
                send(server, **options)
        assert server.got == []


def test_a_client_certificate_lets_us_in(authority: Authority) -> None:
    with serving(server_side(authority, authority)) as server:
        options = {"ca_file": authority.certificate, "client_certificate": authority.issue("brama")}
        assert send(server, **options) == b"ok"


@pytest.mark.parametrize("ours", [True, False])
def test_without_the_right_client_certificate_nothing_is_done_there(
    authority: Authority, tmp_path: Path, ours: bool
) -> None:
    """TLS 1.3 tells us only after the request left: on our side that is a doubt, and asking settles it."""
    options: dict[str, Any] = {"ca_file": authority.certificate}
    if ours:
        options["client_certificate"] = Authority(tmp_path, "obcy").issue("brama")
    with serving(server_side(authority, authority)) as server:
        with pytest.raises((NotSent, AnswerLost)):
            send(server, **options)
        assert server.got == []


def test_plain_http_where_tls_is_expected_ends_before_the_first_byte() -> None:
    with serving() as server, pytest.raises(NotSent):
        send(server)


def test_a_proxy_that_refuses_the_tunnel_got_no_request() -> None:
    with serving() as proxy:  # it knows no CONNECT: 501
        http = Http(HttpOptions(timeout_s=30.0, proxy=f"http://127.0.0.1:{proxy.server_port}"))
        with pytest.raises(NotSent):
            http.send("POST", "https://urzad.invalid/", content=b"x")
        assert proxy.got == []


def test_a_name_that_does_not_resolve_was_not_sent_to() -> None:
    with pytest.raises(NotSent):
        Http(HttpOptions(timeout_s=30.0)).send("POST", "http://nie-ma-takiej.invalid/", content=b"x")


def test_a_server_that_accepts_and_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        began = time.monotonic()
        with pytest.raises(AnswerLost) as lost:
            Http(HttpOptions(timeout_s=0.3)).send("POST", url, content=b"x")

    assert lost.value.code == "http.timeout"
    assert time.monotonic() - began < 60  # by itself it would never end


def test_the_environments_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving() as server:
        assert send(server, "http") == b"ok"


@pytest.mark.parametrize(
    ("header", "lowest", "highest"),
    [
        ("7", 7, 7),
        (format_datetime(datetime.now(UTC) + timedelta(hours=2)), 3600, 7200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
    ],
    ids=["seconds", "a date to come", "a date gone by"],
)
def test_a_time_to_come_back_is_understood_as_seconds_or_date(header: str, lowest: float, highest: float) -> None:
    waits = retry_after(Reply(503, {"Retry-After": header}, b""))

    assert waits is not None
    assert lowest <= waits <= highest


@pytest.mark.parametrize(
    "header", ["99999999999999", format_datetime(datetime.now(UTC) + timedelta(days=9000))], ids=["seconds", "a date"]
)
def test_nobody_keeps_a_case_waiting_longer_than_a_day(header: str) -> None:
    assert retry_after(Reply(503, {"Retry-After": header}, b"")) == 86400


@contextlib.contextmanager
def dripping(port: int) -> Iterator[int]:
    """A line to `port` on which answers come byte by byte: each read is in time, all together are not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def carry() -> None:
            near, _ = listener.accept()
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                back = threading.Thread(target=drip, args=(far, near))
                back.start()
                with contextlib.suppress(OSError):
                    while piece := near.recv(4096):
                        far.sendall(piece)
                with contextlib.suppress(OSError):
                    far.shutdown(socket.SHUT_RDWR)
                back.join()

        def drip(far: socket.socket, near: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while piece := far.recv(1):
                    time.sleep(0.002)
                    near.sendall(piece)

        thread = threading.Thread(target=carry)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_time_used_up_by_the_handshake_lets_no_request_out(authority: Authority) -> None:
    with serving(server_side(authority)) as server, dripping(server.server_port) as port:
        options = HttpOptions.model_validate({"timeout_s": 0.3, "ca_file": authority.certificate})
        with pytest.raises(NotSent):
            Http(options).send("POST", f"https://127.0.0.1:{port}/", content=b"x")

    assert server.got == []


@pytest.mark.parametrize("header", ["", "soon", "-5", "\u00b2"])
def test_no_time_to_come_back_leaves_it_to_us(header: str) -> None:
    assert retry_after(Reply(503, {"Retry-After": header}, b"")) is None


def test_secrets_do_not_show_in_options() -> None:
    assert "tajne" not in repr(HttpOptions(user="brama", password="tajne"))  # type: ignore[arg-type]

"""The only network client for revocation data and time-stamps: listed hosts, small answers, short waits.

Addresses come from certificates, that is, from whoever made them: nothing outside the configured list is ever
contacted, no redirect leaves it, no credentials, cookies, compression or proxies from the environment are used.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from schemas.errors import TrustError

_CHUNK = 65536
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """`hosts`: "name" (default ports) or "name:port", exactly as they appear in addresses; nothing else is asked.

    `timeout_s` is for one whole exchange, redirects included. `proxy`: "http://host:port", or empty. `ca_file`: PEM
    with the CAs to believe instead of the system's.
    """

    hosts: frozenset[str]
    timeout_s: float = 10.0
    max_bytes: int = 32 * 1024 * 1024
    max_redirects: int = 3
    proxy: str = ""
    ca_file: Path | None = None

    @classmethod
    def of(cls, hosts: Iterable[str]) -> FetchPolicy:
        """The usual limits for these hosts."""
        return cls(hosts=frozenset(host.lower() for host in hosts))


class Client(Protocol):
    """What asks: the real one, or none at all where everything must come from bundles."""

    def get(self, url: str) -> bytes:
        """The body behind an address. Raises TrustError."""
        ...

    def post(self, url: str, body: bytes, content_type: str) -> bytes:
        """The body answered to a request. Raises TrustError."""
        ...


class FetchClient:
    """Asks listed hosts over http(s). Safe to share between threads: it keeps no state."""

    def __init__(self, policy: FetchPolicy) -> None:
        self.policy = policy
        self._tls = ssl.create_default_context(cafile=policy.ca_file)

    def get(self, url: str) -> bytes:
        """GET. Raises TrustError with a code `trust.fetch_*`."""
        return self._follow("GET", url, None, {})

    def post(self, url: str, body: bytes, content_type: str) -> bytes:
        """POST; a redirect of it is refused. Raises as `get`."""
        return self._follow("POST", url, body, {"Content-Type": content_type})

    def _follow(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        deadline = _Deadline(self.policy.timeout_s)
        try:
            for _ in range(self.policy.max_redirects + 1):
                status, location, data = self._once(method, url, body, headers, deadline)
                if status == 200:
                    return data
                if status not in _REDIRECTS or not location or method != "GET":
                    raise TrustError("trust.fetch_status", host=_host(url), status=status)
                url = urljoin(url, location)
            raise TrustError("trust.fetch_redirects", host=_host(url), limit=self.policy.max_redirects)
        finally:
            deadline.over()

    def _once(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], deadline: _Deadline
    ) -> tuple[int, str | None, bytes]:
        parts = self._allowed(url)
        connection = self._connection(parts)
        try:
            connection.connect()
            deadline.guard(connection.sock)
            connection.request(method, self._target(parts, url), body, {"Accept-Encoding": "identity", **headers})
            response = connection.getresponse()
            answered = response.status, response.getheader("Location"), self._read(response, url)
            if deadline.passed:  # a body without declared length just seems to end when the connection is cut
                raise TimeoutError
            return answered
        except (OSError, http.client.HTTPException, ValueError) as error:
            code = (
                "trust.fetch_too_slow" if deadline.passed or isinstance(error, TimeoutError) else "trust.fetch_failed"
            )
            raise TrustError(code, host=_host(url), reason=type(error).__name__) from error
        finally:
            connection.close()

    def _allowed(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise TrustError("trust.fetch_not_allowed", host="?") from error
        name = (parts.hostname or "").lower()
        usual = port == _PORTS.get(parts.scheme)
        listed = f"{name}:{port}" in self.policy.hosts or (usual and name in self.policy.hosts)
        clean = parts.username is None and not any(ord(sign) <= 32 for sign in url)
        if parts.scheme not in _PORTS or not listed or not clean:
            raise TrustError("trust.fetch_not_allowed", host=_host(url))
        return parts

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        proxy = urlsplit(self.policy.proxy) if self.policy.proxy else None
        near, near_port = (proxy.hostname or "", proxy.port or 3128) if proxy else (host, port)
        if parts.scheme == "http":
            return http.client.HTTPConnection(near, near_port, timeout=self.policy.timeout_s)
        secure = http.client.HTTPSConnection(near, near_port, timeout=self.policy.timeout_s, context=self._tls)
        if proxy:
            secure.set_tunnel(host, port)
        return secure

    def _target(self, parts: SplitResult, url: str) -> str:
        if self.policy.proxy and parts.scheme == "http":
            return url
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _read(self, response: http.client.HTTPResponse, url: str) -> bytes:
        """The whole body, never more than allowed, whatever length was declared."""
        parts: list[bytes] = []
        size = 0
        while chunk := response.read(_CHUNK):
            size += len(chunk)
            if size > self.policy.max_bytes:
                raise TrustError("trust.fetch_too_large", host=_host(url), limit_bytes=self.policy.max_bytes)
            parts.append(chunk)
        if response.length:  # http.client does not complain about a body shorter than declared when read in chunks
            raise http.client.IncompleteRead(b"".join(parts), response.length)
        return b"".join(parts)


class _Deadline:
    """Cuts the connection when the time is up: a socket's own time-out starts anew with every byte that drips in."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def guard(self, connected: socket.socket) -> None:
        """Watch this socket from now on."""
        self._socket = connected
        if self.passed:
            self._cut()

    def over(self) -> None:
        """The exchange has ended."""
        self._timer.cancel()

    def _cut(self) -> None:
        self.passed = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # closed already


def _host(url: str) -> str:
    """Only the host is ever told: a query may hold what is nobody's business."""
    try:
        return (urlsplit(url).hostname or "?")[:100]
    except ValueError:
        return "?"

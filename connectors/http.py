"""One HTTP exchange whose failures say whether anything can have reached the other side.

The rule is the first byte: a failure before a byte of the request was given to the socket (name, refusal, TLS
handshake, proxy, time) is `NotSent`; any failure after it is `AnswerLost`, even if the request was cut off half-way,
because from here we cannot see how much arrived. Each effect therefore gets its own connection: a kept-alive one that
died unnoticed would turn plain outages into doubts; questions may share kept ones (`connectors.kept`). One deadline
holds for the whole exchange, however slowly the answer drips.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

import requests
from pydantic import Field, SecretStr
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from connectors.base import Options
from connectors.clock import now
from connectors.kept import Sessions, Use
from connectors.outcomes import outcome, technical
from schemas.delivery import Outcome
from schemas.errors import ConnectorError
from schemas.octets import Octets

_CHUNK = 64 * 1024
_LONGEST_PAUSE_S = 86400.0


class HttpOptions(Options):
    """What every connector over HTTP can be told. TLS verification cannot be switched off; name the CA instead."""

    user: str | None = Field(default=None, description="User of HTTP Basic authentication.")
    password: SecretStr | None = Field(default=None, description="Its password, by reference (env:, file:).")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers sent with every call.")
    ca_file: Path | None = Field(default=None, description="CA certificates (PEM) the office's certificate chains to.")
    client_certificate: Path | None = Field(default=None, description="Our certificate (PEM) for mutual TLS.")
    client_key: Path | None = Field(default=None, description="Its private key (PEM, unencrypted).")
    proxy: str | None = Field(default=None, description="Proxy URL; the environment's proxies are not used.")
    max_answer_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, description="Larger answers are not read.")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, whatever its status. zeep reads the same names."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class ExchangeFailed(ConnectorError):
    """No whole answer came. `outcome()` is what that means for an effect; for a question it means: not known."""

    def outcome(self) -> Outcome:
        """Unreachable when nothing was sent, else Unsettled."""
        return outcome(self.code, str(self.facts.get("reason", "")))


class NotSent(ExchangeFailed):
    """Failed before the first byte of the request: the other side surely did nothing."""

    code = "http.not_sent"


class AnswerLost(ExchangeFailed):
    """Failed after the first byte: the other side may have done it. Also `http.timeout`, `http.answer_too_large`."""

    code = "http.answer_lost"


class Http:
    """A session factory for one office: TLS, credentials, limits. Safe to use from several threads."""

    def __init__(self, options: HttpOptions, *, keep_alive_s: float = 0.0) -> None:
        """`keep_alive_s`: how long a connection may lie idle between exchanges that allow it; 0 keeps none."""
        self._options = options
        self._sessions = Sessions(partial(self._session, kept=True), keep_alive_s) if keep_alive_s > 0 else None

    def send(
        self,
        method: str,
        url: str,
        *,
        content: bytes | Octets | None = None,
        headers: Mapping[str, str] | None = None,
        auth: AuthBase | None = None,
        parts: Any = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        into: Callable[[bytes], object] | None = None,
        use: Use = Use.FRESH,
    ) -> Reply:
        """One exchange; redirects are not followed.

        Args:   into: gets the answer's body piece by piece as it comes; the reply's own content is empty then.
                use: its own connection, or a kept one.
        Raises: NotSent, AnswerLost.
        """
        request = partial(
            self._exchange, timeout_s or self._options.timeout_s, into, method=method, url=url, data=content,
            headers=dict(headers or {}), auth=auth, files=parts, params=query,
        )  # fmt: skip
        if self._sessions is None or use is Use.FRESH:
            with self._session() as session:
                return request(session)
        return self._over_kept(self._sessions, request, again=use is Use.QUESTION and into is None)

    def close(self) -> None:
        """Close idle connections; it may be used again."""
        if self._sessions is not None:
            self._sessions.close()

    def _over_kept(self, sessions: Sessions, request: Callable[[requests.Session], Reply], *, again: bool) -> Reply:
        held = sessions.take()
        try:
            reply = request(held.session)
        except ExchangeFailed as error:
            held.session.close()
            if held.exchanges == 0 or not again or error.code != AnswerLost.code:
                raise
            held = sessions.new()  # the kept one had died; a question may be asked again, once
            reply = request(held.session)
        sessions.give_back(held)
        return reply

    def _exchange(
        self, limit: float, into: Callable[[bytes], object] | None, session: requests.Session, **request: Any
    ) -> Reply:
        exchange = _Exchange()
        try:
            with exchange.deadline(limit):
                body = bytearray()
                with session.request(timeout=limit, allow_redirects=False, stream=True, **request) as response:
                    self._read(response, into or body.extend)  # cut off amid it, the connection is closed at once
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise exchange.failure(error) from error
        if exchange.cut_off:  # a cut connection can look like the end of an answer without a length
            raise exchange.failure(TimeoutError("deadline"))
        return Reply(response.status_code, response.headers, bytes(body))

    def _session(self, *, kept: bool = False) -> requests.Session:
        options = self._options
        session = requests.Session()
        session.trust_env = False
        session.verify = str(options.ca_file) if options.ca_file else True
        if options.client_certificate:
            key = options.client_key or options.client_certificate
            session.cert = (str(options.client_certificate), str(key))
        if options.proxy:
            session.proxies = {"http": options.proxy, "https": options.proxy}
        if options.user is not None:
            password = options.password.get_secret_value() if options.password else ""
            session.auth = HTTPBasicAuth(options.user.encode(), password.encode())  # as text it would go out as latin-1
        connection = "keep-alive" if kept else "close"
        session.headers.update({"User-Agent": "brama", "Connection": connection, **options.headers})
        session.mount("http://", _WatchedAdapter())
        session.mount("https://", _WatchedAdapter())
        return session

    def _read(self, response: requests.Response, into: Callable[[bytes], object]) -> None:
        size = 0
        for chunk in response.iter_content(_CHUNK):
            size += len(chunk)
            if size > self._options.max_answer_bytes:
                raise AnswerLost("http.answer_too_large", limit_bytes=self._options.max_answer_bytes)
            into(chunk)


_ELSEWHERE = frozenset({307, 308, 404, 405, 410})  # the request itself was not taken; it belongs elsewhere
_MAY_BE_DONE = frozenset({408, 425})


def refusal_of(reply: Reply) -> Outcome | None:
    """What a status other than 2xx means for an effect; None for 2xx: the body decides.

    A redirect after a POST is also how services say "done, look there", and 409 how others say "I have this one".
    """
    status = reply.status_code
    if 200 <= status < 300:
        return None
    text = f"HTTP {status}"
    if status in (429, 503):
        return outcome("http.later", text, retry_after(reply))
    if status in (401, 403, 407):
        return outcome("http.not_admitted", text)
    if 300 <= status < 400 and status not in _ELSEWHERE:
        return outcome("http.redirected", text)
    if status == 409:
        return outcome("http.conflict", text)
    if status in _ELSEWHERE:
        return outcome("http.wrong_address", text)
    return outcome("http.refused" if 400 <= status < 500 and status not in _MAY_BE_DONE else "http.status", text)


def retry_after(reply: Reply) -> float | None:
    """Seconds the other side asks us to wait, given as seconds or as a date, a day at most; None when it names no time.

    Who asks for more has a wrong clock or a wrong setting, and the case must not lie for years.
    """
    text = reply.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return _bounded(float(text))
    try:
        wanted = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    return _bounded((aware - now()).total_seconds())


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), _LONGEST_PAUSE_S)


class _Exchange:
    """What happened on the wire so far: connected, sent, cut off by our deadline."""

    def __init__(self) -> None:
        self.sent = False
        self.cut_off = False
        self.socket: socket.socket | None = None

    @contextlib.contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        token = _CURRENT.set(self)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            _CURRENT.reset(token)

    def about_to_send(self) -> None:
        """The last look before the first byte. Raises TimeoutError: connecting took all the time there was.

        A slow name or handshake must not let a request out later than whoever sends it may still send.
        """
        if self.cut_off and not self.sent:
            raise TimeoutError("connecting took too long")
        self.sent = True

    def failure(self, error: Exception) -> ExchangeFailed:
        if isinstance(error, ExchangeFailed):
            return error
        if not self.sent:
            return NotSent(reason=technical(_root(error)))
        late = self.cut_off or isinstance(error, (requests.Timeout, TimeoutError))
        return AnswerLost("http.timeout" if late else "http.answer_lost", reason=technical(error))

    def _cut(self) -> None:
        self.cut_off = True
        if self.socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # the plain one: a reader may be inside TLS


def _root(error: BaseException) -> BaseException:
    """What really happened, below the layers of requests and urllib3 that say only that they tried."""
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            return _root(inner)
    return error


_CURRENT: ContextVar[_Exchange | None] = ContextVar("exchange", default=None)


class _Watched:
    """Mixed into urllib3's connections: tells the current exchange when it connects and when it sends.

    Inside `connect` a proxy's CONNECT is sent through `send` too; that is not the request yet.
    """

    sock: Any
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting = False
        exchange = _CURRENT.get()
        if exchange is not None:
            exchange.socket = self.sock

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _CURRENT.get()
        if exchange is not None and not self._connecting:
            exchange.socket = self.sock  # a kept connection was made by an earlier exchange
            exchange.about_to_send()
        super().send(data)  # type: ignore[misc]


class _WatchedHttp(_Watched, HTTPConnection):
    pass


class _WatchedHttps(_Watched, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHttps


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _WatchedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

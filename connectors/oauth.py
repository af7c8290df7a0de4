"""OAuth 2 access tokens for machine clients, kept until shortly before they end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from urllib.parse import urlencode

from pydantic import Field, SecretStr
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connectors.base import Part
from connectors.http import ExchangeFailed, Http, NotSent
from connectors.outcomes import said, stopped

_EARLY_S = 30.0


class ClientCredentials(Part):
    """OAuth 2 client credentials (RFC 6749, 4.4), sent in the body."""

    token_url: str
    client_id: str
    client_secret: SecretStr = Field(description="By reference (env:, file:).")
    scope: str | None = None

    def form(self) -> dict[str, str]:
        """What the authorisation server is sent."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
        }
        return form | ({"scope": self.scope} if self.scope else {})


class Tokens:
    """Gets a token when there is none, or when the one there is ends soon. Safe to use from several threads."""

    def __init__(self, http: Http, url: str, form: Callable[[], dict[str, str]]) -> None:
        self._http = http
        self._url = url
        self._form = form
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def current(self) -> str:
        """The access token. Raises: StepStopped `http.no_token`: nothing was sent to the office."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._renew()
            return self._token

    def forget(self) -> None:
        """The office did not admit it."""
        with self._lock:
            self._until = 0.0

    def _renew(self) -> None:
        try:
            status, content = self._ask()
            answer = json.loads(content)
            token, lasts_s = str(answer["access_token"]), float(answer.get("expires_in", 60))
        except ExchangeFailed as error:
            raise stopped("http.no_token", error.code) from error
        except (ValueError, KeyError, TypeError) as error:
            raise stopped("http.no_token", said(f"HTTP {status}, no access_token")) from error
        self._token, self._until = token, time.monotonic() + max(0.0, lasts_s - _EARLY_S)

    @retry(
        retry=retry_if_exception_type(NotSent),
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        reraise=True,
    )
    def _ask(self) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        reply = self._http.send("POST", self._url, content=urlencode(self._form()).encode(), headers=headers)
        return reply.status_code, reply.content

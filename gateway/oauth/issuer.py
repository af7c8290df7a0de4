"""The issuer's public keys (JWKS, RFC 7517): fetched when needed, kept while they hold, never fetched in a storm.

Whoever can reach us can name keys that do not exist; so between two fetches there is a least time, whatever is named.
While the issuer is away the keys we have stay good for a while; a key we have not is then "cannot tell", not "no".
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from gateway.api_settings import OAuthConfig
from gateway.trust.fetch import FetchClient, FetchPolicy
from schemas.errors import ApiRefused, BramaError

_MAX_BYTES = 256 * 1024
_LEAST_RSA_BITS = 2048
_NEVER = float("-inf")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Known:
    keys: tuple[Key, ...]
    fetched_at: float

    def find(self, kid: str | None) -> Key | None:
        """The key of that name; without a name only where there is no choice."""
        if kid is None:
            return self.keys[0] if len(self.keys) == 1 else None
        return next((key for key in self.keys if key.kid == kid), None)


class IssuerKeys:
    """Safe for threads: whoever shows a known key never waits for a fetch that another one makes."""

    def __init__(
        self, settings: OAuthConfig, read: Callable[[], bytes], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._read, self._clock = settings, read, clock
        self._known: _Known | None = None
        self._tried_at = _NEVER
        self._away = False
        self._lock = threading.Lock()

    def find(self, kid: str | None) -> Key:
        """The public key of that name.

        Raises: ApiRefused: `api.token_key_unknown`; `api.issuer_unavailable`: the keys cannot be had now.
        """
        known = self._known
        key = known.find(kid) if known and self._age(known) < self._settings.refresh_s else None
        if key is not None:
            return key
        known = self._renewed(may_wait=known is None or known.find(kid) is None)
        if known is None or self._age(known) > self._settings.refresh_s + self._settings.stale_s:
            raise ApiRefused("api.issuer_unavailable")
        key = known.find(kid)
        if key is None:
            raise ApiRefused("api.issuer_unavailable" if self._away else "api.token_key_unknown")
        return key

    def fetch(self) -> int:
        """Fetch them now; how many there are. Raises BramaError, OSError or ValueError: what a check shows."""
        keys = keys_of(self._read())
        self._known = _Known(keys, self._clock())
        return len(keys)

    def _age(self, known: _Known) -> float:
        return self._clock() - known.fetched_at

    def _renewed(self, *, may_wait: bool) -> _Known | None:
        if not self._lock.acquire(blocking=may_wait):
            return self._known  # somebody fetches just now, and what we have will do
        try:
            if self._clock() - self._tried_at >= self._settings.refetch_s:
                self._try()
        finally:
            self._lock.release()
        return self._known

    def _try(self) -> None:
        self._tried_at = self._clock()
        try:
            count = self.fetch()
        except (BramaError, OSError, ValueError) as error:
            self._away = True
            log.warning("issuer_keys_unavailable", reason=getattr(error, "code", type(error).__name__))
        else:
            self._away = False
            log.info("issuer_keys_fetched", keys=count)


def issuer_keys(settings: OAuthConfig, folder: Path) -> IssuerKeys:
    """Of the configured address or file; relative files start at the configuration's folder."""
    return IssuerKeys(settings, _reader(settings, folder))


def keys_of(raw: bytes) -> tuple[Key, ...]:
    """Every key that can verify signatures; others in the set are passed over (RFC 7517, 5).

    Raises: ValueError: no JWKS, or nothing in it is of use.
    """
    try:
        said = json.loads(raw)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    listed = said.get("keys") if isinstance(said, dict) else None
    keys = tuple(key for key in map(_usable, listed if isinstance(listed, list) else ()) if key is not None)
    if not keys:
        raise ValueError("no usable key")
    return keys


def _usable(given: Any) -> Key | None:
    """A public signature key. A symmetric key or a private one in public would let anybody sign."""
    if not isinstance(given, dict) or given.get("kty") not in ("RSA", "EC", "OKP") or "d" in given:
        return None
    if given.get("use", "sig") != "sig" or "verify" not in given.get("key_ops", ["verify"]):
        return None
    try:
        key = import_key(given)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < _LEAST_RSA_BITS:
        return None
    return key if isinstance(key, (RSAKey, ECKey, OKPKey)) else None


def _reader(settings: OAuthConfig, folder: Path) -> Callable[[], bytes]:
    if not settings.jwks.startswith(("https://", "http://")):
        return (folder / settings.jwks).read_bytes
    policy = FetchPolicy(
        hosts=frozenset({urlsplit(settings.jwks).netloc.lower()}),
        timeout_s=settings.timeout_s,
        max_bytes=_MAX_BYTES,
        max_redirects=0,
        ca_file=folder / settings.ca_file if settings.ca_file else None,
    )
    client = FetchClient(policy)
    return lambda: client.get(settings.jwks)

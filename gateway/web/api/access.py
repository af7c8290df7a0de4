"""Who may ask, and how fast: the key or token in the Authorization header, its scope, and this process's buckets."""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from gateway.api_settings import ApiConfig
from gateway.web.api.port import BackOffice
from gateway.web.api.problems import status_of
from schemas.api import OAUTH, TENANT_HEADER, Caller, Scope
from schemas.errors import ApiRefused

_STRANGERS_PER_S, _STRANGERS_BURST = 0.5, 20  # wrong keys from one address; past it not even the database is asked
_REMEMBERED = 10_000


class Buckets:
    """Token buckets by name, the least recently used forgotten. One per process: n processes allow n times as much."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate_per_s, float(burst), clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Take one; 0.0, or the seconds until there will be one."""
        level = self._level(name)
        if level < 1:
            return (1 - level) / self._rate
        self._keep(name, level - 1)
        return 0.0

    def wait(self, name: str) -> float:
        """Seconds until there will be one, without taking it."""
        return max(0.0, (1 - self._level(name)) / self._rate)

    def _level(self, name: str) -> float:
        level, at = self._levels.get(name, (self._burst, self._clock()))
        return min(self._burst, level + (self._clock() - at) * self._rate)

    def _keep(self, name: str, level: float) -> None:
        self._levels[name] = (level, self._clock())
        self._levels.move_to_end(name)
        if len(self._levels) > _REMEMBERED:
            self._levels.popitem(last=False)


class Access:
    """The door."""

    def __init__(self, office: BackOffice, config: ApiConfig, threads: CapacityLimiter) -> None:
        self._office = office
        self._threads = threads
        self._oauth = config.oauth
        self._callers = Buckets(config.rate_per_s, config.burst)
        self._strangers = Buckets(_STRANGERS_PER_S, _STRANGERS_BURST)

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """Who asks. Raises ApiRefused: the refusals of 401, `api.scope_missing`, `.too_many`, `.not_found`, …"""
        shown = _bearer(request)
        host = request.client.host if request.client else ""
        _enough(self._strangers.wait(host))
        try:
            caller = await to_thread.run_sync(self._office.authenticate, shown, _tenant(request), limiter=self._threads)
        except ApiRefused as refused:
            if status_of(refused)[1] == 401:
                self._strangers.take(host)
            raise
        _enough(self._callers.take(caller.key_id))
        if scope not in caller.scopes:
            raise ApiRefused("api.scope_missing", scope=self._named(caller, scope))
        return caller

    def _named(self, caller: Caller, scope: Scope) -> str:
        """The right as whoever gives it knows it: the issuer's word, or ours."""
        return self._oauth.scopes.get(scope, "") if caller.key_id.startswith(OAUTH) else scope.value


def _bearer(request: Request) -> str:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not shown.strip():
        raise ApiRefused("api.key_missing")
    return shown.strip()


def _tenant(request: Request) -> str | None:
    """The gmina a request names: by header anywhere, in the list by parameter too (where a wrong one is said later)."""
    listed = request.query_params.get("tenant", "")
    return request.headers.get(TENANT_HEADER) or (listed if re.fullmatch("[0-9]{7}", listed) else None)


def _enough(wait_s: float) -> None:
    if wait_s > 0:
        raise ApiRefused("api.too_many", retry_after_s=math.ceil(wait_s))

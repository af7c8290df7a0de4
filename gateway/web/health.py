"""Health pages for load balancers and supervisors: alive says the process answers, ready says it can keep documents."""

from __future__ import annotations

from collections.abc import Callable

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse

from schemas.errors import BramaError


class Health:
    """`/health/live` and `/health/ready`."""

    def __init__(self, ready: Callable[[], None]) -> None:
        """`ready` raises a BramaError when the database cannot be used."""
        self._ready = ready

    async def live(self, _request: Request) -> JSONResponse:
        """200 as long as the process answers."""
        return JSONResponse({"live": True})

    async def check(self, _request: Request) -> JSONResponse:
        """200 and `{"ready": true}`, or 503 with the code of what is missing."""
        try:
            await to_thread.run_sync(self._ready)
        except BramaError as error:
            return JSONResponse({"ready": False, "checks": {"database": error.code}}, status_code=503)
        return JSONResponse({"ready": True, "checks": {"database": "ok"}})

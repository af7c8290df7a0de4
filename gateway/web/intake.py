"""How a request body is taken in: in its turn, within a size and a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

import anyio
from anyio import Semaphore
from starlette.requests import Request

from gateway.config import HttpConfig
from schemas.errors import BodyTooLarge, IntakeRefused


class Intake:
    """Places for requests in work and the limits of one body; one for everything that takes documents."""

    def __init__(self, http: HttpConfig) -> None:
        self._http = http
        self._turns = Semaphore(http.concurrency)  # taken before a body is read: memory stays bounded

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one of the places; a caller that would wait too long is told to come back."""
        try:
            with anyio.fail_after(self._http.queue_wait_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise IntakeRefused("intake.busy") from error
        try:
            yield
        finally:
            self._turns.release()

    async def body(self, request: Request, limit: int | None = None) -> bytes:
        """The whole body. Raises BodyTooLarge, IntakeRefused `intake.body_timeout`, ClientDisconnect."""
        limit = self._http.max_body_bytes if limit is None else limit
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise BodyTooLarge(size_bytes=int(declared), limit_bytes=limit)
        whole, size = BytesIO(), 0  # one block that grows: thousands of small ones would leave holes in the heap
        try:
            with anyio.fail_after(self._http.body_timeout_s):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit:
                        raise BodyTooLarge(size_bytes=size, limit_bytes=limit)
                    whole.write(chunk)
        except TimeoutError as error:
            timeout_s = self._http.body_timeout_s
            raise IntakeRefused("intake.body_timeout", timeout_s=timeout_s, size_bytes=size) from error
        return whole.getvalue()

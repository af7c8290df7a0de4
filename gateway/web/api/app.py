"""The REST interface as one mounted application: admit, read, call in a thread, answer; errors become problems."""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from anyio import CapacityLimiter, to_thread
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from gateway.config import GatewayConfig
from gateway.web.api.access import Access
from gateway.web.api.endpoints import DOCUMENT, ENDPOINTS, Asked, Endpoint
from gateway.web.api.openapi import openapi
from gateway.web.api.port import BackOffice
from gateway.web.api.problems import problem
from gateway.web.intake import Intake
from schemas.api import ApiModel
from schemas.errors import ApiRefused, BramaError

BASE = "/api/v1"
_SMALL_BODY = 16 * 1024
_SAFE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}

log = structlog.get_logger()


def api(office: BackOffice, config: GatewayConfig) -> Mount:
    """The interface below /api/v1. No CORS: nothing in a browser has business here."""
    service = _Service(office, config)
    app = Starlette(
        routes=[
            Route("/openapi.json", _described(config), methods=["GET"], name="openapi"),
            *map(service.route, ENDPOINTS),
        ],
        exception_handlers={HTTPException: _not_ours},
    )
    app.router.redirect_slashes = False
    return Mount(BASE, app=app, name="api")


class _Service:
    def __init__(self, office: BackOffice, config: GatewayConfig) -> None:
        self._office = office
        self._intake = Intake(config.http)  # its own places: a busy portal takes none from citizens
        self._threads = CapacityLimiter(config.http.concurrency)
        self._access = Access(office, config.api, self._threads)

    def route(self, endpoint: Endpoint) -> Route:
        async def handle(request: Request) -> Response:
            return await self._handle(endpoint, request)

        return Route(endpoint.path, handle, methods=[endpoint.method], name=endpoint.name)

    async def _handle(self, endpoint: Endpoint, request: Request) -> Response:
        started = time.monotonic()
        seen: dict[str, Any] = {"operation": endpoint.name, "caller": request.client.host if request.client else None}
        try:
            answer = await self._answered(endpoint, request, seen)
        except ClientDisconnect:
            log.warning("api_interrupted", **seen)
            return Response(status_code=400)  # nobody is left to read it
        except BramaError as error:
            log.warning("api_refused", code=error.code, **seen)
            answer = problem(request, error)
        except Exception as error:  # noqa: BLE001 - our bug; its message could hold personal data
            last = traceback.extract_tb(error.__traceback__)[-1]
            log.error("api_failed", error=type(error).__name__, where=f"{last.filename}:{last.lineno}", **seen)
            answer = problem(request, BramaError())
        else:
            took_ms = round((time.monotonic() - started) * 1000)
            log.info("api_answered", status=answer.status_code, took_ms=took_ms, **seen)
        answer.headers.update(_SAFE)
        return answer

    async def _answered(self, endpoint: Endpoint, request: Request, seen: dict[str, Any]) -> Response:
        caller = await self._access.admit(request, endpoint.scope)
        seen |= {"key": caller.key_id, "tenant": caller.tenant}
        query = _query(endpoint, request)
        if not endpoint.takes_document:
            body = await self._small(endpoint, request)
            return await self._called(endpoint, Asked(request, caller, query, body))
        _check_content_type(request, DOCUMENT)
        async with self._intake.turn():
            asked = Asked(request, caller, query, await self._intake.body(request))
            return await self._called(endpoint, asked)

    async def _called(self, endpoint: Endpoint, asked: Asked) -> Response:
        return await to_thread.run_sync(endpoint.call, self._office, asked, limiter=self._threads)

    async def _small(self, endpoint: Endpoint, request: Request) -> ApiModel | None:
        if endpoint.body is None:
            return None
        raw = await self._intake.body(request, _SMALL_BODY)
        if not raw:
            return endpoint.body()
        _check_content_type(request, ("application/json",))
        try:
            return endpoint.body.model_validate_json(raw)
        except ValidationError as error:
            raise _invalid(error) from None


def _query(endpoint: Endpoint, request: Request) -> ApiModel:
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ApiRefused("api.request_invalid", problems=[f"{name}: given twice" for name in twice])
    try:
        return endpoint.query.model_validate(dict(given))
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> ApiRefused:
    """Every problem by its place; values are not repeated, they may be personal."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return ApiRefused(
        "api.request_invalid",
        problems=[f"{'.'.join(str(part) for part in item['loc']) or 'body'}: {item['msg']}" for item in found],
    )


def _check_content_type(request: Request, allowed: tuple[str, ...]) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if kind not in allowed or encoding != "identity":
        raise ApiRefused("api.content_type", allowed=", ".join(allowed))


def _described(config: GatewayConfig) -> Callable[[Request], Awaitable[Response]]:
    document = openapi(config.api.oauth)

    async def describe(_request: Request) -> Response:
        return JSONResponse(document, headers=_SAFE)

    return describe


async def _not_ours(request: Request, error: Exception) -> Response:
    """Paths and methods that are none of ours."""
    headers = getattr(error, "headers", None) or {}
    missing = getattr(error, "status_code", 404) == 405
    refused = ApiRefused("api.method_not_allowed", allowed=headers.get("Allow", "")) if missing else None
    answer = problem(request, refused or ApiRefused("api.not_found"))
    answer.headers.update(_SAFE)
    return answer

"""ePUAP's push call over HTTP: take the body within limits, hand the envelope on, answer truthfully.

A document that was not kept is never answered with success: whatever goes wrong becomes a Fault with a code, and only
digest, size and reason are logged. Reading and deciding happen in threads, so the event loop stays free for others.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from gateway.config import GatewayConfig
from gateway.transport import soap, wire
from gateway.transport.contract import SCHEMA_FILE, Contract
from gateway.transport.faults import fault_of
from gateway.web.intake import Intake
from schemas.errors import BramaError, EnvelopeUnreadable
from schemas.ids import sha256
from schemas.submission import Answer, Envelope

XML = "text/xml; charset=utf-8"
_XML_TYPES = frozenset({"text/xml", "application/xml", "application/soap+xml", ""})  # soap+xml: refused as SOAP 1.2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PushSecurity:
    """WS-Security on the push call. Both are off by default: what ePUAP does there is not documented."""

    check: Callable[[bytes], None] | None = None  # judges the caller's signature; raises MessageUntrusted
    sign: soap.Sign | None = None  # signs our answers, Faults too


OPEN = PushSecurity()


class PushEndpoint:
    """One URL: POST takes a document, GET ?wsdl and ?xsd=… show the contract."""

    def __init__(
        self,
        accept: Callable[[Envelope], Answer],
        config: GatewayConfig,
        intake: Intake,
        security: PushSecurity = OPEN,
    ) -> None:
        self._accept = accept
        self._security = security
        self._intake = intake
        self._http = config.http
        self._push = config.push
        self._reader = wire.PushReader(config.push, config.http.max_body_bytes)
        self._contract = Contract(config.push)
        self._threads = CapacityLimiter(config.http.concurrency)

    async def get(self, request: Request) -> Response:
        """The WSDL or its schema."""
        asked = {name.lower(): value for name, value in request.query_params.items()}
        if "wsdl" in asked:
            return Response(self._contract.wsdl(self._address(request)), media_type=XML)
        if asked.get("xsd") == SCHEMA_FILE:
            return Response(self._contract.schema_xml, media_type=XML)
        return PlainTextResponse("SOAP 1.1, POST; ?wsdl\n", status_code=405, headers={"Allow": "POST"})

    async def post(self, request: Request) -> Response:
        """One push. HTTP 200 with `OdpowiedzOdbiorcy`, 413 for size, 500 with a Fault for every other refusal."""
        started = time.monotonic()
        seen: dict[str, Any] = {"caller": request.client.host if request.client else None}
        try:
            async with self._intake.turn():
                raw = await self._intake.body(request)
                given = await to_thread.run_sync(self._handled, raw, request.headers, seen, limiter=self._threads)
        except ClientDisconnect:
            log.warning("push_interrupted", **seen)
            return Response(status_code=400)  # nobody is left to read it
        except BramaError as error:
            return self._refused(error, seen)
        except Exception as error:  # noqa: BLE001  # our bug; the caller must not take it for success
            return self._refused(_bug(error), seen)
        log.info("push_answered", status=given.code, took_ms=round((time.monotonic() - started) * 1000), **seen)
        return Response(wire.answer(given, self._push, self._security.sign), media_type=XML)

    def _handled(self, raw: bytes, headers: Mapping[str, str], seen: dict[str, Any]) -> Answer:
        """In a thread: octets to envelope to answer."""
        seen |= {"size_bytes": len(raw), "sha256": sha256(raw)}
        _check_content_type(headers)
        if self._security.check is not None:
            self._security.check(raw)
        return self._accept(self._reader.read(raw, seen["caller"]))

    def _refused(self, error: BramaError, seen: dict[str, Any]) -> Response:
        kind = fault_of(error)
        facts = {name: value for name, value in error.facts.items() if name not in seen}
        log.warning("push_refused", code=error.code, number=kind.number, **seen, **facts)
        content = soap.fault(error, self._push.namespace, self._security.sign)
        return Response(content, status_code=kind.http_status, media_type=XML)

    def _address(self, request: Request) -> str:
        base = self._http.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
        return base + self._http.push_path


def _check_content_type(headers: Mapping[str, str]) -> None:
    """SOAP 1.2's own type passes: the envelope inside is then refused by its version, which says more."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if kind not in _XML_TYPES or encoding != "identity":
        raise EnvelopeUnreadable("intake.content_type", content_type=f"{kind} {encoding}"[:120])


def _bug(error: Exception) -> BramaError:
    """Log where it happened and its kind only: messages of foreign exceptions can hold personal data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    log.error("push_failed", error=type(error).__name__, where=f"{last.filename}:{last.lineno}")
    return BramaError()

"""Refusals as RFC 9457 problem documents: one table from our codes to HTTP statuses, texts in Polish and English."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from schemas.api import Problem, SubmissionView
from schemas.errors import BramaError
from schemas.texts import text

MEDIA_TYPE = "application/problem+json"

STATUSES: dict[str, int] = {
    "api.request_invalid": 400,
    "api.document_empty": 400,
    "api.tenant_needed": 400,
    "api.key_missing": 401,
    "api.key_invalid": 401,
    "api.token_algorithm": 401,
    "api.token_audience": 401,
    "api.token_expired": 401,
    "api.token_issuer": 401,
    "api.token_key_unknown": 401,
    "api.token_malformed": 401,
    "api.token_not_yet": 401,
    "api.token_signature": 401,
    "api.scope_missing": 403,
    "api.token_no_tenant": 403,
    "api.not_found": 404,
    "api.method_not_allowed": 405,
    "intake.body_timeout": 408,
    "api.acknowledged_otherwise": 409,
    "api.version_outdated": 409,
    "api.cursor_ahead": 410,
    "intake.body_too_large": 413,
    "api.content_type": 415,
    "api.mailbox_unknown": 422,
    "api.rejected": 422,
    "api.too_many": 429,
    "brama.error": 500,
    "api.issuer_unavailable": 503,
    "intake.busy": 503,
    "intake.still_deciding": 503,
    "store.unavailable": 503,
}
_LATER_S = {"api.issuer_unavailable": 30, "intake.busy": 5, "intake.still_deciding": 2, "store.unavailable": 10}


def status_of(error: BramaError) -> tuple[str, int]:
    """The code to show and its status: the error's own, else of the nearest class above it; at the end brama.error."""
    codes = [error.code, *(getattr(kind, "code", "") for kind in type(error).__mro__)]
    code = next((code for code in codes if code in STATUSES), "brama.error")
    return code, STATUSES[code]


def problem(request: Request, error: BramaError, submission: SubmissionView | None = None) -> Response:
    """The refusal as a response. Facts that are not for callers (addresses, limits of ours) never get into texts."""
    code, status = status_of(error)
    language = "en" if request.headers.get("accept-language", "").lower().startswith("en") else "pl"
    said = Problem(
        type=f"urn:brama:problem:{code}",
        title=text(code, language, **error.facts),
        status=status,
        code=code,
        message_pl=text(code, "pl", **error.facts),
        message_en=text(code, "en", **error.facts),
        problems=tuple(error.facts.get("problems", ())),
        submission=submission,
    )
    headers = {"Content-Language": language, **_headers(code, error)}
    return Response(said.model_dump_json(exclude_defaults=True), status, headers, MEDIA_TYPE)


def _challenge(code: str, error: BramaError) -> str:
    """RFC 6750, 3.1. Who shows nothing is told no error; descriptions are in English, the header is ASCII."""
    said = 'Bearer realm="brama"'
    if code == "api.key_missing":
        return said
    kind = "invalid_token" if STATUSES[code] == 401 else "insufficient_scope"
    said += f', error="{kind}", error_description="{text(code, "en", **error.facts)}"'
    return said + (f', scope="{error.facts["scope"]}"' if error.facts.get("scope") else "")


def _headers(code: str, error: BramaError) -> dict[str, str]:
    if STATUSES[code] in (401, 403):
        return {"WWW-Authenticate": _challenge(code, error)}
    if code == "api.method_not_allowed":
        return {"Allow": str(error.facts.get("allowed", ""))}
    later = error.facts.get("retry_after_s", _LATER_S.get(code))
    return {"Retry-After": str(later)} if later is not None else {}

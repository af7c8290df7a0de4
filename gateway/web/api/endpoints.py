"""Every endpoint, once: the routes and the OpenAPI document are both made from this table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from gateway.web.api.port import BackOffice
from gateway.web.api.problems import problem
from schemas.api import (
    Acknowledgement,
    AcknowledgeRequest,
    ApiModel,
    Caller,
    CasePage,
    CaseView,
    FileContent,
    ListQuery,
    NoQuery,
    Scope,
    SubmissionView,
    SubmitQuery,
)
from schemas.errors import ApiRefused
from schemas.submission import Decision
from schemas.texts import text

DOCUMENT = ("application/xml", "text/xml", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Asked:
    """One admitted request, its parts read and checked."""

    request: Request
    caller: Caller
    query: Any  # the endpoint's `query`
    body: Any  # octets, the endpoint's `body`, or None

    @property
    def id(self) -> UUID:
        """The id in the path; what is no id names nothing."""
        given = self.request.path_params["id"]
        try:
            if len(given) == 36:
                return UUID(given)
        except ValueError:
            pass
        raise ApiRefused("api.not_found")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`answers`: status → model, or a media type for octets. `refusals`: statuses beside those every endpoint has."""

    method: str
    path: str
    name: str
    summary: str
    scope: Scope
    call: Callable[[BackOffice, Asked], Response]
    answers: dict[int, type[ApiModel] | str]
    query: type[ApiModel] = NoQuery
    body: type[ApiModel] | None = None
    takes_document: bool = False
    refusals: tuple[int, ...] = ()


def _cases(office: BackOffice, asked: Asked) -> Response:
    return _json(office.cases(asked.caller, asked.query))


def _case(office: BackOffice, asked: Asked) -> Response:
    return _json(office.case(asked.caller, asked.id))


def _document(office: BackOffice, asked: Asked) -> Response:
    return _file(asked.request, office.document(asked.caller, asked.id))


def _receipt(office: BackOffice, asked: Asked) -> Response:
    return _file(asked.request, office.receipt(asked.caller, asked.id))


def _attachment(office: BackOffice, asked: Asked) -> Response:
    wanted = asked.request.path_params["attachment"]
    return _file(asked.request, office.attachment(asked.caller, asked.id, wanted))


def _acknowledge(office: BackOffice, asked: Asked) -> Response:
    return _json(office.acknowledge(asked.caller, asked.id, asked.body))


def _submit(office: BackOffice, asked: Asked) -> Response:
    """A rejected document is kept, and still answered as a failure: many clients look at nothing but the status."""
    given = office.submit(asked.caller, asked.body, asked.query)
    if given.view.decision is Decision.REJECTED:
        reasons = {"reason": text(given.view.reason or "")}
        return problem(asked.request, ApiRefused("api.rejected", **reasons), given.view)
    answer = _json(given.view, 201 if given.is_new else 200)
    answer.headers["Location"] = f"/api/v1/submissions/{given.view.id}"
    return answer


def _submission(office: BackOffice, asked: Asked) -> Response:
    return _json(office.submission(asked.caller, asked.id))


def _submission_receipt(office: BackOffice, asked: Asked) -> Response:
    return _file(asked.request, office.submission_receipt(asked.caller, asked.id))


_FILE: dict[int, type[ApiModel] | str] = {200: "application/octet-stream"}
_UPO: dict[int, type[ApiModel] | str] = {200: "application/xml"}

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/cases", "listCases", "Cases in the order of publication.", Scope.READ,
             _cases, {200: CasePage}, query=ListQuery, refusals=(404, 410)),
    Endpoint("GET", "/cases/{id}", "getCase", "One case: normalized, receipts, findings, attachments.", Scope.READ,
             _case, {200: CaseView}, refusals=(404,)),
    Endpoint("GET", "/cases/{id}/document", "getDocument", "The original document, byte for byte.", Scope.READ,
             _document, _FILE, refusals=(404,)),
    Endpoint("GET", "/cases/{id}/receipt", "getReceipt", "The receipt (UPO).", Scope.READ,
             _receipt, _UPO, refusals=(404,)),
    Endpoint("GET", "/cases/{id}/attachments/{attachment}", "getAttachment", "One attached file, decoded.", Scope.READ,
             _attachment, _FILE, refusals=(404,)),
    Endpoint("POST", "/cases/{id}/acknowledge", "acknowledgeCase", "Say that the office has the case.",
             Scope.ACKNOWLEDGE, _acknowledge, {200: Acknowledgement}, body=AcknowledgeRequest,
             refusals=(404, 408, 409, 413, 415)),
    Endpoint("POST", "/submissions", "submitDocument", "Hand in a document from the gmina's own portal.", Scope.SUBMIT,
             _submit, {201: SubmissionView, 200: SubmissionView}, query=SubmitQuery, takes_document=True,
             refusals=(408, 413, 415, 422)),
    Endpoint("GET", "/submissions/{id}", "getSubmission", "What became of a document.", Scope.SUBMIT,
             _submission, {200: SubmissionView}, refusals=(404,)),
    Endpoint("GET", "/submissions/{id}/receipt", "getSubmissionReceipt", "Its receipt (UPO).", Scope.SUBMIT,
             _submission_receipt, _UPO, refusals=(404,)),
)  # fmt: skip


def _json(model: ApiModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status, media_type="application/json")


def _file(request: Request, file: FileContent) -> Response:
    """Octets to save, never to show: a document may be anything."""
    headers = {
        "ETag": f'"{file.sha256}"',
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.file_name, safe='')}",
    }
    if _has_already(request.headers.get("if-none-match", ""), file.sha256):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


def _has_already(said: str, sha256: str) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in said.split(",")}
    return said.strip() == "*" or sha256 in tags

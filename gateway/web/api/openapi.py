"""The OpenAPI 3.1 document, made from the table of endpoints and the pydantic models of schemas.api."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.api_settings import OAuthConfig
from gateway.web.api.endpoints import DOCUMENT, ENDPOINTS, Endpoint
from gateway.web.api.problems import MEDIA_TYPE
from schemas.api import TENANT_HEADER, ApiModel, Problem

_REF = "#/components/schemas/{model}"
_ALWAYS = (400, 401, 403, 429, 500, 503)
_MEANING = {
    200: "As asked.", 201: "Kept and decided for the first time.", 304: "You have these octets (If-None-Match).",
    400: "A parameter is wrong.", 401: "No key or token, or not a valid one.", 403: "It has not this scope.",
    404: "Not there, or not yours.", 408: "The body did not arrive in time.", 409: "Said otherwise or corrected since.",
    410: "The cursor is of a feed that is gone: begin again.", 413: "Too large.", 415: "Not a media type we take.",
    422: "Not for a mailbox of yours, or kept and rejected.", 429: "Too fast; see Retry-After.",
    500: "Our fault.", 503: "Not now; see Retry-After.",
}  # fmt: skip
_TENANT = {
    "name": TENANT_HEADER, "in": "header", "required": False, "schema": {"type": "string", "pattern": "^[0-9]{7}$"},
    "description": "TERYT code; needed with a token that opens several gminas.",
}  # fmt: skip


def openapi(oauth: OAuthConfig) -> dict[str, Any]:
    """The whole document; the same for every caller."""
    paths: dict[str, Any] = {"/openapi.json": {"get": _itself()}}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, oauth)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Brama: cases for back offices, documents from portals",
            "version": "1",
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": _schemes(oauth),
        },
    }


def _schemes(oauth: OAuthConfig) -> dict[str, Any]:
    """Keys always; tokens as far as the configuration says where they come from."""
    schemes: dict[str, Any] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "brama_<id>_<secret>"}}
    if oauth.enabled:
        schemes["token"] = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": oauth.issuer}
    if oauth.enabled and oauth.token_url:
        named = {name: f"Scope: {scope}." for scope, name in oauth.scopes.items()}
        flow = {"tokenUrl": oauth.token_url, "scopes": named}
        schemes["token"] = {"type": "oauth2", "description": oauth.issuer, "flows": {"clientCredentials": flow}}
    return schemes


def _operation(endpoint: Endpoint, oauth: OAuthConfig) -> dict[str, Any]:
    statuses = {*_ALWAYS, *endpoint.refusals, *((404,) if oauth.enabled else ())}
    answers = {status: _answer(status, what) for status, what in endpoint.answers.items()}
    if any(isinstance(what, str) for what in endpoint.answers.values()):
        answers[304] = {"description": _MEANING[304]}
    answers |= {status: _content(_MEANING[status], MEDIA_TYPE, _ref(Problem)) for status in statuses}
    found: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"Scope: {endpoint.scope.value}.",
        "parameters": [*_path(endpoint), *_query(endpoint.query)],
        "responses": {str(status): answers[status] for status in sorted(answers)},
    }
    if oauth.enabled:
        found["parameters"].append(_TENANT)
        found["security"] = [{"key": []}, *_by_token(endpoint, oauth)]
    if endpoint.takes_document:
        octets = {"schema": {"type": "string", "format": "binary"}}
        found["requestBody"] = {"required": True, "content": dict.fromkeys(DOCUMENT, octets)}
    elif endpoint.body is not None:
        found["requestBody"] = {"required": False, "content": {"application/json": {"schema": _ref(endpoint.body)}}}
    return found


def _by_token(endpoint: Endpoint, oauth: OAuthConfig) -> list[dict[str, Any]]:
    name = oauth.scopes.get(endpoint.scope)
    return [] if name is None else [{"token": [name] if oauth.token_url else []}]


def _answer(status: int, what: type[ApiModel] | str) -> dict[str, Any]:
    if not isinstance(what, str):
        return _content(_MEANING[status], "application/json", _ref(what))
    found = _content(_MEANING[status], what, {"type": "string", "format": "binary"})
    etag = {"description": "SHA-256 of the octets, hex.", "schema": {"type": "string"}}
    return {**found, "headers": {"ETag": etag}}


def _content(meaning: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": meaning, "content": {media_type: {"schema": schema}}}


def _path(endpoint: Endpoint) -> list[dict[str, Any]]:
    kinds = {"id": {"type": "string", "format": "uuid"}, "attachment": {"type": "string", "minLength": 1}}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in kinds.items()
        if f"{{{name}}}" in endpoint.path
    ]


def _query(model: type[ApiModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": said.get("description", ""),
            "schema": _value(said),
        }
        for name, said in schema.get("properties", {}).items()
    ]


def _value(said: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not; it is never null."""
    schema = next((kind for kind in said.get("anyOf", ()) if kind.get("type") != "null"), said)
    default = {"default": said["default"]} if said.get("default") is not None else {}
    return {name: value for name, value in schema.items() if name not in ("title", "description", "default")} | default


def _schemas() -> dict[str, Any]:
    named: dict[type[BaseModel], Literal["serialization", "validation"]] = {Problem: "serialization"}
    for endpoint in ENDPOINTS:
        named |= {what: "serialization" for what in endpoint.answers.values() if not isinstance(what, str)}
        if endpoint.body is not None:
            named[endpoint.body] = "validation"
    _, schema = models_json_schema(list(named.items()), ref_template=_REF)
    found: dict[str, Any] = schema["$defs"]
    return found


def _ref(model: type[ApiModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _itself() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "security": [],
        "responses": {"200": _content(_MEANING[200], "application/json", {"type": "object"})},
    }

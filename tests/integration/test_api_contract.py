"""The OpenAPI document: valid, true of the routes, and true of the answers — schemathesis asks the real service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import requests
from jsonschema_rs import Draft202012Validator
from schemathesis import GenerationMode, checks, openapi
from starlette.routing import Mount, Route

from gateway.api_settings import ApiConfig
from gateway.app import web
from gateway.web.api.endpoints import ENDPOINTS
from tests.apis import Client, a_client
from tests.builders import a_signed_document
from tests.gateways import Gateway

ASKED = hypothesis.settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.generate],
    derandomize=True,
    database=None,
)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    with a_client(gateway) as made:
        yield made


def document_of(client: Client) -> dict[str, Any]:
    """The document as served, to anybody."""
    answer = requests.get(f"{client.base}/api/v1/openapi.json", timeout=10)
    found: dict[str, Any] = answer.json()
    return found


def routes_of(gateway: Gateway) -> set[tuple[str, str]]:
    """(method, path) of every route below /api/v1, from the application itself."""
    config = gateway.tools.config
    enabled = config.gateway.model_copy(update={"api": ApiConfig(enabled=True)})
    app = web(gateway.with_tools(config=config.model_copy(update={"gateway": enabled})).tools)
    (mount,) = (route for route in app.routes if isinstance(route, Mount) and route.path == "/api/v1")
    found = [route for route in mount.routes or () if isinstance(route, Route)]
    return {(method, route.path) for route in found for method in (route.methods or set()) - {"HEAD"}}


def test_the_served_document_names_exactly_the_routes_there_are(gateway: Gateway, client: Client):
    served = document_of(client)
    named = {(method.upper(), path) for path, item in served["paths"].items() for method in item}
    assert named == routes_of(gateway)
    assert len({operation["operationId"] for item in served["paths"].values() for operation in item.values()}) == len(
        named
    )


def test_every_reference_in_the_document_leads_somewhere(client: Client):
    served = document_of(client)
    assert served["openapi"] == "3.1.0"
    schemas = served["components"]["schemas"]
    for found in _references(served):
        assert found.removeprefix("#/components/schemas/") in schemas
    for schema in schemas.values():
        assert Draft202012Validator({"$defs": _inlined(schemas), **_inlined(schema)})


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from _references(item)


def _inlined(part: Any) -> Any:
    """References into components as references into $defs."""
    if isinstance(part, dict):
        return {
            name: value.replace("#/components/schemas/", "#/$defs/") if name == "$ref" else _inlined(value)
            for name, value in part.items()
        }
    return [_inlined(item) for item in part] if isinstance(part, list) else part


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("name", [endpoint.name for endpoint in ENDPOINTS])
def test_the_service_answers_as_its_document_says(client: Client, name: str, mode: GenerationMode):
    """Generated requests, right and wrong ones, to the running service: every answer is one the document allows."""
    schema = openapi.from_url(f"{client.base}/api/v1/openapi.json")
    operation = next(
        found.ok() for found in schema.get_all_operations() if found.ok().definition.raw["operationId"] == name
    )
    case = next(client.pages())["items"][0]["id"]

    @ASKED
    @hypothesis.given(operation.as_strategy(mode), hypothesis.strategies.booleans())
    def asked(generated: Any, of_a_real_case: bool) -> None:
        if of_a_real_case and mode is GenerationMode.POSITIVE and "id" in (generated.path_parameters or {}):
            generated.path_parameters["id"] = case
        generated.call_and_validate(
            headers={"Authorization": f"Bearer {client.key}"}, excluded_checks=[checks.positive_data_acceptance]
        )

    asked()

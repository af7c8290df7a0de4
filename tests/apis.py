"""The REST interface of a whole gateway, really listening, and a client with a key of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from gateway.api_settings import ApiConfig
from gateway.app import web
from gateway.operations import api_keys
from schemas.api import Scope
from tests.builders import TERYT, a_signed_document
from tests.gateways import Gateway
from tests.running import running
from tests.waiting import PATIENCE_S

EVERYTHING = tuple(Scope)
FETCHING = """
[connector.fetching]
kind = "fetch"
"""
FETCH_ROUTE = """
[[route]]
form = "2013/12/12/1410"
connector = "fetching"
"""


@dataclass
class Client:
    """A back office's program. `base` without /api/v1."""

    base: str
    key: str
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request below /api/v1."""
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return self.session.request(method, f"{self.base}/api/v1{path}", headers=headers, timeout=PATIENCE_S, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET below /api/v1."""
        return self.call("GET", path, **options)

    def acknowledge(self, case: str, reference: str | None = None) -> requests.Response:
        """Say that the office has it."""
        body = {} if reference is None else {"reference": reference}
        return self.call("POST", f"/cases/{case}/acknowledge", json=body)

    def submit(self, document: bytes, kind: str = "application/xml", **query: str) -> requests.Response:
        """Hand a document in."""
        headers = {"Content-Type": kind}
        return self.call("POST", "/submissions", data=document, params=query, headers=headers)

    def pages(self, **query: str) -> Iterator[dict[str, Any]]:
        """Every page from the beginning, until there is nothing more."""
        cursor: dict[str, str] = {}
        while True:
            answer = self.get("/cases", params=query | cursor)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            yield page
            if not page["more"]:
                return
            cursor = {"cursor": page["cursor"]}


def secret_of(key: str) -> str:
    """The half of a key that the database must not know; it may hold underscores itself."""
    return key.split("_", 2)[2]


def a_key(gateway: Gateway, tenant: str = TERYT, scopes: tuple[Scope, ...] = EVERYTHING, **more: Any) -> str:
    """A fresh key, as its holder knows it."""
    store, config = gateway.tools.store, gateway.tools.config
    more = {"label": "próba", "actor": "administrator"} | more
    return api_keys.new_key(store, config, tenant=tenant, scopes=scopes, **more).secret


@contextmanager
def serving(gateway: Gateway, **api: Any) -> Iterator[str]:
    """The service with its REST interface; yields the base URL."""
    settings = ApiConfig(**({"enabled": True, "rate_per_s": 10_000.0, "burst": 10_000} | api))
    config = gateway.tools.config
    config = config.model_copy(update={"gateway": config.gateway.model_copy(update={"api": settings})})
    with running(web(gateway.with_tools(config=config).tools)) as base:
        yield base


@contextmanager
def a_client(gateway: Gateway, tenant: str = TERYT, **api: Any) -> Iterator[Client]:
    """A client of one tenant with every scope."""
    with serving(gateway, **api) as base, requests.Session() as session:
        yield Client(base, a_key(gateway, tenant), session)


def code(answer: requests.Response) -> tuple[int, str]:
    """Status and code of a problem, which must look like one."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["message_pl"]
    assert said["message_en"]
    return answer.status_code, said["code"]


def a_processed(gateway: Gateway, **letter: object) -> tuple[bytes, str]:
    """A letter that became a case: its bytes and id."""
    document = a_signed_document("letter", **letter)  # type: ignore[arg-type]
    submission = gateway.receive(document)
    gateway.work_until_quiet()
    return document, str(submission.id)

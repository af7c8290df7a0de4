"""What REST refuses: wrong keys and scopes, haste, wrong parameters and bodies; and what is never logged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests
import structlog

from gateway.web.api.endpoints import ENDPOINTS
from schemas.api import Scope
from tests.apis import Client, a_client, a_key, a_processed, code, secret_of, serving
from tests.builders import a_signed_document
from tests.gateways import Gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with a_client(gateway) as made:
        yield made


# ---- keys ----


def test_without_a_valid_key_nothing_is_said(gateway: Gateway, client: Client):
    _, case = a_processed(gateway)
    good = client.key
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    for key in ("", "brama", wrong, good.replace("brama_", "brama_ff", 1), good + "x"):
        for path in ("/cases", f"/cases/{case}", f"/cases/{uuid4()}"):
            answer = Client(client.base, key).get(path)
            assert code(answer) == (401, "api.key_invalid" if key else "api.key_missing")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer "])
def test_other_ways_to_sign_in_are_none(client: Client, header: str):
    answer = requests.get(f"{client.base}/api/v1/cases", headers={"Authorization": header}, timeout=10)
    assert code(answer) == (401, "api.key_missing")


def test_every_endpoint_needs_a_scope_that_the_table_below_checks():
    assert len(NEEDED) == len(ENDPOINTS)


NEEDED = [
    ("GET", "/cases", Scope.READ),
    ("GET", "/cases/{id}", Scope.READ),
    ("GET", "/cases/{id}/document", Scope.READ),
    ("GET", "/cases/{id}/receipt", Scope.READ),
    ("GET", "/cases/{id}/attachments/1", Scope.READ),
    ("POST", "/cases/{id}/acknowledge", Scope.ACKNOWLEDGE),
    ("POST", "/submissions", Scope.SUBMIT),
    ("GET", "/submissions/{id}", Scope.SUBMIT),
    ("GET", "/submissions/{id}/receipt", Scope.SUBMIT),
]


@pytest.mark.parametrize(("method", "path", "needed"), NEEDED)
def test_a_key_without_the_scope_is_refused_before_anything_is_looked_up(gateway: Gateway, method, path, needed):
    _, case = a_processed(gateway)
    others = tuple(scope for scope in Scope if scope is not needed)
    with serving(gateway) as base:
        client = Client(base, a_key(gateway, scopes=others))
        for one in (case, str(uuid4())):
            assert code(client.call(method, path.format(id=one))) == (403, "api.scope_missing")


def test_a_key_that_is_too_fast_waits_and_others_do_not(gateway: Gateway):
    with serving(gateway, rate_per_s=0.001, burst=2) as base:
        fast, other = Client(base, a_key(gateway)), Client(base, a_key(gateway))
        answers = [fast.get("/cases") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert code(answers[-1]) == (429, "api.too_many")
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 1000
        assert other.get("/cases").status_code == 200


def test_who_keeps_guessing_keys_is_stopped(client: Client):
    stranger = Client(client.base, "brama_" + "0" * 16 + "_" + "A" * 43)
    began, tries = time.monotonic(), 0
    while (status := stranger.get("/cases").status_code) == 401:
        tries += 1
        assert tries <= 21 + (time.monotonic() - began) / 2  # so many at once, and one more every two seconds
    assert (status, tries > 0) == (429, True)


# ---- refusals ----


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "1"},
        {"cursor": "c-1"},
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "ten"},
        {"since": "yesterday"},
        {"since": "2026-02-03T10:00:00"},  # no zone
        {"since": "1700000000"},
        {"unacknowledged": "1"},
        {"tenant": "x"},
        {"sinse": "2026-02-03T10:00:00Z"},
        {"limit": ["1", "2"]},
    ],
)
def test_a_wrong_parameter_is_named(client: Client, query):
    answer = client.get("/cases", params=query)
    assert code(answer) == (400, "api.request_invalid")
    assert answer.json()["problems"][0].startswith(next(iter(query)))


def test_a_cursor_from_a_list_that_is_gone_is_told_so(client: Client):
    assert code(client.get("/cases", params={"cursor": "c5"})) == (410, "api.cursor_ahead")


@pytest.mark.parametrize("path", ["/cases/1", "/cases/" + "z" * 36, "/cases/", "/nothing", "/cases/%00"])
def test_what_is_no_path_of_ours_is_not_there(client: Client, path: str):
    assert code(client.get(path)) == (404, "api.not_found")


def test_a_method_that_is_not_there_is_told_which_are(client: Client):
    answer = client.call("DELETE", "/cases")
    assert code(answer) == (405, "api.method_not_allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"{", "application/json", (400, "api.request_invalid")),
        (b'{"reference": ""}', "application/json", (400, "api.request_invalid")),
        (b'{"reference": "a\\u0000"}', "application/json", (400, "api.request_invalid")),
        (b'{"reference": "\\ud800"}', "application/json", (400, "api.request_invalid")),
        (b'{"referense": "1"}', "application/json", (400, "api.request_invalid")),
        (b"reference=1", "application/x-www-form-urlencoded", (415, "api.content_type")),
        (b"{" * 20_000, "application/json", (413, "intake.body_too_large")),
    ],
)
def test_a_wrong_acknowledgement_changes_nothing(gateway: Gateway, client: Client, body, kind, expected):
    _, case = a_processed(gateway)
    answer = client.call("POST", f"/cases/{case}/acknowledge", data=body, headers={"Content-Type": kind})
    assert code(answer) == expected
    assert client.get(f"/cases/{case}").json()["acknowledgement"] is None


def test_the_title_is_in_the_callers_language(client: Client):
    polish = client.get("/cases/1").json()
    english = client.get("/cases/1", headers={"Accept-Language": "en-GB,en"}).json()
    assert polish["title"] == polish["message_pl"]
    assert english["title"] == polish["message_en"]


def test_a_browser_of_another_site_gets_no_leave(client: Client):
    answer = client.get("/cases", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert client.call("OPTIONS", "/cases").status_code == 405


def test_without_the_setting_there_is_no_interface(gateway: Gateway):
    with serving(gateway, enabled=False) as base:
        assert requests.get(f"{base}/api/v1/cases", timeout=10).status_code == 404


def test_the_log_names_operations_and_keys_and_nobody(gateway: Gateway, client: Client):
    with structlog.testing.capture_logs() as logged:
        said = client.submit(a_signed_document("letter", pesel="44051401458"), file_name="Kowalski.xml").json()
        gateway.work_until_quiet()
        client.acknowledge(said["id"], "OR.Kowalski.1")
        client.get("/cases", params={"cursor": "Kowalski"})
        Client(client.base, "brama_Kowalski").get("/cases")
    told = repr(logged)
    assert {entry["operation"] for entry in logged if entry["event"] == "api_answered"} == {
        "submitDocument",
        "acknowledgeCase",
    }
    assert [entry["code"] for entry in logged if entry["event"] == "api_refused"] == [
        "api.request_invalid",
        "api.key_invalid",
    ]
    for personal in ("Kowalski", "44051401458", client.key, secret_of(client.key)):
        assert personal not in told

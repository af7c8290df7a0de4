"""What a back office does over REST: list, open, fetch files, acknowledge; and what no other gmina's key can."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests
import structlog

from gateway import sweep
from gateway.operations import act
from gateway.simulate.writing import File
from gateway.store import publishing, submissions
from gateway.web.api.endpoints import ENDPOINTS, Endpoint
from schemas.api import Scope
from tests.apis import FETCH_ROUTE, FETCHING, Client, a_client, a_key, secret_of, serving
from tests.builders import OTHER_MAILBOX, OTHER_TERYT, TERYT, a_signed_document, an_envelope
from tests.gateways import Gateway, a_gateway
from tests.waiting import PATIENCE_S

FILES = (File("mapa działki.pdf", b"%PDF-1.4 plan"), File("zdjęcie.png", b"\x89PNG\r\n\x1a\n0000"))


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with a_client(gateway) as made:
        yield made


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


def test_a_case_is_listed_and_opened_with_all_that_belongs_to_it(gateway: Gateway, client: Client):
    document, case = a_processed(gateway, files=FILES)

    (page,) = client.pages()
    (item,) = page["items"]
    assert (item["id"], item["kind"], item["version"]) == (case, "general_letter", 1)
    assert item["sha256"] == hashlib.sha256(document).hexdigest()

    answer = client.get(f"/cases/{case}")
    shown = answer.json()
    assert shown["case"]["schema"] == "case/1"
    assert shown["tenant"] == TERYT
    assert [one["file_name"] for one in shown["attachments"]] == [file.name for file in FILES]
    assert [(one["kind"], one["origin"]) for one in shown["receipts"]] == [("UPP", "own")]
    assert shown["acknowledgement"] is None
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_case_says_whether_the_letter_is_effectively_lodged(gateway: Gateway, client: Client):
    _, case_id = a_processed(gateway)
    told = client.get(f"/cases/{case_id}").json()["effectiveness"]
    assert (told["effect"], told["reason"], told["ruled_by"]) == ("clerk_decides", "effectiveness.no_ruling", None)


def test_the_original_octets_come_with_their_digest_as_etag(gateway: Gateway, client: Client):
    document, case = a_processed(gateway)
    answer = client.get(f"/cases/{case}/document")
    assert answer.content == document
    etag = f'"{hashlib.sha256(document).hexdigest()}"'
    assert answer.headers["ETag"] == etag
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    for told in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(f"/cases/{case}/document", headers={"If-None-Match": told})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/cases/{case}/document", headers={"If-None-Match": '"other"'}).status_code == 200


def test_receipt_and_attachments_are_fetched_one_by_one(gateway: Gateway, client: Client):
    _, case = a_processed(gateway, files=FILES)
    receipt = client.get(f"/cases/{case}/receipt")
    assert b"UPO" in receipt.content
    assert receipt.headers["ETag"] == f'"{hashlib.sha256(receipt.content).hexdigest()}"'
    shown = client.get(f"/cases/{case}").json()
    fetched = [client.get(one["href"].removeprefix("/api/v1")) for one in shown["attachments"]]
    assert [one.content for one in fetched] == [file.content for file in FILES]
    assert code(client.get(f"/cases/{case}/attachments/99")) == (404, "api.not_found")


def test_pages_follow_each_other_and_the_last_cursor_goes_on(gateway: Gateway, client: Client):
    cases = [a_processed(gateway)[1] for _ in range(3)]
    pages = list(client.pages(limit="2"))
    assert [[item["id"] for item in page["items"]] for page in pages] == [cases[:2], cases[2:]]
    _, later = a_processed(gateway)
    new = client.get("/cases", params={"cursor": pages[-1]["cursor"]}).json()
    assert [item["id"] for item in new["items"]] == [later]


def test_acknowledging_is_kept_once_with_the_offices_number(gateway: Gateway, client: Client):
    _, case = a_processed(gateway)
    first, again = client.acknowledge(case, "OR.123.2026"), client.acknowledge(case, "OR.123.2026")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert first.json()["reference"] == "OR.123.2026"
    other = client.acknowledge(case, "OR.999.2026")
    assert code(other) == (409, "api.acknowledged_otherwise")
    assert client.get(f"/cases/{case}").json()["acknowledgement"] == first.json()
    (page,) = client.pages()
    assert page["items"][0]["reference"] == "OR.123.2026"
    assert next(client.pages(unacknowledged="true"))["items"] == []


def test_an_acknowledgement_is_one_event_without_the_offices_words(gateway: Gateway, client: Client):
    submission = gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    for _ in range(2):
        client.call("POST", f"/cases/{submission.id}/acknowledge")
    assert gateway.words(submission).count("acknowledged") == 1


def test_an_office_that_fetches_has_the_case_delivered_by_acknowledging(database, tmp_path):
    gateway = a_gateway(database, tmp_path, more=FETCHING, routes=FETCH_ROUTE)
    submission = gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["due"]  # nobody tries it, nobody gives it up
    assert gateway.attempts(submission) == []
    assert "waits_for_fetch" in gateway.words(submission)

    with a_client(gateway) as client:
        client.acknowledge(str(submission.id), "WOD.7")

    (delivery,) = gateway.deliveries(submission)
    assert (delivery.state.value, delivery.reference) == ("delivered", "WOD.7")


def test_an_office_may_acknowledge_before_a_worker_has_looked(database, tmp_path):
    gateway = a_gateway(database, tmp_path, more=FETCHING, routes=FETCH_ROUTE)
    submission = gateway.receive(a_signed_document("letter"))
    assert gateway.work_one()  # processed; the delivery's wake-up is still in the queue
    with a_client(gateway) as client:
        client.acknowledge(str(submission.id))
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]
    assert gateway.attempts(submission) == []


def test_what_waits_to_be_fetched_is_not_woken_by_the_sweep(database, tmp_path):
    gateway = a_gateway(database, tmp_path, more=FETCHING, routes=FETCH_ROUTE)
    submission = gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    assert sweep.sweep(gateway.tools) == 0
    assert gateway.words(submission).count("waits_for_fetch") == 1


def test_a_version_that_a_clerk_has_corrected_is_not_acknowledged(gateway: Gateway, client: Client):
    submission = gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    with gateway.tools.store.begin() as transaction:
        stored = submissions.latest_case(transaction, submission.id)
        assert stored is not None
        submissions.save_case(transaction, submission.id, stored[1], actor="anna", reason="pomyłka", changes={})

    def said(version: int) -> requests.Response:
        return client.call("POST", f"/cases/{submission.id}/acknowledge", json={"version": version})

    assert code(said(1)) == (409, "api.version_outdated")
    assert client.get(f"/cases/{submission.id}").json()["acknowledgement"] is None
    assert said(2).status_code == 200
    assert said(1).status_code == 200  # said already: nothing changes any more


def test_a_replay_lets_it_wait_to_be_fetched_again_and_set_aside_ends_it(database, tmp_path):
    gateway = a_gateway(database, tmp_path, more=FETCHING, routes=FETCH_ROUTE)
    submission = gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    (delivery,) = gateway.deliveries(submission)

    act.replay(database, [delivery.id], actor="anna", reason="jeszcze raz")
    gateway.work_until_quiet()

    assert gateway.words(submission).count("waits_for_fetch") == 2
    (waiting,) = gateway.deliveries(submission)
    assert (waiting.state.value, waiting.round, waiting.attempts) == ("due", 2, 0)
    act.set_aside(database, delivery.id, actor="anna", reason="załatwione na papierze")
    with a_client(gateway) as client:
        assert client.acknowledge(str(submission.id)).status_code == 200
    assert gateway.states(submission) == ["set_aside"]  # what a person decided stands


def test_two_programs_that_acknowledge_at_once_count_once(gateway: Gateway, client: Client):
    submission = gateway.receive(a_signed_document("letter"))
    gateway.work_until_quiet()
    answers: list[requests.Response] = []
    with gateway.tools.store.begin() as transaction:
        publishing.acknowledge(transaction, submission.id, "A", "other")  # not committed yet
        threads = [
            threading.Thread(target=lambda said=said: answers.append(client.acknowledge(str(submission.id), said)))
            for said in ("A", "B")
        ]
        for thread in threads:
            thread.start()
        threads[0].join(timeout=0.3)
        assert answers == []  # both wait for the first
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(answer.status_code for answer in answers) == [200, 409]


def test_held_test_and_rejected_documents_are_no_cases(gateway: Gateway, client: Client):
    for envelope in (
        an_envelope(a_signed_document("unknown")),
        an_envelope(a_signed_document("letter"), is_test=True),
        an_envelope(a_signed_document("return", broken="content")),
    ):
        submission = gateway.receive(envelope)
        gateway.work_until_quiet()
        assert code(client.get(f"/cases/{submission.id}")) == (404, "api.not_found")
    assert next(client.pages())["items"] == []


# ---- isolation ----

OF_ONE = [endpoint for endpoint in ENDPOINTS if "{id}" in endpoint.path]


@pytest.mark.parametrize("endpoint", OF_ONE, ids=lambda endpoint: endpoint.name)
def test_what_is_another_gminas_looks_like_what_never_was(gateway: Gateway, client: Client, endpoint: Endpoint):
    """Every endpoint there is, also those to come: the same status, headers and bytes."""
    with serving(gateway) as base:
        owner = Client(base, a_key(gateway, OTHER_TERYT))
        theirs = owner.submit(a_signed_document("letter", files=FILES)).json()["id"]
        gateway.work_until_quiet()

        def path(one: object) -> str:
            return endpoint.path.replace("{id}", str(one)).replace("{attachment}", "1")

        assert owner.call(endpoint.method, path(theirs)).status_code == 200
    foreign, absent = (client.call(endpoint.method, path(one)) for one in (theirs, uuid4()))
    assert code(foreign) == (404, "api.not_found")
    assert (foreign.content, dict(foreign.headers, date="")) == (absent.content, dict(absent.headers, date=""))


def test_another_gminas_case_cannot_be_acknowledged(gateway: Gateway, client: Client):
    theirs = gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    gateway.work_until_quiet()
    assert code(client.acknowledge(str(theirs.id), "X")) == (404, "api.not_found")
    assert "acknowledged" not in gateway.words(theirs)


def test_a_key_lists_its_own_gmina_whatever_it_asks_for(gateway: Gateway, client: Client):
    gateway.receive(a_signed_document("letter"), mailbox=OTHER_MAILBOX)
    gateway.work_until_quiet()
    assert next(client.pages())["items"] == []
    for other in (OTHER_TERYT, "9999999"):
        assert code(client.get("/cases", params={"tenant": other})) == (404, "api.not_found")
    assert client.get("/cases", params={"tenant": TERYT}).status_code == 200


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

"""What a back office does over REST: list, open, fetch files, acknowledge; and what no other gmina's key can."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from gateway import sweep
from gateway.operations import act
from gateway.simulate.writing import File
from gateway.store import publishing, submissions
from gateway.web.api.endpoints import ENDPOINTS, Endpoint
from tests.apis import FETCH_ROUTE, FETCHING, Client, a_client, a_key, a_processed, code, serving
from tests.builders import OTHER_MAILBOX, OTHER_TERYT, TERYT, a_signed_document, an_envelope
from tests.gateways import Gateway, a_gateway
from tests.waiting import PATIENCE_S

FILES = (File("mapa działki.pdf", b"%PDF-1.4 plan"), File("zdjęcie.png", b"\x89PNG\r\n\x1a\n0000"))


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with a_client(gateway) as made:
        yield made


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

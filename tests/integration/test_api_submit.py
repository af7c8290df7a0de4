"""Documents from a gmina's own portal: the same steps as from ePUAP, the same answer however often they come."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from gateway.receipts.read import read_receipt
from gateway.store.database import Store
from tests.apis import Client, a_client, a_key, code, serving
from tests.builders import MAILBOX, OTHER_MAILBOX, SECOND_MAILBOX, a_signed_document, an_envelope
from tests.gateways import GATEWAY_TOML, Gateway, a_gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with a_client(gateway) as made:
        yield made


def test_a_document_is_kept_receipted_and_becomes_a_case(gateway: Gateway, client: Client):
    document = a_signed_document("letter")
    answer = client.submit(document, file_name="wniosek.xml")
    assert answer.status_code == 201
    said = answer.json()
    assert (said["decision"], said["mailbox"]) == ("accepted", MAILBOX)
    assert said["sha256"] == hashlib.sha256(document).hexdigest()
    assert answer.headers["Location"] == f"/api/v1/submissions/{said['id']}"

    receipt = client.get(said["receipt_href"].removeprefix("/api/v1")).content
    assert read_receipt(receipt).kind.value == "UPP"

    gateway.work_until_quiet()
    shown = client.get(f"/cases/{said['id']}").json()
    assert (shown["channel"], shown["file_name"]) == ("rest", "wniosek.xml")
    assert client.get(f"/cases/{said['id']}/document").content == document


def test_the_same_document_again_gets_the_same_answer_and_makes_no_second_case(gateway: Gateway, client: Client):
    document = a_signed_document("letter")
    first, again = client.submit(document), client.submit(document)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    gateway.work_until_quiet()
    client.submit(document)
    gateway.work_until_quiet()
    assert len(next(client.pages())["items"]) == 1


def test_what_came_from_epuap_first_is_recognised(gateway: Gateway, client: Client):
    document = a_signed_document("letter")
    first = gateway.receive(document)
    assert client.get(f"/submissions/{first.id}").status_code == 404  # not handed in here
    answer = client.submit(document)
    assert (answer.status_code, answer.json()["id"]) == (200, str(first.id))
    assert client.get(f"/submissions/{first.id}").status_code == 200


def test_a_rejected_document_is_kept_and_answered_as_a_failure(gateway: Gateway, client: Client):
    answer = client.submit(a_signed_document("return", broken="content"))
    assert code(answer) == (422, "api.rejected")
    kept = answer.json()["submission"]
    assert (kept["decision"], kept.get("receipt_href")) == ("rejected", None)
    assert client.get(f"/submissions/{kept['id']}").json()["decision"] == "rejected"
    assert code(client.get(f"/submissions/{kept['id']}/receipt")) == (404, "api.not_found")


def test_an_unknown_form_is_taken_for_a_clerk(client: Client):
    answer = client.submit(a_signed_document("unknown"))
    assert (answer.status_code, answer.json()["decision"]) == (201, "quarantined")


def test_a_test_submission_is_no_case(gateway: Gateway, client: Client):
    said = client.submit(a_signed_document("letter"), test="true").json()
    gateway.work_until_quiet()
    assert said["decision"] == "test"
    assert client.get(f"/cases/{said['id']}").status_code == 404


def test_a_mailbox_of_the_gmina_can_be_named_and_no_other(client: Client):
    document = a_signed_document("letter")
    assert client.submit(document, mailbox=SECOND_MAILBOX).json()["mailbox"] == SECOND_MAILBOX
    for foreign in (OTHER_MAILBOX, "/nobody/box"):
        assert code(client.submit(document, mailbox=foreign)) == (422, "api.mailbox_unknown")


def test_who_handed_it_in_is_the_key_and_nobody_else(gateway: Gateway, client: Client):
    said = client.submit(a_signed_document("letter")).json()
    submission = gateway.load(gateway.receive(an_envelope(a_signed_document("letter"))))
    assert submission.sender.user == "testowykonto"
    gateway.work_until_quiet()
    sender = client.get(f"/cases/{said['id']}").json()["case"]["message"]["sender"]
    assert {name: value for name, value in sender.items() if value} == {"system": f"api:{client.key.split('_')[1]}"}


@pytest.mark.parametrize(
    ("document", "kind", "query", "expected"),
    [
        (b"", "application/xml", {}, (400, "api.document_empty")),
        (b"<a/>", "application/json", {}, (415, "api.content_type")),
        (b"<a/>", "application/xml", {"file_name": "../a.xml"}, (400, "api.request_invalid")),
        (b"<a/>", "application/xml", {"test": "yes"}, (400, "api.request_invalid")),
        (b"<a/>", "application/xml", {"pesel": "44051401458"}, (400, "api.request_invalid")),
    ],
)
def test_a_wrong_request_keeps_nothing(gateway: Gateway, client: Client, document, kind, query, expected):
    answer = client.submit(document, kind, **query)
    assert code(answer) == expected
    assert "44051401458" not in answer.text
    assert gateway.tools.store.ping()
    with gateway.tools.store.begin() as transaction:
        assert transaction.exec_driver_sql("SELECT count(*) FROM submission").scalar() == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_document_over_the_limit_is_refused(database, tmp_path, chunked: bool):
    gateway = a_gateway(database, tmp_path, gateway=f"{GATEWAY_TOML}\n[http]\nmax_body_bytes = 1000\n")
    with a_client(gateway) as client:
        body = b"<" * 1001
        sent = (part for part in (body[:600], body[600:])) if chunked else body
        answer = client.call("POST", "/submissions", data=sent, headers={"Content-Type": "application/xml"})
        assert code(answer) == (413, "intake.body_too_large")


def test_a_document_that_is_not_xml_is_still_kept_and_rejected(client: Client):
    answer = client.submit(b"this is no document", "application/octet-stream")
    assert answer.status_code in (201, 422)
    kept = answer.json().get("submission") or answer.json()
    assert kept["decision"] in ("rejected", "quarantined")


def test_a_database_that_went_away_is_a_503_and_nothing_is_acknowledged(database, tmp_path):
    gateway = a_gateway(database, tmp_path)
    key = a_key(gateway)
    away = Store(f"postgresql://postgres@/brama?host={tmp_path}")
    with serving(gateway.with_tools(store=away)) as base:
        answer = Client(base, key).submit(b"<a/>")
    away.close()
    assert code(answer) == (503, "store.unavailable")
    assert int(answer.headers["Retry-After"]) > 0

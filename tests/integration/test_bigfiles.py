"""Big files: fetched once and kept, waited for, lost only amid the one transfer, and then visibly."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway import flow, resources
from gateway.bigfiles.presence import named
from gateway.bigfiles.spool import Spool
from gateway.operations import exchange
from gateway.simulate.offices.client import Office
from gateway.simulate.writing import File
from gateway.store import answers
from gateway.store.database import Store
from schemas.api import Caller
from schemas.errors import ApiRefused, ConfigError, StoreUnavailable
from schemas.files import FileState
from schemas.submission import Decision, Submission
from schemas.xmldoc import parse
from tests.bigfiles import CONTENT, a_letter, address_of, configured, content_of, fetching, linked, uploaded
from tests.builders import MAILBOX, SECOND_MAILBOX, TERYT, a_signed_document, an_envelope
from tests.gateways import Gateway, a_gateway
from tests.unit.test_presence import another_process

Site = Callable[..., Gateway]


@pytest.fixture(scope="module", params=[(), ("--mtom",)], ids=["inline", "mtom"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("epuap", tmp_path_factory.mktemp("epuap"), *request.param) as started:
        yield started


@pytest.fixture
def site(database: Store, office: Office, tmp_path: Path) -> Site:
    def made(tenant: str = "", **more: object) -> Gateway:
        return fetching(database, configured(tmp_path, office, tenant=tenant, **more))

    return made


def fetched_times(office: Office, file_id: str) -> int:
    return len([one for one in office.effects("fetched") if one["identity"] == file_id])


def events_of(gateway: Gateway, submission: Submission, word: str) -> list[dict[str, Any]]:
    with gateway.tools.store.begin() as transaction:
        query = text("SELECT facts FROM event WHERE submission_id = :id AND word = :word ORDER BY number")
        return list(transaction.execute(query, {"id": submission.id, "word": word}).scalars())


def states(gateway: Gateway, submission: Submission) -> list[str | None]:
    return [one.state and one.state.value for one in linked(gateway, submission)]


FOLDER_TOML = """
[connector.shelf]
kind = "folder"
root = "{root}"
[[route]]
form = "*"
connector = "shelf"
"""


def test_a_big_file_is_fetched_once_kept_whole_and_handed_on(office, site, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    gateway, file_id = site(tenant=FOLDER_TOML.format(root=shelf)), uploaded(office)
    submission = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    (file,) = linked(gateway, submission)
    assert (file.state, file.type, file.size_bytes) == (FileState.KEPT, "pdf", len(CONTENT))
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert content_of(gateway, file) == CONTENT
    assert fetched_times(office, file_id) == 1
    assert gateway.states(submission) == ["delivered", "delivered"]
    assert [one.read_bytes() for one in shelf.rglob("*.pdf")] == [CONTENT]
    assert gateway.words(submission).index("file_kept") < gateway.words(submission).index("attempt_finished")


def test_a_back_office_that_fetches_gets_the_file_once_it_is_kept(office, site):
    gateway, file_id = site(), uploaded(office)
    submission = gateway.receive(a_letter([address_of(file_id)]))
    flow.process(submission.id, gateway.tools)
    caller = Caller("TEST", TERYT, "próba", frozenset())
    store = gateway.tools.store
    (before,) = exchange.case(store, caller, submission.id).attachments
    assert (before.href, before.sha256) == (None, None)
    with pytest.raises(ApiRefused):
        exchange.attachment(store, caller, submission.id, before.id)
    gateway.work_until_quiet()
    (after,) = exchange.case(store, caller, submission.id).attachments
    assert after.size_bytes == len(CONTENT)
    assert exchange.attachment(store, caller, submission.id, after.id).content == CONTENT


def test_two_documents_that_refer_to_one_file_share_it(office, site):
    gateway, file_id = site(), uploaded(office)
    first = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    second = gateway.receive(a_letter([address_of(file_id), file_id]))  # by address, and by the id alone
    gateway.work_until_quiet()
    assert fetched_times(office, file_id) == 1
    assert states(gateway, first) + states(gateway, second) == ["kept"] * 3
    assert gateway.states(second) == ["delivered"]


@pytest.mark.parametrize(
    "address",
    [
        "https://zly.invalid/file-download-servlet/DownloadServlet?fileId={id}",
        "http://epuap.invalid/file-download-servlet/DownloadServlet?fileId={id}",
        "https://epuap.invalid@zly.invalid/?fileId={id}",
        "https://epuap.invalid:8443/?fileId={id}",
        "https://epuap.invalid/?fileId={id}&fileId=00",
        "https://epuap.invalid/?fileId=../{id}",
        "file:///etc/passwd?fileId={id}",
    ],
)
def test_only_an_address_of_epuaps_own_store_is_taken_for_a_file(office, site, address):
    gateway, file_id = site(), uploaded(office)
    submission = gateway.receive(a_letter([address.format(id=file_id)]))
    gateway.work_until_quiet()
    (link,) = linked(gateway, submission)
    assert (link.id, link.state) == (None, None)
    assert fetched_times(office, file_id) == 0
    assert gateway.states(submission) == ["delivered"]
    assert events_of(gateway, submission, "files_named") == [{"fetched": 0, "elsewhere": 1}]


def test_a_rejected_document_gets_no_files_fetched(office, site):
    gateway, file_id = site(), uploaded(office)
    attached = [File("plan.pdf", b"", address=address_of(file_id))]
    taken = gateway.receive(a_signed_document("return", files=attached))
    assert [one.id is not None for one in linked(gateway, taken)] == [True]
    other = [File("plan.pdf", b"", address=address_of(uploaded(office)))]
    rejected = gateway.receive(a_signed_document("return", files=other, broken="digest"))
    assert rejected.decision is Decision.REJECTED
    assert linked(gateway, rejected) == []


def test_an_epuap_that_is_away_is_asked_again_and_the_delivery_waits_visibly(office, site):
    gateway, file_id = site(), uploaded(office)
    office.tell("down")
    submission = gateway.receive(a_letter([address_of(file_id)]))
    for _ in range(6):
        gateway.work_one()
    (delivery,) = gateway.deliveries(submission)
    assert (delivery.state.value, delivery.last_code) == ("due", "attachment.waited_for")
    assert linked(gateway, submission)[0].last_code == "service.unreachable"
    assert events_of(gateway, submission, "file_fetch_failed")[0]["then"] == "due"
    office.tell("up")
    gateway.work_until_quiet()
    assert (states(gateway, submission), gateway.states(submission)) == (["kept"], ["delivered"])


def test_a_policy_may_let_a_case_go_without_its_files(office, site):
    gateway, file_id = site(missing='"deliver_without"'), uploaded(office)
    office.tell("down")
    submission = gateway.receive(a_letter([address_of(file_id)]))
    for _ in range(8):
        gateway.work_one()
    assert gateway.states(submission) == ["delivered"]


def test_a_gmina_may_decide_otherwise(office, site):
    gateway, file_id = site(tenant="", missing='"wait"'), uploaded(office)
    tenants = {
        teryt: one.model_copy(update={"missing_files": "deliver_without"})
        for teryt, one in gateway.tools.config.tenants.items()
    }
    gateway = gateway.with_tools(config=gateway.tools.config.model_copy(update={"tenants": tenants}))
    office.tell("down")
    submission = gateway.receive(a_letter([address_of(file_id)]))
    for _ in range(8):
        gateway.work_one()
    assert gateway.states(submission) == ["delivered"]


# --- amid the transfer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["truncate", "hang_up_after_storing"])
def test_a_file_whose_one_transfer_was_cut_off_is_lost_visibly(office, site, mode):
    gateway, file_id = site(), uploaded(office)
    office.tell(mode, times=1, match="DownloadFileParam")
    submission = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    (file,) = linked(gateway, submission)
    assert (file.state, file.last_code) == (FileState.LOST, "attachment.lost")
    assert [one["code"] for one in file.findings] == ["attachment.lost"]
    assert [one["code"] for one in events_of(gateway, submission, "attachment_lost")] == ["attachment.lost"]
    assert gateway.states(submission) == ["due"]


def test_a_call_that_was_cut_off_before_it_did_anything_loses_nothing(office, site):
    gateway, file_id = site(), uploaded(office)
    office.tell("hang_up_before_storing", times=2, match="DownloadFileParam")
    submission = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    assert (states(gateway, submission), gateway.states(submission)) == (["kept"], ["delivered"])


def test_faults_nobody_knows_end_the_tries_as_failed_where_no_transfer_was_begun(office, site):
    gateway, file_id = site(refusals=3), uploaded(office)
    office.tell("refuse", match="DownloadFileParam")
    submission = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    (file,) = linked(gateway, submission)
    assert (file.state, file.last_code, file.attempts) == (FileState.FAILED, "attachment.refused", 3)
    assert file.last_text == "-7 odmowa na życzenie"
    assert events_of(gateway, submission, "attachment_lost") == []


def test_without_a_service_there_is_nobody_to_ask(site):
    with pytest.raises(ConfigError) as caught:
        site(url='""').tools.files.repository(TERYT)
    assert "files.url" in str(caught.value)


def test_an_answer_that_cannot_be_understood_is_kept_on_disk(office, site):
    gateway, file_id = site(), uploaded(office)
    office.tell("garbage", times=1, match="DownloadFileParam")
    submission = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    assert states(gateway, submission) == ["lost"]
    (left,) = [left for left in gateway.tools.files.spool.iterdir() if left.is_file()]
    assert left.suffix == ".unread"
    assert b"Prosimy" in left.read_bytes()


def test_a_file_over_the_limit_is_cut_off_and_a_person_sees_it(office, site):
    gateway, file_id = site(limit_bytes=1), uploaded(office, os.urandom(4 * 1024 * 1024))
    submission = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    (file,) = linked(gateway, submission)
    assert (file.state, file.last_code) == (FileState.FAILED, "attachment.file_too_large")


def test_without_room_on_the_disk_nothing_is_asked_for(office, site):
    gateway, file_id = site(limit_bytes=1 << 40), uploaded(office)
    submission = gateway.receive(a_letter([address_of(file_id)]))
    for _ in range(6):
        gateway.work_one()
    assert (states(gateway, submission), fetched_times(office, file_id)) == (["due"], 0)
    assert linked(gateway, submission)[0].last_code == "attachment.no_room"


def test_a_file_of_a_refused_type_is_kept_and_held_for_a_person(office, site):
    gateway, file_id = site(), uploaded(office, b"MZ" + bytes(1000))
    submission = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    (file,) = linked(gateway, submission)
    assert (file.state, file.last_code) == (FileState.HELD, "attachment.type_refused")
    assert content_of(gateway, file) == b"MZ" + bytes(1000)
    assert gateway.states(submission) == ["due"]


def test_a_file_whose_answer_is_signed_by_somebody_else_is_kept_and_held(office, site, database, tmp_path):
    gateway, file_id = site(), uploaded(office)
    settings = tmp_path / "gateway.toml"
    other = tmp_path / "pki" / "upo-seal.pem"
    changed = settings.read_text("utf-8").replace(f"{office.state}/ws-sign.pem", str(other))
    settings.write_text(changed, "utf-8")
    gateway = fetching(database, tmp_path)
    submission = gateway.receive(a_letter([address_of(file_id)]))
    gateway.work_until_quiet()
    (file,) = linked(gateway, submission)
    assert (file.state, file.last_code) == (FileState.HELD, "attachment.answer_untrusted")
    assert content_of(gateway, file) == CONTENT


def test_the_sender_of_lost_files_is_asked_for_them_once_a_clerk_approves(office, site, database, tmp_path):
    (tmp_path / "office").mkdir()
    card = resources.folder("templates") / "answers" / "office.example.toml"
    shutil.copy(card, tmp_path / "office" / "office.toml")
    answering = Gateway(replace(site().tools, mail=a_gateway(database, Path()).tools.mail))
    ids = [uploaded(office), uploaded(office)]
    office.tell("truncate", match="DownloadFileParam", times=2)
    submission = answering.receive(a_letter([address_of(one) for one in ids]))
    answering.work_until_quiet()
    with database.begin() as transaction:
        (asked,) = answers.of_submission(transaction, submission.id)
        letter = answers.load(transaction, asked.id)
    assert (asked.service, asked.step) == ("resend_request", "approve")
    assert letter is not None
    text_of_letter = " ".join(parse(letter.octets or b"").getroot().itertext())
    assert "załącznik 1.pdf" in text_of_letter
    assert "załącznik 2.pdf" in text_of_letter


# --- what others left ------------------------------------------------------------------------------------------------


def test_what_came_while_the_database_was_away_is_kept_when_it_is_back(office, site):
    gateway, file_id = site(), uploaded(office)
    submission = gateway.receive(a_letter([address_of(file_id)]))

    def away(*_given: Any) -> Any:
        raise StoreUnavailable

    tools = replace(gateway.tools, files=replace(gateway.tools.files, judge=away))
    (file,) = linked(gateway, submission)
    with pytest.raises(StoreUnavailable):
        flow.fetch(file.id, tools)
    assert len(list(Spool(gateway.tools.files.spool).waiting())) == 1
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE remote_file SET lease_until = now()"))
    gateway.work_until_quiet()
    assert (states(gateway, submission), fetched_times(office, file_id)) == (["kept"], 1)
    assert [left for left in gateway.tools.files.spool.iterdir() if left.is_file()] == []


def test_an_answer_found_late_brings_back_a_file_that_counted_as_lost(office, site):
    gateway, file_id = site(), uploaded(office)
    submission = gateway.receive(a_letter([address_of(file_id)]))
    (file,) = linked(gateway, submission)
    spool = Spool(gateway.tools.files.spool)
    with spool.begin(file.id, 0) as sink:  # another process fetched it and died; nobody saw its disk
        kind = gateway.tools.files.repository("2009032").download(file_id, sink.write)
        hidden = spool.complete(sink, file.id, 0, kind)
    note = hidden.path.with_suffix(".json")
    note.rename(note.with_suffix(".elsewhere"))
    gateway.work_until_quiet()
    assert states(gateway, submission) == ["lost"]
    note.with_suffix(".elsewhere").rename(note)
    gateway.work_until_quiet()
    assert (states(gateway, submission), gateway.states(submission)) == (["kept"], ["delivered"])


def test_an_answer_may_lie_on_another_machine_so_its_file_is_asked_for_again_only_later(office, site):
    gateway, file_id = site(), uploaded(office)
    submission = gateway.receive(a_letter([address_of(file_id)]))
    begun = "UPDATE remote_file SET state = 'fetching', worker = 'elsewhere:1', due_at = NULL, lease_until = now() - "
    for minutes, expected in (("9 minutes", "fetching"), ("11 minutes", "kept")):
        with gateway.tools.store.begin() as transaction:
            transaction.execute(text(f"{begun} interval '{minutes}'"))
        gateway.work_until_quiet()
        assert states(gateway, submission) == [expected]


@pytest.mark.parametrize("alive", [False, True], ids=["ended", "alive"])
def test_a_worker_of_the_same_host_and_number_is_not_taken_for_this_one(office, site, alive):
    """Two containers often have both in common: only whether the other one still lives counts."""
    gateway, file_id = site(), uploaded(office)
    submission = gateway.receive(a_letter([address_of(file_id)]))
    with another_process(gateway.tools.files.spool) as (name, process):
        begun = "UPDATE remote_file SET state = 'fetching', worker = :w, due_at = NULL, lease_until = now() + '1 hour'"
        with gateway.tools.store.begin() as transaction:
            transaction.execute(text(begun), {"w": named(gateway.tools.worker, name)})
        if not alive:
            process.kill()
            process.wait()
        gateway.work_until_quiet()
        assert states(gateway, submission) == ["fetching" if alive else "kept"]


def test_the_same_letter_in_two_boxes_fetches_its_file_once(office, site):
    gateway, file_id = site(), uploaded(office)
    letter = a_letter([address_of(file_id)])
    for mailbox in (MAILBOX, SECOND_MAILBOX):
        gateway.receive(an_envelope(letter, mailbox=mailbox))
    gateway.work_until_quiet()
    assert fetched_times(office, file_id) == 1

"""Files too large for a letter: up into the store of big files first, then named in what is approved and sealed."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from gateway import channels, operations, reply
from gateway.answers.document import File
from gateway.cli import commands
from gateway.clock import WARSAW
from gateway.operations import answering, letters
from gateway.reply import uploads
from gateway.repositories import Repositories
from gateway.signatures import TrustPolicy, verify
from gateway.simulate.applications import settlement_query
from gateway.simulate.citizens import sign_trusted_profile
from gateway.simulate.ledger import Ledger, year_of_dues
from gateway.simulate.offices.client import Office
from gateway.simulate.people import nrb, person
from gateway.transport.filerepo import file_id_of
from gateway.transport.pull import PullBox
from schemas.errors import OperationRefused
from schemas.ids import Mailbox, sha256
from schemas.octets import Octets
from schemas.submission import Submission
from tests.bigfiles import HOST, files_toml
from tests.builders import TERYT, pki
from tests.outboxes import CITIZEN_BOX, Correspondent, a_letter_writer, a_town
from tests.outboxes import answering as a_correspondent
from tests.waiting import wait_until

BY: dict[str, Any] = {"actor": "urzędnik", "reason": "test"}
PDF = b"%PDF-1.7\n% decyzja\n"
BIG = PDF + bytes(range(256)) * 2000  # half a megabyte
DECISION: dict[str, Any] = {
    "number": "FN.3120.9.2026",
    "dated": date(2026, 3, 2),
    "subject": "podatek za 2026 r.",
    "unsigned": True,
}
INLINE = 400_000
ADDRESS = f"https://{HOST}/file-download-servlet/DownloadServlet?fileId={{id}}"
STR = "{http://crd.gov.pl/xml/schematy/struktura/2009/11/16/}"
Make = Callable[..., Correspondent]


def large_files(office: Office, folder: Path, **more: object) -> None:
    """The folder's letters hold little, and this ePUAP takes the rest."""
    given = {"inline_limit_bytes": INLINE, "upload_limit_bytes": 2_000_000, "address": f'"{ADDRESS}"', **more}
    with (folder / "gateway.toml").open("a", encoding="utf-8") as file:
        file.write(files_toml(office, folder, **given))


@pytest.fixture
def town(database, office: Office, tmp_path: Path) -> Make:
    """A gateway whose [files] has these lines."""

    def make(epuap: Office = office, **more: object) -> Correspondent:
        a_letter_writer(database, epuap, tmp_path)
        large_files(epuap, tmp_path, **more)
        return a_correspondent(database, tmp_path)

    return make


def begun(gateway: Correspondent, content: bytes = BIG) -> tuple[Submission, Any]:
    """A decision is to be delivered; everything that needs no person is done."""
    submission = gateway.receive(reply_mailbox=CITIZEN_BOX)
    gateway.work_until_quiet()
    new = letters.deliver_decision(gateway.tools, submission.id, ("decyzja.pdf", content), **DECISION, **BY)
    gateway.work_until_quiet()
    return submission, new.id


def approve(gateway: Correspondent, answer: Any) -> None:
    digest = answering.answer_json(answering.shown(gateway.tools.store, answer).answer)["sha256"]
    answering.approve(gateway.tools.store, answer, sha256=digest, **BY)
    gateway.work_until_quiet()


def states(gateway: Correspondent, answer: Any) -> list[str]:
    return [one.state.value for one in answering.shown(gateway.tools.store, answer).uploads]


def told(gateway: Correspondent, submission: Submission) -> list[str]:
    return [word for word in gateway.words(submission) if word.startswith(("answer_", "reply_"))]


def attachments(letter: bytes) -> dict[str, tuple[str, str, str]]:
    """By file name: how it is given, its data, what it is."""
    found = etree.fromstring(letter).iter(f"{STR}Zalacznik")
    return {
        one.get("nazwaPliku"): (
            one.get("kodowanie"), one.findtext(f"{STR}DaneZalacznika"), one.findtext(f"{STR}OpisZalacznika")
        )
        for one in found
    }  # fmt: skip


def downloaded(gateway: Correspondent, address: str, into: Path) -> bytes:
    """What a citizen gets for an address in a letter."""
    file_id = file_id_of(address, {HOST})
    assert file_id is not None
    repository = Repositories(gateway.tools.config).get(TERYT)
    with into.open("wb") as sink:
        kind = repository.download(file_id, sink.write)
    return b"".join(repository.read(into, kind).octets())


def citizens_mail(gateway: Correspondent) -> bytes:
    """The oldest letter in the citizen's box, as a client of that box gets it; nothing where there is none."""
    config = gateway.tools.config
    service = channels.endpoint(config, config.gateway.epuap.pull_url)
    taken = PullBox(service, "testowykonto", Mailbox(CITIZEN_BOX)).next()
    return taken.document if taken else b""


@pytest.mark.parametrize("form", ["inline", "mtom"])
def test_a_decision_too_large_for_its_letter_is_downloaded_by_the_citizen_as_it_was(town, office, tmp_path, form):
    gateway = town(upload_form=f'"{form}"')
    assert citizens_mail(gateway) == b""
    submission, answer = begun(gateway)
    assert states(gateway, answer) == ["kept"]
    approve(gateway, answer)
    letter = citizens_mail(gateway)
    coding, address, about = attachments(letter)["decyzja.pdf"]
    (file,) = office.effects("file")
    assert (coding, address) == ("URI", ADDRESS.format(id=file["identity"]))
    assert sha256(BIG) in about
    assert sha256(downloaded(gateway, address, tmp_path / "answer")) == sha256(BIG)
    verdict = verify(letter, TrustPolicy("test", seals=(pki().upo_seal.certificate,)))
    assert verdict.indication == "TOTAL-PASSED"
    assert told(gateway, submission) == [
        "answer_begun", "answer_upload_kept", "answer_drafted", "answer_approve", "answer_signed",
        "reply_attempt_finished",
    ]  # fmt: skip
    inside = [coding for coding, _, _ in attachments(letter).values()]
    assert sorted(inside) == ["URI", "base64"]  # the letter's own PDF fits


def test_what_fits_goes_inside_and_nothing_goes_up(town, office):
    gateway = town()
    _, answer = begun(gateway, PDF)
    assert attachments(answering.draft_of(gateway.tools.store, answer))["decyzja.pdf"][0] == "base64"
    assert (office.effects("file"), states(gateway, answer)) == ([], [])


@pytest.mark.parametrize("fault", ["hang_up_after_storing", "truncate", "garbage"])
def test_after_a_lost_answer_the_file_goes_up_again_and_the_first_is_a_known_orphan(town, office, fault):
    gateway = town()
    office.tell(fault, times=1, match="UploadFileParam")
    submission, answer = begun(gateway)
    assert states(gateway, answer) == ["orphaned", "kept"]
    _, second = office.effects("file")
    address = attachments(answering.draft_of(gateway.tools.store, answer))["decyzja.pdf"][1]
    assert address == ADDRESS.format(id=second["identity"])
    assert told(gateway, submission)[1:3] == ["answer_upload_orphaned", "answer_upload_kept"]


def test_a_store_that_cannot_be_reached_is_asked_again_on_the_usual_schedule(town, office):
    gateway = town()
    office.tell("unavailable", times=2, match="UploadFileParam")
    _, answer = begun(gateway)
    assert states(gateway, answer)[-1] == "kept"
    assert len(states(gateway, answer)) == 3
    assert len(office.effects("file")) == 1
    assert answering.shown(gateway.tools.store, answer).answer.last_code is None


def test_when_every_try_fails_a_person_is_asked_and_lets_it_go_on(town, office):
    gateway = town()
    office.tell("hang_up_after_storing", match="UploadFileParam")
    _, answer = begun(gateway)
    stored = answering.shown(gateway.tools.store, answer).answer
    assert (stored.step, stored.last_code) == ("held", "service.unsettled")
    assert states(gateway, answer) == ["orphaned"] * (1 + len(gateway.tools.config.gateway.worker.retry_s))
    office.tell("up")
    answering.let_go_on(gateway.tools.store, answer, **BY)
    gateway.work_until_quiet()
    assert answering.shown(gateway.tools.store, answer).answer.step == "approve"


def test_a_refusal_is_kept_word_for_word_and_not_repeated(town, office):
    gateway = town()
    office.tell("refuse", match="UploadFileParam")
    _, answer = begun(gateway)
    view = answering.shown(gateway.tools.store, answer)
    assert (view.answer.step, view.answer.last_code) == ("held", "service.refused")
    (upload,) = view.uploads
    assert (upload.state.value, upload.text) == ("failed", "-7 odmowa na życzenie")


def test_a_letter_sent_back_is_drafted_with_the_file_that_is_up_already(town, office):
    gateway = town()
    _, answer = begun(gateway)
    before = attachments(answering.draft_of(gateway.tools.store, answer))["decyzja.pdf"]
    answering.send_back(gateway.tools.store, answer, **BY)
    gateway.work_until_quiet()
    assert attachments(answering.draft_of(gateway.tools.store, answer))["decyzja.pdf"] == before
    assert len(office.effects("file")) == 1


def test_an_upload_that_ends_after_the_answer_was_taken_over_is_an_orphan(town, office):
    gateway = town()
    submission = gateway.receive(reply_mailbox=CITIZEN_BOX)
    gateway.work_until_quiet()
    new = letters.deliver_decision(gateway.tools, submission.id, ("decyzja.pdf", BIG), **DECISION, **BY)
    office.tell("slow", times=1, match="UploadFileParam", seconds=600)
    late = threading.Thread(target=reply.work, args=(new.id, gateway.tools))
    late.start()
    wait_until(lambda: office.effects("file"))
    with gateway.tools.store.begin() as transaction:  # its time is over
        transaction.execute(text("UPDATE answer SET due_at = now()"))
    reply.work(new.id, gateway.tools)
    office.tell("up")
    late.join()
    gateway.work_until_quiet()
    first, second = answering.shown(gateway.tools.store, new.id).uploads
    assert [(one.state.value, one.code) for one in (first, second)] == [
        ("orphaned", "answers.upload_cut_off"),
        ("kept", None),
    ]
    assert first.file_id not in (None, second.file_id)  # the late worker wrote down what became an orphan
    address = attachments(answering.draft_of(gateway.tools.store, new.id))["decyzja.pdf"][1]
    assert address == ADDRESS.format(id=second.file_id)
    assert told(gateway, submission).count("answer_drafted") == 1


def test_an_upload_is_not_begun_for_an_answer_somebody_else_has(town, office):
    gateway = town()
    _, answer = begun(gateway, PDF)
    stored = answering.shown(gateway.tools.store, answer).answer
    file = File("decyzja.pdf", "application/pdf", "Decyzja", Octets.of(BIG))
    with pytest.raises(uploads.NotUploaded) as caught:
        uploads.enclose([file], replace(stored, fence=stored.fence - 1), gateway.tools)
    assert (caught.value.code, caught.value.again) == ("answers.upload_superseded", True)
    assert office.effects("file") == []


def test_a_file_over_the_upper_bound_is_refused_before_anything_is_begun(town, office):
    gateway = town()
    with pytest.raises(OperationRefused) as caught:
        begun(gateway, PDF + bytes(2_000_000))
    assert caught.value.code == "answers.enclosure_too_large"
    assert caught.value.facts["most_bytes"] == 2_000_000


def test_without_a_store_of_files_the_inline_bound_holds(town, office):
    gateway = town(url='""')
    with pytest.raises(OperationRefused) as caught:
        begun(gateway)
    assert caught.value.facts["most_bytes"] == INLINE


def test_a_letter_whose_files_only_together_do_not_fit_is_held_where_there_is_no_store(town, office):
    gateway = town(url='""')
    _, answer = begun(gateway, PDF + bytes(INLINE - len(PDF)))
    stored = answering.shown(gateway.tools.store, answer).answer
    assert (stored.step, stored.last_code) == ("held", "answers.does_not_fit")


def test_a_file_that_the_next_draft_does_not_name_is_an_orphan(database, office, database_url, tmp_path):
    ledger = Ledger(make_url(database_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False))
    ledger.create()
    a_town(database, office, ledger, tmp_path, approve_all=True).close_offices("tax", "waste")
    large_files(office, tmp_path, inline_limit_bytes=0)
    gateway = a_correspondent(database, tmp_path)
    citizen = person(31, "Krasnopol")
    submission = gateway.receive(sign_trusted_profile(settlement_query(applicant=citizen), citizen, pki()))
    gateway.work_until_quiet()
    (view,) = operations.submission(gateway.tools.store, submission.id).answers
    ledger.book(year_of_dues(citizen.pesel, datetime.now(WARSAW).date(), account=nrb(1), late=True))
    answering.send_back(gateway.tools.store, view.answer.id, **BY)
    gateway.work_until_quiet()
    first, second = answering.shown(gateway.tools.store, view.answer.id).uploads
    assert (first.state.value, first.code, second.state.value) == ("orphaned", "answers.upload_unused", "kept")
    (only,) = attachments(answering.draft_of(gateway.tools.store, view.answer.id)).values()
    assert only[1] == ADDRESS.format(id=second.file_id)
    assert told(gateway, submission)[-3:] == ["answer_upload_kept", "answer_drafted", "answer_upload_orphaned"]
    gateway.close_offices("tax", "waste")


def test_a_settlement_statements_own_pdf_goes_the_same_way(database, office, database_url, tmp_path):
    ledger = Ledger(make_url(database_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False))
    ledger.create()
    a_town(database, office, ledger, tmp_path).close_offices("tax", "waste")
    large_files(office, tmp_path, inline_limit_bytes=0)
    gateway = a_correspondent(database, tmp_path)
    citizen = person(31, "Krasnopol")
    submission = gateway.receive(sign_trusted_profile(settlement_query(applicant=citizen), citizen, pki()))
    gateway.work_until_quiet()
    (effect,) = office.effects("sent")
    ((coding, address, about),) = attachments(base64.b64decode(effect["content"])).values()
    content = downloaded(gateway, address, tmp_path / "answer")
    assert (coding, content[:5]) == ("URI", b"%PDF-")
    assert sha256(content) in about
    assert gateway.messages(submission)[0].state.value == "receipted"
    gateway.close_offices("tax", "waste")


@pytest.mark.parametrize("said", ["https://epuap.invalid/x?fileId={id}", "przyjęto"])
def test_the_store_may_answer_with_an_address_but_must_name_an_id(town, office, said, tmp_path):
    with Office("epuap", tmp_path / "epuap", "--uploaded", said) as other:
        gateway = town(other)
        _, answer = begun(gateway)
        view = answering.shown(gateway.tools.store, answer)
        (upload,) = view.uploads
        (file,) = other.effects("file")
    if "{id}" in said:
        assert (view.answer.step, upload.state.value, upload.file_id) == ("approve", "kept", file["identity"])
    else:
        assert (view.answer.step, view.answer.last_code) == ("held", "answers.upload_id_unknown")
        assert (upload.state.value, upload.text) == ("orphaned", "przyjęto")


def test_uploads_are_shown_with_the_answer_and_with_the_submission(town, tmp_path):
    gateway = town()
    submission, answer = begun(gateway)
    arguments = ["answers", "show", str(answer), "--config", str(tmp_path)]
    shown = json.loads(CliRunner().invoke(commands.app, [*arguments, "--json"]).stdout)
    (upload,) = shown["uploads"]
    assert (upload["state"], upload["sha256"], upload["size_bytes"]) == ("kept", sha256(BIG), len(BIG))
    assert sha256(BIG) in CliRunner().invoke(commands.app, arguments).stdout.replace("\n", "")
    (view,) = operations.submission(gateway.tools.store, submission.id).answers
    assert [one.name for one in view.uploads] == ["decyzja.pdf"]
    told = CliRunner().invoke(commands.app, ["submissions", "show", str(submission.id), "--config", str(tmp_path)])
    assert "↑ decyzja.pdf" in told.stdout


def test_of_several_files_only_the_largest_leave_the_letter():
    files = [File(str(size), "x/y", "", Octets.of(bytes(size))) for size in (5, 50, 7, 30)]
    assert [files[number].name for number in sorted(uploads._outside(files, 42))] == ["50"]
    assert uploads._outside(files, 92) == frozenset()
    assert len(uploads._outside(files, 0)) == 4

"""From a citizen's request to the answer in the citizen's box, receipts in the same timeline: every part is real."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gateway import channels, poll
from gateway.checkup import check
from gateway.clock import WARSAW
from gateway.operations import answering as operations
from gateway.reply import paper
from gateway.signatures import TrustPolicy, verify
from gateway.simulate.applications import certificate_application, settlement_query
from gateway.simulate.citizens import sign_trusted_profile
from gateway.simulate.ledger import Ledger, year_of_dues
from gateway.simulate.offices.client import Office
from gateway.simulate.people import nrb, person
from gateway.store import answers
from schemas.errors import AnswerError, OperationRefused
from schemas.ids import sha256
from schemas.submission import Submission
from tests.builders import TERYT, pki
from tests.outboxes import CITIZEN_BOX, Correspondent, a_town, place_receipt

CITIZEN = person(31, "Krasnopol")


@pytest.fixture
def ledger(database_url: str) -> Ledger:
    """The gmina's tax and waste ledgers, in a table beside ours."""
    made = Ledger(make_url(database_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False))
    made.create()
    return made


@pytest.fixture
def town(database, office, ledger, tmp_path: Path) -> Iterator[Callable[..., Correspondent]]:
    """Makes a gateway that answers; `kind` and `approve_all` as in its configuration."""
    made: list[Correspondent] = []

    def make(kind: str = "nadaj", *, approve_all: bool = False) -> Correspondent:
        made.append(a_town(database, office, ledger, tmp_path, kind, approve_all=approve_all))
        return made[-1]

    yield make
    for one in made:
        one.close_offices("tax", "waste")


def owes(ledger: Ledger, *, late: bool) -> None:
    ledger.book(year_of_dues(CITIZEN.pesel, datetime.now(WARSAW).date(), account=nrb(1), late=late))


def asks(gateway: Correspondent, document: bytes) -> Submission:
    return gateway.receive(sign_trusted_profile(document, CITIZEN, pki()))


def in_the_citizens_box(office: Office, what: str = "sent") -> list[bytes]:
    return [base64.b64decode(one["content"]) for one in office.effects(what) if one["to"] == CITIZEN_BOX]


def pull(gateway: Correspondent) -> int:
    (box,) = channels.pull_boxes(gateway.tools.config)
    return poll.drain(box, gateway.tools, threading.Event())


def plan_of(gateway: Correspondent, submission: Submission) -> answers.StoredAnswer:
    with gateway.tools.store.begin() as transaction:
        (only,) = answers.of_submission(transaction, submission.id)
        found = answers.load(transaction, only.id)
    assert found is not None
    return found


def test_a_settlement_query_is_answered_into_the_citizens_box_without_a_hand(town, office, ledger):
    gateway = town()
    owes(ledger, late=True)
    submission = asks(gateway, settlement_query(applicant=CITIZEN))
    gateway.work_until_quiet()
    (letter,) = in_the_citizens_box(office)
    verdict = verify(letter, TrustPolicy("test", seals=(pki().upo_seal.certificate,)))
    assert verdict.indication == "TOTAL-PASSED"
    assert CITIZEN.pesel in letter.decode()
    assert "application/pdf" in letter.decode()
    (message,) = gateway.messages(submission)
    (upp,) = gateway.receipts(message.id)
    assert (message.state.value, upp["kind"], upp["binding"]) == ("receipted", "UPP", "is_for")
    words = gateway.words(submission)
    told = [word for word in words if word.startswith(("answer_", "reply_"))]
    assert told == ["answer_begun", "answer_drafted", "answer_signed", "reply_attempt_finished", "reply_receipt"]


def test_what_is_sent_is_octet_for_octet_what_was_drafted_and_a_signature(town, office, ledger):
    gateway = town()
    owes(ledger, late=False)
    submission = asks(gateway, settlement_query(applicant=CITIZEN))
    gateway.work_until_quiet()
    (letter,) = in_the_citizens_box(office)
    drafted = plan_of(gateway, submission).octets
    assert drafted is not None
    start, end = letter.index(b"<ds:Signature"), letter.rindex(b"</ds:Signature>") + len(b"</ds:Signature>")
    assert letter[:start] + letter[end:] == drafted
    assert plan_of(gateway, submission).plan["digest"] == sha256(drafted)


def test_a_delivered_statement_has_upp_and_upd_in_the_timeline_of_its_request(town, office, ledger):
    gateway = town("dorecz")
    owes(ledger, late=False)
    submission = asks(gateway, settlement_query(applicant=CITIZEN))
    gateway.work_until_quiet()
    number = office.effects("delivered")[0]["number"]
    for kind in ("UPP", "UPD"):
        place_receipt(office, number, kind)
    assert pull(gateway) == 2
    (message,) = gateway.messages(submission)
    assert message.state.value == "receipted"
    assert [one["kind"] for one in gateway.receipts(message.id)] == ["UPP", "UPD"]
    assert gateway.words(submission).count("reply_receipt") == 2


def test_a_query_about_somebody_else_is_held_and_nothing_is_sent(town, office):
    gateway = town()
    submission = asks(gateway, settlement_query(applicant=person(32, "Krasnopol")))
    gateway.work_until_quiet()
    assert (plan_of(gateway, submission).step, plan_of(gateway, submission).last_code) == (
        "held", "answers.signer_differs",
    )  # fmt: skip
    assert in_the_citizens_box(office) == []


def test_a_silent_ledger_is_asked_again_before_a_person_must_look(town, tmp_path):
    gateway = town()
    (tmp_path / "ledger-url").write_text("postgresql+psycopg://nobody@127.0.0.1:1/none", "utf-8")
    submission = asks(gateway, certificate_application(applicant=CITIZEN))
    gateway.work_until_quiet(30)
    stored = plan_of(gateway, submission)
    assert (stored.step, stored.last_code) == ("held", "answers.ledger_silent")
    assert stored.tries == 0


# --- with one approval -----------------------------------------------------------------------------------------------


def drafted(gateway: Correspondent) -> tuple[Submission, operations.StoredAnswer]:
    submission = asks(gateway, certificate_application(applicant=CITIZEN))
    gateway.work_until_quiet()
    (waiting,) = operations.listed(gateway.tools.store, step="approve")
    return submission, waiting


def test_a_certificate_goes_out_after_one_approval_of_exactly_what_was_opened(town, office, ledger):
    gateway = town()
    owes(ledger, late=False)
    submission, waiting = drafted(gateway)
    assert in_the_citizens_box(office) == []
    opened = operations.draft_of(gateway.tools.store, waiting.id)
    operations.approve(
        gateway.tools.store, waiting.id, sha256=sha256(opened), actor="urzędnik", reason="sprawdzono",
        proceedings_checked=True,
    )  # fmt: skip
    gateway.work_until_quiet()
    (letter,) = in_the_citizens_box(office)
    assert plan_of(gateway, submission).plan["document"] == "certificate_no_arrears"
    assert letter.startswith(opened[:-20])
    (message,) = gateway.messages(submission)
    assert message.state.value == "receipted"
    assert "answer_approve" in gateway.words(submission)


def test_another_digest_than_that_of_the_draft_approves_nothing(town, office, ledger):
    gateway = town()
    owes(ledger, late=False)
    _, waiting = drafted(gateway)
    with pytest.raises(AnswerError) as caught:
        operations.approve(gateway.tools.store, waiting.id, sha256="0" * 64, actor="a", reason="b")
    assert caught.value.code == "answers.digest_differs"
    gateway.work_until_quiet()
    assert in_the_citizens_box(office) == []


def test_a_certificate_needs_the_check_of_proceedings(town, ledger):
    gateway = town()
    owes(ledger, late=False)
    _, waiting = drafted(gateway)
    digest = sha256(operations.draft_of(gateway.tools.store, waiting.id))
    with pytest.raises(AnswerError) as caught:
        operations.approve(gateway.tools.store, waiting.id, sha256=digest, actor="a", reason="b")
    assert caught.value.code == "answers.proceedings_unchecked"


def test_a_certificate_whose_day_went_by_is_drafted_again_and_not_sent(town, office, ledger):
    gateway = town()
    owes(ledger, late=False)
    submission, waiting = drafted(gateway)
    digest = sha256(operations.draft_of(gateway.tools.store, waiting.id))
    operations.approve(
        gateway.tools.store, waiting.id, sha256=digest, actor="a", reason="b", proceedings_checked=True
    )  # fmt: skip
    tomorrow = gateway.with_clock(datetime.now(UTC) + timedelta(days=1))
    tomorrow.work_until_quiet()
    again = plan_of(gateway, submission)
    assert "answer_returned" in gateway.words(submission)
    assert (again.plan["approval"], again.last_code) == (
        None,
        "answers.dues_not_of_today",
    )  # the ledger's clock is real
    assert in_the_citizens_box(office) == []


def test_a_statement_waits_for_a_person_where_the_tenant_wants_one(town, office, ledger):
    gateway = town(approve_all=True)
    owes(ledger, late=False)
    submission = asks(gateway, settlement_query(applicant=CITIZEN))
    gateway.work_until_quiet()
    assert (plan_of(gateway, submission).step, in_the_citizens_box(office)) == ("approve", [])


def test_what_a_clerk_has_looked_at_holds_an_answer_no_more(town, office, ledger):
    gateway = town()
    submission = asks(gateway, settlement_query(applicant=person(32, "Krasnopol")))
    gateway.work_until_quiet()
    held = plan_of(gateway, submission)
    operations.let_go_on(gateway.tools.store, held.id, actor="urzędnik", reason="pełnomocnictwo w aktach")
    gateway.work_until_quiet()
    assert plan_of(gateway, submission).plan["cleared"] == ["answers.signer_differs"]
    assert len(in_the_citizens_box(office)) == 1


def test_a_withdrawn_answer_sends_nothing(town, office, ledger):
    gateway = town()
    owes(ledger, late=False)
    submission, waiting = drafted(gateway)
    operations.withdraw(gateway.tools.store, waiting.id, actor="urzędnik", reason="wydano na papierze")
    gateway.work_until_quiet()
    assert (plan_of(gateway, submission).step, in_the_citizens_box(office)) == ("withdrawn", [])


def test_a_draft_sent_back_is_drafted_anew(town, ledger):
    gateway = town()
    owes(ledger, late=False)
    submission, waiting = drafted(gateway)
    operations.send_back(gateway.tools.store, waiting.id, actor="urzędnik", reason="zmieniono kartę urzędu")
    gateway.work_until_quiet()
    assert plan_of(gateway, submission).step == "approve"
    assert gateway.words(submission).count("answer_drafted") == 2


def test_an_act_without_a_name_is_refused(town, ledger):
    gateway = town()
    owes(ledger, late=False)
    _, waiting = drafted(gateway)
    with pytest.raises(OperationRefused) as caught:
        operations.withdraw(gateway.tools.store, waiting.id, actor=" ", reason="x")
    assert caught.value.code == "operation.actor_and_reason"


def test_whoever_works_on_an_answer_that_was_withdrawn_meanwhile_comes_late(town, office, ledger):
    gateway = town()
    owes(ledger, late=False)
    submission = asks(gateway, settlement_query(applicant=CITIZEN))
    while "answer_begun" not in gateway.words(submission):
        gateway.work_one()
    stored = plan_of(gateway, submission)
    with gateway.tools.store.begin() as transaction:
        claimed = answers.claim(transaction, stored.id, 60)
    assert claimed is not None
    operations.withdraw(gateway.tools.store, stored.id, actor="urzędnik", reason="odpowiedziano inaczej")
    with gateway.tools.store.begin() as transaction:
        assert not answers.move(transaction, stored.id, claimed.fence, claimed.plan, wait_s=0.0)
    gateway.work_until_quiet()
    assert (plan_of(gateway, submission).step, in_the_citizens_box(office)) == ("withdrawn", [])


def test_a_check_names_the_card_that_is_missing(town, tmp_path):
    town()
    assert check(tmp_path).problems == ()
    (tmp_path / "urzad").rename(tmp_path / "gdzie-indziej")
    paper.cache_clear()
    (problem,) = check(tmp_path).problems
    assert (problem.where, problem.code) == (f"{TERYT}.toml: answers.office", "checkup.letters")

"""Receipts that ePUAP gave the senders of what we polled: had where it shows them, bound by digest, not guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import operations, sweep
from gateway.simulate.offices.client import Office
from schemas.submission import Submission
from tests.builders import a_signed_document
from tests.outboxes import Correspondent, answering, configure, polled

OBTAIN = """
[receipt.obtain]
sources = {sources}
service_url = "{url}/pk_external_ws/services/obslugaUpp"
first_after_s = {first}
retry_s = [0.0]
"""
Make = Callable[..., Correspondent]


@pytest.fixture
def town(database, office: Office, tmp_path: Path) -> Make:
    """A gmina that asks these sources, first after so long."""

    def make(*sources: str, first: float = 0.0) -> Correspondent:
        folder = configure(tmp_path, office)
        file = folder / "gateway.toml"
        more = OBTAIN.format(sources=list(sources or ("stores",)), url=office.url, first=first).replace("'", '"')
        file.write_text(file.read_text("utf-8") + more, "utf-8")
        return answering(database, folder)

    return make


def ask(gateway: Correspondent) -> None:
    sweep.sweep(gateway.tools)
    gateway.work_until_quiet()


def receipts(gateway: Correspondent, submission: Submission) -> list[tuple[str, str]]:
    found = operations.submission(gateway.tools.store, submission.id).receipts
    return [(one.kind, one.origin) for one in found]


def test_a_receipt_the_portal_shows_is_bound_to_its_submission(town, office):
    gateway = town()
    submission = polled(gateway, office, receipted=True)
    assert receipts(gateway, submission) == []
    ask(gateway)
    assert receipts(gateway, submission) == [("UPP", "epuap")]
    assert "receipt_obtained" in gateway.words(submission)
    books = operations.books(gateway.tools.store)
    assert (books.receipts_awaited, books.receipts_missing) == (0, 0)


def test_of_two_documents_of_one_name_each_gets_its_own(town, office):
    gateway = town()
    both = [polled(gateway, office, receipted=True) for _ in range(2)]
    ask(gateway)
    found = [operations.receipt_of(gateway.tools.store, one.id).identifier for one in both]
    assert len(set(found)) == 2


def test_all_that_is_due_costs_one_list(town, office):
    gateway = town()
    both = [polled(gateway, office, file_name=f"pismo-{number}.xml", receipted=True) for number in range(2)]
    office.tell("error_page", match="zawartoscSkladu", skip=1)
    ask(gateway)
    assert [receipts(gateway, one) for one in both] == [[("UPP", "epuap")]] * 2


def test_nothing_is_asked_before_its_time(town, office):
    gateway = town(first=3600.0)
    submission = polled(gateway, office, receipted=True)
    ask(gateway)
    assert receipts(gateway, submission) == []
    assert operations.books(gateway.tools.store).receipts_awaited == 1


def test_what_is_not_there_is_asked_for_again_and_then_given_up_in_sight(town, office):
    gateway = town()
    submission = polled(gateway, office)
    for _ in range(3):
        ask(gateway)
    view = operations.submission(gateway.tools.store, submission.id)
    assert [one.code for one in view.questions if one.what == "receipt"] == ["receipt.not_there"]
    assert operations.books(gateway.tools.store).receipts_missing == 1
    assert [event.facts for event in view.events if event.word == "receipt_given_up"] == [{"code": "receipt.not_there"}]


def test_a_portal_that_is_away_is_asked_again(town, office):
    gateway = town()
    submission = polled(gateway, office, receipted=True)
    office.tell("error_page", match="zawartoscSkladu", times=1)
    ask(gateway)
    ask(gateway)
    assert receipts(gateway, submission) == [("UPP", "epuap")]


def test_a_receipt_of_a_seal_nobody_believes_is_not_bound(town, office, tmp_path):
    gateway = town()
    submission = polled(gateway, office, receipted=True)
    trust = tmp_path / "pki" / "trust.toml"
    own = trust.read_text("utf-8")
    trust.write_text(own[: own.rindex("[[seal]]")], "utf-8")
    doubting = answering(gateway.tools.store, tmp_path)
    for _ in range(3):
        ask(doubting)
    view = operations.submission(gateway.tools.store, submission.id)
    assert [one.code for one in view.questions if one.what == "receipt"] == ["receipt.not_believed"]
    assert view.receipts == ()


def test_the_service_issues_one_where_the_portal_shows_none(town, office):
    gateway = town("stores", "service")
    submission = polled(gateway, office)
    ask(gateway)
    assert receipts(gateway, submission) == [("UPP", "epuap")]
    assert len(office.effects("upp_asked")) == 1


def test_what_was_pushed_has_our_own_and_nothing_is_wanted(town):
    gateway = town()
    submission = gateway.receive(a_signed_document("letter"))
    ask(gateway)
    assert receipts(gateway, submission) == [("UPP", "own")]
    assert operations.books(gateway.tools.store).receipts_awaited == 0

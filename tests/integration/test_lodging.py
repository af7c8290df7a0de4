"""Effective lodging: the gmina's rules are applied, a clerk rules beside them, and what follows from it follows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from gateway import operations
from gateway.cli import commands
from gateway.operations import answering, letters, lodging
from gateway.simulate.offices.client import Office
from schemas.effectiveness import Effect
from schemas.errors import OperationRefused
from schemas.submission import Submission, SubmissionState
from tests.builders import a_signed_document
from tests.outboxes import CITIZEN_BOX, Correspondent, a_letter_writer

BY: dict[str, Any] = {"actor": "urzędnik", "reason": "art. 144a § 1b Ordynacji podatkowej"}
RULE = """
[[effectiveness.rule]]
effect = "{effect}"
since = 2020-01-01
ruled_by = "Wójt Gminy Próbnej"
ruled_on = 2019-12-02
basis = "zarządzenie nr 7/2019"
"""
BROKEN: dict[str, Any] = {"title": None}  # a letter without its title: invalid, and letters are lenient
Make = Callable[..., Correspondent]


@pytest.fixture
def town(database, office: Office, tmp_path: Path) -> Make:
    """A gmina with these lines in its file."""
    return lambda tenant="": a_letter_writer(database, office, tmp_path, tenant)


def received(gateway: Correspondent, **changes: Any) -> Submission:
    """A declaration with a box for answers, processed."""
    submission = gateway.receive(reply_mailbox=CITIZEN_BOX, **changes)
    gateway.work_until_quiet()
    return submission


def ruled(gateway: Correspondent, submission: Submission) -> list[tuple[str, str | None]]:
    view = operations.submission(gateway.tools.store, submission.id)
    return [(one.ruling.effect.value, one.actor) for one in view.rulings]


def services(gateway: Correspondent, submission: Submission) -> list[tuple[str, str]]:
    found = operations.submission(gateway.tools.store, submission.id).answers
    return [(one.answer.service, one.answer.step) for one in found]


def test_a_rule_says_that_a_letter_counts_and_who_ruled_so(town):
    gateway = town(RULE.format(effect="effective"))
    submission = received(gateway)
    view = operations.submission(gateway.tools.store, submission.id)
    (only,) = view.rulings
    assert (only.ruling.effect, only.ruling.ruled_by, only.ruling.basis) == (
        Effect.EFFECTIVE, "Wójt Gminy Próbnej", "zarządzenie nr 7/2019",
    )  # fmt: skip
    (told,) = [event.facts for event in view.events if event.word == "effectiveness_ruled"]
    assert told == {
        "effect": "effective",
        "reason": "effectiveness.rule",
        "rule": {"form": "*", "since": "2020-01-01"},
    }
    assert gateway.states(submission) == ["delivered"]


def test_without_a_rule_a_letter_is_handed_over_and_waits_visibly_for_a_ruling(town):
    gateway = town()
    submission = received(gateway)
    view = operations.submission(gateway.tools.store, submission.id)
    assert (ruled(gateway, submission), gateway.states(submission)) == ([("clerk_decides", None)], ["delivered"])
    assert ("ruling", "effectiveness.no_ruling") in [(one.what, one.code) for one in view.questions]
    assert operations.books(gateway.tools.store).to_be_ruled == 1
    wanted = operations.SubmissionFilter(effect="clerk_decides")
    assert [one.id for one in operations.submissions(gateway.tools.store, wanted).items] == [submission.id]


def test_a_letter_that_does_not_count_is_handed_over_and_its_notice_awaits_approval(town):
    gateway = town(RULE.format(effect="ineffective"))
    submission = received(gateway)
    assert gateway.states(submission) == ["delivered"]
    assert services(gateway, submission) == [("ineffective_notice", "approve")]


def test_the_notice_goes_out_once_approved_and_says_the_basis(town, office):
    gateway = town(RULE.format(effect="ineffective"))
    submission = received(gateway)
    (view,) = operations.submission(gateway.tools.store, submission.id).answers
    draft = answering.draft_of(gateway.tools.store, view.answer.id)
    assert "zarządzenie nr 7/2019" in draft.decode()
    digest = answering.answer_json(view.answer)["sha256"]
    answering.approve(gateway.tools.store, view.answer.id, sha256=digest, **BY)
    gateway.work_until_quiet()
    assert [one.state.value for one in gateway.messages(submission)] == ["receipted"]
    assert [one["to"] for one in office.effects("sent")] == [CITIZEN_BOX]


def test_a_gmina_may_let_the_notice_go_at_once_or_send_none(town):
    gateway = town(RULE.format(effect="ineffective") + '[effectiveness]\nnotice = "send"\n')
    submission = received(gateway)
    assert services(gateway, submission) == [("ineffective_notice", "sent")]


def test_no_notice_is_begun_where_the_gmina_wants_none(town):
    gateway = town(RULE.format(effect="ineffective") + '[effectiveness]\nnotice = "none"\n')
    assert services(gateway, received(gateway)) == []


@pytest.mark.parametrize(
    ("policy", "rule", "code"),
    [
        ("undecided", "clerk_decides", "effectiveness.held_undecided"),
        ("ineffective", "ineffective", "effectiveness.held_ineffective"),
    ],
)
def test_a_gmina_may_hold_what_does_not_count_until_a_clerk_rules(town, policy, rule, code):
    gateway = town(RULE.format(effect=rule) + f'[effectiveness]\n{policy} = "hold"\n')
    submission = received(gateway)
    stored = gateway.load(submission)
    assert (stored.state, stored.reason, gateway.deliveries(submission)) == (SubmissionState.HELD, code, [])
    lodging.rule(gateway.tools, submission.id, "effective", **BY)
    gateway.work_until_quiet()
    assert (gateway.load(submission).state, gateway.states(submission)) == (SubmissionState.PROCESSED, ["delivered"])


def test_what_is_ruled_ineffective_stays_held_where_such_letters_are_held(town):
    gateway = town('[effectiveness]\nundecided = "hold"\nineffective = "hold"\n')
    submission = received(gateway)
    lodging.rule(gateway.tools, submission.id, "ineffective", **BY)
    gateway.work_until_quiet()
    assert gateway.load(submission).reason == "effectiveness.held_ineffective"
    operations.release(gateway.tools.store, submission.id, **BY)
    gateway.work_until_quiet()
    assert gateway.states(submission) == ["delivered"]


def test_later_rulings_stand_beside_earlier_ones_and_none_is_changed(town):
    gateway = town()
    submission = received(gateway)
    lodging.rule(gateway.tools, submission.id, "ineffective", **BY)
    lodging.rule(gateway.tools, submission.id, "effective", actor="kierownik", reason="pełnomocnictwo uzupełnione")
    assert ruled(gateway, submission) == [
        ("clerk_decides", None), ("ineffective", "urzędnik"), ("effective", "kierownik"),
    ]  # fmt: skip
    assert gateway.words(submission).count("effectiveness_ruled") == 3
    with pytest.raises(IntegrityError, match="append-only"), gateway.tools.store.begin() as transaction:
        transaction.execute(text("UPDATE ruling SET effect = 'effective'"))


def test_a_ruling_reversed_in_time_withdraws_the_notice(town, office):
    gateway = town()
    submission = received(gateway)
    lodging.rule(gateway.tools, submission.id, "ineffective", **BY)
    gateway.work_until_quiet()
    assert services(gateway, submission) == [("ineffective_notice", "approve")]
    lodging.rule(gateway.tools, submission.id, "effective", **BY)
    gateway.work_until_quiet()
    assert services(gateway, submission) == [("ineffective_notice", "withdrawn")]
    assert office.effects("sent") == []


def test_the_same_ruling_twice_is_refused(town):
    gateway = town(RULE.format(effect="effective"))
    submission = received(gateway)
    with pytest.raises(OperationRefused) as caught:
        lodging.rule(gateway.tools, submission.id, "effective", **BY)
    assert caught.value.code == "effectiveness.already_ruled"


@pytest.mark.parametrize("changes", [{"is_test": True}], ids=["a test"])
def test_tests_are_never_ruled_on(town, changes):
    gateway = town()
    submission = received(gateway, **changes)
    assert ruled(gateway, submission) == []
    with pytest.raises(OperationRefused) as caught:
        lodging.rule(gateway.tools, submission.id, "effective", **BY)
    assert caught.value.code == "effectiveness.not_for_ruling"


def run(folder: Path, *arguments: str) -> Any:
    """What the command says; `--json` is read."""
    result = CliRunner().invoke(commands.app, [*arguments, "--config", str(folder)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


WHO = ("--actor", "a", "--reason", "b", "--json")


def test_a_clerk_rules_from_the_command_line(town, tmp_path):
    gateway = town()
    submission = received(gateway)
    (waiting,) = run(tmp_path, "submissions", "list", "--effect", "clerk_decides", "--json")["items"]
    assert waiting["id"] == str(submission.id)
    told = run(tmp_path, "submissions", "rule", str(submission.id), "--ineffective", *WHO)
    assert told == {"id": str(submission.id), "state": "ineffective"}
    shown = run(tmp_path, "submissions", "show", str(submission.id), "--json")
    assert [(one["effect"], one["actor"]) for one in shown["rulings"]] == [
        ("clerk_decides", None),
        ("ineffective", "a"),
    ]
    assert [one["service"] for one in shown["answers"]] == ["ineffective_notice"]


def test_what_a_person_reads_names_the_ruling_and_what_waits(town, tmp_path):
    gateway = town()
    submission = received(gateway)
    run(tmp_path, "answers", "call", str(submission.id), "--point", "kwota", *WHO)
    gateway.work_until_quiet()
    said = run(tmp_path, "submissions", "show", str(submission.id))
    for words in (
        "Skuteczność: do rozstrzygnięcia",
        "wezwanie do wyjaśnień lub korekty: do zatwierdzenia (approve)",
        "? rozstrzygnąć",
        "? obejrzeć",
    ):
        assert words in said


def test_calls_and_decisions_are_begun_from_the_command_line(town, tmp_path):
    gateway = town()
    submission = received(gateway, document=a_signed_document("letter", **BROKEN))
    found = run(tmp_path, "answers", "findings", str(submission.id), "--json")
    assert [one["number"] for one in found] == list(range(1, len(found) + 1))
    called = run(tmp_path, "answers", "call", str(submission.id), "--finding", "1", "--days", "14", *WHO)
    file = tmp_path / "decyzja.pdf"
    file.write_bytes(b"%PDF-1.7\n")
    named = ("--number", "FN.1.2026", "--dated", "2026-03-02", "--subject", "podatek", "--unsigned")
    sent = run(tmp_path, "answers", "deliver-decision", str(submission.id), str(file), *named, *WHO)
    assert called["state"] == sent["state"] == "draft"


# --- calls for correction ------------------------------------------------------------------------------------------


def test_a_clerk_calls_for_correction_of_what_was_found(town):
    gateway = town()
    submission = received(gateway, document=a_signed_document("letter", **BROKEN))
    found = letters.findings_of(gateway.tools, submission.id)
    assert found
    begun = letters.call_for_correction(gateway.tools, submission.id, points=["brak załącznika"], **BY)
    gateway.work_until_quiet()
    draft = answering.draft_of(gateway.tools.store, begun.id).decode()
    assert found[0].message_pl[:30] in draft
    assert "brak załącznika" in draft
    assert services(gateway, submission) == [("correction_call", "approve")]


def test_a_call_without_findings_needs_the_clerks_own_words(town):
    gateway = town()
    submission = received(gateway)
    with pytest.raises(OperationRefused) as caught:
        letters.call_for_correction(gateway.tools, submission.id, findings=[], **BY)
    assert caught.value.code == "answers.nothing_to_correct"
    assert letters.call_for_correction(gateway.tools, submission.id, findings=[], points=["kwota"], **BY).state


def test_one_call_at_a_time_and_another_after_it_ended(town):
    gateway = town()
    submission = received(gateway)
    first = letters.call_for_correction(gateway.tools, submission.id, points=["kwota"], **BY)
    with pytest.raises(OperationRefused) as caught:
        letters.call_for_correction(gateway.tools, submission.id, points=["kwota"], **BY)
    assert caught.value.code == "answers.under_way"
    answering.withdraw(gateway.tools.store, first.id, **BY)
    second = letters.call_for_correction(gateway.tools, submission.id, points=["kwota"], **BY)
    assert second.id != first.id


def test_a_finding_that_is_not_there_is_refused(town):
    gateway = town()
    submission = received(gateway)
    with pytest.raises(OperationRefused) as caught:
        letters.call_for_correction(gateway.tools, submission.id, findings=[99], points=["x"], **BY)
    assert caught.value.code == "answers.no_such_finding"


def test_calls_are_drafted_by_themselves_where_the_gmina_wants_it(town):
    gateway = town('[answers.corrections]\nforms = ["*"]\ndays = 14\n')
    submission = received(gateway, document=a_signed_document("letter", **BROKEN))
    assert services(gateway, submission) == [("correction_call", "approve")]
    (view,) = operations.submission(gateway.tools.store, submission.id).answers
    assert "w terminie 14 dni" in answering.draft_of(gateway.tools.store, view.answer.id).decode()

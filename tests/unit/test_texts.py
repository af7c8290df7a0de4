"""Sentences show facts as people write them, in Polish and in English; the facts themselves stay as they are."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime
from typing import Any

import pytest

from gateway.answers.plan import Step
from gateway.cli.output import shown_state
from gateway.store.uploads import UploadState
from schemas.delivery import DeliveryState
from schemas.files import FileState
from schemas.outgoing import MessageState
from schemas.submission import Decision, SubmissionState
from schemas.texts import all_texts, shown, text
from tests.test_layers import ROOT

PLACES = {name for entry in all_texts().values() for _, name, _, _ in string.Formatter().parse(entry["pl"]) if name}


@pytest.mark.parametrize(
    ("name", "fact", "polish", "english"),
    [
        ("deadline", "2026-02-03", "3.02.2026", "2026-02-03"),
        ("deadline", date(2026, 12, 24), "24.12.2026", "2026-12-24"),
        ("issued_at", "2026-02-03T10:00:00Z", "3.02.2026, 11:00", "2026-02-03, 11:00"),
        ("issued_at", "2026-07-01T22:30:15.250000+00:00", "2.07.2026, 00:30", "2026-07-02, 00:30"),
        ("until", datetime(2026, 2, 3, 10, tzinfo=UTC), "3.02.2026, 11:00", "2026-02-03, 11:00"),
        ("limit_bytes", 10485760, "10\xa0485\xa0760\xa0B", "10\xa0485\xa0760\xa0B"),
    ],
)
def test_days_moments_and_sizes_are_shown_as_people_write_them(name: str, fact: Any, polish: str, english: str) -> None:
    assert (shown(name, fact, "pl"), shown(name, fact, "en")) == (polish, english)


@pytest.mark.parametrize(
    "fact", ["2021-02-31", "2021-4-28", "2026-02-03T10:00:00", "2026-02-03T99:00:00Z", "w 2026-02-03", "", None, 7, 2.5]
)
def test_what_is_no_such_fact_stays_as_it_is(fact: Any) -> None:
    assert shown("reason", fact) is fact


def test_a_sentence_holds_its_facts_in_the_form_of_its_language() -> None:
    assert text("check.filed_late", deadline="2026-01-31") == "Dokument wpłynął po terminie 31.01.2026."
    assert text("check.filed_late", "en", deadline="2026-01-31").endswith("the deadline 2026-01-31.")


def test_a_fact_that_is_missing_is_named_in_its_place() -> None:
    assert text("check.filed_late") == "Dokument wpłynął po terminie [deadline]."


def test_a_number_of_bytes_has_a_name_that_says_so() -> None:
    assert {name for name in PLACES if "bytes" in name} == {name for name in PLACES if name.endswith("_bytes")}


WORDS_OF_PROGRAMMERS = ("payload", "queue", "kolejk", "hash", "request", "bramk", "kontrakt")


@pytest.mark.parametrize("word", WORDS_OF_PROGRAMMERS)
def test_no_polish_sentence_uses_a_word_that_a_clerk_does_not_know(word: str) -> None:
    assert [code for code, entry in all_texts().items() if word in entry["pl"].lower()] == []


def test_the_gateway_is_called_by_its_name_with_a_capital_letter() -> None:
    small = ("brama ", "bramy", "bramie", "bramę", "bramą")
    commands = ("brama submissions", "brama deliveries", "brama files", "brama pull", "brama answers")

    def without_commands(sentence: str) -> str:
        for command in commands:
            sentence = sentence.replace(command, "")
        return sentence

    wrong = [code for code, entry in all_texts().items() if any(w in without_commands(entry["pl"]) for w in small)]
    assert wrong == []


STATES = [*DeliveryState, *SubmissionState, *Decision, *FileState, *MessageState, *Step, *UploadState]


@pytest.mark.parametrize("code", sorted({state.value for state in STATES} | {"unreachable"}))
def test_every_state_has_a_polish_word_on_the_screen(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRAMA_LANG", raising=False)
    assert shown_state(code) == f"{all_texts()[f'word.state_{code}']['pl']} ({code})"
    monkeypatch.setenv("BRAMA_LANG", "en")
    assert shown_state(code) == code


def test_the_clerks_page_calls_states_as_the_screen_does() -> None:
    page = (ROOT / "docs" / "operator.md").read_text("utf-8")
    words = {state.value: all_texts()[f"word.state_{state.value}"]["pl"] for state in DeliveryState}
    assert [code for code, word in words.items() if f"{word} (`{code}`)" not in page] == []

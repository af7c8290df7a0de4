"""The status of a case, as offices say it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.base import QueryAnswer
from gateway.answers.status import read_status
from schemas.answers import CaseStatus

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
NUMBER = "FN.3120.1.2026"


def status(*rows: dict[str, Any]) -> CaseStatus | None:
    return read_status(NUMBER, QueryAnswer("case_status", NOON, rows))


@pytest.mark.parametrize(
    ("row", "word", "text"),
    [
        ({"finished": "true", "in_progress": "false"}, "finished", "Sprawa zakończona."),
        ({"finished": False, "suspended": True, "in_progress": True}, "suspended", "Sprawa zawieszona."),
        ({"finished": "0", "in_progress": "1", "case_number": NUMBER}, "in_progress", "Sprawa w toku."),
        ({"IN_PROGRESS": "tak"}, "in_progress", "Sprawa w toku."),
        ({"status": "decided", "text": "Wydano decyzję."}, "decided", "Wydano decyzję."),
        ({"status": "decided"}, "decided", "decided"),
        ({"finished": None, "in_progress": "false"}, "unknown", "Urząd nie podał stanu sprawy."),
        ({}, "unknown", "Urząd nie podał stanu sprawy."),
        ({"finished": True, "case_number": "FN.9.2026"}, "unknown", "Urząd nie podał stanu sprawy."),
    ],
)
def test_flags_or_a_word_become_one_word_and_a_sentence(row, word, text):
    assert status(row) == CaseStatus(case_number=NUMBER, status=word, as_of=NOON, text=text)


def test_a_case_the_office_does_not_know_has_no_status():
    assert status() is None


def test_two_rows_are_no_answer():
    found = status({"status": "finished", "text": "x"}, {"status": "in_progress"})
    assert found is not None
    assert (found.status, found.text) == ("unknown", "Urząd nie podał stanu sprawy.")

"""What an office says about a case (`case_status`), read into one word; offices say it in flags or in a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import QueryAnswer
from schemas.answers import CaseStatus

UNKNOWN = "unknown"
_FLAGS = ("finished", "suspended", "in_progress")  # the first that is true counts
_WORDS = {
    "finished": "Sprawa zakończona.",
    "suspended": "Sprawa zawieszona.",
    "in_progress": "Sprawa w toku.",
    UNKNOWN: "Urząd nie podał stanu sprawy.",
}
_TRUE = frozenset({"true", "1", "tak", "t"})


def read_status(case_number: str, answer: QueryAnswer) -> CaseStatus | None:
    """The status of a case, or None where the office knows no such case.

    A row has `status` (finished, suspended, in_progress, or a word of the office's own) and perhaps `text`, or one flag
    of each name. Several rows, or a row about another case, count as unknown: no guess reaches the citizen.
    """
    if not answer.rows:
        return None
    row = {str(name).lower(): value for name, value in answer.rows[0].items()}
    other = str(row.get("case_number") or case_number).strip() != case_number
    status = UNKNOWN if other or len(answer.rows) > 1 else _status(row)
    text = "" if status == UNKNOWN else str(row.get("text") or "").strip()
    return CaseStatus(
        case_number=case_number, status=status, as_of=answer.as_of, text=text or _WORDS.get(status, status)
    )


def _status(row: Mapping[str, Any]) -> str:
    word = str(row.get("status") or "").strip()
    return word or next((flag for flag in _FLAGS if _is_true(row.get(flag))), UNKNOWN)


def _is_true(value: Any) -> bool:
    return value is True or str(value).strip().lower() in _TRUE

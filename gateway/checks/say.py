"""One way to make a finding: code, severity, place, and both languages from the texts."""

from __future__ import annotations

from typing import Any

from schemas.finding import Finding, Severity
from schemas.texts import text


def finding(
    code: str, severity: Severity, path: str | None = None, line: int | None = None, /, **facts: Any
) -> Finding:
    """`facts` fill the texts of `code`; never a person's data."""
    return Finding(code, severity, line, path, text(code, "pl", **facts), text(code, "en", **facts))

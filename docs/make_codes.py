"""Writes docs/codes.md from the texts (`schemas/texts/*.toml`) and the fault numbers: `python docs/make_codes.py`."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from gateway.transport.faults import FAULTS  # noqa: E402  # after the path: the script also runs uninstalled
from schemas.texts import all_texts  # noqa: E402

HEAD = """\
# Codes

Every code Brama shows, stores or logs, with its text. Codes are stable: scripts and searches may rely on them. Words in
braces are filled in. This page is written by `docs/make_codes.py` from `schemas/texts/`; a test keeps it current.

Dla pracownika: kod, który widać w nawiasie kwadratowym, znajdzie się po części przed kropką. {areas}.

## Faults of the push endpoint

A document that was not kept is answered with a SOAP Fault: `detail/Wyjatek/kod` is the number, `komunikat` starts with
the code. Numbers never get another meaning. (`status/kod` of an answer about a document that was kept is a setting:
`push.accepted_code`, `push.rejected_code`.)

| number | code | faultcode | HTTP |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    faults = [f"| {kind.number} | `{code}` | {kind.soap_code} | {kind.http_status} |" for code, kind in FAULTS.items()]
    codes_by_area = {area: list(codes) for area, codes in groupby(sorted(all_texts()), key=_area)}
    areas = ", ".join(f"[{area}](#{area})" for area in codes_by_area)
    parts = [HEAD.replace("{areas}", areas) + "\n".join(faults)]
    for area, codes in codes_by_area.items():
        rows = [_row(code) for code in codes]
        parts.append("\n".join([f"## {area}", "", "| code | po polsku | in English |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _area(code: str) -> str:
    return code.partition(".")[0]


def _row(code: str) -> str:
    entry = all_texts()[code]
    return f"| `{code}` | {_cell(entry['pl'])} | {_cell(entry['en'])} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    (HERE / "codes.md").write_text(page(), "utf-8")

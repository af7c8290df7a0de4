"""The page about forms says what is: its tables are made from the catalogue and a fresh check."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_tables_of_the_page_about_forms_are_current():
    spec = importlib.util.spec_from_file_location("make_forms", ROOT / "docs" / "make_forms.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    written = (ROOT / "docs" / "forms.md").read_text("utf-8")
    assert written == maker.page(written), "run: python docs/make_forms.py"
    assert written.count("urn:brama:wzor:") > 15

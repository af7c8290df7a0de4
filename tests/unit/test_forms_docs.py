"""The page about forms says what is: its tables are made from the catalogue and a fresh check."""

from __future__ import annotations

from tests.makers import maker
from tests.test_layers import ROOT


def test_the_tables_of_the_page_about_forms_are_current():
    written = (ROOT / "docs" / "forms.md").read_text("utf-8")
    assert written == maker("make_forms").page(written), "run: python docs/make_forms.py"
    assert written.count("urn:brama:wzor:") > 15

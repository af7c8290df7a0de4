"""The connectors' pages: there, current, honest, and their examples work."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from tests.makers import maker
from tests.test_layers import ROOT

NAMES = sorted(registry.BUILT_IN)


@pytest.mark.parametrize("name", NAMES)
def test_a_connectors_page_says_what_it_promises_and_what_remains_of_doubt(name: str) -> None:
    text = (ROOT / "docs" / "connectors" / f"{name}.md").read_text("utf-8")

    assert "**Repeat" in text
    assert "**Capabilities**" in text
    assert "## What remains of doubt" in text
    assert f"](connectors/{name}.md)" in (ROOT / "docs" / "connectors.md").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_options_on_the_page_are_the_options_of_the_code(name: str) -> None:
    text = (ROOT / "docs" / "connectors" / f"{name}.md").read_text("utf-8")

    assert maker("make_connectors").with_options(text, name) == text, "run docs/make_connectors.py"


@pytest.mark.parametrize("name", NAMES)
def test_the_example_on_the_page_is_accepted(name: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "connectors" / f"{name}.md").read_text("utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", text, re.S)
    [options] = tomllib.loads(example)["connector"].values()
    options = resolved(options)

    assert options.pop("kind") == name
    registry.read_options(registry.load(name), name, options)


def resolved(value: Any) -> Any:
    """Secrets and keys that only a real office has."""
    if isinstance(value, dict):
        return {name: resolved(inner) for name, inner in value.items()}
    if value == "env:PODATKI_URL":
        return "firebird+firebird://brama:x@db/urzad?charset=WIN1250"
    if value == "ssh-ed25519 AAAA…":
        return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJPGXr0lpqZ3Iu3cQRtFp3UOlZ5nYQ1k1c3pOzkUQZ2b"
    return value

"""What is documented is true, and what is true is documented: codes, texts, configuration keys."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.config import ConnectorConfig, FormPolicy, GatewayConfig, Route, TenantConfig
from gateway.transport.faults import FAULTS
from schemas.effectiveness import Rule
from schemas.texts import all_texts
from tests.makers import maker
from tests.test_layers import ROOT, sources

TEXTS = all_texts()
CODE = re.compile(r"[a-z][a-z_0-9]*(\.[a-z0-9_]+)+")
PREFIX = re.compile(r"[a-z][a-z_0-9]*\.[a-z0-9_]*")
AREAS = {code.partition(".")[0] for code in TEXTS} | {"intake", "document", "store"}
RAISED = re.compile(
    r"(Error|Refused|Unreachable|Unsettled|Unreadable|Unavailable|Unknown|Invalid|Violation|Reason|Lost)$"
)
NOT_CODES = {
    "brama.connectors": "the entry point group",
    "trust.toml": "a file",
    "delivery.id": "a column",
    "submission.id": "a column",
    "receipt.key": "a configuration key",
    "api.oauth.jwks": "a configuration key",
    "document.xml": "a file",
    "schema.value_": "a prefix",
    "word.state_": "a prefix",
    "word.letter_": "a prefix",
    "answer.html": "a file",
    "document.addressee": "a target of mappings",
    "document.addressee_nip": "a target of mappings",
}


def codes_in(file: Path) -> Iterator[tuple[str, str]]:
    """`code, place` of every text in a source file that is one of our codes: by its area, or because it is raised."""
    shown = file.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and _is_code(node.value) and node.value.partition(".")[0] in AREAS:
            yield node.value, f"{shown}:{node.lineno}"
        elif isinstance(node, ast.Call) and RAISED.search(_called(node)):
            first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            if _is_code(first):
                yield str(first), f"{shown}:{node.lineno}"


def _is_code(value: object) -> bool:
    return isinstance(value, str) and bool(CODE.fullmatch(value)) and value not in NOT_CODES


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def prefixes_in(file: Path) -> Iterator[str]:
    """Beginnings of codes made at run time, as in f"answer.{decision}"."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr) and isinstance(
            first := node.values[0] if node.values else None, ast.Constant
        ):
            if PREFIX.fullmatch(str(first.value)):
                yield str(first.value)
        elif isinstance(node, ast.Constant) and node.value in NOT_CODES and str(node.value).endswith("_"):
            yield str(node.value)


def test_every_code_in_the_sources_has_a_text():
    missing = sorted(
        {f"{code} ({place})" for file in sources(ROOT) for code, place in codes_in(file) if code not in TEXTS}
    )
    assert not missing, "no text in schemas/texts/ for:\n" + "\n".join(missing)


def test_every_text_belongs_to_a_code_in_the_sources():
    used = {code for file in sources(ROOT) for code, _ in codes_in(file)}
    made = tuple({prefix for file in sources(ROOT) for prefix in prefixes_in(file)})
    unused = sorted(code for code in TEXTS if code not in used and not code.startswith(made))
    assert not unused, "texts of codes that do not occur:\n" + "\n".join(unused)


def test_every_text_stands_in_both_languages_with_the_same_facts():
    def facts(sentence: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}

    uneven = [
        code for code, entry in TEXTS.items() if facts(entry["pl"]) != facts(entry["en"]) or not entry["pl"].strip()
    ]
    assert uneven == []


def test_every_fault_number_belongs_to_a_code_with_a_text():
    assert [code for code in FAULTS if code not in TEXTS] == []


def test_the_page_of_codes_is_current():
    written = (ROOT / "docs" / "codes.md").read_text("utf-8")
    assert written == maker("make_codes").page(), "run: python docs/make_codes.py"


def test_the_example_configuration_shows_every_key_and_default():
    example = tomllib.loads((ROOT / "config" / "gateway.example.toml").read_text("utf-8"))
    assert GatewayConfig.model_validate(example)
    assert [key for key in _keys(GatewayConfig()) if not _stands_in(example, key)] == []


def test_the_example_of_a_gmina_shows_every_key():
    example = tomllib.loads((ROOT / "config" / "tenant.example.toml").read_text("utf-8"))
    assert TenantConfig.model_validate(example)
    shown = {
        TenantConfig: [example],
        ConnectorConfig: list(example["connector"].values()),
        Route: example["route"],
        FormPolicy: list(example["policy"]["form"].values()),
        Rule: example["effectiveness"]["rule"],
    }
    missing = [
        f"{model.__name__}.{name}"
        for model, tables in shown.items()
        for name in model.model_fields
        if not any(name in table for table in tables)
    ]
    assert missing == []
    assert [key for key in _keys(TenantConfig.model_validate(example)) if not _stands_in(example, key)] == []


def _keys(model: BaseModel, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _keys(value, (*before, name))
        else:
            yield (*before, name)


def _stands_in(table: dict[str, Any], key: tuple[str, ...]) -> bool:
    for part in key:
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True


@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"])
def test_the_house_papers_are_there(file):
    assert (ROOT / file).stat().st_size > 500


def test_files_named_in_the_documents_exist():
    named = re.compile(r"`((?:docs|scripts|schemas|gateway|tests|config|xsd|mappings|connectors)/[\w./-]*)`")
    papers = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    gone = [
        f"{p.name}: {name}"
        for p in papers
        for name in named.findall(p.read_text("utf-8"))
        if not (ROOT / name).exists()
    ]
    assert gone == []

"""Imports point one way. The table is the picture; a wrong arrow fails with the file's name and line.

    entry  →  operations  →  engine  →  flow  →  step  →  store, transport, connectors, library  →  base  →  schemas
Steps do not import each other; only `app.py` and other entries see everything. What listens (`web`) gets what it calls
handed in, and the simulated outside world knows nothing of the gateway it talks to.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("schemas", "connectors", "gateway")

ROLES: dict[str, str] = {
    "schemas": "schemas",
    "connectors": "connectors",
    "gateway.api_settings": "base",
    "gateway.answer_settings": "base",
    "gateway.attachment_settings": "base",
    "gateway.file_settings": "base",
    "gateway.opinion_settings": "base",
    "gateway.calendar": "base",
    "gateway.clock": "base",
    "gateway.config": "base",
    "gateway.crashpoint": "base",
    "gateway.log": "base",
    "gateway.memory": "base",
    "gateway.resources": "base",
    "gateway.checks": "library",
    "gateway.formdata": "library",
    "gateway.forms": "library",
    "gateway.mapping": "library",
    "gateway.bounded": "library",
    "gateway.page": "library",
    "gateway.render": "library",
    "gateway.stylesheet": "library",
    "gateway.typesetting": "library",
    "gateway.services": "library",
    "gateway.attachments": "library",
    "gateway.enclosed": "enclosed",
    "gateway.forms_admin": "operations",
    "gateway.limits": "library",
    "gateway.policy": "library",
    "gateway.retry": "library",
    "gateway.trust": "library",
    "gateway.timestamps": "library",
    "gateway.keys": "library",
    "gateway.oauth": "library",
    "gateway.tokens": "library",
    "gateway.effectiveness": "library",
    "gateway.store": "store",
    "gateway.transport": "transport",
    "gateway.tools": "tools",
    "gateway.upo": "wiring",
    "gateway.trusted": "wiring",
    "gateway.seals": "wiring",
    "gateway.steps": "tools",
    "gateway.admission": "tools",
    "gateway.outcomes": "tools",
    "gateway.intake": "step",
    "gateway.signatures": "signatures",
    "gateway.receipts": "receipts",
    "gateway.validate": "step",
    "gateway.receipt": "step",
    "gateway.mapper": "step",
    "gateway.deliver": "step",
    "gateway.schedule": "step",
    "gateway.history": "step",
    "gateway.answers": "answers",
    "gateway.outbox": "step",
    "gateway.bigfiles": "step",
    "gateway.lodging": "step",
    "gateway.reply": "step",
    "gateway.flow": "flow",
    "gateway.sweep": "engine",
    "gateway.worker": "engine",
    "gateway.poll": "engine",
    "gateway.opinions": "step",
    "gateway.channels": "wiring",
    "gateway.mail": "wiring",
    "gateway.repositories": "wiring",
    "gateway.operations": "operations",
    "gateway.web": "web",
    "gateway.simulate": "outside",
    "gateway.testing": "kit",
    "gateway.app": "entry",
    "gateway.bench": "entry",
    "gateway.checkup": "entry",
    "gateway.cli": "entry",
    "gateway.console": "entry",
    "gateway.demo": "entry",
    "gateway.__main__": "entry",
}

_LOW = frozenset({"schemas", "base", "library"})
_STORED = _LOW | {"store", "connectors", "tools"}
_STEPS = _STORED | {"step", "signatures", "receipts", "answers"}
MAY_IMPORT: dict[str, frozenset[str]] = {
    "schemas": frozenset(),
    "connectors": frozenset({"schemas"}),
    "kit": frozenset({"schemas", "connectors"}),
    "outside": frozenset({"schemas", "base"}),
    "base": frozenset({"schemas", "base"}),
    "library": _LOW,
    "store": frozenset({"schemas", "base"}),
    "transport": frozenset({"schemas", "base", "connectors"}),  # one HTTP exchange for all calls: connectors/http.py
    "signatures": _LOW,
    "answers": _LOW | {"connectors"},  # pure: what a letter says; ledgers are asked through connectors
    "receipts": _LOW | {"signatures"},  # a receipt is checked by its signature
    "enclosed": _LOW | {"signatures"},  # so are signatures inside attached files
    "tools": _STORED,
    "step": _STORED | {"transport", "receipts", "answers"},
    "wiring": _STEPS | {"transport", "web", "wiring"},
    "flow": _STEPS,
    "engine": _STEPS | {"flow", "engine"},
    "operations": _STEPS | {"flow", "engine", "operations", "transport"},  # packages that a person brings in by hand
    "web": frozenset({"schemas", "base", "transport"}),
    "entry": frozenset(ROLES.values()),
}

# The one place that parses foreign XML, and who else may call a parser, for what. Beside them the simulated outside
# reads its own, and the floors of the bench do the same work by hand.
PARSERS = {
    "schemas/xmldoc.py": "everything foreign",
    "gateway/transport/inline.py": "offsets in what xmldoc has accepted",
    "gateway/transport/wsse.py": "copies of our own messages, which may hold a big file; reads nothing foreign",
    "gateway/signatures/canonical.py": "teaches the parser a name; reads nothing",
    "gateway/formdata/closure.py": "form schemas that the operator installed, resolved among themselves",
}
PARSING = {
    "fromstring",
    "fromstringlist",
    "parse",
    "XML",
    "HTML",
    "XMLParser",
    "HTMLParser",
    "iterparse",
    "XMLPullParser",
}
FOREIGN_PARSERS = ("xml", "defusedxml", "bs4", "html5lib", "xmltodict")
NO_PARSERS = ("xml.sax.saxutils",)


def wrong_imports(root: Path) -> list[str]:
    """`file:line: text` for every import against the table, and for every module without a role."""
    return [problem for file in sources(root) for problem in _problems_of(file, root)]


def sources(root: Path) -> Iterator[Path]:
    for package in OURS:
        yield from sorted((root / package).rglob("*.py"))


def _problems_of(file: Path, root: Path) -> Iterator[str]:
    shown = file.relative_to(root).as_posix()
    module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    if module == "gateway":
        return
    role = ROLES.get(unit(module))
    if role is None:
        yield f"{shown}: {unit(module)} has no role in the table of tests/test_layers.py"
        return
    for line, imported in imports(file, module):
        other = ROLES.get(unit(imported), "(no role)")
        if unit(imported) != unit(module) and other not in MAY_IMPORT[role]:
            yield f"{shown}:{line}: {role} must not import {imported} ({other})"


def unit(module: str) -> str:
    """The row of the table a module belongs to: `gateway.store` for `gateway.store.tables`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "gateway" else parts[0]


def imports(file: Path, module: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything of ours that a file imports, also inside functions."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" if base in OURS else base for alias in node.names]
        yield from ((node.lineno, name) for name in names if name.split(".")[0] in OURS and name != "gateway")


def foreign_parsing(root: Path) -> list[str]:
    """`file:line` of every place but the one parser that could read foreign XML."""
    return [problem for file in sources(root) for problem in _parsing_in(file, root)]


def _parsing_in(file: Path, root: Path) -> Iterator[str]:
    shown = file.relative_to(root).as_posix()
    if shown in PARSERS or shown.startswith(("gateway/simulate/", "gateway/bench/")):
        return
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "etree" and node.attr in PARSING:
                yield f"{shown}:{node.lineno}: etree.{node.attr}; only schemas/xmldoc.py parses XML"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            names = (name for name in found if name not in NO_PARSERS and name.split(".")[0] in FOREIGN_PARSERS)
            yield from (f"{shown}:{node.lineno}: {name}" for name in names)


def test_imports_follow_the_picture():
    problems = wrong_imports(ROOT)
    assert not problems, "\n".join(problems)


def test_only_one_module_parses_foreign_xml():
    problems = foreign_parsing(ROOT)
    assert not problems, "\n".join(problems)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("schemas", "connectors", "gateway/store", "gateway/web"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            "schemas/ids.py",
            "from gateway.clock import WARSAW",
            "schemas/ids.py:1: schemas must not import gateway.clock",
        ),
        ("connectors/folder.py", "\nimport gateway.store", "connectors/folder.py:2: connectors must not import"),
        ("gateway/intake.py", "def f():\n    from gateway import validate", "gateway/intake.py:2: step must not"),
        ("gateway/web/push.py", "from gateway.flow import accept", "gateway/web/push.py:1: web must not import"),
        ("gateway/store/rows.py", "from ..deliver import attempt", "gateway/store/rows.py:1: store must not import"),
        ("gateway/novelty.py", "", "gateway/novelty.py: gateway.novelty has no role"),
    ],
)
def test_a_wrong_import_fails_with_the_file_and_line(tree, file, text, expected):
    (tree / file).write_text(text, "utf-8")
    assert [problem.startswith(expected) for problem in wrong_imports(tree)] == [True]


@pytest.mark.parametrize(
    "text", ["from gateway import clock", "from . import log", "import schemas.errors", "import os"]
)
def test_a_right_import_passes(tree, text):
    (tree / "gateway/config.py").write_text(text, "utf-8")
    assert wrong_imports(tree) == []


@pytest.mark.parametrize(
    "text",
    ["from lxml import etree\netree.fromstring(b'')", "import xml.etree.ElementTree", "from xml.dom import minidom"],
)
def test_parsing_elsewhere_fails_with_the_file(tree, text):
    (tree / "gateway/intake.py").write_text(text, "utf-8")
    assert [problem.startswith("gateway/intake.py:") for problem in foreign_parsing(tree)] == [True]


# Where names of ePUAP's receipts belong: its adapter, the receipt model, whoever shows it, the simulated outside.
RECEIPT_NAMES = (
    "gateway/transport/", "gateway/receipts/", "gateway/receipt.py", "gateway/upo.py", "gateway/mail.py",
    "gateway/simulate/", "gateway/demo/", "gateway/bench/", "gateway/cli/", "schemas/receipt.py", "schemas/api.py",
)  # fmt: skip


def receipt_names(root: Path) -> list[str]:
    """`file:line` of every name or text (docstrings apart) that speaks of an UPP or UPD elsewhere."""
    return [
        f"{shown}:{line}"
        for file in sources(root)
        if not (shown := file.relative_to(root).as_posix()).startswith(RECEIPT_NAMES)
        for line in _named_receipts(ast.parse(file.read_text("utf-8")))
    ]


def _named_receipts(tree: ast.Module) -> Iterator[int]:
    apart = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in apart:
            text = node.value
        if re.search(r"\bUP[PD]\b", text):
            yield node.lineno


def test_channels_to_come_need_no_names_of_epuaps_receipts():
    told = ("gateway/answer_settings.py", "schemas/case_terms.py")  # words of descriptions, shown to people
    found = [place for place in receipt_names(ROOT) if not place.startswith(told)]
    assert found == []


@pytest.mark.parametrize(("text", "found"), [('"""An UPP."""', []), ("kind = ReceiptKind.UPP", ["schemas/ids.py:1"])])
def test_a_receipts_name_in_code_is_found_and_one_in_a_docstring_is_not(tree, text, found):
    (tree / "schemas/ids.py").write_text(text, "utf-8")
    assert receipt_names(tree) == found

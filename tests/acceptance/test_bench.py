"""Every measurement runs and shows what the docs say it compares; how fast it was is for people, not for tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.bench import suite
from tests.program import USAGE, Program

DOCS = Path(__file__).parents[2] / "docs" / "performance.md"
SHAPE = {"name", "unit", "value", "floor", "ratio", "budget", "within_budget"}
SHOWN = {
    "intake": {"intake 6 KB": 2.5, "intake 5 MB": 1.5},
    "memory": {"memory beyond the body, 4 MB": 4.0, "kept after, 4 MB": 0.5},
    "signatures": {
        "verify podpis zaufany 5 KB": 3.0, "verify qualified 5 KB": 3.0, "verify signxml 5 KB": None,
        "verify podpis zaufany 1 MB": 2.0, "verify qualified 1 MB": 2.0, "verify signxml 1 MB": None,
        "issue UPP": 2.0,
    },
    "forms": {"validate and map 10 KB": 1.5},
    "delivery": {"three-step delivery": 0.5, "the same with 5 waiting": 0.9},
}  # fmt: skip
WHERE_INSTALLED = {"verify python-xmlsec 5 KB", "verify python-xmlsec 1 MB"}


@pytest.mark.parametrize("name", SHOWN)
def test_each_figure_stands_beside_a_floor_and_a_budget(brama: Program, name: str) -> None:
    figures = brama.json("bench", name, "--quick")
    assert {one["name"]: one["budget"] for one in figures if one["name"] not in WHERE_INSTALLED} == SHOWN[name]
    for one in figures:
        assert set(one) == SHAPE
        assert one["floor"] > 0
        assert one["ratio"] == pytest.approx(one["value"] / one["floor"], rel=0.05, abs=0.05)  # all are rounded


def test_a_table_for_people_has_every_figure_with_its_unit_and_budget(brama: Program) -> None:
    (row,) = (line for line in brama("bench", "forms", "--quick").splitlines() if line.startswith("validate and map"))
    assert row.count("µs CPU") == 2
    assert row.rstrip().endswith("1.5")


def test_the_docs_name_every_measurement_and_no_other() -> None:
    named = re.findall(r"^\| `(\w+)` \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert named == suite.names() == [*SHOWN, "pull"]


def test_what_cannot_be_measured_is_wrong_use_and_what_can_is_named(brama: Program) -> None:
    said = brama("bench", "nic", expect=USAGE)
    assert all(name in said for name in suite.names())

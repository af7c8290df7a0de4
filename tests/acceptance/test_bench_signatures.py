"""The measurement of signatures measures what it says; how fast it was is no verdict of a test."""

from __future__ import annotations

from gateway.bench import signatures


def test_every_figure_stands_beside_a_floor_of_the_same_run() -> None:
    figures = signatures.measure(rounds=1)
    names = {figure["name"] for figure in figures}
    assert {f"verify {shape} {size}" for shape in ("podpis zaufany", "qualified") for size in ("5 KB", "1 MB")} <= names
    assert {"issue UPP", "verify signxml 5 KB"} <= names
    assert all(0 < figure["floor"] < figure["value"] * 10 for figure in figures)
    assert all(
        figure["ratio"] == round(figure["value"] / figure["floor"], 2) for figure in figures if figure["floor"] > 500
    )

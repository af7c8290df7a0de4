"""Every measurement under one name, in one shape: what, ours, the floor of the same run, their ratio, the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

Figures = list[dict[str, Any]]


def names() -> list[str]:
    """What `brama bench` can measure."""
    return [*_SUITE, PULL]


def run(name: str, documents: int = 500) -> Figures:
    """Measure one thing; takes from seconds to a few minutes. `documents`: how many the pull run is made with."""
    return _pull(documents) if name == PULL else _SUITE[name]()


def _intake() -> Figures:
    from gateway.bench import intake

    return intake.measure()


def _memory() -> Figures:
    from gateway.bench import memory

    return memory.measure()


def _signatures() -> Figures:
    from gateway.bench import signatures

    return signatures.measure()


def _forms() -> Figures:
    from gateway.bench import forms

    found = forms.run()
    ours = found.validate_us + found.map_us
    return [_figure("validate and map 10 KB", "µs CPU", ours, found.floor_us, found.ratio, found.budget)]


def _delivery() -> Figures:
    from gateway.bench import delivery

    found = delivery.run(cases=600, waiting=100_000)
    figures = [_figure("three-step delivery", "cases/s", found.engine_per_s, found.floor_per_s, found.ratio, 0.5)]
    if found.backlog_per_s is not None and found.backlog_ratio is not None:
        name = "the same with 100,000 waiting"
        figures.append(_figure(name, "cases/s", found.backlog_per_s, found.engine_per_s, found.backlog_ratio, 0.9))
    for figure in figures:
        figure["within_budget"] = figure["ratio"] >= figure["budget"]  # a rate: more is better
    return figures


def _pull(documents: int) -> Figures:
    """Rates beside the bare loop's; there is no budget for them, but the books must balance."""
    from gateway.bench import pulling

    found = pulling.run(documents)
    ours, floor = documents / found.ours_s, documents / found.floor_s
    figure = _figure(f"pull {documents}", "doc/s", ours, floor, ours / floor, None)
    return [{**figure, "books": asdict(found.books), "books_balanced": found.books.balanced}]


def _figure(name: str, unit: str, value: float, floor: float, ratio: float, budget: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "unit": unit,
        "value": round(value, 2),
        "floor": round(floor, 2),
        "ratio": round(ratio, 2),
        "budget": budget,
        "within_budget": budget is None or ratio <= budget,
    }


PULL = "pull"
_SUITE: dict[str, Callable[[], Figures]] = {
    "intake": _intake,
    "memory": _memory,
    "signatures": _signatures,
    "forms": _forms,
    "delivery": _delivery,
}

"""Every measurement under one name, in one shape: what, ours, the floor of the same run, their ratio, the budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Figures = list[dict[str, Any]]


def names() -> list[str]:
    """What `brama bench` can measure."""
    return list(_SUITE)


def run(name: str) -> Figures:
    """Measure one thing; takes from seconds to a few minutes."""
    return _SUITE[name]()


def _intake() -> Figures:
    from gateway.bench import intake

    return intake.measure()


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


def _figure(name: str, unit: str, value: float, floor: float, ratio: float, budget: float) -> dict[str, Any]:
    return {
        "name": name,
        "unit": unit,
        "value": round(value, 2),
        "floor": round(floor, 2),
        "ratio": round(ratio, 2),
        "budget": budget,
        "within_budget": ratio <= budget,
    }


_SUITE: dict[str, Callable[[], Figures]] = {
    "intake": _intake,
    "signatures": _signatures,
    "forms": _forms,
    "delivery": _delivery,
}

"""Every measurement under one name, in one shape: what, ours, the floor of the same run, their ratio, the budget.

A quick run does the same with the least there is to do: it shows that everything runs, and its figures mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

Figures = list[dict[str, Any]]
Progress = Callable[[str, int, int], None]  # what, how many are done, of how many


def names() -> list[str]:
    """What `brama bench` can measure."""
    return [*_SUITE, PULL]


def run(name: str, documents: int = 500, *, quick: bool = False, progress: Progress = lambda *_: None) -> Figures:
    """Measure one thing; takes from seconds to a few minutes. `documents`: how many the pull run is made with."""
    return _pull(documents, progress) if name == PULL else _SUITE[name](quick)


def _intake(quick: bool) -> Figures:
    from gateway.bench import intake

    return intake.measure(rounds=1, most=2) if quick else intake.measure()


def _memory(quick: bool) -> Figures:
    from gateway.bench import memory

    return memory.measure(attached_bytes=1 << 20, rounds=2) if quick else memory.measure()


def _signatures(quick: bool) -> Figures:
    from gateway.bench import signatures

    return signatures.measure(rounds=1) if quick else signatures.measure()


def _forms(quick: bool) -> Figures:
    from gateway.bench import forms

    found = forms.run(rounds=1, repeat=3) if quick else forms.run()
    return [_figure("validate and map 10 KB", "µs CPU", found.ours_us, found.floor_us, found.ratio, found.budget)]


def _delivery(quick: bool) -> Figures:
    from gateway.bench import delivery

    whole = {"cases": 1000, "waiting": 100_000, "rounds": 5}
    found = delivery.run(**({"cases": 10, "workers": 1, "waiting": 5} if quick else whole))
    figures = [_figure("three-step delivery", "cases/s", found.engine_per_s, found.floor_per_s, found.ratio, 0.5)]
    if found.backlog_per_s is not None and found.backlog_ratio is not None:
        name = f"the same with {found.waiting:,} waiting"
        figures.append(_figure(name, "cases/s", found.backlog_per_s, found.engine_per_s, found.backlog_ratio, 0.9))
    for figure in figures:
        figure["within_budget"] = figure["ratio"] >= figure["budget"]  # a rate: more is better
    return figures


def _pull(documents: int, progress: Progress) -> Figures:
    """Rates beside the bare loop's; there is no budget for them, but the books must balance."""
    from gateway.bench import pulling

    found = pulling.run(documents, progress)
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
_SUITE: dict[str, Callable[[bool], Figures]] = {
    "intake": _intake,
    "memory": _memory,
    "signatures": _signatures,
    "forms": _forms,
    "delivery": _delivery,
}

"""The delivery benchmark runs and compares what it says; its figures are for people, not for tests."""

from __future__ import annotations

from gateway.bench.delivery import run


def test_engine_and_floor_deliver_the_same_cases_in_one_run() -> None:
    figures = run(cases=10, workers=1, waiting=5)

    assert figures.engine_per_s > 0
    assert figures.floor_per_s > 0
    assert figures.ratio == figures.engine_per_s / figures.floor_per_s
    assert figures.backlog_ratio is not None
    assert figures.to_json()["cases"] == 10

"""The measurement of forms measures what it says; its figure is no verdict of the tests."""

from __future__ import annotations

from gateway.bench.forms import BUDGET, run
from gateway.simulate import documents


def test_ours_is_measured_beside_its_floor_on_the_same_document():
    figures = run(rounds=1, repeat=3)
    assert figures.size_bytes == len(documents.property_return())
    assert figures.rows > 100
    assert figures.floor_us > 0
    apart = figures.apart_validate_us + figures.apart_map_us
    assert figures.ratio == figures.ours_us / figures.floor_us
    assert figures.mixed_ratio == apart / figures.floor_us
    assert figures.apart_ratio < figures.mixed_ratio  # a floor in two steps parses twice
    assert figures.budget == BUDGET == 1.5

"""A short fault run: offices misbehave, workers and the database are killed, and the books still balance."""

from __future__ import annotations

import pytest

from gateway.bench.faults import run


@pytest.mark.timeout(280)
def test_under_every_fault_nothing_is_lost_doubled_or_out_of_order() -> None:
    report = run(cases=52, workers=2, seed=3, kill_every_s=3.0, crash_every_s=5.0)

    assert report.accepted == 52
    assert (report.lost, report.doubled, report.out_of_order, report.unfinished) == (0, 0, 0, 0)
    assert report.waiting_without_reason == 0
    assert report.kills > 0
    assert report.database_crashes > 0
    assert report.ok

"""Short fault runs: offices misbehave, workers and the database are killed, hosts are cut off; the books balance."""

from __future__ import annotations

import pytest

from gateway.bench import fault_network
from gateway.bench.fault_hosts import Separation
from gateway.bench.faults import FaultReport, Pace, run
from tests.require import missing

WITH_A_CUT = Pace(kill_after_cpu_s=60.0, crash_every=1000, cut_s=8.0, after_s=0.0)  # the cut is what is tried


@pytest.mark.timeout(1200)
def test_under_every_fault_nothing_is_lost_doubled_or_out_of_order() -> None:
    report = run(cases=52, workers=2, seed=3, pace=Pace(kill_after_cpu_s=0.3, crash_every=20, after_s=4.0))

    assert_balanced(report, 52)
    assert report.kills > 0
    assert report.database_crashes > 0
    assert report.wake_ups_lost > 0


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("separated_by", ["namespaces", "proxies"])
def test_a_host_cut_from_the_database_stops_sending_and_the_other_takes_over(separated_by: Separation) -> None:
    if separated_by == "namespaces" and not fault_network.possible():
        missing("network namespaces need Linux, root and iproute2")
    report = run(cases=48, workers=2, hosts=2, separated_by=separated_by, seed=5, pace=WITH_A_CUT)

    assert_balanced(report, 48)
    assert {cut.how for cut in report.cuts} == set(
        {"namespaces": ("database", "everything"), "proxies": ("database",)}[separated_by]
    )
    for cut in report.cuts:
        assert cut.held  # it was at work when it happened
        assert cut.taken_over_after_s is not None
        assert cut.taken_over_after_s < 300


def assert_balanced(report: FaultReport, accepted: int) -> None:
    books = report.books
    assert books.accepted == accepted
    assert (books.lost, books.doubled, books.out_of_order, report.unfinished) == (0, 0, 0, 0)
    assert (books.resent_too_soon, books.resent_blind, books.sent_late) == (0, 0, 0)
    assert (books.held, books.untrue, books.waiting_without_reason) == (0, 0, 0)
    assert report.ok, report.to_json()

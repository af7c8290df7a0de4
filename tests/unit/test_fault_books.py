"""The judge of the fault run: a balanced run is balanced, and each single wrong is found under its own name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.bench.fault_books import Believed, Books, Cut, Handover, Kept, Seen, Try, judge

ACCEPTED = ["d1", "d2"]
FIRST = Handover("k1", "d1", "delivered", order_key="o", sequence=1, repeat="findable", settle_s=3.0)
SECOND = Handover("k2", "d2", "delivered", order_key="o", sequence=2, repeat="findable", settle_s=3.0)
TRIES = [Try("k1", "a", 100.0, 1.0, "unsettled"), Try("k1", "b", 104.0, 0.5, "delivered"),
         Try("k2", "b", 105.0, 0.1, "delivered")]  # fmt: skip
BELIEVED = Believed([Kept("d1", "processed", None), Kept("d2", "processed", None)], [FIRST, SECOND], TRIES)
SEEN = Seen(arrivals=[("k1", 1.0), ("k2", 2.0)], calls=[("k1", 100.1), ("k1", 104.1), ("k2", 105.05)])


def wrongs(believed: Believed = BELIEVED, seen: Seen = SEEN, cuts: tuple[Cut, ...] = ()) -> dict[str, int]:
    """What is wrong, by name."""
    books = judge(ACCEPTED, believed, seen, cuts)
    named = {name: getattr(books, name) for name in Books.__slots__[4:]}
    found = {name: count for name, count in named.items() if count}
    assert books.balanced == (not found)
    return found


def with_first(**changes: Any) -> Believed:
    return replace(BELIEVED, handovers=[replace(FIRST, **changes), SECOND])


def test_a_lost_answer_that_was_asked_about_and_sent_again_after_the_delay_is_in_order() -> None:
    books = judge(ACCEPTED, BELIEVED, SEEN)
    assert (books.accepted, books.delivered, books.waiting_for_person) == (2, 2, 0)
    assert wrongs() == {}


def test_a_record_that_arrived_twice_is_found() -> None:
    assert wrongs(seen=replace(SEEN, arrivals=[*SEEN.arrivals, ("k2", 3.0)])) == {"doubled": 1}


@pytest.mark.parametrize(
    "believed",
    [
        replace(BELIEVED, kept=BELIEVED.kept[:1]),  # acknowledged and gone
        replace(BELIEVED, handovers=[FIRST]),  # processed, and nobody will hand it over
    ],
)
def test_an_acknowledged_document_that_goes_nowhere_is_found(believed: Believed) -> None:
    assert wrongs(believed) == {"lost": 1}


def test_a_case_called_delivered_that_the_office_never_got_is_found() -> None:
    assert wrongs(seen=replace(SEEN, arrivals=[("k1", 1.0)])) == {"lost": 1}


def test_a_correction_that_arrived_before_its_original_is_found() -> None:
    assert wrongs(seen=replace(SEEN, arrivals=[("k2", 1.0), ("k1", 2.0)])) == {"out_of_order": 1}


@pytest.mark.parametrize("state", ["waiting", "refused", "given_up"])
def test_surely_not_there_said_of_a_case_that_is_there_is_found(state: str) -> None:
    assert wrongs(with_first(state=state, code="answer.refused")) == {"untrue": 1}


def test_a_repeat_before_the_settle_delay_is_found() -> None:
    early = replace(BELIEVED, tries=[TRIES[0], replace(TRIES[1], started_at=103.0), TRIES[2]])
    assert wrongs(early, replace(SEEN, calls=[("k1", 100.1), ("k1", 103.2)])) == {"resent_too_soon": 1}


def test_a_repeat_after_a_worker_vanished_is_measured_from_its_last_sign_of_life() -> None:
    vanished = [replace(TRIES[0], took_s=None, started_at=100.0), replace(TRIES[1], started_at=102.0), TRIES[2]]
    assert wrongs(replace(BELIEVED, tries=vanished), replace(SEEN, calls=[("k1", 102.1)])) == {"resent_too_soon": 1}


def test_any_repeat_where_nobody_can_be_asked_is_found() -> None:
    assert wrongs(with_first(repeat="blind")) == {"resent_blind": 1}


def test_a_repeat_where_the_far_side_enforces_the_key_is_no_wrong() -> None:
    assert wrongs(with_first(repeat="safe")) == {}


def test_a_request_of_a_former_holder_is_found() -> None:
    assert wrongs(seen=replace(SEEN, calls=[*SEEN.calls, ("k2", 105.3)])) == {"sent_late": 1}


def test_a_request_nobody_had_begun_is_found() -> None:
    assert wrongs(seen=replace(SEEN, calls=[("k2", 90.0)])) == {"sent_late": 1}


@pytest.mark.parametrize(("lease_s", "found"), [(0.05, {"sent_late": 1}), (4.0, {})])
def test_a_host_cut_off_that_sends_after_its_lease_is_found(lease_s: float, found: dict[str, int]) -> None:
    cut = Cut(frozenset({"a"}), began_at=100.0, ended_at=103.0, lease_s=lease_s)
    assert wrongs(cuts=(cut,)) == found


def test_a_good_document_held_from_delivery_is_found() -> None:
    held = replace(BELIEVED, kept=[BELIEVED.kept[0], Kept("d2", "held", "flow.escaped")], handovers=[FIRST])
    assert wrongs(held) == {"held": 1}


def test_a_case_that_waits_for_a_person_without_saying_why_is_found() -> None:
    waiting = with_first(state="unsettled", code=None)
    assert wrongs(waiting) == {"waiting_without_reason": 1}
    assert judge(ACCEPTED, with_first(state="unsettled", code="http.timeout"), SEEN).reasons == {"http.timeout": 1}

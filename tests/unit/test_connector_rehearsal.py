"""The rehearsal: every way a delivery can end, on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.rehearsal import Behaviour, RehearsalConnector, RehearsalOptions
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps
from schemas.delivery import Delivered
from schemas.errors import ConnectorError


@pytest.fixture(params=["memory", "folder"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> RehearsalOptions:
    return RehearsalOptions(folder=tmp_path / "kept" if request.param == "folder" else None)


def test_a_case_is_kept_and_found(options: RehearsalOptions) -> None:
    rehearsal = RehearsalConnector(options)

    assert rehearsal.deliver(a_record("k-1"), "k-1", MemorySteps()) == Delivered("k-1")

    kept = rehearsal.kept("k-1")
    assert kept is not None
    assert kept["fields"]["surname"] == "Łękołodzka-Żdźbło"
    assert rehearsal.find("k-1") == "k-1"
    assert rehearsal.find("k-2") is None


@pytest.mark.parametrize(
    ("behaviour", "code", "stored"),
    [
        (Behaviour.REFUSE, "rehearsal.refused", False),
        (Behaviour.UNREACHABLE, "rehearsal.unreachable", False),
        (Behaviour.HANG_UP_BEFORE, "rehearsal.hung_up", False),
        (Behaviour.HANG_UP_AFTER, "rehearsal.hung_up", True),
    ],
)
def test_it_fails_as_asked_and_find_tells_the_truth(behaviour: Behaviour, code: str, stored: bool) -> None:
    rehearsal = RehearsalConnector(RehearsalOptions(behaviour=behaviour, times=1))
    steps = MemorySteps()

    outcome = rehearsal.deliver(a_record("k-1"), "k-1", steps)

    assert not isinstance(outcome, Delivered)
    assert outcome.code == code
    assert (rehearsal.find("k-1") is not None) is stored
    assert isinstance(rehearsal.deliver(a_record("k-1"), "k-1", steps.next_attempt()), Delivered)
    assert rehearsal.received["k-1"] == 1


def test_check_fails_only_while_unreachable() -> None:
    rehearsal = RehearsalConnector(RehearsalOptions())
    rehearsal.check()

    rehearsal.behave(Behaviour.UNREACHABLE)

    with pytest.raises(ConnectorError):
        rehearsal.check()

"""What follows from one try at a big file: again, lost, or a person; decided by outcome, doubt and time alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.bigfiles.rules import TOO_LARGE, Failed, Standing, follows
from gateway.retry import RetryPolicy
from schemas.delivery import Repeat
from schemas.files import FileState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLICY = RetryPolicy((10.0, 60.0), 3600.0, 0.0, Repeat.SAFE, 0.0)
GONE = Failed("attachment.refused", number=-30)
NO = Failed("attachment.refused", number=-7)
AWAY = Failed("service.unreachable")
CUT_OFF = Failed("service.unsettled", begun=True)


@pytest.mark.parametrize(
    ("failed", "refusals", "in_doubt", "state"),
    [
        (GONE, 0, False, FileState.LOST),
        (GONE, 0, True, FileState.LOST),
        (NO, 0, True, FileState.DUE),
        (NO, 2, True, FileState.LOST),
        (NO, 2, False, FileState.FAILED),
        (AWAY, 0, False, FileState.DUE),
        (CUT_OFF, 0, False, FileState.DUE),
        (Failed(TOO_LARGE, begun=True), 0, False, FileState.FAILED),
    ],
)
def test_lost_is_only_what_the_repository_refuses_after_a_transfer_or_says_is_gone(failed, refusals, in_doubt, state):
    standing = Standing(1, refusals, in_doubt, NOW, NOW)
    assert follows(failed, standing, POLICY, gone=(-30,), refusals=3, luck=0.5).state is state


def test_doubt_stays_once_a_transfer_was_begun():
    after = follows(CUT_OFF, Standing(1, 0, False, NOW, NOW), POLICY, gone=(), refusals=3, luck=0.5)
    assert (after.in_doubt, after.due_at) == (True, NOW + timedelta(seconds=10))
    later = follows(AWAY, Standing(2, 0, True, NOW, NOW), POLICY, gone=(), refusals=3, luck=0.5)
    assert (later.in_doubt, later.due_at) == (True, NOW + timedelta(seconds=60))


def test_an_epuap_that_stays_away_ends_the_tries_in_sight():
    standing = Standing(50, 0, True, NOW - timedelta(hours=2), NOW)
    after = follows(AWAY, standing, POLICY, gone=(), refusals=3, luck=0.5)
    assert (after.state, after.code) == (FileState.FAILED, "service.unreachable")

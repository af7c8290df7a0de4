"""What follows from one try at a file, as pure functions: an outcome and times in, a decision out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gateway import retry
from gateway.retry import RetryPolicy
from schemas.delivery import Unreachable
from schemas.files import LOST, FileState

REFUSED = "attachment.refused"
TOO_LARGE = "attachment.file_too_large"


@dataclass(frozen=True, slots=True)
class Failed:
    """A try that brought no file. `begun`: a transfer may have been begun, so the repository may have let go of it."""

    code: str
    text: str = ""
    begun: bool = False
    number: int | None = None  # of a Fault; then the repository has answered


@dataclass(frozen=True, slots=True)
class Standing:
    """What the tries so far came to. Times by the database's clock."""

    attempts: int
    refusals: int
    in_doubt: bool
    first_tried_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Follows:
    """Where the file stands now; `due_at` with DUE only."""

    state: FileState
    code: str
    refusals: int
    in_doubt: bool
    due_at: datetime | None = None


def follows(
    failed: Failed, so_far: Standing, policy: RetryPolicy, *, gone: Collection[int], refusals: int, luck: float
) -> Follows:
    """Try again on the schedule; lost is what the repository refuses after a transfer was begun, or says is gone.

    Args: gone: Fault numbers that say so; no list of them is public. refusals: how many others are believed.
    """
    refused = so_far.refusals + (failed.number is not None)
    doubt = so_far.in_doubt or failed.begun
    if failed.code == TOO_LARGE:
        return Follows(FileState.FAILED, failed.code, refused, doubt)
    if failed.number in gone:
        return Follows(FileState.LOST, LOST, refused, doubt)
    if refused >= refusals:
        state, code = (FileState.LOST, LOST) if doubt else (FileState.FAILED, failed.code)
        return Follows(state, code, refused, doubt)
    again = retry.next_try(
        Unreachable(failed.code), max(so_far.attempts, 1), so_far.first_tried_at, so_far.now, policy, luck
    )
    if isinstance(again, retry.RetryAt):
        return Follows(FileState.DUE, failed.code, refused, doubt, again.at)
    return Follows(FileState.FAILED, failed.code, refused, doubt)

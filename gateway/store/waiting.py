"""Starting before the database does: try until it is there, with a word in the log, and for no longer than asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import chain, repeat

import structlog

from schemas.errors import StoreUnavailable

log = structlog.get_logger()

_BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)


class Stopped(Exception):
    """We were asked to end while we waited."""


def until_there(
    attempt: Callable[[], None],
    within_s: float | None,
    stop: threading.Event,
    now_s: Callable[[], float] = time.monotonic,
) -> None:
    """Run `attempt` until the database lets it through; `within_s` None: for ever.

    Raises: StoreUnavailable: it was not there in time, or it is there and our migration fails on it.
            Stopped: `stop` was set meanwhile.
    """
    began = now_s()
    for back_off_s in chain(_BACK_OFF_S, repeat(_BACK_OFF_S[-1])):
        try:
            attempt()
        except StoreUnavailable as error:
            waited_s = now_s() - began
            left_s = back_off_s if within_s is None else within_s - waited_s
            if left_s <= 0 or error.code != StoreUnavailable.code:
                raise
            again_in_s = min(back_off_s, left_s)
            log.warning("store_away", waited_s=round(waited_s, 1), again_in_s=round(again_in_s, 1), **error.facts)
            if stop.wait(again_in_s):
                raise Stopped from error
        else:
            return

"""Poll ePUAP's boxes: keep → commit → confirm → decide, one document at a time, one poller per box over all machines.

ePUAP lets go of a document only when we confirm it, and we confirm it only after our commit. Killed before confirming,
we get it again and know it; killed after, the sweep decides it. A document that cannot be decided now is kept and
confirmed all the same: it must not block the box.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import structlog

from gateway import flow, intake
from gateway.config import EpuapConfig
from gateway.crashpoint import crashpoint
from gateway.store.locks import held
from gateway.tools import Tools
from schemas.errors import BramaError
from schemas.submission import Envelope

log = structlog.get_logger()

_GROWTH = 1.5  # of the wait, while a box stays empty


class Box(Protocol):
    """One polled box; see `gateway.transport.pull.PullBox`."""

    @property
    def mailbox(self) -> str:
        """Its address."""
        ...

    def next(self) -> Envelope | None:
        """The head of the queue."""
        ...

    def confirm(self, document: bytes) -> None:
        """Take the head off the queue."""
        ...


def take_one(box: Box, tools: Tools) -> bool:
    """One document, from ePUAP's queue to a decision; False when nothing waits.

    Raises: ServiceError, EnvelopeUnreadable: nothing was taken off the queue, or it is not known; ask again later.
            StoreUnavailable: nothing was confirmed.
    """
    envelope = box.next()
    if envelope is None:
        return False
    kept = intake.keep(envelope, tools.store, tools.config)  # committed before ePUAP lets go of it
    crashpoint("after_keep")
    box.confirm(envelope.document)
    crashpoint("after_confirm")
    log.info("document_pulled", submission=str(kept.submission.id), again=not kept.is_new)
    if kept.is_new:
        _decide(kept, tools)
    return True


def run_pollers(boxes: Sequence[Box], tools: Tools, stop: threading.Event) -> None:
    """One thread per box until `stop` is set; each finishes the document it is at."""
    threads = [threading.Thread(target=_run, args=(box, tools, stop), name=f"pull-{n}") for n, box in enumerate(boxes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def drain(box: Box, tools: Tools, stop: threading.Event) -> int:
    """Take what waits now, and say how many it was; nothing while somebody else polls the box.

    Raises: as `take_one`; what was taken before stays taken.
    """
    taken = 0
    with held(tools.store, f"pull {box.mailbox}") as still_ours:
        while still_ours is not None and still_ours() and not stop.is_set() and take_one(box, tools):
            taken += 1
    return taken


def next_wait(settings: EpuapConfig, before_s: float, *, took: bool) -> float:
    """Seconds until the next look: at once after a document, then ever longer while there is none."""
    if took:
        return 0.0
    return min(max(before_s * _GROWTH, settings.poll_shortest_s), settings.poll_longest_s)


def _decide(kept: intake.Kept, tools: Tools) -> None:
    """Failing costs nothing but time: the sweep decides what is kept and undecided, and holds what never works."""
    try:
        flow.decide(kept.submission, tools)
    except Exception as error:  # noqa: BLE001 - one document's trouble must not stop the box
        code = error.code if isinstance(error, BramaError) else type(error).__name__
        log.warning("decision_left_to_sweep", submission=str(kept.submission.id), code=code)


def _run(box: Box, tools: Tools, stop: threading.Event) -> None:
    """Poll while the box is ours; stand by while somebody else has it."""
    settings = tools.config.gateway.epuap
    with structlog.contextvars.bound_contextvars(mailbox=box.mailbox):
        while not stop.is_set():
            try:
                with held(tools.store, f"pull {box.mailbox}") as still_ours:
                    wait_s = 0.0
                    while still_ours is not None and still_ours() and not stop.wait(wait_s):
                        wait_s = next_wait(settings, wait_s, took=_try_one(box, tools))
            except BramaError as error:
                log.warning("poller_lost", code=error.code)
            stop.wait(settings.poll_shortest_s)


def _try_one(box: Box, tools: Tools) -> bool:
    try:
        return take_one(box, tools)
    except BramaError as error:
        log.warning("pull_failed", code=error.code, **{n: str(v) for n, v in error.facts.items() if n != "code"})
    except Exception as error:  # noqa: BLE001 - the one broad catch of this loop: log its kind, go on
        log.error("pull_broken", error=type(error).__name__)
    return False

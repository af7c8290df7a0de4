"""Poll ePUAP's boxes: keep → commit → confirm → decide, one document at a time, one poller per box over all machines.

ePUAP lets go of a document only when we confirm it, and we confirm it only after our commit. Killed before confirming,
we get it again and know it; killed after, the sweep decides it. What cannot be decided, or not even decoded, is kept
and confirmed all the same: it must not block the box. Where the box stands still although we do our part (ePUAP
refuses, or gives the same document for ever), `brama mailboxes list` says so in ePUAP's own words.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy import Connection

from gateway import flow, intake
from gateway.config import EpuapConfig
from gateway.crashpoint import crashpoint
from gateway.store import events, polls, submissions
from gateway.store.locks import held
from gateway.tools import Tools
from schemas.errors import BramaError, StoreUnavailable
from schemas.submission import Decision, Envelope, SubmissionState

log = structlog.get_logger()

REPEATS = "mailbox.repeats"
_GROWTH = 1.5  # of the wait, while a box stays empty
_RECORDED = 2  # arrivals of one item in a row: what comes again after a lost confirmation; later ones say nothing new
_NOTED_S = 10.0  # how often it is written down that all is well


class Box(Protocol):
    """One polled box; see `gateway.transport.pull.PullBox`."""

    @property
    def mailbox(self) -> str:
        """Its address."""
        ...

    def next(self) -> Envelope | None:
        """The head of the queue."""
        ...

    def release(self, envelope: Envelope) -> None:
        """Take the head off the queue."""
        ...


class BoxStuck(BramaError):
    """The other side says that it let go of a document, and gives it again and again."""

    code = REPEATS


class Poller:
    """Polls one box; remembers what it saw last. Used by one thread."""

    def __init__(self, box: Box, tools: Tools) -> None:
        self._box, self._tools = box, tools
        self._last: tuple[object, ...] | None = None
        self._times = 0  # that `_last` came in a row
        self._noted_at = 0.0

    def take_one(self) -> bool:
        """One document, from ePUAP's queue to a decision; False when nothing waits.

        Raises: ServiceError, EnvelopeUnreadable: nothing was taken off the queue, or it is not known; ask again later.
                BoxStuck. StoreUnavailable: nothing was confirmed.
        """
        try:
            took = self._take()
        except BramaError as error:
            self._note_trouble(error)
            raise
        self._note_well(took)
        return took

    def _take(self) -> bool:
        envelope = self._box.next()
        crashpoint("after_pull")
        if envelope is None:
            self._last = None
            return False
        kept = self._keep(envelope)  # committed before ePUAP lets go of it
        crashpoint("after_keep")
        self._box.release(envelope)
        crashpoint("after_confirm")
        if kept is None:
            raise BoxStuck
        log.info("document_pulled", submission=str(kept.submission.id), again=not kept.is_new)
        if kept.is_new and envelope.defect is None:
            self._decide(kept)
        return True

    def _keep(self, envelope: Envelope) -> intake.Kept | None:
        """Durable; None: this very item was kept moments ago, more than once, and another arrival says nothing new."""
        item = (envelope.digest, envelope.posted_at, envelope.epuap_document_id)
        self._times = self._times + 1 if item == self._last else 1
        if self._times > _RECORDED:
            return None
        kept = intake.keep(envelope, self._tools.store, self._tools.config)
        self._last = item  # only now: what was not kept is not known
        if kept.is_new and envelope.defect is not None:
            _quarantine(kept, envelope.defect, self._tools)
        return kept

    def _decide(self, kept: intake.Kept) -> None:
        """Failing costs nothing but time: the sweep decides what is kept and undecided, and holds what never works."""
        try:
            flow.decide(kept.submission, self._tools)
        except Exception as error:  # noqa: BLE001 - one document's trouble must not stop the box
            code = error.code if isinstance(error, BramaError) else type(error).__name__
            log.warning("decision_left_to_sweep", submission=str(kept.submission.id), code=code)

    def _note_well(self, took: bool) -> None:
        if time.monotonic() - self._noted_at >= _NOTED_S:
            self._noted_at = time.monotonic()
            self._note(lambda transaction: polls.went_well(transaction, self._box.mailbox, took=took))

    def _note_trouble(self, error: BramaError) -> None:
        self._noted_at = 0.0
        facts = error.facts  # number and words of the other side, where it said something
        words = f"{facts['number']} {facts.get('text', '')}" if "number" in facts else str(facts.get("reason", ""))
        self._note(
            lambda transaction: polls.went_wrong(transaction, self._box.mailbox, error.code, words.strip()[:500])
        )

    def _note(self, write: Callable[[Connection], None]) -> None:
        """What is only there to be looked at fails nothing."""
        try:
            with self._tools.store.begin() as transaction:
                write(transaction)
        except StoreUnavailable:
            log.warning("poll_not_noted")


def take_one(box: Box, tools: Tools) -> bool:
    """One document; see `Poller.take_one`."""
    return Poller(box, tools).take_one()


def run_pollers(boxes: Sequence[Box], tools: Tools, stop: threading.Event) -> None:
    """One thread per box until `stop` is set; each finishes the document it is at."""
    threads = [threading.Thread(target=_run, args=(box, tools, stop), name=f"pull-{n}") for n, box in enumerate(boxes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def drain(box: Box, tools: Tools, stop: threading.Event) -> int:
    """Take what waits now, and say how many it was; nothing while somebody else polls the box.

    Raises: as `Poller.take_one`; what was taken before stays taken.
    """
    emptied = _empty(box, tools, stop)
    if emptied.error is not None:
        raise emptied.error
    return emptied.taken


@dataclass(frozen=True, slots=True)
class Emptied:
    """What became of one box: how many were taken, what stopped it; `elsewhere`: somebody else polls it."""

    mailbox: str
    taken: int
    error: BramaError | None = None
    elsewhere: bool = False


def drain_all(boxes: Sequence[Box], tools: Tools, stop: threading.Event) -> list[Emptied]:
    """Take what waits now in every box; one that stands still costs the others nothing. Raises StoreUnavailable."""
    return [_empty(box, tools, stop) for box in boxes]


def _empty(box: Box, tools: Tools, stop: threading.Event) -> Emptied:
    poller, taken = Poller(box, tools), 0
    with held(tools.store, f"pull {box.mailbox}") as still_ours:
        if still_ours is None:
            return Emptied(box.mailbox, 0, elsewhere=True)
        try:
            while still_ours() and not stop.is_set() and poller.take_one():
                taken += 1
        except StoreUnavailable:
            raise
        except BramaError as error:
            log.warning("box_stands_still", mailbox=box.mailbox, code=error.code)
            return Emptied(box.mailbox, taken, error)
    return Emptied(box.mailbox, taken)


def next_wait(settings: EpuapConfig, before_s: float, *, took: bool) -> float:
    """Seconds until the next look: at once after a document, then ever longer while there is none."""
    if took:
        return 0.0
    return min(max(before_s * _GROWTH, settings.poll_shortest_s), settings.poll_longest_s)


def _quarantine(kept: intake.Kept, defect: str, tools: Tools) -> None:
    """There is no document to verify or validate: a clerk has to look at what came instead.

    Killed before this commits, the sweep decides it, and finds no form in it: quarantined as well.
    """
    one = kept.submission.id
    with tools.store.begin() as transaction:
        if submissions.save_decision(
            transaction, one, SubmissionState.HELD, Decision.QUARANTINED, defect, form_namespace=None
        ):
            events.append(transaction, one, "decided", decision=Decision.QUARANTINED.value, reason=defect)
    log.warning("document_defective", submission=str(one), code=defect)


def _run(box: Box, tools: Tools, stop: threading.Event) -> None:
    """Poll while the box is ours; stand by while somebody else has it."""
    settings = tools.config.gateway.epuap
    with structlog.contextvars.bound_contextvars(mailbox=box.mailbox):
        while not stop.is_set():
            try:
                with held(tools.store, f"pull {box.mailbox}") as still_ours:
                    poller, wait_s = Poller(box, tools), 0.0
                    while still_ours is not None and still_ours() and not stop.wait(wait_s):
                        wait_s = next_wait(settings, wait_s, took=_try_one(poller))
            except BramaError as error:
                log.warning("poller_lost", code=error.code)
            stop.wait(settings.poll_shortest_s)


def _try_one(poller: Poller) -> bool:
    try:
        return poller.take_one()
    except BramaError as error:
        log.warning("pull_failed", code=error.code, **{n: str(v) for n, v in error.facts.items() if n != "code"})
    except Exception as error:  # noqa: BLE001 - the one broad catch of this loop: log its kind, go on
        log.error("pull_broken", error=type(error).__name__)
    return False

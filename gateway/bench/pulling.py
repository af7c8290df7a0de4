"""Thirteen boxes full of documents, pulled, decided, delivered and answered by real processes, beside a bare client.

Floor: the same documents taken from the same simulated ePUAP and confirmed by a bare loop, and nothing else. Ours:
`brama pull` and `brama work`, from the first document kept to the last thing written about any. Then the books: what
ePUAP let go of, what we hold, what became of it, what the offices got, what came to the boxes of those who asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from gateway.bench import pull_answers, pull_site
from gateway.bench.pull_answers import Answers
from gateway.bench.pull_site import TENANTS, Sent
from gateway.config import Config
from gateway.simulate.offices.client import Office
from gateway.simulate.pki import Pki
from gateway.store.database import Store
from gateway.store.embedded import embedded
from gateway.store.schema import migrate
from schemas.ids import sha256

Progress = Callable[[str, int, int], None]
STANDS_STILL_S = 180.0  # nothing written for so long: it will not end by itself, and the books show why
_PROCESSES = ("pull", "work")

_TALLY = """
SELECT (SELECT count(*) FROM submission) AS kept,
       (SELECT count(*) FROM arrival) AS again,
       (SELECT count(*) FROM submission WHERE decision = 'accepted') AS accepted,
       (SELECT count(*) FROM submission WHERE decision = 'quarantined') AS quarantined,
       (SELECT count(*) FROM submission WHERE decision = 'rejected') AS rejected,
       (SELECT count(*) FROM receipt WHERE origin = 'own') AS receipts,
       (SELECT count(*) FROM delivery WHERE state = 'delivered') AS delivered,
       (SELECT count(*) FROM delivery WHERE state <> 'delivered') AS undelivered,
       (SELECT count(*) FROM message WHERE state = 'receipted') AS receipted,
       (SELECT count(*) FROM event) AS events
"""
_TOOK = "SELECT extract(epoch FROM max(e.at) - (SELECT min(received_at) FROM submission)) FROM event e"


@dataclass(frozen=True, slots=True)
class Books:
    """What is, beside what must be; documents, not bytes."""

    placed: int  # in the boxes, copies included
    let_go: int  # by ePUAP, because we confirmed
    kept: int
    again: int  # copies, recorded with the first one
    accepted: int
    quarantined: int
    rejected: int
    receipts: int  # ours, one for every document but the rejected ones
    delivered: int
    undelivered: int  # accepted, and not with its office
    lost: int  # let go of, and not held by us
    doubled: int  # with an office more than once
    wrong: int  # another decision than the document must have
    answers: Answers  # to the questions among the documents

    @property
    def balanced(self) -> bool:
        """Nothing lost, nothing doubled, nothing on the way, and every sum is right."""
        decided = self.accepted + self.quarantined + self.rejected
        return (
            self.lost == self.doubled == self.wrong == self.undelivered == 0
            and self.placed == self.let_go == self.kept + self.again
            and self.kept == decided
            and self.receipts == self.accepted + self.quarantined
            and self.delivered == self.accepted
            and self.answers.balanced
        )


@dataclass(frozen=True, slots=True)
class PullReport:
    """Both times for the same documents, in seconds, and the books of ours."""

    floor_s: float
    ours_s: float
    books: Books


def run(documents: int = 500, progress: Progress = lambda *_: None) -> PullReport:
    """Fill the boxes and empty them twice: bare, then by the gateway. Needs a moment for each document to be signed."""
    folder = Path(tempfile.mkdtemp(prefix="brama-b-"))
    folder.chmod(0o755)
    try:
        pki = Pki.create()
        progress("signing", 0, documents)
        sent = pull_site.signed(documents, pki)
        with Office("epuap", folder / "epuap", "--keep-alive", "30") as epuap, embedded(folder / "pg") as address:
            floor_s = _floor(epuap, pki, sent, progress)
            epuap.reset()
            pull_answers.open_ledger(_made(folder / "config"), address, pull_site.askers(documents))
            config = pull_site.configure(folder / "config", address, epuap, pki)
            placed = pull_site.fill(epuap, sent)
            store = Store(address)
            try:
                migrate(store.engine)
                with _running(config, folder) as processes:
                    _await_end(store, epuap, sent, placed, processes, progress)
                return PullReport(floor_s, _took(store), _books(store, epuap, sent, placed, config.folder))
            finally:
                store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _floor(epuap: Office, pki: Pki, sent: Sequence[Sent], progress: Progress) -> float:
    placed = pull_site.fill(epuap, sent)
    progress("floor", 0, len(sent))
    start = time.monotonic()
    taken = pull_site.drain_bare(epuap, pki)
    took = time.monotonic() - start
    if taken != placed:
        raise RuntimeError(f"the bare loop took {taken} of {placed}")
    return took


@contextmanager
def _running(config: Config, folder: Path) -> Iterator[list[_Process]]:
    """`brama pull` and `brama work`, as an operator starts them."""
    started = [_Process(command, config, folder / f"{command}.log") for command in _PROCESSES]
    try:
        yield started
    finally:
        for process in started:
            process.popen.terminate()
        for process in started:
            process.popen.wait(30)


class _Process:
    """One command of ours, which must not end by itself."""

    def __init__(self, command: str, config: Config, log: Path) -> None:
        self._command, self._log = command, log
        with log.open("wb") as sink:
            self.popen = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "gateway", command, "--config", str(config.folder)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )

    def must_run(self) -> None:
        """Raises RuntimeError with its last words: it has ended."""
        if self.popen.poll() is not None:
            words = self._log.read_text("utf-8", "replace")[-2000:]
            raise RuntimeError(f"brama {self._command} ended with {self.popen.returncode}: {words}")


def _await_end(
    store: Store, epuap: Office, sent: Sequence[Sent], placed: int, processes: Sequence[_Process], progress: Progress
) -> None:
    """Until everything is where it must be, or nothing moves any more. Raises RuntimeError: a process has ended."""
    fates = Counter(one.fate for one in sent)
    copies, questions = sum(one.twice for one in sent), sum(bool(one.reply_box) for one in sent)
    events, since = -1, time.monotonic()
    while time.monotonic() - since < STANDS_STILL_S:
        for process in processes:
            process.must_run()
        now = _tally(store)
        decided = now["accepted"] + now["quarantined"] + now["rejected"]
        progress("pulled, delivered, answered", now["delivered"] + now["receipted"], fates["accepted"] + questions)
        there = decided == len(sent) and now["again"] == copies and now["delivered"] == fates["accepted"]
        there = there and now["receipted"] == questions
        if there and pull_site.let_go(epuap).total() >= placed:  # the last confirmations come after what they confirm
            return
        if now["events"] != events:
            events, since = now["events"], time.monotonic()
        time.sleep(0.5)


def _books(store: Store, epuap: Office, sent: Sequence[Sent], placed: int, config: Path) -> Books:
    with store.begin() as transaction:
        held = {row[0]: row[1] for row in transaction.execute(text("SELECT sha256, decision FROM submission"))}
    let_go, tally = pull_site.let_go(epuap), _tally(store)
    cases = [file for number in range(TENANTS) for file in pull_site.office_root(config, number).glob("*.json")]
    tally.pop("events")
    asked = [one.reply_box for one in sent if one.reply_box]
    return Books(
        placed=placed,
        let_go=let_go.total(),
        answers=pull_answers.answers(epuap, asked, tally.pop("receipted")),
        **tally,
        lost=len(let_go.keys() - held.keys()),
        doubled=len(cases) - tally["delivered"],
        wrong=sum(held.get(sha256(one.octets)) != one.fate for one in sent),
    )


def _tally(store: Store) -> dict[str, int]:
    with store.begin() as transaction:
        return dict(transaction.execute(text(_TALLY)).mappings().one())


def _took(store: Store) -> float:
    with store.begin() as transaction:
        return float(transaction.execute(text(_TOOK)).scalar_one())


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder

"""The fault run: offices misbehave in every way, workers and the database are killed, and then the books are checked.

accept N really signed documents for thirteen gminas, while workers deliver them
meanwhile: SIGKILL to a random worker, crash of PostgreSQL, orders to the offices (hang up, refuse, go down, …)
then: everybody behaves, the work comes to rest, and what the offices got is compared with what we believe
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import select

from gateway import flow, operations
from gateway.app import make_tools
from gateway.bench import fault_site
from gateway.bench.fault_site import SECONDS_OF_ALL, Site
from gateway.simulate import documents
from gateway.simulate.citizens import person, sign_trusted_profile
from gateway.simulate.pki import Pki
from gateway.store import tables as t
from gateway.store.database import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.schema import migrate
from gateway.tools import Tools
from schemas.errors import StoreUnavailable
from schemas.submission import Channel, Envelope, SenderBlock

Progress = Callable[[str, int, int], None]

_ORDERS = (
    "hang_up_before_storing", "hang_up_after_storing", "refuse", "error_in_success", "slow", "garbage", "truncate",
    "unavailable", "error_page", "unauthorized", "drip",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaultReport:
    """The books after the run. `ok`: nothing lost, nothing doubled, nothing out of order, and the work came to rest."""

    accepted: int
    delivered: int
    lost: int
    doubled: int
    out_of_order: int
    waiting_for_person: int
    waiting_without_reason: int
    unfinished: int
    kills: int
    database_crashes: int
    orders: dict[str, int] = field(default_factory=dict)
    took_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Exit code 0."""
        return not (self.lost or self.doubled or self.out_of_order or self.unfinished or self.waiting_without_reason)

    def to_json(self) -> dict[str, Any]:
        """The contract of `faults --json`."""
        return {**asdict(self), "ok": self.ok}


def run(
    cases: int = 2000,
    workers: int = 3,
    *,
    seed: int = 1,
    kill_every_s: float = 2.0,
    crash_every_s: float = 20.0,
    progress: Progress = lambda *_: None,
) -> FaultReport:
    """One run in a folder of its own, on loopback only. Raises RuntimeError where a part does not start."""
    folder = Path(tempfile.mkdtemp(prefix="brama-f-"))
    try:
        with ExitStack() as stack:
            return _Run(folder, stack, cases, workers, seed, kill_every_s, crash_every_s, progress).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Run:
    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        cases: int,
        workers: int,
        seed: int,
        kill_every_s: float,
        crash_every_s: float,
        progress: Progress,
    ) -> None:
        self.luck = random.Random(seed)  # noqa: S311 - trouble, not secrets
        self.cases, self.progress = cases, progress
        self.kill_every_s, self.crash_every_s = kill_every_s, crash_every_s
        self.server = EmbeddedServer(folder)
        address = self.server.start()
        stack.callback(self.server.stop)
        self.pki = Pki.create()
        self.site: Site = fault_site.build(folder, address, self.pki, stack)
        self.store = Store(address)
        stack.callback(self.store.close)
        migrate(self.store.engine)
        self.tools: Tools = make_tools(self.site.config, self.store)
        self.workers: list[subprocess.Popen[bytes]] = [self._worker() for _ in range(workers)]
        stack.callback(self._stop_workers)
        self.kills, self.crashes = 0, 0
        self.orders: Counter[str] = Counter()
        self.accepted: list[str] = []

    def run(self) -> FaultReport:
        """Trouble while documents come in and for a while after; then peace, then the books."""
        started = time.monotonic()
        self._take_in_under_fire()
        self._more_trouble(seconds=min(SECONDS_OF_ALL, self.kill_every_s * 4))
        self._peace()
        unfinished = self._rest(within_s=180 + self.cases / 5)
        return self._books(unfinished, time.monotonic() - started)

    # --- trouble -----------------------------------------------------------------------------------------------------

    def _take_in_under_fire(self) -> None:
        next_kill, next_crash = self._in(self.kill_every_s), self._in(self.crash_every_s)
        for number in range(self.cases):
            self._accept(self._envelope(number))
            self.progress("accepted", number + 1, self.cases)
            if time.monotonic() > next_kill:
                self._kill_one()
                self._order()
                next_kill = self._in(self.kill_every_s)
            if time.monotonic() > next_crash:
                self._crash_database()
                next_crash = self._in(self.crash_every_s)

    def _more_trouble(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._order()
            self._kill_one()
            time.sleep(self.kill_every_s)
        self._crash_database()

    def _envelope(self, number: int) -> Envelope:
        """Four documents of each taxpayer: an original and corrections, so that there is an order to keep."""
        tenant = self.site.tenants[number % len(self.site.tenants)]
        taxpayer = person(number // len(self.site.tenants) // 4)
        form = documents.property_return(seed=number, taxpayer=taxpayer, purpose="1" if number % 4 == 0 else "2")
        document = sign_trusted_profile(form, taxpayer, self.pki)
        return Envelope(
            channel=Channel.PUSH, mailbox=tenant.mailboxes[0], document=document, raw=b"", file_name="dn-1.xml",
            sender=SenderBlock(identifier="testowykonto"), caller="127.0.0.1",
        )  # fmt: skip

    def _accept(self, envelope: Envelope) -> None:
        """As ePUAP does: what was not acknowledged is sent again."""
        while True:
            try:
                answer = flow.accept(envelope, self.tools)
            except StoreUnavailable:
                time.sleep(0.1)
                continue
            if answer.code == 1:
                self.accepted.append(envelope.digest)
            return

    def _kill_one(self) -> None:
        victim = self.luck.choice(self.workers)
        if victim.poll() is None:
            victim.kill()
            victim.wait(20)
            self.kills += 1
        self._supervise()

    def _supervise(self) -> None:
        """As systemd does: whoever ended, for whatever reason, is started again."""
        for place, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.workers[place] = self._worker()

    def _crash_database(self) -> None:
        self.server.crash()
        self.crashes += 1
        time.sleep(self.luck.uniform(0.1, 1.5))
        self.server.start()

    def _order(self) -> None:
        office = self.luck.choice(self.site.offices)
        mode = self.luck.choice((*_ORDERS, "down", "up"))
        more: dict[str, Any] = {} if mode in ("down", "up") else {"times": self.luck.randint(1, 3), "seconds": 2.5}
        office.tell(mode, **more)
        self.orders[mode] += 1

    def _peace(self) -> None:
        for office in self.site.offices:
            office.tell("up")

    # --- rest --------------------------------------------------------------------------------------------------------

    def _rest(self, within_s: float) -> int:
        """Wait until nothing is under way; what is left if it never comes to that."""
        end = time.monotonic() + within_s
        while True:
            self._supervise()
            books = operations.books(self.store)
            left = books.undecided + books.unprocessed + books.in_progress
            self.progress("delivered", books.delivered, self.cases)
            if left == 0 or time.monotonic() > end:
                return left
            time.sleep(0.5)

    # --- the books ---------------------------------------------------------------------------------------------------

    def _books(self, unfinished: int, took_s: float) -> FaultReport:
        arrived = self.site.arrivals()
        counts = Counter(key for key, _ in arrived)
        with self.store.begin() as transaction:
            d = t.delivery.c
            rows = transaction.execute(
                select(d.key, d.state, d.order_key, d.sequence, d.last_code, d.parked, t.submission.c.sha256)
                .join(t.submission, t.submission.c.id == d.submission_id)
            ).all()  # fmt: skip
            on_the_way = select(t.submission.c.sha256).where(t.submission.c.state.in_(("kept", "decided")))
            known = {row.sha256 for row in rows} | set(transaction.execute(on_the_way).scalars())
        missing = sum(1 for row in rows if row.state == "delivered" and not counts[row.key])
        person_waits = [row for row in rows if row.state in ("refused", "unsettled", "given_up")]
        return FaultReport(
            accepted=len(self.accepted),
            delivered=sum(row.state == "delivered" for row in rows),
            lost=missing + sum(digest not in known for digest in self.accepted),
            doubled=sum(count > 1 for count in counts.values()),
            out_of_order=_out_of_order(rows, arrived),
            waiting_for_person=len(person_waits) + sum(row.parked == "order" for row in rows),
            waiting_without_reason=sum(row.last_code is None for row in person_waits),
            unfinished=unfinished,
            kills=self.kills,
            database_crashes=self.crashes,
            orders=dict(self.orders),
            took_s=round(took_s, 1),
        )

    def _worker(self) -> subprocess.Popen[bytes]:
        """`brama work` as a process of its own."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with (self.site.config.folder / "work.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "gateway", "work", "--config", str(self.site.config.folder)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment,
            )  # fmt: skip

    def _stop_workers(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait(20)

    def _in(self, seconds: float) -> float:
        return time.monotonic() + self.luck.uniform(0.5, 1.5) * seconds


def _out_of_order(rows: Any, arrived: list[tuple[str, float]]) -> int:
    """Pairs of one order key whose first arrivals at the office are not in the order of keeping."""
    first: dict[str, float] = {}
    for key, moment in arrived:
        first[key] = min(moment, first.get(key, moment))
    chains: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if row.order_key is not None and row.key in first:
            chains.setdefault(row.order_key, []).append((row.sequence, first[row.key]))
    return sum(later[1] < earlier[1] for chain in chains.values() for earlier, later in pairwise(sorted(chain)))

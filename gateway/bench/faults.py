"""The fault run: offices misbehave, workers and the database are killed, hosts are cut off; then the books.

accept N really signed documents for thirteen gminas, while workers deliver them
meanwhile: SIGKILL to a random worker, crash of PostgreSQL, every wake-up lost, orders to the offices (hang up, refuse,
           go down, …); with several hosts: one is cut off until its leases have ended, and joined again
then: everybody behaves, the work comes to rest, and what the offices saw is compared with what we believe
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway import flow, operations
from gateway.app import make_tools
from gateway.bench import fault_books, fault_network, fault_site
from gateway.bench.fault_books import Books
from gateway.bench.fault_hosts import Separation, Worker, place
from gateway.bench.fault_trouble import Pace, Separated, Trouble
from gateway.simulate import documents
from gateway.simulate.citizens import person, sign_trusted_profile
from gateway.simulate.pki import Pki
from gateway.store.database import Store
from gateway.store.schema import migrate
from schemas.errors import StoreUnavailable
from schemas.submission import Channel, Envelope, SenderBlock

Progress = Callable[[str, int, int], None]
_FAR_BEHIND = 100
__all__ = ["FaultReport", "Pace", "run", "separation"]


@dataclass(frozen=True, slots=True)
class FaultReport:
    """The books after the run, and what was done to get there."""

    books: Books
    unfinished: int
    kills: int
    database_crashes: int
    wake_ups_lost: int  # how often all of them
    hosts: int = 1
    separated_by: Separation | None = None
    cuts: tuple[Separated, ...] = ()
    orders: dict[str, int] = field(default_factory=dict)
    took_s: float = 0.0
    kept: Path | None = None  # logs, where the books do not balance

    @property
    def ok(self) -> bool:
        """Exit code 0."""
        return self.books.balanced and not self.unfinished and all(cut.fine for cut in self.cuts)

    def to_json(self) -> dict[str, Any]:
        """The contract of `faults --json`: the books, and beside them what happened."""
        return {
            **asdict(self.books),
            "unfinished": self.unfinished, "kills": self.kills, "database_crashes": self.database_crashes,
            "wake_ups_lost": self.wake_ups_lost, "hosts": self.hosts, "separated_by": self.separated_by,
            "cuts": [cut.to_json() for cut in self.cuts], "orders": self.orders, "took_s": self.took_s,
            "kept": str(self.kept) if self.kept else None, "ok": self.ok,
        }  # fmt: skip


def separation(wanted: Separation | None = None) -> Separation:
    """How hosts can be kept apart on this machine: in network namespaces, else by proxies."""
    return wanted or ("namespaces" if fault_network.possible() else "proxies")


def run(
    cases: int = 2000,
    workers: int = 3,
    *,
    hosts: int = 1,
    separated_by: Separation | None = None,
    seed: int = 1,
    pace: Pace | None = None,
    progress: Progress = lambda *_: None,
) -> FaultReport:
    """One run in a folder of its own. Nothing leaves the machine. Raises RuntimeError where a part does not start.

    Args: workers: in all, dealt out to the hosts. separated_by: with several hosts; by default the best there is.
    """
    folder = Path(tempfile.mkdtemp(prefix="brama-f-"))
    apart = separation(separated_by) if hosts > 1 else None
    report = None
    try:
        with ExitStack() as stack:
            report = _Run(folder, stack, cases, workers, hosts, apart, seed, pace or Pace(), progress).run()
    finally:
        shutil.rmtree(folder / "postgres" if report is not None and not report.ok else folder, ignore_errors=True)
    return report


class _Run:
    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        cases: int,
        workers: int,
        hosts: int,
        apart: Separation | None,
        seed: int,
        pace: Pace,
        progress: Progress,
    ) -> None:
        self.folder, self.cases, self.apart, self.progress = folder, cases, apart, progress
        where = place(folder, hosts, apart, stack)
        address = where.server.start()
        stack.callback(where.server.stop)
        self.pki = Pki.create()
        self.site = fault_site.build(
            folder, address, where.staging_address(address), self.pki, where.office_address, stack
        )
        self.store = Store(address)
        stack.callback(self.store.close)
        migrate(self.store.engine)
        self.tools = make_tools(self.site.config, self.store)
        self.hosts = where.hosts(self.site, address)
        for number in range(workers):
            host = self.hosts[number % len(self.hosts)]
            host.workers.append(Worker(host, number))
            stack.callback(host.workers[-1].stop)
        luck = random.Random(seed)  # noqa: S311 - trouble, not secrets
        self.trouble = Trouble(luck, pace, where.server, self.hosts, self.site.offices, self.store)
        self.taken_in = 0
        self.accepted: list[str] = []
        self.unanswered: deque[Envelope] = deque()

    def run(self) -> FaultReport:
        """Trouble while documents come in and for a while after; then peace, then the books."""
        started = time.monotonic()
        cuts = self._planned_cuts()
        while self._accept_next():
            self.trouble.strike(self.taken_in)
            if cuts and self.taken_in >= cuts[0][0]:
                _, how = cuts.popleft()
                self.trouble.separate(self.hosts[0], how, self._up_to(cuts[0][0] if cuts else self.cases))
        self.trouble.strike_on()
        self.trouble.peace()
        unfinished = self._rest(within_s=600 + self.cases / 5)
        return self._report(unfinished, time.monotonic() - started)

    def _planned_cuts(self) -> deque[tuple[int, str]]:
        """After how many documents the first host is cut off, and how: each way once, evenly spread."""
        ways: list[str] = list(self.hosts[0].cuts)
        return deque((self.cases * place // (len(ways) + 1), how) for place, how in enumerate(ways, start=1))

    def _up_to(self, number: int) -> Callable[[], bool]:
        """`_accept_next` that leaves enough documents for the next cut, however long this one lasts."""
        return lambda: self.taken_in < number and self._accept_next()

    def _accept_next(self) -> bool:
        """Take in one more document, as soon as the workers are not far behind; False when that was all.

        Without that wait the trouble would be over before most deliveries have begun.
        """
        if self.taken_in == self.cases:
            return False
        while self.taken_in % 10 == 0 and self.trouble.behind() > _FAR_BEHIND:
            self.trouble.strike(0)
            time.sleep(0.1)
        self._accept(self._envelope(self.taken_in))
        self.taken_in += 1
        self.progress("accepted", self.taken_in, self.cases)
        return True

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
        """As ePUAP does: what was not acknowledged is sent again, at once or later."""
        while True:
            try:
                answer = flow.accept(envelope, self.tools)
            except StoreUnavailable:
                time.sleep(0.1)
                continue
            except flow.StillDeciding:
                self.unanswered.append(envelope)
                return
            if answer.code == 1:
                self.accepted.append(envelope.digest)
            return

    def _rest(self, within_s: float) -> int:
        """Wait until nothing is under way; what is left if it never comes to that."""
        end = time.monotonic() + within_s
        while True:
            self.trouble.supervise()
            for _ in range(len(self.unanswered)):
                self._accept(self.unanswered.popleft())
            books = operations.books(self.store)
            left = books.undecided + books.unprocessed + books.in_progress + len(self.unanswered)
            self.progress("delivered", books.delivered, self.cases)
            if left == 0 or time.monotonic() > end:
                return left
            time.sleep(0.5)

    def _report(self, unfinished: int, took_s: float) -> FaultReport:
        trouble = self.trouble
        cuts = [cut.for_judge() for cut in trouble.cuts]
        books = fault_books.judge(self.accepted, fault_books.read(self.store), self.site.seen(), cuts)
        report = FaultReport(
            books, unfinished, trouble.kills, trouble.crashes, trouble.truncations, len(self.hosts), self.apart,
            tuple(trouble.cuts), dict(trouble.orders), round(took_s, 1),
        )  # fmt: skip
        return report if report.ok else replace(report, kept=self.folder)

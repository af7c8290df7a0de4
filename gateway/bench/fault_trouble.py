"""What goes wrong in a fault run, and when: kills, crashes, misbehaving offices, lost wake-ups, hosts cut off."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, text, tuple_
from sqlalchemy.exc import DBAPIError

from gateway.bench.fault_books import Cut
from gateway.bench.fault_hosts import Host, Server
from gateway.bench.fault_site import LEASE_S
from gateway.simulate.offices.client import Office
from gateway.store import tables as t
from gateway.store.database import Store
from schemas.errors import StoreUnavailable

ORDERS = (
    "hang_up_before_storing", "hang_up_after_storing", "refuse", "error_in_success", "slow", "garbage", "truncate",
    "unavailable", "error_page", "unauthorized", "drip", "down", "up",
)  # fmt: skip
_BUSY_WITHIN_S = 45.0  # how long a moment is waited for at which the host has something to lose
_FEED_EVERY_S = 1.0  # slowly: a host that is just back must find some, and the others too while it is cut off
_TRIES = 3
_TAKEN_OVER_WITHIN_S = 60.0  # the promise
_BEGUN_WITHIN_S = 180.0  # by then every worker has started, or none will


@dataclass
class Separated:
    """One host cut off: `how`, when (epoch seconds), what it was trying then, and how soon nobody counted on it."""

    host: Host
    how: str
    began_at: float
    held: list[tuple[Any, int]]  # delivery, fence
    ended_at: float = 0.0
    taken_over_after_s: float | None = None
    delivered_meanwhile: int = 0  # by the others

    @property
    def fine(self) -> bool:
        """Others took over in time, and did work."""
        return self.taken_over_after_s is not None and self.delivered_meanwhile > 0

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "host": self.host.name, "how": self.how, "seconds": round(self.ended_at - self.began_at, 1),
            "held": len(self.held), "taken_over_after_s": self.taken_over_after_s,
            "delivered_meanwhile": self.delivered_meanwhile,
        }  # fmt: skip

    def for_judge(self) -> Cut:
        """A claim made just before the cut may be a lease old when it ends."""
        return Cut(self.host.names(), self.began_at, self.ended_at, LEASE_S)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things go wrong. In work done and not in seconds: a busy machine must not kill everybody at birth.

    kill_after_cpu_s: mean processor time a worker gets from its first job on. crash_every: documents between two
    crashes of the database. cut_s: how long a host is cut off. after_s: how long it goes on after the last document.
    """

    kill_after_cpu_s: float = 3.0
    crash_every: int = 100
    cut_s: float = 20.0
    after_s: float = 10.0


@dataclass
class Trouble:
    """Everything that may happen, to one luck."""

    luck: random.Random
    pace: Pace
    server: Server
    hosts: list[Host]
    offices: tuple[Office, ...]
    store: Store
    kills: int = 0
    crashes: int = 0
    truncations: int = 0
    orders: Counter[str] = field(default_factory=Counter)
    cuts: list[Separated] = field(default_factory=list)

    def strike(self, taken_in: int) -> None:
        """Whatever is due after so many documents."""
        if self._kill_one():
            self._order()
        if taken_in and taken_in % self.pace.crash_every == 0:
            self._lose_wake_ups()
            self._crash_database()

    def strike_on(self) -> None:
        """More of it while no documents come in; where nobody has begun yet, until somebody was killed at work."""
        began = time.monotonic()
        while (passed := time.monotonic() - began) < self.pace.after_s or self._too_early(passed):
            self.strike(0)
            time.sleep(0.2)
        if self.pace.after_s:
            self._crash_database()

    def _too_early(self, passed_s: float) -> bool:
        """Documents come in faster than a busy machine starts the workers for them."""
        return 0 < self.pace.after_s <= passed_s < _BEGUN_WITHIN_S and not self.kills and self.behind() > 0

    def separate(self, host: Host, how: str, feed: Callable[[], bool]) -> None:
        """Cut a host off while it is at work, for long enough that its leases end, then join it again.

        Args: feed: lets one more document in, so that there is work; False when there are no more.
        """
        self._await_workers()
        for office in self.offices:
            office.tell("up")
            office.tell("slow", times=40, seconds=1.0)
        cut = Separated(host, how, 0.0, self._cut_at_work(host, how, feed))
        delivered = self._delivered_by_others(host)
        cut.began_at = time.time()
        next_feed = time.monotonic()
        while self._goes_on(cut):
            if time.monotonic() > next_feed:
                feed()
                next_feed += self.pace.cut_s / 4
            self.supervise()
            if cut.taken_over_after_s is None and not self._still_held(cut.held):
                cut.taken_over_after_s = round(time.time() - cut.began_at, 1)
            time.sleep(0.2)
        cut.delivered_meanwhile = self._delivered_by_others(host) - delivered
        host.heal()
        cut.ended_at = time.time()
        self.cuts.append(cut)

    def _goes_on(self, cut: Separated) -> bool:
        """As long as planned; if nobody has taken over by then, as long as that may take."""
        within_s = self.pace.cut_s if cut.taken_over_after_s is not None else _TAKEN_OVER_WITHIN_S
        return time.time() < cut.began_at + max(within_s, self.pace.cut_s)

    def behind(self) -> int:
        """How much is ready to be worked on now; 0 while the database is away."""
        query = text(
            "SELECT (SELECT count(*) FROM submission WHERE state = 'decided')"
            " + (SELECT count(*) FROM delivery WHERE state = 'due' AND parked IS NULL AND due_at <= now())"
        )
        try:
            with self.store.begin() as transaction:
                found: int = transaction.execute(query).scalar_one()
        except StoreUnavailable:
            return 0
        return found

    def supervise(self) -> None:
        """As systemd does on each host."""
        for host in self.hosts:
            for worker in host.workers:
                worker.supervise()

    def peace(self) -> None:
        """Everybody behaves from now on."""
        for office in self.offices:
            office.tell("up")

    def _kill_one(self) -> bool:
        """The first who has worked long enough."""
        self.supervise()
        for host in self.hosts:
            for worker in host.workers:
                if worker.worked_s() > self.luck.uniform(0.5, 1.5) * self.pace.kill_after_cpu_s:
                    worker.kill()
                    self.kills += 1
                    return True
        return False

    def _crash_database(self) -> None:
        self.server.crash()
        self.crashes += 1
        time.sleep(self.luck.uniform(0.1, 1.5))
        self.server.start()

    def _lose_wake_ups(self) -> None:
        """Every row of the queue is gone: our own tables know what is to be done."""
        try:
            with self.store.begin() as transaction:
                transaction.execute(text("SET LOCAL lock_timeout = '2s'"))
                transaction.execute(text("TRUNCATE procrastinate_jobs CASCADE"))
            self.truncations += 1
        except (StoreUnavailable, DBAPIError):
            return  # too busy just now

    def _order(self) -> None:
        office = self.luck.choice(self.offices)
        mode = self.luck.choice(ORDERS)
        more: dict[str, Any] = {} if mode in ("down", "up") else {"times": self.luck.randint(1, 3), "seconds": 2.5}
        office.tell(mode, **more)
        self.orders[mode] += 1

    def _await_workers(self) -> None:
        """Until all of them are up: some may have been killed a moment ago."""
        end = time.monotonic() + _TAKEN_OVER_WITHIN_S
        while not all(worker.working for host in self.hosts for worker in host.workers) and time.monotonic() < end:
            self.supervise()
            time.sleep(0.1)

    def _cut_at_work(self, host: Host, how: str, feed: Callable[[], bool]) -> list[tuple[Any, int]]:
        """Cut it off; what it was trying. If it had just ended that, the cut proves nothing and is made again."""
        for _ in range(_TRIES):
            held = self._busy(host, feed)
            host.cuts[how]()
            if self._still_held(held):
                break
            host.heal()
        return held

    def _busy(self, host: Host, feed: Callable[[], bool]) -> list[tuple[Any, int]]:
        """What the host is trying, as soon as it tries anything."""
        d = t.delivery.c
        query = select(d.id, d.fence).where(d.state == "trying", d.worker.in_(host.names()))
        end, next_feed = time.monotonic() + _BUSY_WITHIN_S, 0.0
        while True:
            with self.store.begin() as transaction:
                held = [(row.id, row.fence) for row in transaction.execute(query)]
            if held or time.monotonic() > end:
                return held
            if time.monotonic() > next_feed:
                feed()
                next_feed = time.monotonic() + _FEED_EVERY_S
            time.sleep(0.02)

    def _still_held(self, held: list[tuple[Any, int]]) -> bool:
        d = t.delivery.c
        query = select(d.id).where(tuple_(d.id, d.fence).in_(held), d.state == "trying").limit(1)
        with self.store.begin() as transaction:
            return bool(held) and transaction.execute(query).first() is not None

    def _delivered_by_others(self, host: Host) -> int:
        query = text("SELECT count(*) FROM attempt WHERE outcome = 'delivered' AND worker <> ALL(:names)")
        with self.store.begin() as transaction:
            found: int = transaction.execute(query, {"names": list(host.names())}).scalar_one()
        return found

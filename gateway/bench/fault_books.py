"""The books of a fault run: what we believe, compared with what the offices saw. `judge` is a pure function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sqlalchemy import func, select

from gateway.store import tables as t
from gateway.store.database import Store

_ROUNDING_S = 0.05  # attempts are timed in milliseconds by one process, calls by another

SURELY_NOT_THERE = ("due", "waiting", "refused", "given_up")  # states that say: the office does not have it
FOR_A_PERSON = ("refused", "unsettled", "given_up")


@dataclass(frozen=True, slots=True)
class Kept:
    """One document we acknowledged, as it stands."""

    digest: str
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Handover:
    """One delivery as it stands; `repeat` and `settle_s` as at its last claim."""

    key: str
    digest: str
    state: str
    code: str | None = None
    order_key: str | None = None
    sequence: int = 0
    parked: str | None = None
    repeat: str | None = None
    settle_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt; times in seconds of the epoch, by the database's clock. `took_s` None: its worker vanished."""

    key: str
    worker: str
    started_at: float
    took_s: float | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """A time in which these workers could not reach the database; after `lease_s` of it they may not send."""

    workers: frozenset[str]
    began_at: float
    ended_at: float
    lease_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What the offices can tell: (key, a number that grows with time at its office) of each record that arrived, and
    (key, second of the epoch) of each request to store one, also of those that an office refused or threw away."""

    arrivals: Sequence[tuple[str, float]]
    calls: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True)
class Believed:
    """What the gateway says of itself."""

    kept: Sequence[Kept]
    handovers: Sequence[Handover]
    tries: Sequence[Try] = ()


@dataclass(frozen=True, slots=True)
class Books:
    """Numbers of documents, deliveries or calls. All but the first four and `reasons` must be 0."""

    accepted: int
    delivered: int
    waiting_for_person: int
    reasons: dict[str, int] = field(default_factory=dict)  # why, for each that is not delivered: code → how many
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    untrue: int = 0  # we say "surely not there", and it is
    resent_too_soon: int = 0  # findable: before the settle delay was over
    resent_blind: int = 0  # blind: at all, after an answer was lost
    sent_late: int = 0  # by a worker whose lease was over
    held: int = 0  # documents kept from delivery, though all of them were good
    waiting_without_reason: int = 0

    @property
    def balanced(self) -> bool:
        """Nothing happened that must not."""
        wrong = (self.lost, self.doubled, self.out_of_order, self.untrue, self.held, self.waiting_without_reason)
        return not any((*wrong, self.resent_too_soon, self.resent_blind, self.sent_late))


def read(store: Store) -> Believed:
    """Everything the judge needs of the store."""
    d, a, s = t.delivery.c, t.attempt.c, t.submission.c
    with store.begin() as transaction:
        kept = transaction.execute(select(s.sha256, s.state, s.reason)).all()
        handovers = transaction.execute(
            select(
                d.key, s.sha256, d.state, d.last_code, d.order_key, d.sequence, d.parked, d.repeat,
                func.coalesce(d.settle_s, 0.0),
            ).join(t.submission, s.id == d.submission_id)
        ).all()  # fmt: skip
        tries = transaction.execute(
            select(d.key, a.worker, func.extract("epoch", a.started_at), a.took_ms / 1000.0, a.outcome)
            .join(t.delivery, d.id == a.delivery_id)
            .order_by(a.started_at)
        ).all()
    return Believed(
        [Kept(*row) for row in kept],
        [Handover(*row) for row in handovers],
        [
            Try(key, worker, float(at), None if took is None else float(took), out)
            for key, worker, at, took, out in tries
        ],
    )


def judge(accepted: Iterable[str], believed: Believed, seen: Seen, cuts: Sequence[Cut] = ()) -> Books:
    """Compare. `accepted`: digests of the documents that were acknowledged."""
    arrived = Counter(key for key, _ in seen.arrivals)
    acknowledged, handovers = list(accepted), believed.handovers
    waiting = [one for one in handovers if one.state in FOR_A_PERSON or one.parked is not None]
    return Books(
        accepted=len(acknowledged),
        delivered=sum(one.state == "delivered" for one in handovers),
        waiting_for_person=len(waiting),
        reasons=dict(Counter(one.code or one.parked or "" for one in waiting)),
        lost=_lost(acknowledged, believed, arrived),
        doubled=sum(count > 1 for count in arrived.values()),
        out_of_order=_out_of_order(handovers, seen.arrivals),
        untrue=sum(one.state in SURELY_NOT_THERE and arrived[one.key] > 0 for one in handovers),
        held=sum(one.state in ("held", "closed") for one in believed.kept),
        waiting_without_reason=sum(not (one.code or one.parked) for one in waiting),
        **_calls(believed, seen, cuts),
    )


def _lost(accepted: list[str], believed: Believed, arrived: Counter[str]) -> int:
    """Acknowledged and not kept; processed and never to be handed over; called delivered and not at the office."""
    state = {one.digest: one.state for one in believed.kept}
    handed = {one.digest for one in believed.handovers}
    missing = sum(one.state == "delivered" and not arrived[one.key] for one in believed.handovers)
    forgotten = sum(state.get(digest) == "processed" and digest not in handed for digest in accepted)
    return missing + forgotten + sum(digest not in state for digest in accepted)


def _out_of_order(handovers: Sequence[Handover], arrivals: Sequence[tuple[str, float]]) -> int:
    """Pairs of one order key whose first arrivals at the office are not in the order of keeping."""
    first: dict[str, float] = {}
    for key, moment in arrivals:
        first[key] = min(moment, first.get(key, moment))
    chains: dict[str, list[tuple[int, float]]] = {}
    for one in handovers:
        if one.order_key is not None and one.key in first:
            chains.setdefault(one.order_key, []).append((one.sequence, first[one.key]))
    return sum(later[1] < earlier[1] for chain in chains.values() for earlier, later in pairwise(sorted(chain)))


def _calls(believed: Believed, seen: Seen, cuts: Sequence[Cut]) -> dict[str, int]:
    """Requests that should not have been made. A request belongs to the last attempt that began before it."""
    tries: dict[str, list[Try]] = {}
    for one in believed.tries:
        tries.setdefault(one.key, []).append(one)
    calls: dict[str, list[float]] = {}
    for key, at in sorted(seen.calls, key=lambda call: call[1]):
        calls.setdefault(key, []).append(at)
    found = Counter(resent_too_soon=0, resent_blind=0, sent_late=0)
    for handover in believed.handovers:
        if handover.key in calls:
            found.update(_of_one(handover, tries.get(handover.key, []), calls[handover.key], cuts))
    return dict(found)


def _of_one(handover: Handover, tries: list[Try], calls: list[float], cuts: Sequence[Cut]) -> Counter[str]:
    found: Counter[str] = Counter()
    of_try: dict[int, list[float]] = {}
    for at in calls:
        of_try.setdefault(_place(tries, at), []).append(at)
    for place, moments in of_try.items():
        found["sent_late"] += len(moments) - 1  # one step, one request; a second one came from a former holder
        if place < 0:
            found["sent_late"] += 1
            continue
        found["sent_late"] += sum(_cut_off(tries[place].worker, at, cuts) for at in moments)
        doubtful = [one for one in tries[:place] if one.outcome in ("unsettled", None)]
        if doubtful and handover.repeat == "blind":
            found["resent_blind"] += 1
        elif doubtful and handover.repeat == "findable":
            settled = max(one.started_at + (one.took_s or 0.0) for one in doubtful) + handover.settle_s
            found["resent_too_soon"] += moments[0] < settled - _ROUNDING_S
    return found


def _place(tries: list[Try], at: float) -> int:
    """Index of the last attempt begun before; -1: nobody had begun."""
    return sum(one.started_at <= at + _ROUNDING_S for one in tries) - 1


def _cut_off(worker: str, at: float, cuts: Sequence[Cut]) -> bool:
    return any(worker in cut.workers and cut.began_at + cut.lease_s < at < cut.ended_at for cut in cuts)

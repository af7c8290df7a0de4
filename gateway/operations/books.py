"""Do the books balance? Everything accepted is delivered exactly once, or visibly waits for a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text

from gateway.store.database import Store

_COUNT = text("""
SELECT (SELECT count(*) FROM submission) AS submissions,
       (SELECT count(*) FROM submission WHERE state = 'kept') AS undecided,
       (SELECT count(*) FROM submission WHERE state = 'decided') AS unprocessed,
       (SELECT count(*) FROM submission WHERE state = 'processed') AS processed,
       (SELECT count(*) FROM submission WHERE state = 'held') AS held,
       (SELECT count(*) FROM submission WHERE state = 'closed') AS closed,
       (SELECT count(*) FROM submission s WHERE s.state = 'processed'
           AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.submission_id = s.id)) AS lost,
       (SELECT count(*) FROM delivery) AS deliveries,
       (SELECT count(*) FROM delivery WHERE state = 'delivered') AS delivered,
       (SELECT count(*) FROM delivery WHERE state IN ('refused', 'given_up')
           OR (state = 'unsettled' AND due_at IS NULL AND parked IS NULL)) AS waiting_for_person,
       (SELECT count(*) FROM delivery WHERE state = 'set_aside') AS set_aside,
       (SELECT count(*) FROM delivery WHERE state IN ('due', 'trying', 'waiting')
           OR (state = 'unsettled' AND (due_at IS NOT NULL OR parked IS NOT NULL))) AS open,
       (SELECT count(*) FROM delivery WHERE parked = 'pause') AS paused,
       (SELECT count(*) FROM delivery d WHERE d.parked = 'order' AND EXISTS (
           SELECT 1 FROM delivery e WHERE e.order_key = d.order_key AND e.sequence < d.sequence
              AND (e.state IN ('refused', 'given_up')
                   OR (e.state = 'unsettled' AND e.due_at IS NULL AND e.parked IS NULL)))) AS behind,
       (SELECT count(*) FROM (SELECT a.delivery_id FROM attempt a WHERE a.outcome = 'delivered'
           GROUP BY a.delivery_id HAVING count(*) > 1) twice) AS delivered_twice
""")


@dataclass(frozen=True, slots=True)
class Books:
    """Counts at one moment, from one snapshot."""

    submissions: int
    undecided: int  # kept, not decided yet
    unprocessed: int  # accepted, not mapped yet
    processed: int
    held: int  # a clerk looks
    closed: int  # rejected, or set aside
    lost: int  # processed without a delivery: must be 0
    deliveries: int
    delivered: int
    waiting_for_person: int
    set_aside: int
    open: int  # due, being tried, waiting, to be asked about; with those that wait for a person's other decisions:
    paused: int  # a person stopped their office
    behind: int  # an earlier one of their order key waits for a person
    delivered_twice: int  # must be 0

    @property
    def in_progress(self) -> int:
        """What goes on by itself."""
        return self.open - self.paused - self.behind

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return self.undecided == self.unprocessed == self.in_progress == 0

    @property
    def balanced(self) -> bool:
        """Quiet, and every delivery ended exactly once or waits for a person."""
        settled = self.delivered + self.waiting_for_person + self.set_aside + self.paused + self.behind
        return self.quiet and self.lost == self.delivered_twice == 0 and settled == self.deliveries

    def to_json(self) -> dict[str, Any]:
        """Every count, with `in_progress`, `quiet` and `balanced`."""
        return {**asdict(self), "in_progress": self.in_progress, "quiet": self.quiet, "balanced": self.balanced}


def books(store: Store) -> Books:
    """Count, in one statement: the picture is of one moment."""
    with store.begin() as transaction:
        return Books(**transaction.execute(_COUNT).mappings().one())

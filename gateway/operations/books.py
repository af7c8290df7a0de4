"""Do the books balance? Everything accepted is delivered exactly once, or visibly waits for a person. So is mail."""

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
           GROUP BY a.delivery_id HAVING count(*) > 1) twice) AS delivered_twice,
       (SELECT count(*) FROM ruling r WHERE r.effect = 'clerk_decides'
           AND NOT EXISTS (SELECT 1 FROM ruling e WHERE e.submission_id = r.submission_id AND e.id > r.id))
           AS to_be_ruled,
       (SELECT count(*) FROM answer WHERE step IN ('approve', 'held')) AS answers_waiting,
       (SELECT count(*) FROM answer WHERE step NOT IN ('approve', 'held', 'sent', 'withdrawn')) AS answers_open,
       (SELECT count(*) FROM message) AS messages,
       (SELECT count(*) FROM message WHERE state IN ('sent', 'receipted')) AS messages_sent,
       (SELECT count(*) FROM message WHERE state = 'receipted') AS messages_receipted,
       (SELECT count(*) FROM message WHERE state IN ('refused', 'given_up')
           OR (state = 'unsettled' AND due_at IS NULL)) AS messages_waiting,
       (SELECT count(*) FROM message WHERE state = 'set_aside') AS messages_set_aside,
       (SELECT count(*) FROM message WHERE state IN ('due', 'trying')
           OR (state = 'unsettled' AND due_at IS NOT NULL)) AS messages_open,
       (SELECT count(*) FROM (SELECT m.message_id FROM message_attempt m WHERE m.outcome = 'delivered'
           GROUP BY m.message_id HAVING count(*) > 1) twice) AS messages_sent_twice,
       (SELECT count(*) FROM message_receipt WHERE message_id IS NULL) AS receipts_unmatched,
       (SELECT count(*) FROM receipt_wanted WHERE due_at IS NOT NULL) AS receipts_awaited,
       (SELECT count(*) FROM receipt_wanted WHERE due_at IS NULL) AS receipts_missing
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
    to_be_ruled: int  # a clerk says whether they are effectively lodged; they go on or wait as the gmina wants
    answers_waiting: int  # to be approved, or held for a person
    answers_open: int  # being asked for, drafted or sealed
    messages: int  # to citizens: each is sent, waits for a person, was set aside, or is under way
    messages_sent: int
    messages_receipted: int  # of those sent: the receipt that ends the wait has come
    messages_waiting: int
    messages_set_aside: int
    messages_open: int
    messages_sent_twice: int  # must be 0
    receipts_unmatched: int  # nobody knows which message they are for
    receipts_awaited: int  # of submissions, from ePUAP
    receipts_missing: int  # asked for in vain

    @property
    def in_progress(self) -> int:
        """What goes on by itself."""
        return self.open - self.paused - self.behind

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        mail = self.answers_open + self.messages_open
        return self.undecided == self.unprocessed == self.in_progress == mail == 0

    @property
    def balanced(self) -> bool:
        """Quiet, and every delivery and message ended exactly once or waits for a person."""
        mail = self.messages_sent + self.messages_waiting + self.messages_set_aside
        settled = self.delivered + self.waiting_for_person + self.set_aside + self.paused + self.behind
        none = self.lost == self.delivered_twice == self.messages_sent_twice == 0
        return self.quiet and none and settled == self.deliveries and mail == self.messages

    def to_json(self) -> dict[str, Any]:
        """Every count, with `in_progress`, `quiet` and `balanced`."""
        return {**asdict(self), "in_progress": self.in_progress, "quiet": self.quiet, "balanced": self.balanced}


def books(store: Store) -> Books:
    """Count, in one statement: the picture is of one moment."""
    with store.begin() as transaction:
        return Books(**transaction.execute(_COUNT).mappings().one())

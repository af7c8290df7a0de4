"""What keeps work moving when a process died, a wake-up was lost or a time has come. Any number run at once."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import Connection, RowMapping

from gateway import flow, opinions, reply, retry
from gateway.bigfiles import upkeep as bigfiles
from gateway.outbox import obtaining, telling, upkeep
from gateway.store import deliveries, events, reports, submissions, sweeps
from gateway.tools import Tools
from schemas.delivery import DeliveryState, Repeat
from schemas.submission import SubmissionState

log = structlog.get_logger()

WORKER_LOST = "delivery.worker_lost"


def tick(tools: Tools) -> int:
    """Every second or so: wake what is due, recover what a vanished worker left. Returns how much there was."""
    with tools.store.begin() as transaction:
        sweeps.put_off(transaction)
        woken = sweeps.promote(transaction)
    with tools.store.begin() as transaction:
        expired = sweeps.expired(transaction)
        for row in expired:
            _recover(transaction, row)
    return len(woken) + len(expired) + upkeep.tick(tools) + bigfiles.tick(tools, reply.file_lost)


def sweep(tools: Tools) -> int:
    """Every `sweep_s`: finish what was kept, wake what was forgotten. Returns how much there was."""
    with tools.store.begin() as transaction:
        processing = sweeps.forgotten_processing(transaction)
        lost = sweeps.forget_lost_wake_ups(transaction, tools.config.gateway.worker.sweep_s)
        freed = sweeps.unpark(transaction)
        sweeps.drop_abandoned_jobs(transaction)
        undecided = submissions.unfinished(transaction, SubmissionState.KEPT, limit=20)
        unsettled = reports.take_due(transaction)
    for submission_id in undecided:
        flow.finish(submission_id, tools)
    for submission_id in unsettled:
        flow.look_again(submission_id, tools)
    opinions.ask_due(tools)
    wanted = obtaining.sweep(tools) + telling.sweep(tools, reply.rejection)
    found = len(processing) + lost + len(freed) + len(undecided) + wanted
    if found:
        log.info(
            "sweep_found", processing=len(processing), deliveries=lost, parked=len(freed), undecided=len(undecided),
            receipts=wanted,
        )  # fmt: skip
    return found


def _recover(transaction: Connection, row: RowMapping) -> None:
    """The lease of a try ended without an outcome: the office may have it; the fence bars the late worker."""
    follows = retry.lost_worker(row["lease_until"], Repeat(row["repeat"]), row["settle_s"])
    at: datetime | None = follows.at if isinstance(follows, retry.RetryAt | retry.AskAt) else None
    deliveries.finish_attempt(transaction, row["id"], row["fence"], outcome="unsettled", code=WORKER_LOST)
    deliveries.settle(
        transaction,
        row["id"],
        DeliveryState.UNSETTLED,
        fence=row["fence"] + 1,
        in_doubt=True,
        doubt_since=row["lease_until"],
        due_at=at,
        last_code=WORKER_LOST,
        last_text=None,
    )
    events.append(
        transaction,
        row["submission_id"],
        "worker_lost",
        delivery=str(row["id"]),
        worker=row["worker"],
        round=row["round"],
        number=row["attempts"],
        then=type(follows).__name__,
    )
    log.warning("worker_lost", delivery=str(row["id"]), worker=row["worker"], then=type(follows).__name__)

"""What keeps big files moving: answers left on this machine are read, vanished workers' files asked for again."""

from __future__ import annotations

import structlog
from sqlalchemy import Connection, RowMapping, text

from gateway.bigfiles import fetch
from gateway.bigfiles.fetch import OnLoss
from gateway.bigfiles.presence import Presence, holder_in
from gateway.bigfiles.spool import Answer, Spool
from gateway.store import events, files
from gateway.tools import Tools
from schemas.files import FileState

log = structlog.get_logger()

_ELSEWHERE_S = 600.0  # how long an answer may lie in another spool before the file is asked for again


def tick(tools: Tools, on_loss: OnLoss) -> int:
    """Every second or so; any number of workers at once. Returns how much there was."""
    if tools.files is None:
        return 0
    spool, present = Spool(tools.files.spool), Presence(tools.files.spool)
    _end_leases_of_the_dead(tools, present)
    read = sum(_read(answer, spool, tools, on_loss) for answer in spool.waiting())
    with tools.store.begin() as transaction:
        lost = [row for row in files.expired(transaction) if _recovered(transaction, row, present)]
        woken = files.promote(transaction, max(tools.config.gateway.worker.sweep_s, 15.0))
    return read + len(lost) + len(woken)


def _end_leases_of_the_dead(tools: Tools, present: Presence) -> None:
    """A lease is as long as the longest transfer; who has surely ended needs no such time."""
    with present.departed() as gone:
        if not gone:
            return
        with tools.store.begin() as transaction:
            for row in files.under_way(transaction):
                if holder_in(row["worker"]) in gone:
                    files.end_lease(transaction, row["id"], row["fence"])
    log.info("workers_gone", count=len(gone))


def _read(answer: Answer, spool: Spool, tools: Tools, on_loss: OnLoss) -> bool:
    """Go on with what somebody had fetched, also where it counts as lost by now; False: not ours to touch."""
    with tools.store.begin() as transaction:
        claim = files.take_over(transaction, answer.file, worker=fetch.worker(tools), lease_s=fetch.lease_s(tools))
        row = files.locked(transaction, answer.file) if claim is None else None
    if claim is not None:
        log.info("answer_found", file=str(answer.file), fence=answer.fence)
        fetch.finish(claim, answer, tools, on_loss)
        spool.discard(answer.file, answer.fence)
        return True
    if row is not None and row["state"] in (FileState.KEPT, FileState.HELD):
        spool.discard(answer.file)  # its worker died between the commit and this
    return False


def _recovered(transaction: Connection, row: RowMapping, present: Presence) -> bool:
    """A worker vanished amid a transfer: the file is asked for again, and whether it is still there is not known."""
    if not present.knows(holder_in(row["worker"])):
        late = text("SELECT now() - :until > make_interval(secs => :s)")
        if not transaction.execute(late, {"until": row["lease_until"], "s": _ELSEWHERE_S}).scalar_one():
            return False
    files.settle(transaction, row["id"], FileState.DUE, in_doubt=True, due_at=row["lease_until"],
                 last_code=fetch.WORKER_LOST)  # fmt: skip
    for submission in files.linked_to(transaction, row["id"]):
        events.append(transaction, submission, "file_fetch_failed", file=str(row["id"]), code=fetch.WORKER_LOST)
    log.warning("transfer_cut_off", file=str(row["id"]), worker=row["worker"])
    return True

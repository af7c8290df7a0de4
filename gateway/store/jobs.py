"""Wake-ups, by Procrastinate: a job carries an id and says "look at this now"; it is never the truth about anything.

Only work that is ready now becomes a job. What is due later waits in our own tables until the promoter finds it, so a
hundred thousand waiting deliveries cost the queue nothing. Neither `lock` nor `queueing_lock` is used: a conflict would
abort the transaction of the submission, and order is a predicate of our own claim. A doubled wake-up finds nothing to
claim and ends; a lost one is replaced by the sweep.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from procrastinate import App, PsycopgConnector
from procrastinate.types import JSONDict
from sqlalchemy import Connection, text

from gateway.store.database import driver_connection

QUEUE = "brama"
PROCESS = "process"  # args: id of a submission
DELIVER = "deliver"  # args: id of a delivery
ANSWER = "answer"  # args: id of an answer
SEND = "send"  # args: id of a message
RECEIPTS = "receipts"  # args: id of a submission whose receipt is wanted; all others due of its gmina go with it
FETCH = "fetch"  # args: id of a remote file

# As an expression of a larger statement: the oldest wake-up of a delivery, removed; `id` of the delivery.
TAKE_DELIVERY = f"""
    DELETE FROM procrastinate_jobs
     WHERE id = (SELECT id FROM procrastinate_jobs
                  WHERE status = 'todo' AND queue_name = '{QUEUE}' AND task_name = '{DELIVER}'
                  ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
 RETURNING (args ->> 'id')::uuid AS id
"""  # noqa: S608 - made of constants

_deferring = App(connector=PsycopgConnector())  # never opened: every job goes through a transaction of ours


def wake(connection: Connection, task: str, ids: Iterable[UUID]) -> None:
    """Enqueue one wake-up per id inside the caller's transaction: both become true together, or neither."""
    arguments: list[JSONDict] = [{"id": str(subject)} for subject in ids]
    if arguments:
        job = _deferring.configure_task(task, allow_unknown=True, queue=QUEUE, connection=driver_connection(connection))
        job.batch_defer(*arguments)


def wake_sql(task: str, subject: str) -> str:
    """`wake` as an SQL expression for one id, `subject`, in a statement that does other things too."""
    job = f"ROW('{QUEUE}', '{task}', 0, NULL, NULL, jsonb_build_object('id', {subject}), NULL)"
    return f"procrastinate_defer_jobs_v1(ARRAY[{job}::procrastinate_job_to_defer_v1])"


def take_one(connection: Connection) -> tuple[str, UUID] | None:
    """Remove the oldest waiting wake-up: (task, id). For workers without a queue of their own, `--until-quiet`."""
    row = connection.execute(
        text(
            "DELETE FROM procrastinate_jobs WHERE id = (SELECT id FROM procrastinate_jobs WHERE status = 'todo'"
            " AND queue_name = :queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING task_name, args ->> 'id'"
        ),
        {"queue": QUEUE},
    ).first()
    return (row[0], UUID(row[1])) if row else None

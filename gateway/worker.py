"""A worker: takes wake-ups from the queue, and beats the sweeps. Run any number, on any number of machines.

It survives the database going away: whatever breaks is logged, and everything is opened anew until it works again. What
may break then is known (`_OUTAGES`, warnings); anything else is our bug and is logged as one.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ProcrastinateException
from psycopg_pool import AsyncConnectionPool

from gateway import flow, sweep
from gateway.store import jobs
from gateway.store.database import LIVELY, SESSION
from gateway.tools import Tools
from schemas.errors import StoreUnavailable

log = structlog.get_logger()

TICK_S = 0.5
STALLED_AFTER_S = 30.0  # a worker without a heartbeat for this long is dead; its jobs are woken again
_BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_SERIES_S = 1.0  # other work waits no longer than this behind deliveries that came later
_STEADY_S = 30.0  # a life of the queue this long is no failed attempt to open it
_SIDE_TASKS = frozenset({"update_heartbeats", "listener"})
_OUTAGES = (
    StoreUnavailable, ProcrastinateException, psycopg.OperationalError, psycopg.InterfaceError, ConnectionError,
    TimeoutError,
)  # fmt: skip


def run_worker(tools: Tools, stop: threading.Event) -> None:
    """Work until `stop` is set, then finish what is under way and return. Blocks; needs no main thread."""
    count = tools.config.gateway.worker.concurrency + 4
    with ThreadPoolExecutor(count, "brama-work") as threads, asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(threads)
        runner.run(_until_stopped(tools, stop))


async def _until_stopped(tools: Tools, stop: threading.Event) -> None:
    beats = [
        asyncio.create_task(_beat(sweep.tick, TICK_S, tools, stop)),
        asyncio.create_task(_beat(sweep.sweep, tools.config.gateway.worker.sweep_s, tools, stop)),
    ]
    log.info("worker_started", worker=tools.worker)
    try:
        await _keep_taking(tools, stop)
    finally:
        await asyncio.gather(*beats)
        log.info("worker_stopped", worker=tools.worker)


async def _keep_taking(tools: Tools, stop: threading.Event) -> None:
    """Life after life of the queue, with longer and longer waits while it does not open."""
    failures = 0
    while not stop.is_set():
        opened = time.monotonic()
        try:
            await _take_jobs(tools, stop)
        except _OUTAGES as error:
            log.warning("queue_lost", error=type(error).__name__)
        except Exception:  # the one broad catch of this loop: our bug, and still everything is opened anew
            log.exception("queue_lost")
        if time.monotonic() - opened > _STEADY_S:
            failures = 0
        if not stop.is_set():
            await asyncio.sleep(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])
            failures += 1


async def _take_jobs(tools: Tools, stop: threading.Event) -> None:
    """One life of the queue: opened, worked, closed. Ends when asked to, or when the database is lost."""
    app = _app(tools)
    async with app.open_async():
        work = asyncio.create_task(
            app.run_worker_async(
                queues=[jobs.QUEUE],
                name=tools.worker,
                concurrency=tools.config.gateway.worker.concurrency,
                install_signal_handlers=False,
                delete_jobs="always",
                stalled_worker_timeout=STALLED_AFTER_S,
            )
        )
        helper = asyncio.create_task(_retry_stalled(app))
        deaf = 0
        try:
            while not (stop.is_set() or work.done()):
                await asyncio.wait([work], timeout=0.1)
                deaf = deaf + 1 if _is_deaf() else 0
                if deaf > 1 or helper.done():
                    log.warning("queue_lost", error="ListenerLost")
                    await app.connector.close_async()  # ending would wait long for connections that do not come
                    break
            if not work.done():
                work.cancel()  # graceful: jobs under way are finished
            with contextlib.suppress(asyncio.CancelledError):
                await work
        finally:
            helper.cancel()
            with contextlib.suppress(asyncio.CancelledError, ProcrastinateException):
                await helper


def _is_deaf() -> bool:
    """Does the queue take jobs without its listener or its heartbeat? (At two looks: they begin a moment after it.)

    Procrastinate 3.10 watches over them only until one of its tasks has ended, and its deferrer ends at once where
    there are no periodic tasks. Without them a worker is deaf between two polls, and counts as dead.
    """
    running = {task.get_name() for task in asyncio.all_tasks()}
    return "worker loop" in running and not running >= _SIDE_TASKS


def _app(tools: Tools) -> App:
    """The queue's view of us. Its connections need no durable commits: a lost wake-up is replaced by the sweep."""
    connector = PsycopgConnector(
        pool_factory=_pool,
        conninfo=tools.store.dsn,
        kwargs={**LIVELY, "options": f"{SESSION} -c synchronous_commit=off", "application_name": tools.worker[:63]},
        min_size=1,
        max_size=4,
        timeout=10,
    )
    app = App(connector=connector)

    @app.task(name=jobs.PROCESS, queue=jobs.QUEUE)
    def process(id: str) -> None:
        _guarded(flow.process, UUID(id), tools)

    @app.task(name=jobs.DELIVER, queue=jobs.QUEUE)
    def deliver(id: str) -> None:
        _guarded(flow.deliver, UUID(id), tools)
        _deliver_on(tools)

    @app.task(name=jobs.ANSWER, queue=jobs.QUEUE)
    def answer(id: str) -> None:
        _guarded(flow.answer, UUID(id), tools)

    @app.task(name=jobs.FETCH, queue=jobs.QUEUE)
    def fetch(id: str) -> None:
        _guarded(flow.fetch, UUID(id), tools)

    @app.task(name=jobs.SEND, queue=jobs.QUEUE)
    def send(id: str) -> None:
        _guarded(flow.send, UUID(id), tools)

    @app.task(name=jobs.RECEIPTS, queue=jobs.QUEUE)
    def receipts(id: str) -> None:
        _guarded(flow.obtain, UUID(id), tools)

    return app


def _pool(**options: Any) -> AsyncConnectionPool:
    """Without a question before each use: a lost connection ends this life of the queue, and the next opens anew."""
    return AsyncConnectionPool(**{**options, "check": None})


def _guarded(step: Callable[[UUID, Tools], None], subject: UUID, tools: Tools) -> None:
    """A job never fails: what is not done yet is in our tables, and the sweep finds it there."""
    try:
        step(subject, tools)
    except StoreUnavailable as error:
        log.warning("store_lost", subject=str(subject), reason=error.facts.get("reason"))
    except Exception:
        log.exception("step_escaped", subject=str(subject))


def _deliver_on(tools: Tools) -> None:
    """Go on with other deliveries that are ready, for a moment: one job of the queue for many of them.

    The queue's own bookkeeping of a job, its taking and finishing, costs as much as a delivery's.
    """
    end = time.monotonic() + _SERIES_S
    try:
        while flow.deliver_next(tools) and time.monotonic() < end:
            pass
    except StoreUnavailable as error:
        log.warning("store_lost", subject=jobs.DELIVER, reason=error.facts.get("reason"))
    except Exception:
        log.exception("step_escaped", subject=jobs.DELIVER)


async def _beat(work: Callable[[Tools], int], every_s: float, tools: Tools, stop: threading.Event) -> None:
    """Do it now and then, each beat in a task of its own: a long sweep must not keep lost leases from being noticed.

    An outage is logged once, a bug of ours each time.
    """
    lost = False
    while not stop.is_set():
        try:
            await asyncio.to_thread(work, tools)
            lost = False
        except _OUTAGES as error:
            if not lost:
                log.warning("sweep_failed", what=work.__name__, error=type(error).__name__)
            lost = True
        except Exception:
            log.exception("sweep_failed", what=work.__name__)
        await _pause(every_s, stop)


async def _pause(seconds: float, stop: threading.Event) -> None:
    """Sleep, but not past the end; polled, because a thread that waits for the event is one fewer for work."""
    end = time.monotonic() + seconds
    while not stop.is_set() and time.monotonic() < end:
        await asyncio.sleep(min(0.1, seconds))


async def _retry_stalled(app: App) -> None:
    """Wake-ups a dead worker had taken go back into the queue."""
    while True:
        for job in await app.job_manager.get_stalled_jobs(queue=jobs.QUEUE, seconds_since_heartbeat=STALLED_AFTER_S):
            await app.job_manager.retry_job(job)
        await asyncio.sleep(STALLED_AFTER_S / 3)


def work_until_quiet(tools: Tools) -> None:
    """Work in this thread until nothing is ready now; what is due later stays for later."""
    while sweep.sweep(tools) + sweep.tick(tools) + _drain(tools):
        pass


def _drain(tools: Tools) -> int:
    done = 0
    while True:
        with tools.store.begin() as transaction:
            job = jobs.take_one(transaction)
        if job is None:
            return done
        flow.STEPS[job[0]](job[1], tools)
        done += 1

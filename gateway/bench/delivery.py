"""Three-step deliveries with two workers: our engine beside a hand-written loop that makes the same durable writes.

Both run on the same embedded PostgreSQL with fsync on, one after the other; the figure is the ratio. Durable writes of
one case: claim and attempt, an intent and a result per step, the outcome with its event: eight commits.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, cast
from uuid import NAMESPACE_URL, uuid4, uuid5

import psycopg
from sqlalchemy import make_url, text

from connectors.base import Capabilities, Options
from gateway import log
from gateway.clock import SystemClock
from gateway.config import Config, GatewayConfig
from gateway.store import jobs
from gateway.store.database import Store
from gateway.store.embedded import embedded
from gateway.store.schema import migrate
from gateway.tools import Office, Tools
from gateway.worker import run_worker
from schemas.delivery import CaseRecord, Delivered, Outcome, Repeat, Steps

STEPS = ("register", "attach", "open")
TENANT, CONNECTOR, FORM = "9999011", "bench", "http://crd.gov.pl/wzor/2099/01/01/9001/"
_CASE = {"schema": "case/1", "kind": "general_letter", "letter": {"title": "Pismo", "body": ["x" * 400]}}


@dataclass(frozen=True, slots=True)
class Figures:
    """Cases per second; `ratio` is engine to floor, `backlog_ratio` engine with a backlog to engine without."""

    cases: int
    workers: int
    waiting: int
    engine_per_s: float
    floor_per_s: float
    ratio: float
    backlog_per_s: float | None
    backlog_ratio: float | None


def run(cases: int = 1000, workers: int = 2, waiting: int = 0, rounds: int = 1) -> Figures:
    """Measure in `rounds` of floor, engine and backlog; medians, also of the ratios within a round.

    `waiting`: deliveries due only tomorrow, as a backlog.
    """
    folder = Path(tempfile.mkdtemp(prefix="brama-b-"))
    try:
        with embedded(folder) as address:
            engine, floor, backlog = [], [], []
            for _ in range(rounds):
                floor.append(_floor(_fresh(address), cases, workers))
                engine.append(_engine(_fresh(address), cases, workers, 0))
                if waiting:
                    backlog.append(_engine(_fresh(address), cases, workers, waiting))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Figures(
        cases=cases,
        workers=workers,
        waiting=waiting,
        engine_per_s=median(engine),
        floor_per_s=median(floor),
        ratio=median(ours / theirs for ours, theirs in zip(engine, floor, strict=True)),
        backlog_per_s=median(backlog) if backlog else None,
        backlog_ratio=median(with_it / ours for with_it, ours in zip(backlog, engine, strict=True))
        if backlog
        else None,
    )


class ThreeSteps:
    """An office that costs nothing: what is measured is the engine."""

    options_model: ClassVar[type[Options]] = Options
    capabilities = Capabilities(repeat=Repeat.SAFE, max_calls=3)

    def check(self) -> None:
        """Always there."""

    def find(self, key: str) -> str | None:
        """Never asked: nothing is lost here."""
        return key

    def deliver(self, _record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Three remembered steps."""
        for name in STEPS:
            steps.once(name, lambda: {"number": key})
        return Delivered(key)


class _Offices:
    def __init__(self) -> None:
        self._office = Office(ThreeSteps(), timeout_s=5.0, settle_delay_s=1.0)

    def get(self, tenant: str, connector: str) -> Office:
        del tenant, connector
        return self._office


def _engine(url: str, cases: int, workers: int, waiting: int) -> float:
    store = Store(url)
    migrate(store.engine)
    _seed(store, cases, waiting)
    took = _race(_engine_worker, url, workers, lambda: _engine_done(store, cases))
    store.close()
    return cases / took


def _engine_worker(url: str, ready: Any, go: ProcessEvent, stop: ProcessEvent) -> None:
    log.configure("ERROR")  # a spawned process has set up nothing: it would write among the figures
    store = Store(url, pool_size=12)
    store.ping()
    ready.release()
    go.wait()
    halt = threading.Event()

    def follow() -> None:
        stop.wait()
        halt.set()

    threading.Thread(target=follow, daemon=True).start()
    run_worker(_tools(store), halt)
    store.close()


def _tools(store: Store) -> Tools:
    def unused(*_: Any) -> Any:
        raise NotImplementedError

    config = Config(folder=Path(), gateway=GatewayConfig(), tenants={})
    return Tools(
        config=config, store=store, clock=SystemClock(), offices=_Offices(), worker=str(uuid4()),
        verify=unused, check=unused, rules=unused, seal=unused, map=unused, record=unused,
    )  # fmt: skip


_SEED = """
WITH new AS (
    INSERT INTO submission (id, tenant, mailbox, channel, sha256, size_bytes, file_name, is_test, sender, state,
                            form_namespace)
    SELECT gen_random_uuid(), :tenant, '/b/b', 'push', number, 1, 'a.xml', false, '{}', 'processed', :form
      FROM generate_series(1, :count) AS number
    RETURNING id, sequence
), mapped AS (
    INSERT INTO case_version (id, submission_id, version, stored)
    SELECT gen_random_uuid(), id, 1, CAST(:case AS jsonb) FROM new
)
INSERT INTO delivery (id, submission_id, tenant, connector, form, kind, key, order_key, sequence, due_at, woken_at,
                      state)
SELECT gen_random_uuid(), id, :tenant, :connector, :form, 'general_letter', id::text, 'k' || id, sequence,
       now() + CASE WHEN sequence <= :cases THEN interval '0' ELSE interval '1 day' END,
       CASE WHEN sequence <= :cases THEN now() END,
       CASE WHEN sequence <= :cases THEN 'due' ELSE 'waiting' END
  FROM new
"""


def _seed(store: Store, cases: int, waiting: int) -> None:
    """Processed submissions with a case and a delivery each: `cases` of them due, `waiting` only tomorrow."""
    with store.begin() as transaction:
        transaction.execute(
            text(_SEED),
            {"tenant": TENANT, "connector": CONNECTOR, "form": FORM, "case": json.dumps(_CASE), "cases": cases,
             "count": cases + waiting},
        )  # fmt: skip
        due = transaction.execute(text("SELECT id FROM delivery WHERE state = 'due' ORDER BY sequence")).scalars().all()
        jobs.wake(transaction, jobs.DELIVER, due)
    with store.direct() as connection:
        connection.execute("ANALYZE submission, case_version, delivery, procrastinate_jobs")


def _engine_done(store: Store, cases: int) -> bool:
    with store.begin() as transaction:
        query = text("SELECT count(*) FROM delivery WHERE state = 'delivered'")
        return cast(int, transaction.execute(query).scalar_one()) >= cases


# --- the floor: what somebody would write by hand, in one file, for one purpose --------------------------------------

_FLOOR_TABLES = """
CREATE TABLE work (id uuid PRIMARY KEY, seq bigserial, tenant text, connector text, form text, kind text, key text,
                   order_key text, state text, fence bigint DEFAULT 0, lease_until timestamptz, due_at timestamptz,
                   case_json jsonb, reference text);
CREATE INDEX ON work (due_at) WHERE state = 'due';
CREATE TABLE try (work uuid, number int, message text, started timestamptz DEFAULT now(), outcome text, took int,
                  PRIMARY KEY (work, number));
CREATE TABLE done_step (work uuid, name text, fence bigint, intended timestamptz DEFAULT now(), result jsonb,
                        PRIMARY KEY (work, name));
CREATE TABLE said (work uuid, number int, at timestamptz DEFAULT now(), word text, facts jsonb,
                   PRIMARY KEY (work, number));
"""
_FLOOR_CLAIM = """
UPDATE work SET state = 'trying', fence = fence + 1, lease_until = now() + interval '45 s'
 WHERE id = (SELECT id FROM work WHERE state = 'due' AND due_at <= now() ORDER BY due_at, seq LIMIT 1
               FOR UPDATE SKIP LOCKED)
RETURNING id, key, fence, case_json
"""


def _floor(url: str, cases: int, workers: int) -> float:
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(_FLOOR_TABLES)
        connection.cursor().executemany(
            "INSERT INTO work (id, tenant, connector, form, kind, key, order_key, state, due_at, case_json)"
            " VALUES (%s, %s, %s, %s, 'general_letter', %s, %s, 'due', now(), %s)",
            [
                (one, TENANT, CONNECTOR, FORM, str(one), str(one), json.dumps(_CASE))
                for one in (uuid5(NAMESPACE_URL, str(number)) for number in range(cases))
            ],
        )
        connection.execute("ANALYZE work")  # not those that are empty: plans would read them whole while they grow

        def done() -> bool:
            row = connection.execute("SELECT count(*) FROM work WHERE state = 'delivered'").fetchone()
            return row is not None and row[0] >= cases

        return cases / _race(_floor_worker, url, workers, done)


def _floor_worker(url: str, ready: Any, go: ProcessEvent, stop: ProcessEvent) -> None:
    with psycopg.connect(_plain(url)) as connection:
        ready.release()
        go.wait()
        while not stop.is_set():
            row = connection.execute(_FLOOR_CLAIM).fetchone()
            if row is None:
                connection.rollback()
                time.sleep(0.01)
                continue
            _floor_case(connection, *row)


def _floor_case(connection: psycopg.Connection[Any], work: Any, key: str, fence: int, case: Any) -> None:
    del case
    connection.execute("INSERT INTO try (work, number, message) VALUES (%s, 1, %s)", (work, str(uuid4())))
    connection.commit()
    for name in STEPS:
        connection.execute("UPDATE work SET lease_until = now() + interval '45 s' WHERE id = %s AND fence = %s",
                           (work, fence))  # fmt: skip
        connection.execute("INSERT INTO done_step (work, name, fence) VALUES (%s, %s, %s)", (work, name, fence))
        connection.commit()
        connection.execute("UPDATE done_step SET result = %s WHERE work = %s AND name = %s",
                           (json.dumps({"number": key}), work, name))  # fmt: skip
        connection.commit()
    connection.execute("UPDATE work SET state = 'delivered', reference = %s, lease_until = NULL WHERE id = %s AND"
                       " fence = %s AND state = 'trying'", (key, work, fence))  # fmt: skip
    connection.execute("UPDATE try SET outcome = 'delivered', took = 1 WHERE work = %s AND number = 1", (work,))
    connection.execute("INSERT INTO said (work, number, word, facts) VALUES (%s, 1, 'attempt_finished', %s)",
                       (work, json.dumps({"outcome": "delivered"})))  # fmt: skip
    connection.commit()


# --- running both alike ----------------------------------------------------------------------------------------------


def _race(worker: Callable[..., None], url: str, workers: int, done: Callable[[], bool]) -> float:
    """Seconds from the start signal to the last case; processes are started and connected before."""
    context = multiprocessing.get_context("spawn")
    ready, go, stop = context.Semaphore(0), context.Event(), context.Event()
    processes = [context.Process(target=worker, args=(url, ready, go, stop)) for _ in range(workers)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    started = time.monotonic()
    go.set()
    while not done():
        time.sleep(0.05)
    took = time.monotonic() - started
    stop.set()
    for process in processes:
        process.join(30)
    return took


def _fresh(address: str) -> str:
    """A new database on the server."""
    name = f"bench_{uuid4().hex[:12]}"
    with psycopg.connect(_plain(address), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_url(address).set(database=name).render_as_string(hide_password=False)


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

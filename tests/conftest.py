"""What tests share: one embedded PostgreSQL per run, a fresh database per test, and a whole gateway on it."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from sqlalchemy import create_engine, make_url, text

from gateway.simulate.offices.client import Office
from gateway.store.database import Store
from gateway.store.embedded import embedded
from gateway.store.schema import migrate
from tests.gateways import Gateway, a_gateway

# An example's time is the machine's; and what one machine found, every other one finds.
hypothesis.settings.register_profile(
    "brama", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("brama")
_numbers = count(1)
TEMPLATE = "brama_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL of this run, with a migrated template database; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="brama-t-", dir=_fast()))  # short: a socket's path has 107 bytes
    try:
        with embedded(folder) as address:
            _sql(address, "ALTER SYSTEM SET fsync = off")  # tests kill processes, not machines
            _sql(address, "SELECT pg_reload_conf()")
            _sql(address, f"CREATE DATABASE {TEMPLATE}")
            store = Store(_named(address, TEMPLATE))
            migrate(store.engine)
            store.close()
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_database(postgres: str) -> Iterator[str]:
    """Address of a fresh, migrated database, gone after the block."""
    name = f"brama_t{next(_numbers)}"
    _sql(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield _named(postgres, name)
    _sql(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """Address of a fresh, migrated database of this test alone."""
    with a_database(postgres) as address:
        yield address


@pytest.fixture
def database(database_url: str) -> Iterator[Store]:
    """A store on a fresh, migrated database."""
    store = Store(database_url)
    yield store
    store.close()


@pytest.fixture
def gateway(database: Store, tmp_path: Path) -> Gateway:
    """A whole gateway: real steps on a real database, one office that can be told to misbehave."""
    return a_gateway(database, tmp_path)


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The simulated ePUAP as a process of its own, one per module, with the options in the module's `EPUAP`."""
    options: tuple[str, ...] = getattr(request.module, "EPUAP", ())
    with Office("epuap", tmp_path_factory.mktemp("epuap"), *options) as started:
        yield started


@pytest.fixture
def office(running: Office) -> Iterator[Office]:
    """The simulated ePUAP for one test: empty, and well again afterwards."""
    running.reset()
    yield running
    running.tell("up")


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Commands run inside a test set up logging for their process, which here is every later test's."""
    configured, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**configured)
    root.handlers[:] = handlers
    root.setLevel(level)


def _fast() -> Path | None:
    """Memory for the data where there is plenty: a database per test is many small files."""
    memory = Path("/dev/shm")
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > processes << 30 else None


def _named(address: str, name: str) -> str:
    return make_url(address).set(database=name).render_as_string(hide_password=False)


def _sql(address: str, statement: str) -> None:
    engine = create_engine(make_url(address).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests over reference material that does not lie beside the clone have no cases: they are no tests then."""
    empty = [
        item for item in items if any("empty parameter set" in str(mark.kwargs) for mark in item.iter_markers("skip"))
    ]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Where everything must be there, a skip of any kind is a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("BRAMA_TESTS_REQUIRE") == "all":
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def running_ezd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office("ezd", tmp_path_factory.mktemp("ezd"), "--user", "brama", "--password", "zażółć") as office:
        yield office


@pytest.fixture
def ezd(running_ezd: Office) -> Office:
    """An EZD-like office in a process of its own, empty and well-behaved."""
    running_ezd.reset()
    return running_ezd

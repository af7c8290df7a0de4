"""The store: migrations, what the database itself refuses, and what happens when it is not there."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import pkgutil
import shutil
import tempfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import make_url, text
from sqlalchemy.exc import IntegrityError

from gateway import store
from gateway.store import events, jobs
from gateway.store.database import Store
from gateway.store.embedded import DATABASE, embedded, refuse
from gateway.store.schema import VERSION_TABLE, check_schema, migrate
from gateway.store.tables import metadata
from schemas.errors import ConfigError, StoreUnavailable
from tests.gateways import Gateway

FOREIGN = ("procrastinate_", VERSION_TABLE, "ix_brama_job_subject")


def test_the_migrations_make_exactly_the_tables_described(database: Store) -> None:
    for module in pkgutil.iter_modules(store.__path__):  # some parts of the store describe their own tables
        importlib.import_module(f"{store.__name__}.{module.name}")
    with database.engine.connect() as connection:
        differences = compare_metadata(
            MigrationContext.configure(connection, opts={"include_object": _is_ours, "compare_type": True}), metadata
        )
    assert differences == []


def test_migrating_twice_changes_nothing(database: Store) -> None:
    migrate(database.engine)
    check_schema(database.engine)


def test_an_empty_database_is_refused_with_what_to_run(postgres: str) -> None:
    empty = Store(make_url(postgres).set(database="template1").render_as_string(hide_password=False))
    with pytest.raises(ConfigError, match="brama migrate"):
        check_schema(empty.engine)
    empty.close()


def test_a_database_of_a_newer_release_is_refused(database: Store) -> None:
    with database.begin() as transaction:
        transaction.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for start in (migrate, check_schema):
        with pytest.raises(ConfigError, match="9999"):
            start(database.engine)


def test_a_database_that_is_not_there_is_store_unavailable(tmp_path: Path) -> None:
    nowhere = Store(f"postgresql://postgres@/brama?host={tmp_path}")
    for attempt in (nowhere.ping, lambda: migrate(nowhere.engine), lambda: check_schema(nowhere.engine)):
        with pytest.raises(StoreUnavailable):
            attempt()
    nowhere.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET word = 'other'",
        "DELETE FROM event",
        "UPDATE content SET document = 'other'",
        "DELETE FROM attempt",
        "UPDATE attempt SET outcome = 'refused'",
    ],
)
def test_the_database_refuses_to_change_history(gateway: Gateway, statement: str) -> None:
    gateway.receive()
    gateway.work_until_quiet()
    with pytest.raises(IntegrityError, match="append-only"), gateway.tools.store.begin() as transaction:
        transaction.execute(text(statement))


def test_the_timeline_is_a_chain_that_holds(gateway: Gateway) -> None:
    submission = gateway.receive()
    gateway.work_until_quiet()
    with gateway.tools.store.begin() as transaction:
        assert events.broken_at(transaction, submission.id) is None


@pytest.mark.parametrize(
    ("tampering", "found_at"),
    [
        ("UPDATE event SET facts = '{}' WHERE number = 2", 2),
        ("UPDATE event SET at = at + interval '1 second' WHERE number = 3", 3),
        ("DELETE FROM event WHERE number = 2", 2),
        ("DELETE FROM event WHERE number = 5", 5),
        ("UPDATE event SET number = number + 10 WHERE number = 1", 1),
    ],
)
def test_a_changed_timeline_is_found_where_it_was_changed(gateway: Gateway, tampering: str, found_at: int) -> None:
    submission = gateway.receive()
    gateway.work_until_quiet()
    with gateway.tools.store.begin() as transaction:
        transaction.execute(text("ALTER TABLE event DISABLE TRIGGER USER"))
        transaction.execute(text(tampering))
        assert events.broken_at(transaction, submission.id) == found_at


def test_a_wake_up_and_the_work_it_is_for_become_true_together_or_not_at_all(gateway: Gateway) -> None:
    submission = gateway.receive()
    with contextlib.suppress(ZeroDivisionError), gateway.tools.store.begin() as transaction:
        jobs.wake(transaction, jobs.DELIVER, [submission.id])
        raise ZeroDivisionError
    with gateway.tools.store.begin() as transaction:
        tasks = transaction.execute(text("SELECT task_name FROM procrastinate_jobs")).scalars().all()
    assert tasks == [jobs.PROCESS]


def test_the_embedded_server_has_one_owner_and_guests_that_leave_it_running() -> None:
    folder = Path(tempfile.mkdtemp(prefix="brama-e-"))
    try:
        with embedded(folder) as first:
            with embedded(folder) as second:
                assert make_url(first).query == make_url(second).query
            store = Store(first)
            assert store.ping().tzinfo is not None
            assert make_url(first).database == DATABASE
            store.close()
        gone = Store(first)
        with pytest.raises(StoreUnavailable):
            gone.ping()
        gone.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_embedded_server_is_refused_in_production() -> None:
    with pytest.raises(ConfigError, match="database_url"):
        refuse(Path("/var/lib/brama-dev"), "production", as_root=False)


def test_a_socket_path_that_is_too_long_is_named_with_its_length() -> None:
    with pytest.raises(ConfigError, match="107"):
        refuse(Path("/tmp") / ("x" * 100), "test", as_root=False)


def test_roots_data_never_lies_under_a_home_folder() -> None:
    refuse(Path("/home/somebody/brama"), "test", as_root=False)
    with pytest.raises(ConfigError, match="BRAMA_HOME"):
        refuse(Path("/home/somebody/brama"), "test", as_root=True)


def _is_ours(_thing: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return not (kind in ("table", "index") and (name or "").startswith(FOREIGN))


def test_commits_reach_the_disk_also_where_the_server_is_set_to_hurry(database: Store) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    database.engine.dispose()
    with database.begin() as transaction:
        assert transaction.execute(text("SHOW synchronous_commit")).scalar_one() == "on"


def test_a_database_with_foreign_tables_in_the_way_is_not_migrated_halfway(postgres: str) -> None:
    base = Store(postgres)
    with base.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE in_the_way"))
    base.close()
    other = Store(make_url(postgres).set(database="in_the_way").render_as_string(hide_password=False))
    with other.begin() as transaction:
        transaction.execute(text("CREATE TABLE submission (id int)"))

    with pytest.raises(StoreUnavailable) as refused:
        migrate(other.engine)

    assert refused.value.code == "store.migration_failed"
    with other.begin() as transaction:
        names = transaction.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
    assert names == ["submission"]
    other.close()


def test_a_guest_whose_owner_never_answers_gives_up_with_a_code(tmp_path: Path) -> None:
    with (tmp_path / "owner.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable) as refused, embedded(tmp_path, within_s=0.3):
            pass
    assert refused.value.code == "store.embedded_not_started"

"""Bring a database to the schema this program needs, forward only, or say that it is not there yet."""

from __future__ import annotations

import logging
from importlib import resources

import psycopg
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from schemas.errors import ConfigError, StoreUnavailable

_LOCK = 0x6272616D61  # "brama": two programs starting at once migrate one after the other
VERSION_TABLE = "brama_schema"


def migrate(engine: Engine) -> None:
    """Apply every migration the database does not have yet, in one transaction; harmless when there is none.

    Raises: StoreUnavailable: the server cannot be reached or refuses.
            ConfigError: the database is newer than this program.
    """
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            _refuse_newer(connection)
            alembic = _alembic()
            alembic.attributes["connection"] = connection
            command.upgrade(alembic, "head")
    except OperationalError as error:
        raise StoreUnavailable(reason=type(error.orig).__name__) from error
    except (DBAPIError, psycopg.Error) as error:  # migrations in plain SQL go past SQLAlchemy
        reason = type(getattr(error, "orig", error)).__name__
        raise StoreUnavailable("store.migration_failed", reason=reason) from error


def check_schema(engine: Engine) -> None:
    """Is the database exactly at the schema of this program?

    Raises: StoreUnavailable: the server cannot be reached.
            ConfigError: it is older (run `brama serve --migrate`) or newer (run the newer program).
    """
    try:
        with engine.connect() as connection:
            _refuse_newer(connection)
            if _current(connection) != _head():
                raise ConfigError(
                    ["baza danych nie ma bieżącego schematu; uruchom „brama migrate” / the database's schema is "
                     "older than this program: run `brama migrate`"]
                )  # fmt: skip
    except DBAPIError as error:
        raise StoreUnavailable(reason=type(error.orig).__name__) from error


def _refuse_newer(connection: Connection) -> None:
    current = _current(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if current is not None and current not in known:
        raise ConfigError(
            [f"baza danych ma schemat {current} nowszej wersji bramy; uruchom nowszą wersję / "
             f"the database has schema {current} of a newer release: run that release"]
        )  # fmt: skip


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _head() -> str | None:
    return ScriptDirectory.from_config(_alembic()).get_current_head()


def _alembic() -> AlembicConfig:
    logging.getLogger("alembic").setLevel("WARNING")  # it reports every look at the version
    config = AlembicConfig()
    config.set_main_option("script_location", str(resources.files("gateway.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    return config

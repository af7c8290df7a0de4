"""Staging tables and procedures through SQLAlchemy: one transaction per case, our key unique, no vendor table."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, cast

import sqlalchemy as sa
from sqlalchemy import exc

from connectors.base import Capabilities, LookUpFailed, Options, QueryAnswer
from connectors.clock import now
from connectors.dialects import UNPROVEN, Dialect, Meaning, dialect_of, meaning_of
from connectors.outcomes import as_error, outcome, said, stopped, technical
from connectors.queries import QueryCache
from connectors.sql_columns import fitted
from connectors.sql_options import FilesTable, Procedure, SqlOptions
from connectors.values import ValuesMissing, fill, scope_of
from schemas.delivery import CaseRecord, Delivered, Outcome, Repeat, Steps, StepStopped
from schemas.errors import ConnectorError
from schemas.rules import FieldRule, violations


class SqlConnector:
    """Insert each case into a staging table, or call a procedure, in one transaction."""

    options_model: ClassVar[type[Options]] = SqlOptions
    unproven: tuple[str, ...] = UNPROVEN  # of an instance: its own database, if that is one

    def __init__(self, options: SqlOptions) -> None:
        self.options = options
        self.dialect = dialect_of(options.backend)
        self.unproven = () if self.dialect.proven else (self.dialect.name,)
        self._engine = _new_engine(options, self.dialect)
        self._answers = QueryCache(options.query_cache_s)
        self._tables: dict[str, sa.Table] = {}
        self._lock = threading.RLock()
        self.capabilities = Capabilities(
            repeat=_repeat(options),
            look_up=options.table is not None or options.find is not None,
            attachments=options.files is not None,
            queries=frozenset(options.queries),
            charset=options.charset,
            max_calls=_CALLS,
        )
        self._longest_s = options.timeout_s * _CALLS

    def check(self) -> None:
        """Connect, and compare the staging table with the options: columns, unique key. Changes nothing."""
        self._tables.clear()
        try:
            with self._connected() as connection:
                connection.execute(sa.text(self.dialect.ping))
                if self.options.table:
                    self._table(connection, self.options.table)
                if self.options.files:
                    self._table(connection, self.options.files.table)
        except StepStopped as stop:
            raise as_error(stop) from stop
        except exc.SQLAlchemyError as error:
            raise ConnectorError("sql.unreachable", text=technical(_orig(error))) from error

    def find(self, key: str) -> str | None:
        """The reference of the row with this key, the key itself where there is no reference yet; None without row.

        Raises: LookUpFailed: no look-up, or the database could not be asked.
        """
        try:
            with self._connected() as connection:
                return self._find(connection, key)
        except StepStopped as stop:
            raise LookUpFailed(reason=getattr(stop.outcome, "text", "")) from stop
        except exc.SQLAlchemyError as error:
            raise LookUpFailed(reason=technical(_orig(error))) from error

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Check against the table's own columns, then write everything in one transaction."""
        if not (self.options.table or self.options.procedure):
            return outcome("sql.statement_wrong", "neither table nor procedure: it only answers queries")
        scope = scope_of(record, key, steps.message_id)
        look = (lambda: self._found(key)) if self.capabilities.look_up else None
        try:
            done = steps.once("write", lambda: self._write(key, scope), look)
        except StepStopped as stop:
            return stop.outcome
        except LookUpFailed as error:
            return outcome("connector.look_up_failed", str(error.facts.get("reason", "")))
        return Delivered(done["reference"])

    def query(self, name: str, **parameters: Any) -> QueryAnswer:
        """Run one of the configured SELECTs. Raises: LookUpFailed, also where it has more rows than `max_rows`."""
        if name not in self.options.queries:
            raise LookUpFailed(reason=f"no query {name}")
        return self._answers.get(name, parameters, lambda: self._select(name, parameters))

    def _select(self, name: str, parameters: dict[str, Any]) -> QueryAnswer:
        asked = now()
        try:
            with self._connected() as connection:
                found = connection.execute(sa.text(self.options.queries[name]), parameters)
                rows = tuple(dict(row) for row in found.mappings().fetchmany(self.options.max_rows + 1))
        except (StepStopped, exc.SQLAlchemyError) as error:
            raise LookUpFailed(reason=technical(error)) from error
        if len(rows) > self.options.max_rows:  # a part of what is owed must never pass for the whole
            raise LookUpFailed(reason=f"more than {self.options.max_rows} rows")
        return QueryAnswer(name, asked, rows)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    # one transaction

    def _write(self, key: str, scope: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        with self._connected() as connection:
            transaction = connection.begin()
            try:
                reference = self._effect(connection, key, scope)
                if time.monotonic() - began > self._longest_s:  # whoever sent us may hold the case no more
                    raise stopped("sql.interrupted", "no time left to commit")
            except BaseException as error:
                with suppress(exc.SQLAlchemyError):
                    transaction.rollback()  # when even this fails, the database rolls back by itself
                if isinstance(error, exc.SQLAlchemyError):
                    return self._failed(error, key)
                raise
            try:
                transaction.commit()
            except exc.DBAPIError as error:
                if error.connection_invalidated or meaning_of(self.dialect, error) is Meaning.INTERRUPTED:
                    raise stopped("sql.commit_lost", technical(_orig(error))) from error
                return self._failed(error, key)  # a deferred check said no
            return {"reference": reference}

    def _effect(self, connection: sa.Connection, key: str, scope: dict[str, Any]) -> str:
        try:
            if self.options.procedure:
                return self._call(connection, self.options.procedure, key, scope)
            return self._insert(connection, key, scope)
        except ValuesMissing as error:
            raise stopped("record.incomplete", ", ".join(error.names)) from error
        except (UnicodeError, ValueError, TypeError) as error:  # the driver could not even send the value
            raise stopped("sql.value_refused", type(error).__name__) from error

    def _insert(self, connection: sa.Connection, key: str, scope: dict[str, Any]) -> str:
        options = self.options
        table = self._table(connection, cast("str", options.table))
        values = fitted(table, self._row(scope), options.charset)
        insert = table.insert().inline().execution_options(preserve_rowcount=True)
        written = connection.execute(insert, values)
        if written.rowcount == 0:
            raise stopped("sql.statement_wrong", f"table {table.name} took no row")  # a trigger or rule of its own
        if options.files:
            self._insert_files(connection, options.files, scope)
        return key

    def _insert_files(self, connection: sa.Connection, files: FilesTable, scope: dict[str, Any]) -> None:
        table = self._table(connection, files.table)
        wanted = [file for file in scope["files"] if file["role"] in files.roles]
        rows = [fitted(table, fill(files.columns, {**scope, "file": file}), self.options.charset) for file in wanted]
        if rows:
            connection.execute(table.insert(), rows)

    def _row(self, scope: dict[str, Any]) -> dict[str, Any]:
        return fill({**self.options.columns, self.options.key_column: "{key}"}, scope)  # type: ignore[no-any-return]

    def _call(self, connection: sa.Connection, procedure: Procedure, key: str, scope: dict[str, Any]) -> str:
        values = fill(procedure.arguments, scope)
        values = {name: values.get(name) for name in procedure.arguments}  # optional ones are NULL, none is skipped
        broken = violations(values, dict.fromkeys(values, FieldRule(charset=self.options.charset)))
        if broken:
            raise stopped("record.violations", "; ".join(map(str, broken)))
        binds = {f"p{number}": value for number, value in enumerate(values.values())}
        statement = sa.text(self.dialect.call(procedure.name, [f":{name}" for name in binds]))
        result = connection.execute(statement, binds)
        row = _first_row(result)
        self._judge(procedure, row)
        number = _column(row, procedure.reference_column)
        return str(number) if number is not None else key

    def _judge(self, procedure: Procedure, row: Mapping[str, Any] | None) -> None:
        if procedure.status_column is None:
            return
        status = _column(row, procedure.status_column)
        if str(status) not in procedure.success:
            raise stopped("sql.office_refused", said(str(_column(row, procedure.message_column) or status)))

    def _failed(self, error: exc.SQLAlchemyError, key: str) -> dict[str, Any]:
        """After the rollback: what the error means. A key that is there already means delivered."""
        text = technical(_orig(error))
        if not isinstance(error, exc.DBAPIError):
            raise stopped("sql.statement_wrong", text) from error
        meaning = meaning_of(self.dialect, error)
        if meaning is Meaning.DUPLICATE and self.capabilities.look_up:
            there = self._found(key)
            if there is not None:
                return there
            if self.options.key_column.lower() in str(_orig(error)).lower():
                meaning = Meaning.INTERRUPTED  # our key, and not to be seen: another try is writing it just now
        if meaning is Meaning.STATEMENT:
            self._tables.clear()  # the table may have been changed by an update of the vendor's
        raise stopped(_CODES[meaning], text) from error

    # asking

    def _found(self, key: str) -> dict[str, Any] | None:
        reference = self.find(key)
        return None if reference is None else {"reference": reference}

    def _find(self, connection: sa.Connection, key: str) -> str | None:
        options = self.options
        if options.table is None:
            if options.find is None:
                raise LookUpFailed(reason="no look-up configured")
            row = connection.execute(sa.text(options.find), {"key": key}).first()
            return None if row is None else str(row[0])
        table = self._table(connection, options.table)
        column = table.c[options.key_column]
        shown = table.c[options.reference_column] if options.reference_column else column
        for stored, reference in connection.execute(sa.select(column, shown).where(column == key)):
            if str(stored).rstrip() == key:  # the database may compare without regard to case
                return key if reference is None else str(reference).rstrip()
        return None

    # connecting

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        try:
            connection = self._alive()
        except (exc.SQLAlchemyError, OSError) as error:
            raise stopped("sql.unreachable", technical(_orig(error))) from error
        with self._bounded(connection, self._longest_s), connection:
            yield connection

    def _alive(self) -> sa.Connection:
        """A fresh connection, or a kept one that still answers."""
        connection = self._engine.connect()
        if self.dialect.abort is None or not self.dialect.keeps_connections:
            return connection  # fresh, or SQLAlchemy has tried it
        if connection.info.get("used"):
            try:
                with self._bounded(connection, self.options.timeout_s):
                    connection.exec_driver_sql(self.dialect.ping)
                    connection.rollback()
            except exc.SQLAlchemyError:
                connection.invalidate()
                connection.close()
                connection = self._engine.connect()
        connection.info["used"] = True
        return connection

    @contextmanager
    def _bounded(self, connection: sa.Connection, seconds: float) -> Iterator[None]:
        """Where the driver knows no time-out, end the conversation from outside when its time is over."""
        if self.dialect.abort is None:
            yield
            return
        timer = threading.Timer(seconds, self.dialect.abort, (connection.connection.dbapi_connection,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _table(self, connection: sa.Connection, name: str) -> sa.Table:
        with self._lock:
            if name not in self._tables:
                self._tables[name] = self._reflected(connection, name)
            return self._tables[name]

    def _reflected(self, connection: sa.Connection, name: str) -> sa.Table:
        try:
            table = sa.Table(name, sa.MetaData(), schema=self.options.table_schema, autoload_with=connection)
        except exc.NoSuchTableError as error:
            raise stopped("sql.statement_wrong", f"no table {name}") from error
        wanted = {*self.options.columns, self.options.key_column}
        if self.options.files and name == self.options.files.table:
            wanted = set(self.options.files.columns)
        unknown = sorted(column for column in wanted if column not in table.c)
        if unknown:
            raise stopped("sql.statement_wrong", f"table {name} has no column {', '.join(unknown)}")
        engine = str(table.kwargs.get("mysql_engine") or _TRANSACTIONAL)
        if engine.upper() != _TRANSACTIONAL:
            raise stopped("sql.not_transactional", f"{name}: {engine}")
        if name == self.options.table and not _is_unique(connection, table, self.options.key_column):
            raise stopped("sql.key_not_unique", f"{name}.{self.options.key_column}")
        return table


_TRANSACTIONAL = "INNODB"
_CALLS = 2  # connecting and the statements together, at most: then nothing is committed any more

_CODES = {
    Meaning.DUPLICATE: "sql.constraint",  # another unique key than ours
    Meaning.CONSTRAINT: "sql.constraint",
    Meaning.VALUE: "sql.value_refused",
    Meaning.STATEMENT: "sql.statement_wrong",
    Meaning.OFFICE: "sql.office_refused",
    Meaning.INTERRUPTED: "sql.interrupted",
}


def _repeat(options: SqlOptions) -> Repeat:
    if options.table is not None or options.repeat == "safe":
        return Repeat.SAFE
    return Repeat.FINDABLE if options.find else Repeat.BLIND


def _new_engine(options: SqlOptions, dialect: Dialect) -> sa.Engine:
    url = sa.make_url(options.url.get_secret_value())
    if "+" not in url.drivername:
        url = url.set(drivername=f"{url.drivername}+{dialect.driver}")
    kept: dict[str, Any] = {"pool_recycle": 1800, "pool_timeout": options.timeout_s}
    kept["pool_pre_ping"] = dialect.abort is None  # else we ask ourselves, and not for ever
    try:
        engine = sa.create_engine(
            url,
            connect_args=dialect.connect(options.timeout_s),
            hide_parameters=True,
            **(kept if dialect.keeps_connections else {"poolclass": sa.NullPool}),
        )
    except (ImportError, exc.NoSuchModuleError) as error:
        reason = f"no driver for {options.backend}: install brama[{dialect.extra}]" if dialect.extra else str(error)
        raise ConnectorError("connector.broken", name="sql", reason=reason) from error
    if dialect.address is not None:
        address = dialect.address
        sa.event.listen(engine, "do_connect", lambda _d, _r, _a, named: address(url, options.timeout_s, named))
    if dialect.prepare is not None:
        prepare = dialect.prepare
        sa.event.listen(engine, "connect", lambda connection, _: prepare(connection, options.timeout_s))
    return engine


def _is_unique(connection: sa.Connection, table: sa.Table, column: str) -> bool:
    inspector = sa.inspect(connection)
    name, schema = table.name, table.schema
    keys: list[list[Any]] = [inspector.get_pk_constraint(name, schema=schema)["constrained_columns"]]
    keys += [list(item["column_names"]) for item in inspector.get_unique_constraints(name, schema=schema)]
    indexes = inspector.get_indexes(name, schema=schema)
    keys += [list(item["column_names"]) for item in indexes if item["unique"] and not _partial(item)]
    return [column] in [[str(part) for part in key] for key in keys]


def _partial(index: Any) -> bool:
    """Unique among some rows only (`WHERE …`): that keeps nothing from being there twice."""
    return any(value for name, value in index.get("dialect_options", {}).items() if name.endswith("_where"))


def _first_row(result: sa.CursorResult[Any]) -> dict[str, Any] | None:
    found = result.mappings().first() if result.returns_rows else None
    return None if found is None else {str(name): value for name, value in found.items()}


def _column(row: Mapping[str, Any] | None, name: str | None) -> Any:
    """A column of a returned row, whatever the database did to the letters' case."""
    if row is None or name is None:
        return None
    return next((value for column, value in row.items() if str(column).lower() == name.lower()), None)


def _orig(error: BaseException) -> BaseException:
    """The driver's own error: SQLAlchemy's text would show the statement."""
    return getattr(error, "orig", None) or error

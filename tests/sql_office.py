"""The sql connector as tests configure it, on the staging tables of an office."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from connectors.registry import build
from connectors.sql import SqlConnector
from gateway.simulate.offices import staging
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps


def connector_for(url: str, **changes: Any) -> SqlConnector:
    options: dict[str, Any] = {
        "url": url,
        "table": "brama_case",
        "columns": staging.COLUMNS,
        "files": staging.FILES,
        "timeout_s": 30.0,
        **changes,
    }
    made = build("sql", options)
    assert isinstance(made, SqlConnector)
    return made


def deliver(connector: SqlConnector, key: str = "k-1", steps: MemorySteps | None = None, **changes: Any) -> Any:
    return connector.deliver(a_record(key, **changes), key, steps or MemorySteps(connector.capabilities.repeat))


def with_field(**changed: Any) -> dict[str, Any]:
    return {**a_record().fields, **changed}


def run(database: str, *statements: str) -> None:
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()

"""An office's database with the staging tables, behind a line that can be cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from connectors.sql import SqlConnector
from gateway.simulate.offices import staging
from gateway.simulate.offices.client import Office
from tests.databases import postgresql
from tests.sql_office import connector_for


@pytest.fixture(scope="session")
def database(postgres: str) -> str:
    """Its own address, past the line."""
    url = postgresql(postgres, "urzad_sql")
    staging.create(url)
    return url


@pytest.fixture(scope="session")
def line(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Stands between the connector and the database, and cuts where it is told to."""
    folder = sa.make_url(database).query["host"]
    with Office("wire", tmp_path_factory.mktemp("wire"), "--to", f"{folder}/.s.PGSQL.5432") as office:
        yield office


@pytest.fixture
def url(database: str, line: Office) -> str:
    """Through the line; the tables are empty."""
    line.tell("up")
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM brama_file")
        connection.exec_driver_sql("DELETE FROM brama_case")
    engine.dispose()
    made = sa.make_url(database)
    return made.set(host="127.0.0.1", port=line.port, query={}).render_as_string(hide_password=False)


@pytest.fixture
def connector(url: str) -> Iterator[SqlConnector]:
    made = connector_for(url)
    yield made
    made.close()

"""A vendor's side of a staging table: makes the tables, counts the cases. `… --url URL create|count`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from importlib import resources
from typing import Any

import sqlalchemy as sa

DDL = {"postgresql": "postgresql.sql", "mysql": "mariadb.sql", "mariadb": "mariadb.sql", "firebird": "firebird.sql"}

COLUMNS: dict[str, Any] = {  # options `columns` of the sql connector for these tables
    "tenant": "{tenant}",
    "kind": "{kind}",
    "is_test": 0,
    "title": "{fields.title?}",
    "surname": "{fields.surname?}",
    "first_name": "{fields.first_name?}",
    "tax_year": "{fields.year?}",
    "total": "{fields.total?}",
    "received_on": "{fields.received_on?}",
    "record": "{record}",
}
FILES: dict[str, Any] = {  # option `files`
    "table": "brama_file",
    "columns": {
        "brama_key": "{key}",
        "file_no": "{file.number}",
        "role": "{file.role}",
        "name": "{file.name}",
        "content_type": "{file.content_type}",
        "sha256": "{file.sha256}",
        "content": "{file.content}",
    },
}


def statements(backend: str) -> list[str]:
    """The DDL of connectors/staging for this database, one statement each."""
    script = (resources.files("connectors.staging") / DDL[backend]).read_text("utf-8")
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";\n") if part.strip()]


def create(url: str) -> None:
    """Make the staging tables where they are not there yet."""
    engine = sa.create_engine(url)
    try:
        if sa.inspect(engine).has_table("brama_case"):
            return
        for statement in statements(sa.make_url(url).get_backend_name()):
            with engine.begin() as connection:
                connection.exec_driver_sql(statement.rstrip(";"))
    finally:
        engine.dispose()


def keys(url: str) -> dict[str, int]:
    """How often each key is in the staging table."""
    rows = read(url, "SELECT brama_key FROM brama_case")
    return dict(Counter(str(row["brama_key"]).rstrip() for row in rows))


def read(url: str, select: str) -> list[dict[str, Any]]:
    """Rows of any SELECT, column names in lower case."""
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            found = connection.execute(sa.text(select)).mappings()
            return [{str(name).lower(): value for name, value in row.items()} for row in found]
    finally:
        engine.dispose()


def main() -> None:
    """`create` or `count`; JSON on stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("command", choices=["create", "count"])
    options = parser.parse_args()
    if options.command == "create":
        create(options.url)
    else:
        print(json.dumps({"keys": keys(options.url)}))  # noqa: T201


if __name__ == "__main__":
    main()

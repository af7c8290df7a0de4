"""Options of the SQL connector."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from pydantic import Field, SecretStr, field_validator, model_validator
from sqlalchemy import exc

from connectors.base import Options, Part
from connectors.dialects import DIALECTS
from connectors.values import checked


class FilesTable(Part):
    """Where the documents of a case go, one row for each, in the same transaction."""

    table: str
    columns: dict[str, Any] = Field(description="Column → template; `{file.…}` is the file.")
    _places = field_validator("columns")(checked)
    roles: tuple[Literal["document", "receipt", "attachment"], ...] = ("document", "receipt", "attachment")


class Procedure(Part):
    """The office's own procedure, called in our transaction; it must not commit by itself."""

    name: str = Field(pattern=r"^[\w.$\[\]\"]+$")
    arguments: dict[str, Any] = Field(description="Parameter → template, in the procedure's order.")
    _places = field_validator("arguments")(checked)
    status_column: str | None = Field(default=None, description="Column of the returned row that says how it went.")
    success: tuple[str, ...] = Field(default=("1",), description="Values of that column that mean success.")
    message_column: str | None = None
    reference_column: str | None = None


class SqlOptions(Options):
    """A staging table agreed with the vendor, or the vendor's procedure; or only queries, for a ledger."""

    url: SecretStr = Field(
        description="SQLAlchemy URL: postgresql, mysql, firebird, mssql or oracle; by reference.",
        examples=["postgresql+psycopg://brama@localhost/urzad"],
    )
    table_schema: str | None = None
    table: str | None = Field(default=None, description="Staging table.")
    key_column: str = Field(default="brama_key", description="Its column for our key; must be unique.")
    columns: dict[str, Any] = Field(default_factory=dict, description="Column → template; the key column fills itself.")
    _places = field_validator("columns")(checked)
    reference_column: str | None = Field(default=None, description="Column whose value is the office's reference.")
    files: FilesTable | None = None
    procedure: Procedure | None = None
    find: str | None = Field(default=None, description="Look-up for a procedure: a SELECT with `:key`; first column.")
    repeat: Literal["safe"] | None = Field(
        default=None, description="`safe` only if the procedure refuses our key twice."
    )
    queries: dict[str, str] = Field(
        default_factory=dict, description="Name → SELECT with `:party`, `:as_of` and the like."
    )
    charset: str | None = Field(
        default=None, description="Codec of the database, e.g. cp1250: other characters are refused."
    )
    max_rows: int = Field(default=1000, ge=1, description="Most rows one query returns.")

    @model_validator(mode="after")
    def _one_way(self) -> SqlOptions:
        if self.table is not None and self.procedure is not None:
            raise ValueError("either table or procedure, not both")
        if not (self.table or self.procedure or self.queries):
            raise ValueError("table, procedure or queries are needed")
        backend = self.backend
        if backend not in DIALECTS:
            raise ValueError(f"url: unknown database {backend or '–'}; known: {', '.join(sorted(DIALECTS))}")
        return self

    @property
    def backend(self) -> str:
        """SQLAlchemy's name of the database, empty when the URL cannot be read."""
        try:
            return sa.make_url(self.url.get_secret_value()).get_backend_name()
        except exc.ArgumentError:
            return ""

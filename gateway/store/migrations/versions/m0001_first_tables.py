"""First tables: procrastinate's own schema, ours, and the triggers that keep history append-only."""

from __future__ import annotations

from pathlib import Path

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Runs in the transaction of gateway.store.schema.migrate."""
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    raw.execute(SchemaManager.get_schema())
    raw.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))

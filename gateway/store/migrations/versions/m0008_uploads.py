"""Files that letters only refer to: each upload into the store of big files of ePUAP."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Runs in the transaction of gateway.store.schema.migrate."""
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    raw.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))

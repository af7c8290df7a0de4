"""Cases of one taxpayer found by an index: is there an earlier return that a correction can follow?"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Runs in the transaction of gateway.store.schema.migrate."""
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    raw.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))

"""What back offices fetch over REST: published versions of cases, acknowledgements, keys."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Runs in the transaction of gateway.store.schema.migrate."""
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    raw.execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))

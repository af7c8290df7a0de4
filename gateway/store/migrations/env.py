"""Alembic's entry: always on a connection given by gateway.store.schema, never on one of its own."""

from __future__ import annotations

from alembic import context

from gateway.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="brama_schema",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

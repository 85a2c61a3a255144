"""What alembic runs for each command; the connection is handed in by `upgrade_connection`."""

from __future__ import annotations

from alembic import context

from tandem_server.record.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    # SQLite cannot alter a table; batch mode copies it.
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()

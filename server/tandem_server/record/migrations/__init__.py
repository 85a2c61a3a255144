"""Brings a database to the tables of this version; runs at every start, so nobody needs an alembic.ini."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tandem_server.errors import ConfigurationError

APPLICATION_ID: Final = int.from_bytes(b"Tndm", "big")
"""What `file` and `PRAGMA application_id` tell of an SQLite file of ours."""


async def upgrade(url: str) -> None:
    """Bring the database at a SQLAlchemy async URL up to date. Raises ConfigurationError when it is newer than us."""
    engine = create_async_engine(url)
    try:
        await upgrade_engine(engine)
    finally:
        await engine.dispose()


async def upgrade_engine(engine: AsyncEngine) -> None:
    """`upgrade` for an engine that is already there."""
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # One transaction for all: killed half-way, nothing has happened; a second starter waits here.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            # Names the file's owner, and writes: a file we may only read is found out now, not at the first turn.
            await connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.run_sync(upgrade_connection)
        await connection.commit()


def upgrade_connection(connection: Connection) -> None:
    """Run the migrations that are missing; the caller commits."""
    config = Config()
    # Config reads % as the start of a variable.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    newer = set(MigrationContext.configure(connection).get_current_heads()) - known
    if newer:
        place = connection.engine.url.render_as_string(hide_password=True)
        raise ConfigurationError(
            f"the database {place} was written by a newer Tandem (schema {sorted(newer)[0]}); "
            "install that version or choose another database"
        )
    command.upgrade(config, "head")

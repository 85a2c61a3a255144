"""The migrations lead to the tables, from nothing, once and again."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from tandem_server.errors import ConfigurationError
from tandem_server.record.migrations import upgrade
from tandem_server.record.store import Store
from tandem_server.record.tables import Table


def differences(connection: Connection) -> list[Any]:
    """What a new migration would have to do."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
    return list(compare_metadata(context, Table.metadata))


async def test_the_migrations_lead_to_the_tables(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'a%20b.db'}"
    await upgrade(url)
    await upgrade(url)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []


async def test_an_upgrade_that_was_cut_short_has_done_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tandem.db"
    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", broken)
    with pytest.raises(KeyboardInterrupt):
        await upgrade(f"sqlite+aiosqlite:///{path}")
    with sqlite3.connect(path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()

    assert tables == []


async def test_a_database_newer_than_the_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tandem.db"
    store = await Store.open(f"sqlite:///{path}")
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(
        ConfigurationError, match=r"newer Tandem \(schema 9999\); install that version or choose another"
    ):
        await Store.open(f"sqlite:///{path}")


def broken(*_: object, **__: object) -> None:
    """The process goes away in the middle of a migration."""
    raise KeyboardInterrupt

"""The database store where it differs from its double: durability, queue, and plain words for what goes wrong."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tandem_server.errors import ConfigurationError, StoreError
from tandem_server.record import store as store_module
from tandem_server.record.store import PRAGMAS, Store, parse_url

from .examples import conversation, turn

WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from tandem_server.record.records import ConversationRecord, TurnRecord
from tandem_server.record.store import Store

async def session(store, name):
    await store.open_conversation(ConversationRecord(name, datetime.now(UTC)))
    for index in range(100_000):
        await store.record_turn(TurnRecord(f"{name}-{index}", name, index, "user", "i", index, index, "hello"))
        print(f"{name}-{index}", flush=True)

async def main():
    store = await Store.open(sys.argv[1])
    await asyncio.gather(*(session(store, f"c{number}") for number in range(3)))

asyncio.run(main())
"""


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


KERNELS_OWN = Path("/proc/sys")


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() == 0:  # root may write everywhere but there
        if not KERNELS_OWN.is_dir():
            pytest.skip("as root, and without a file system that even root cannot write")
        yield KERNELS_OWN
        return
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_turn_reported_as_done_survives_kill_9(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "tandem.db"
    lines = random.Random(seed).randint(5, 60)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, url_of(path), stdout=PIPE)
    assert process.stdout is not None
    done = [(await process.stdout.readline()).decode().strip() for _ in range(lines)]
    process.kill()
    done += [line.decode().strip() async for line in process.stdout if line.endswith(b"\n")]
    assert await process.wait() == -signal.SIGKILL

    store = await Store.open(url_of(path))
    stored = {each.id for number in range(3) for each in await store.turns(f"c{number}")}
    await store.close()

    assert len(done) >= lines
    assert set(done) <= stored


async def test_the_connection_is_set_up_for_many_small_commits(tmp_path: Path) -> None:
    store = await Store.open(url_of(tmp_path / "tandem.db"))
    async with store._engine.connect() as connection:
        found = {name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in PRAGMAS}
    await store.close()

    assert found == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000, "foreign_keys": 1}


async def test_two_processes_may_share_a_file(tmp_path: Path) -> None:
    url = url_of(tmp_path / "tandem.db")
    one, other = await asyncio.gather(Store.open(url), Store.open(url))
    await one.open_conversation(conversation("c1"))
    await other.open_conversation(conversation("c2"))
    writes = [each.record_turn(turn(index, name)) for index in range(20) for each, name in ((one, "c1"), (other, "c2"))]
    await asyncio.gather(*writes)

    assert len(await one.turns("c2")) == len(await other.turns("c1")) == 20
    await one.close()
    await other.close()


async def test_a_full_queue_makes_callers_wait_and_close_waits_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "QUEUE_LIMIT", 2)
    url = url_of(tmp_path / "tandem.db")
    store = await Store.open(url)
    await store.open_conversation(conversation())
    writes = [asyncio.create_task(store.record_turn(turn(index))) for index in range(10)]
    await asyncio.sleep(0)  # let them all queue up
    await asyncio.gather(store.close(), store.close())

    assert all(write.done() and write.exception() is None for write in writes)
    again = await Store.open(url)
    assert len(await again.turns("c1")) == 10
    await again.close()


async def test_a_caller_that_gives_up_does_not_undo_its_turn(tmp_path: Path) -> None:
    url = url_of(tmp_path / "tandem.db")
    store = await Store.open(url)
    await store.open_conversation(conversation())
    write = asyncio.create_task(store.record_turn(turn()))
    await asyncio.sleep(0)
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    await store.close()

    again = await Store.open(url)
    assert await again.turns("c1") == [turn()]
    await again.close()


async def test_a_caller_that_gives_up_before_its_place_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "QUEUE_LIMIT", 1)
    store = await Store.open(url_of(tmp_path / "tandem.db"))
    await store.open_conversation(conversation())
    writes = [asyncio.create_task(store.record_turn(turn(index))) for index in range(3)]
    await asyncio.sleep(0)
    writes[2].cancel()
    await asyncio.gather(*writes, return_exceptions=True)

    assert [each.index for each in await store.turns("c1")] == [0, 1]
    await store.close()


async def test_signs_that_no_database_takes_are_replaced(tmp_path: Path) -> None:
    store = await Store.open(url_of(tmp_path / "tandem.db"))
    await store.open_conversation(conversation())
    await store.record_turn(replace(turn(), text="a\x00b\ud800c", words=()))

    assert [each.text for each in await store.turns("c1")] == ["a\ufffdb\ufffdc"]
    await store.close()


async def test_what_json_does_not_know_is_a_store_error(tmp_path: Path) -> None:
    store = await Store.open(url_of(tmp_path / "tandem.db"))
    with pytest.raises(StoreError, match="object cannot be stored as JSON"):
        await store.open_conversation(replace(conversation(), settings={"a": object()}))
    await store.close()


async def test_nan_does_not_reach_the_database(tmp_path: Path) -> None:
    store = await Store.open(url_of(tmp_path / "tandem.db"))
    settings: dict[str, object] = {}
    record = replace(conversation(), settings=settings)
    settings["late"] = float("nan")
    with pytest.raises(StoreError, match="cannot be stored"):
        await store.open_conversation(record)
    await store.close()


async def test_a_full_disk_says_so_and_reading_goes_on(tmp_path: Path) -> None:
    store = await Store.open(url_of(tmp_path / "tandem.db"), pragmas={**PRAGMAS, "max_page_count": "40"})
    await store.open_conversation(conversation())
    await store.record_turn(turn())
    with pytest.raises(StoreError, match=r"tandem\.db: the disk is full; free some space"):
        await store.record_turn(replace(turn(1), text="x" * 1_000_000))

    assert await store.turns("c1") == [turn()]
    await store.close()


async def test_a_locked_file_says_so(tmp_path: Path) -> None:
    store = await Store.open(url_of(tmp_path / "tandem.db"), pragmas={**PRAGMAS, "busy_timeout": "1"})
    other = sqlite3.connect(tmp_path / "tandem.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds it locked"):
        await store.open_conversation(conversation())
    other.rollback()
    other.close()
    await store.open_conversation(conversation())
    await store.close()


async def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "tandem.db"
    path.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StoreError, match=r"tandem\.db: it is not an SQLite database; choose another file"):
        await Store.open(url_of(path))


async def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "tandem.db"
    store = await Store.open(url_of(path))
    await store.open_conversation(conversation())
    await store.record_turn(replace(turn(), text="x" * 100_000))
    await store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    with pytest.raises(StoreError, match="the file is damaged; restore a backup"):
        await Store.open(url_of(path))


async def test_a_read_only_file_says_so(tmp_path: Path) -> None:
    await (await Store.open(url_of(tmp_path / "tandem.db"))).close()
    with pytest.raises(StoreError, match="it is read-only; make the file and its folder writable"):
        await Store.open(f"sqlite+aiosqlite:///file:{tmp_path / 'tandem.db'}?mode=ro&uri=true")


async def test_a_read_only_folder_says_so(read_only_folder: Path) -> None:
    with pytest.raises(StoreError, match=r"its folder exists and is writable|read-only"):
        await Store.open(url_of(read_only_folder / "tandem.db"))


async def test_a_folder_in_place_of_the_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        await Store.open(url_of(tmp_path))
    await (await Store.open(url_of(tmp_path / "file"))).close()
    with pytest.raises(StoreError, match="its folder cannot be made"):
        await Store.open(url_of(tmp_path / "file" / "tandem.db"))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "is not a database URL; write sqlite:///FILE"),
        ("", "is not a database URL"),
        ("sqlite://", "write memory, or sqlite:///FILE"),
        ("sqlite:///:memory:", "write memory, or sqlite:///FILE"),
        ("sqlite+pysqlite:///x.db", "cannot be used"),
        ("nosuch://localhost/x", "cannot be used"),
    ],
)
async def test_a_bad_url_is_the_operators_fault(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        await Store.open(url)


def test_a_url_may_leave_out_the_driver() -> None:
    assert parse_url("sqlite:///a.db").drivername == "sqlite+aiosqlite"
    assert parse_url("postgresql://h/n").drivername == "postgresql+asyncpg"
    assert parse_url("postgresql+psycopg://h/n").drivername == "postgresql+psycopg"


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
@pytest.mark.parametrize(("found", "left"), [(0o644, 0o600), (0o666, 0o600), (0o660, 0o660), (None, 0o600)])
async def test_a_database_that_all_may_read_becomes_its_owners_and_a_groups_stays_so(
    tmp_path: Path, found: int | None, left: int
) -> None:
    path = tmp_path / "tandem.db"
    if found is not None:
        path.touch()
        path.chmod(found)
    store = await Store.open(url_of(path))
    await store.open_conversation(conversation())
    rights = {file.name: file.stat().st_mode & 0o777 for file in files(tmp_path)}
    await store.close()

    assert rights == {"tandem.db": left, "tandem.db-wal": left, "tandem.db-shm": left}

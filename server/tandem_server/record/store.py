"""The store: conversations, turns and speakers in SQLite (or any database SQLAlchemy reaches without blocking).

One task writes, one commit a turn: `record_turn` returns when the commit has, so a turn that was reported as done
survives kill -9. (With WAL and synchronous=NORMAL the last commits may be lost when the *machine* loses power.)
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Select, and_, delete, event, or_, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from tandem_server.errors import ConfigurationError, DamagedRowError, StoreError
from tandem_server.record import memory, rows
from tandem_server.record.faults import damaged_row, place_of, store_error
from tandem_server.record.memory import MemoryStore
from tandem_server.record.migrations import upgrade_engine
from tandem_server.record.privacy import make_private_file, make_private_folder
from tandem_server.record.records import ConversationRecord, SpeakerRecord, TurnRecord, TurnStore, ignore
from tandem_server.record.tables import Conversation, Speaker, Turn

PRAGMAS: Final[Mapping[str, str]] = MappingProxyType(
    # The timeout comes first: turning WAL on may have to wait for another process.
    {"busy_timeout": "5000", "journal_mode": "WAL", "synchronous": "NORMAL", "foreign_keys": "ON"}
)
QUEUE_LIMIT: Final = 256
"""Writes that may wait; a caller beyond that waits for its place."""
DRIVERS: Final = MappingProxyType(
    {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
)
"""The driver of a URL that names none."""

T = TypeVar("T")
Listed = TypeVar("Listed", Conversation, Turn)
Row = TypeVar("Row", Conversation, Turn, Speaker)
Work = Callable[[AsyncSession], Awaitable[None]]
"""What is done in one transaction."""


async def open_store(url: str) -> TurnStore:
    """The store of a setting: 'memory' or a database URL. Raises ConfigurationError, StoreError."""
    return MemoryStore() if url == "memory" else await Store.open(url)


class Store:
    """A TurnStore in a database; made by `open`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._place = place_of(engine.url)
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._queue: asyncio.Queue[tuple[Work, asyncio.Future[None]]] = asyncio.Queue(QUEUE_LIMIT)
        self._unfinished: set[asyncio.Future[None]] = set()
        self._closing = False
        self._writer = asyncio.create_task(self._write_all(), name="store writer")

    @classmethod
    async def open(cls, url: str, *, pragmas: Mapping[str, str] = PRAGMAS) -> Store:
        """Make the file and its tables when they are missing. Raises ConfigurationError, StoreError."""
        engine = make_engine(parse_url(url), pragmas)
        threads = set(threading.enumerate())
        try:
            await upgrade_engine(engine)
        except (SQLAlchemyError, OSError) as error:
            await _let_go(engine, threads)
            raise store_error(error, place_of(engine.url)) from error
        except BaseException:
            await _let_go(engine, threads)
            raise
        return cls(engine)

    async def open_conversation(self, record: ConversationRecord) -> None:
        async def work(session: AsyncSession) -> None:
            await session.merge(rows.conversation_row(record))

        await self._write(work)

    async def close_conversation(self, conversation_id: str, ended_at: datetime) -> None:
        async def work(session: AsyncSession) -> None:
            row = await session.get(Conversation, conversation_id)
            if row is None:
                raise StoreError(memory.unknown_conversation(conversation_id))
            row.ended_at = ended_at

        await self._write(work)

    async def record_turn(self, turn: TurnRecord) -> None:
        async def work(session: AsyncSession) -> None:
            before = await session.get(Turn, turn.id)
            if before is not None and before.conversation_id != turn.conversation_id:
                raise StoreError(memory.other_conversation(turn, before.conversation_id))
            first_stored = datetime.now(UTC) if before is None else before.created_at
            await session.merge(rows.turn_row(turn, turn.created_at or first_stored))
            try:
                await session.flush()
            except IntegrityError as error:
                foreign = "foreign key" in str(error.orig).lower()
                told = memory.unknown_conversation(turn.conversation_id) if foreign else memory.place_taken(turn)
                raise StoreError(told) from error

        await self._write(work)

    async def save_speaker(self, speaker: SpeakerRecord) -> None:
        async def work(session: AsyncSession) -> None:
            # Not merged: what was there may be damaged, and is of no more use.
            await session.execute(delete(Speaker).where(Speaker.user_id == rows.storable(speaker.user_id)))
            session.add(rows.speaker_row(speaker))

        await self._write(work)

    async def turns(self, conversation_id: str, after: int = -1, limit: int | None = None) -> list[TurnRecord]:
        query = select(Turn.id).where(Turn.conversation_id == conversation_id, Turn.index > after).order_by(Turn.index)
        found: list[TurnRecord] = []
        async for turn in self._each(Turn, query, rows.turn_record, _refuse):
            found.append(turn)
            if len(found) == limit:
                break
        return found

    async def conversation(self, conversation_id: str) -> ConversationRecord | None:
        return await self._one(Conversation, conversation_id, rows.conversation_record)

    async def conversations(
        self,
        limit: int = 50,
        after: str | None = None,
        user_id: str | None = None,
        damaged: Callable[[StoreError], None] = ignore,
    ) -> list[ConversationRecord]:
        query = select(Conversation.id).order_by(Conversation.started_at.desc(), Conversation.id.desc())
        if user_id is not None:
            query = query.where(Conversation.user_id == user_id)
        if after is not None:
            seen = select(Conversation.started_at).where(Conversation.id == after)
            if not await self._scalars(seen.with_only_columns(Conversation.id)):
                raise memory.unknown_cursor(after)
            began = seen.scalar_subquery()
            same_time = and_(Conversation.started_at == began, Conversation.id < after)
            query = query.where(or_(Conversation.started_at < began, same_time))
        found: list[ConversationRecord] = []
        async for record in self._each(Conversation, query, rows.conversation_record, damaged, limit):
            found.append(record)
            if len(found) == limit:
                break
        return found

    async def load_speaker(self, user_id: str) -> SpeakerRecord | None:
        return await self._one(Speaker, user_id, rows.speaker_record)

    async def close(self) -> None:
        self._closing = True
        while self._unfinished:
            await asyncio.wait(self._unfinished)
        self._writer.cancel()
        await asyncio.wait([self._writer])
        await self._engine.dispose()

    async def _write(self, work: Work) -> None:
        """Queue the work and wait for its commit; a caller that is cancelled meanwhile does not undo it."""
        if self._closing:
            raise StoreError(memory.CLOSED)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unfinished.add(done)
        done.add_done_callback(self._unfinished.discard)
        try:
            await self._queue.put((work, done))
        except asyncio.CancelledError:
            done.cancel()
            raise
        await asyncio.shield(done)

    async def _write_all(self) -> None:
        """The one writer: a transaction for each piece of work, in the order of their coming."""
        while True:
            work, done = await self._queue.get()
            try:
                async with self._sessions.begin() as session:
                    await work(session)
            except StoreError as error:
                done.set_exception(error)
            except Exception as error:  # whatever a driver raises; the caller waits and must be told
                done.set_exception(store_error(error, self._place))
            else:
                done.set_result(None)

    async def _one(self, table: type[Row], name: str, record: Callable[[Row], T]) -> T | None:
        """The record of a primary key. Raises StoreError, which names a row that is damaged."""
        try:
            row = await self._read(lambda session: session.get(table, name))
        except (ValueError, TypeError) as error:  # no JSON, or no date
            raise damaged_row(table.__tablename__, name, str(error)) from error
        return None if row is None else record(row)

    async def _each(
        self,
        table: type[Listed],
        names: Select[Any],
        record: Callable[[Listed], T],
        damaged: Callable[[StoreError], None],
        at_once: int = 100,
    ) -> AsyncIterator[T]:
        """The records of so many primary keys, one by one where a damaged row makes the others unreadable."""
        for begin in itertools.count(0, at_once):
            chunk: list[str] = await self._scalars(names.limit(at_once).offset(begin))
            try:
                found = {row.id: row for row in await self._scalars(select(table).where(table.id.in_(chunk)))}
            except (ValueError, TypeError):
                found = {}
            for name in chunk:
                try:
                    kept = record(found[name]) if name in found else await self._one(table, name, record)
                except DamagedRowError as error:
                    damaged(error)
                else:
                    if kept is not None:
                        yield kept
            if len(chunk) < at_once:
                return

    async def _scalars(self, query: Select[Any]) -> list[Any]:
        """The first column of what a query finds."""
        return list(await self._read(lambda session: session.scalars(query)))

    async def _read(self, query: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """What a query finds; rows stay readable after their session."""
        if self._closing:
            raise StoreError(memory.CLOSED)
        try:
            async with self._sessions() as session:
                return await query(session)
        except (SQLAlchemyError, OSError) as error:
            raise store_error(error, self._place) from error


def _refuse(error: StoreError) -> None:
    """A conversation of which a turn is missing is not that conversation."""
    raise error


async def _let_go(engine: AsyncEngine, before: set[threading.Thread]) -> None:
    """Dispose of an engine that could not connect. aiosqlite's thread has a last word to say to the loop even then, and
    fails loudly if the loop is closed by that time: wait for it."""
    await engine.dispose()
    for thread in set(threading.enumerate()) - before:
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5.0)


def parse_url(text: str) -> URL:
    """A database URL with a driver that does not block. Raises ConfigurationError."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ConfigurationError(
            f"{text!r} is not a database URL; write sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME or memory"
        ) from error
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite" and (not url.database or ":memory:" in url.database):
        raise ConfigurationError(f"{text!r} would be forgotten between connections; write memory, or sqlite:///FILE")
    return url


def make_engine(url: URL, pragmas: Mapping[str, str] = PRAGMAS) -> AsyncEngine:
    """An engine whose every connection is set up; nothing is opened yet. Raises ConfigurationError, StoreError."""
    sqlite = url.get_backend_name() == "sqlite"
    try:
        engine = create_async_engine(url, json_serializer=rows.to_json, pool_pre_ping=not sqlite)
        if sqlite and url.database and not url.database.startswith("file:"):
            make_private_folder(Path(url.database).parent)
            make_private_file(Path(url.database))
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{place_of(url)} needs the package {error.name}: pip install {error.name}") from error
    except (ArgumentError, InvalidRequestError) as error:
        raise ConfigurationError(f"{place_of(url)} cannot be used: {error}") from error
    except OSError as error:
        raise StoreError(
            f"{place_of(url)}: its folder cannot be made ({error}); choose a folder you may write"
        ) from error
    if sqlite:

        @event.listens_for(engine.sync_engine, "connect")
        def set_up(connection: object, record: object) -> None:  # noqa: ARG001
            cursor = connection.cursor()  # type: ignore[attr-defined]
            for name, value in pragmas.items():
                cursor.execute(f"PRAGMA {name}={value}")
            cursor.close()

    return engine

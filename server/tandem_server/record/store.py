"""The store: conversations, turns and speakers in SQLite (or any database SQLAlchemy reaches without blocking).

One task writes, one commit a turn: `record_turn` returns when the commit has, so a turn that was reported as done
survives kill -9. (With WAL and synchronous=NORMAL the last commits may be lost when the *machine* loses power.)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from sqlalchemy import URL, and_, event, or_, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from tandem_server.errors import ConfigurationError, StoreError
from tandem_server.record import memory, rows
from tandem_server.record.faults import place_of, store_error
from tandem_server.record.memory import MemoryStore
from tandem_server.record.migrations import upgrade_engine
from tandem_server.record.records import ConversationRecord, SpeakerRecord, TurnRecord, TurnStore
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
            await session.merge(rows.speaker_row(speaker))

        await self._write(work)

    async def turns(self, conversation_id: str) -> list[TurnRecord]:
        query = select(Turn).where(Turn.conversation_id == conversation_id).order_by(Turn.index)
        return [rows.turn_record(row) for row in await self._read(lambda session: session.scalars(query))]

    async def conversation(self, conversation_id: str) -> ConversationRecord | None:
        row = await self._read(lambda session: session.get(Conversation, conversation_id))
        return None if row is None else rows.conversation_record(row)

    async def conversations(
        self, limit: int = 50, after: str | None = None, user_id: str | None = None
    ) -> list[ConversationRecord]:
        query = select(Conversation).order_by(Conversation.started_at.desc(), Conversation.id.desc()).limit(limit)
        if user_id is not None:
            query = query.where(Conversation.user_id == user_id)
        if after is not None:
            seen = await self.conversation(after)
            if seen is None:
                raise memory.unknown_cursor(after)
            same_time = and_(Conversation.started_at == seen.started_at, Conversation.id < seen.id)
            query = query.where(or_(Conversation.started_at < seen.started_at, same_time))
        found = await self._read(lambda session: session.scalars(query))
        return [rows.conversation_record(row) for row in found]

    async def load_speaker(self, user_id: str) -> SpeakerRecord | None:
        row = await self._read(lambda session: session.get(Speaker, user_id))
        return None if row is None else rows.speaker_record(row)

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

    async def _read(self, query: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """What a query finds; rows stay readable after their session."""
        if self._closing:
            raise StoreError(memory.CLOSED)
        try:
            async with self._sessions() as session:
                return await query(session)
        except (SQLAlchemyError, OSError) as error:
            raise store_error(error, self._place) from error


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
    """An engine whose every connection is set up; nothing is opened yet. Raises ConfigurationError."""
    sqlite = url.get_backend_name() == "sqlite"
    try:
        engine = create_async_engine(url, json_serializer=rows.to_json, pool_pre_ping=not sqlite)
        if sqlite and url.database and not url.database.startswith("file:"):
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
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

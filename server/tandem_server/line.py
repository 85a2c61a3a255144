"""The line to one client: it outlives the connection, so that a client that was cut off can go on where it was.

Everything sent is numbered and the newest part is kept. A client that comes back says which event it saw last, and
gets what followed, each message once. Without that word the messages handed to the old connection count as received.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, Protocol

from tandem_server.errors import ClientError

KEPT_BYTES: Final = 2 * 1024 * 1024
"""Half a minute of base64 audio: what a client may have missed and still get."""
SEND_TIMEOUT: Final = 20.0
"""Seconds one message may wait for a client that reads nothing."""
_MOST_GREETINGS: Final = 16
REPLACED: Final = "the conversation goes on over another connection"

Message = str | bytes


class ConnectionLostError(Exception):
    """The client is gone; `final` when it said goodbye."""

    def __init__(self, *, final: bool = False) -> None:
        super().__init__("the client has left" if final else "the connection was lost")
        self.final = final


class ClientTooSlowError(Exception):
    """The client does not read what it is sent."""


class Connection(Protocol):
    """The client's socket; the first two methods raise ConnectionLostError when it is gone."""

    async def receive(self) -> Message: ...

    async def send(self, message: Message) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...


class Line:
    """One client, over one connection after another. With `patience` 0 the first one is the only one."""

    def __init__(self, connection: Connection, patience: float = 0.0) -> None:
        self._connection: Connection | None = connection
        self._patience = patience
        """Seconds that a client may be away"""
        self.away_since = 0.0
        """Seconds of the monotonic clock at which the last connection was lost"""
        self._over = False
        self._changed = asyncio.Event()
        """Set, and made anew, whenever the connection is another"""
        self._turn = asyncio.Lock()
        self._sending: asyncio.Timeout | None = None
        self._receiving: asyncio.Timeout | None = None
        self._kept: deque[tuple[str, Message]] = deque()
        self._kept_bytes = 0
        self._first = 0
        """Number of the oldest kept message"""
        self._delivered = 0
        """Messages that the connection has taken"""
        self._greetings: dict[str, int] = {}
        """Event id of what a resumed connection began with -> messages delivered before it"""

    @property
    def attached(self) -> bool:
        """Is somebody there?"""
        return self._connection is not None

    @property
    def resumable(self) -> bool:
        """Could a client come back?"""
        return not self._over and self._patience > 0.0

    async def receive(self) -> Message:
        """The client's next message. Raises ConnectionLostError when it has left for good."""
        while True:
            connection = await self._ready()
            try:
                async with asyncio.timeout(None) as self._receiving:
                    return await connection.receive()
            except ConnectionLostError as lost:
                self._lost(connection, lost)
            except TimeoutError:  # it was replaced, or the line was closed
                continue
            finally:
                self._receiving = None

    async def send(self, event_id: str, message: Message) -> None:
        """Send a message, now or when the client is back. Raises ConnectionLostError and ClientTooSlowError."""
        self._kept.append((event_id, message))
        self._kept_bytes += len(message)
        number = self._first + len(self._kept)
        while self._delivered < number:
            await self._deliver(await self._ready())
        while self._kept_bytes > KEPT_BYTES and self._first < self._delivered:
            self._kept_bytes -= len(self._kept.popleft()[1])
            self._first += 1

    def check(self, last_event_id: str | None) -> None:
        """Raises ClientError when what came after that event is not known any more."""
        self._after(last_event_id)

    async def resume(self, connection: Connection, greeting: tuple[str, Message], last_event_id: str | None) -> None:
        """Go on over another connection, and return when that one is over; an old one that is still there is closed.
        It begins with the greeting (event id, message); then comes what the client has missed. Raises ClientError when
        that is not known, or the conversation has come to its end meanwhile."""
        if self._over:
            raise ClientError("the conversation is over: connect without session_id", code="resume_impossible")
        self.check(last_event_id)
        replaced, self._connection = self._connection, connection
        _now(self._sending)  # the old one may not even take a goodbye
        _now(self._receiving)
        self._wake()
        try:
            async with self._turn:
                self._go_back(connection, greeting[0], last_event_id)
                await self._hand_over(connection, greeting[1])
            await self._deliver(connection)
        finally:
            if replaced is not None:
                await replaced.close(1000, REPLACED)
        while self._connection is connection:
            await self._changed.wait()

    def give_up(self) -> None:
        """Wait no longer for a client that is away, now or later."""
        self._patience = 0.0
        if self._connection is None:
            self._over = True
            self._wake()

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye if somebody is there; nobody can come back. Idempotent."""
        self._over, connection = True, self._connection
        _now(self._receiving)
        self._wake()
        if connection is not None:
            await connection.close(code, reason)
            self._connection = None
            self._wake()

    def _after(self, last_event_id: str | None) -> int:
        """How many messages the client has had."""
        if last_event_id is None:
            return self._delivered
        if last_event_id in self._greetings:
            number = self._greetings[last_event_id]
        else:
            found = [number for number, (event_id, _) in enumerate(self._kept, 1) if event_id == last_event_id]
            number = self._first + found[0] if found else -1
        if number < self._first:
            message = f"what came after event {last_event_id!r} is not known any more; begin a new conversation"
            raise ClientError(message, code="resume_impossible", param="last_event_id")
        return number

    def _go_back(self, connection: Connection, greeting_id: str, last_event_id: str | None) -> None:
        """To what the client has had: known only now, since a message was on its way and old ones made room for it.
        Raises ClientError."""
        try:
            self._delivered = self._after(last_event_id)
        except ClientError:
            self._lost(connection, ConnectionLostError())
            raise
        self._greetings = {**dict(list(self._greetings.items())[-_MOST_GREETINGS:]), greeting_id: self._delivered}

    async def _ready(self) -> Connection:
        """The connection, as soon as there is one."""
        if self._connection is None and not self._over:
            try:
                async with asyncio.timeout(self._patience):
                    while self._connection is None and not self._over:
                        await self._changed.wait()
            except TimeoutError:
                self.give_up()
        if self._connection is None or self._over:
            raise ConnectionLostError
        return self._connection

    async def _deliver(self, connection: Connection) -> None:
        """Whatever the connection has not taken yet, in order."""
        async with self._turn:
            while self._connection is connection and self._delivered - self._first < len(self._kept):
                if await self._hand_over(connection, self._kept[self._delivered - self._first][1]):
                    self._delivered += 1

    async def _hand_over(self, connection: Connection, message: Message) -> bool:
        """Has the connection taken the message?"""
        try:
            async with asyncio.timeout(SEND_TIMEOUT) as self._sending:
                await connection.send(message)
        except TimeoutError:
            if self._connection is connection:  # else it was replaced
                raise ClientTooSlowError from None
            return False
        except ConnectionLostError as lost:
            self._lost(connection, lost)
            return False
        finally:
            self._sending = None
        return True

    def _lost(self, connection: Connection, lost: ConnectionLostError) -> None:
        if connection is not self._connection:
            return  # it was replaced
        self._connection, self.away_since = None, time.monotonic()
        self._over = self._over or lost.final or self._patience <= 0.0
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _now(waiting: asyncio.Timeout | None) -> None:
    """Wait no longer."""
    if waiting is not None:
        waiting.reschedule(asyncio.get_running_loop().time())

"""A connection that is made again when it is cut: the conversation goes on where it was, nothing twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol

from tandem_client.actions import ConnectionCut, ServerSaid, ServerSpoke, Wire
from tandem_client.errors import ConnectionLost, ConversationOver, CutOff, ServerUnreachable
from tandem_client.link import OPENING_S, Clock
from tandem_client.position import LONGEST_DELAY_S, TRIES, Position, backoff
from tandem_client.transport import dial

HELD_S: Final = LONGEST_DELAY_S
"""A connection that is cut earlier than this has not held: the tries are counted on."""
_AUDIO: Final = "input_audio_buffer.append"


class Connection(Protocol):
    """One socket; the first two methods raise CutOff when it may be made again."""

    async def send(self, event: Wire) -> None: ...

    async def receive(self) -> ServerSaid | ServerSpoke: ...

    async def close(self) -> None: ...


Dial = Callable[[Mapping[str, str]], Awaitable[Connection]]
"""Connects, with these fields in the address's query. Raises ServerUnreachable, TokenRefused or ConversationOver."""


class ResumingTransport:
    """One connection after another. `anew`: where the conversation is over, another one begins.

    Whoever receives dials again too; whoever sends waits for that.
    """

    def __init__(self, first: Connection, dial: Dial, clock: Clock, *, anew: bool) -> None:
        self._connection = first
        self._dial = dial
        self._clock = clock
        self._anew = anew
        self._position = Position()
        self._cut: CutOff | None = None
        self._there = asyncio.Event()
        self._there.set()
        self._conversation = 0
        self._tries = 0
        """Since a connection last held."""
        self._since = clock.now()

    async def send(self, event: Wire) -> None:
        """Waits while the connection is cut. Of what was meant for a conversation that is over only speech is sent."""
        conversation = self._conversation
        while True:
            await self._there.wait()
            if conversation != self._conversation and event["type"] != _AUDIO:
                return
            connection = self._connection
            try:
                await connection.send(event)
            except CutOff:
                if connection is self._connection:
                    self._there.clear()
            else:
                return

    async def receive(self) -> ServerSaid | ServerSpoke | ConnectionCut:
        """The next event; after a ConnectionCut it is the session.created of the connection that was made again.
        Raises ConnectionLost when that cannot be done."""
        if self._cut is not None:
            return await self._come_back(self._cut)
        try:
            event = await self._connection.receive()
        except CutOff as cut:
            if self._position.session_id is None:
                raise
            self._there.clear()
            self._cut = cut
            return ConnectionCut(str(cut))
        self._position.saw(event)
        return event

    async def close(self) -> None:
        """Says goodbye."""
        await self._connection.close()

    async def _come_back(self, cut: CutOff) -> ServerSaid:
        if self._clock.now() - self._since >= HELD_S:
            self._tries = 0
        why = "it is cut again and again"
        while self._tries < TRIES:
            # Jitter, not a secret.
            await self._clock.until(self._clock.now() + backoff(self._tries, random.random()))  # noqa: S311
            self._tries += 1
            try:
                return await self._again()
            except (CutOff, ServerUnreachable) as error:
                why = str(error)
        raise ConnectionLost(f"{cut}; it could not be made again in {TRIES} tries: {why}")

    async def _again(self) -> ServerSaid:
        try:
            return await self._joined()
        except ConversationOver:
            if not self._anew:
                raise
        self._position = Position()
        return await self._joined()

    async def _joined(self) -> ServerSaid:
        """Connects, and returns what the server says first."""
        known = self._position.session_id
        connection = await self._dial(self._position.query())
        try:
            greeting = await _greeting(connection)
            position = Position()
            position.saw(greeting)
            if position.session_id != known and not self._anew:
                raise ConversationOver(
                    "the server began another conversation instead of going on; start the talk again"
                )
        except BaseException:
            await connection.close()
            raise
        self._conversation += position.session_id != known
        self._connection, self._position, self._cut = connection, position, None
        self._since = self._clock.now()
        self._there.set()
        return greeting


async def _greeting(connection: Connection) -> ServerSaid:
    try:
        async with asyncio.timeout(OPENING_S):
            greeting = await connection.receive()
    except TimeoutError:
        raise ServerUnreachable(f"the server opened no session within {OPENING_S:.0f} s") from None
    if not isinstance(greeting, ServerSaid):
        raise ConnectionLost("the server sent audio before it opened a session")
    return greeting


@asynccontextmanager
async def connected(url: str, token: str | None, clock: Clock, *, anew: bool) -> AsyncIterator[ResumingTransport]:
    """A connection to the server, made again when it is cut. Raises ServerUnreachable or TokenRefused."""
    transport = ResumingTransport(await dial(url, token), partial(dial, url, token), clock, anew=anew)
    try:
        yield transport
    finally:
        await transport.close()

"""A conversation through the stock `openai` client, of either dialect."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from openai import AsyncOpenAI
from openai.resources.beta.realtime.realtime import AsyncRealtimeConnection as BetaConnection
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from tandem_models.signal import Audio, pcm16_to_float

from .serving import Served
from .talking import CHUNK, PATIENCE, encoded


class Link(Protocol):
    """What the connections of both dialects have."""

    input_audio_buffer: Any

    async def recv(self) -> Any: ...


LinkT = TypeVar("LinkT", bound=Link)


class Talk(Generic[LinkT]):
    """A conversation through the client; `events` is all it was told."""

    def __init__(self, connection: LinkT, receive: Callable[[], Awaitable[Any]] | None = None) -> None:
        self.connection = connection
        self.events: list[Any] = []
        self._receive = receive or connection.recv

    async def next(self) -> Any:
        event = await self._receive()
        self.events.append(event)
        return event

    async def until(self, *kinds: str) -> Any:
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await self.next()
                if event.type in kinds:
                    return event

    async def hear(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), CHUNK):
            await self.connection.input_audio_buffer.append(audio=encoded(pcm[start : start + CHUNK]))

    def kinds(self) -> list[str]:
        return [event.type for event in self.events]

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]

    def pcm(self, kind: str = "response.output_audio.delta", response_id: str | None = None) -> bytes:
        """What the agent said, or said in one response, as pcm16 at WIRE_RATE."""
        deltas = [event for event in self.of(kind) if response_id in (None, event.response_id)]
        return b"".join(base64.b64decode(event.delta) for event in deltas)

    def audio(self) -> Audio:
        return pcm16_to_float(self.pcm())


@asynccontextmanager
async def talking(served: Served, key: str = "not-needed") -> AsyncIterator[Talk[AsyncRealtimeConnection]]:
    """A connection of the GA dialect, past its session.created."""
    client = AsyncOpenAI(api_key=key, base_url=f"{served.http}/v1", max_retries=0)
    async with client, client.realtime.connect(model="tandem") as connection:
        talk = Talk(connection)
        created = await talk.until("session.created")
        assert created.session.type == "realtime"
        yield talk


@asynccontextmanager
async def talking_beta(served: Served, key: str = "not-needed") -> AsyncIterator[Talk[BetaConnection]]:
    """A connection of the beta dialect, past its session.created. Without `websocket_base_url` it would want TLS."""
    client = AsyncOpenAI(api_key=key, websocket_base_url=served.realtime.removesuffix("/realtime"), max_retries=0)
    async with client, client.beta.realtime.connect(model="tandem") as connection:
        talk = Talk(connection)
        created = await talk.until("session.created")
        assert created.session.input_audio_format == "pcm16"
        assert created.session.modalities
        yield talk


def in_order(kinds: list[str], *wanted: str) -> bool:
    """Do these come one after the other, whatever is between?"""
    rest = iter(kinds)
    return all(kind in rest for kind in wanted)

"""A conversation through the stock `openai-agents` package, which checks every event against its own types."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from agents import FunctionTool
from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner, RealtimeSession
from agents.realtime.items import AssistantMessageItem, RealtimeItem
from agents.realtime.model_events import RealtimeModelEvent, RealtimeModelRawServerEvent
from agents.realtime.model_inputs import RealtimeModelRawClientMessage, RealtimeModelSendRawMessage

from tandem_models.signal import Audio, pcm16_to_float

from .conftest import TOKEN
from .serving import Served
from .talking import CHUNK, PATIENCE, SILENCE, Event


class Call:
    """One session; `events` is all that the package told its user."""

    def __init__(self, session: RealtimeSession, events: AsyncIterator[Any], playback: RealtimePlaybackTracker) -> None:
        self.session = session
        self.playback = playback
        self.events: list[Any] = []
        self._next = events.__anext__

    async def hear(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), CHUNK):
            await self.session.send_audio(pcm[start : start + CHUNK])

    async def next(self) -> Any:
        event = await self._next()
        self.events.append(event)
        return event

    async def until(self, kind: str) -> Any:
        """The next event of the package of this kind."""
        async with asyncio.timeout(PATIENCE):
            while (event := await self.next()).type != kind:
                pass
            return event

    async def until_raw(self, kind: str) -> Event:
        """The next event of the server of this kind."""
        async with asyncio.timeout(PATIENCE):
            while True:
                raw = server_event(await self.next())
                if raw is not None and raw["type"] == kind:
                    return raw

    async def exchange(self, pcm: bytes) -> None:
        """A turn of the user and the whole answer, until it has been played."""
        before = len(self.pcm())
        await self.hear(pcm + SILENCE)
        await self.until("agent_end")
        await self.hear(bytes(len(self.pcm()) - before))

    async def retrieve(self, item_id: str) -> None:
        """Ask for an item; the package does so too, but of its own accord."""
        message: RealtimeModelRawClientMessage = {
            "type": "conversation.item.retrieve",
            "other_data": {"item_id": item_id},
        }
        await self.session.model.send_event(RealtimeModelSendRawMessage(message=message))

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]

    def raw(self, kind: str) -> list[Event]:
        told = (server_event(event) for event in self.events)
        return [event for event in told if event is not None and event["type"] == kind]

    def pcm(self) -> bytes:
        """What the package gave its user to play, as pcm16 at WIRE_RATE."""
        return b"".join(event.audio.data for event in self.of("audio"))

    def audio(self) -> Audio:
        return pcm16_to_float(self.pcm())

    @property
    def history(self) -> list[RealtimeItem]:
        """The conversation as the package last told it."""
        shown: list[RealtimeItem] = self.of("history_updated")[-1].history
        return shown


def server_event(event: Any) -> Event | None:
    """What the server sent, if this is about that."""
    inner: RealtimeModelEvent | None = getattr(event, "data", None)
    if not isinstance(inner, RealtimeModelRawServerEvent):
        return None
    raw: Event = inner.data
    return raw


def spoken(item: RealtimeItem) -> str:
    """The words of a turn of the agent."""
    assert isinstance(item, AssistantMessageItem)
    return "".join((part.transcript if part.type == "audio" else part.text) or "" for part in item.content)


@asynccontextmanager
async def calling_agent(served: Served, *tools: FunctionTool) -> AsyncIterator[Call]:
    """A session with an agent of the package, its settings the package's own."""
    agent: RealtimeAgent[Any] = RealtimeAgent(name="companion", instructions="Talk with me.", tools=list(tools))
    playback = RealtimePlaybackTracker()
    session = await RealtimeRunner(agent).run(
        model_config={"api_key": TOKEN, "url": f"{served.realtime}?model=tandem", "playback_tracker": playback}
    )
    async with session, aclosing(aiter(session)) as events:  # type: ignore[type-var]
        yield Call(session, events, playback)

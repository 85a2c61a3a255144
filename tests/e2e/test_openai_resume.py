"""The stock `openai` client is cut off and dials again with its session's id, by its own hook: the conversation goes on
where it was, nothing is lost and nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.websocket_reconnection import ReconnectingEvent, ReconnectingOverrides

from tandem_models.signal import WIRE_RATE

from .conftest import STORY, TOKEN
from .cutting import Network, network
from .serving import Served
from .stock import Talk, talking
from .talking import SILENCE, tone

BETWEEN = 30
"""Audio deltas into the story: two seconds and a half of it"""
LOST = 50_000
"""Bytes: about three quarters of a second of the story"""


class Resuming(Talk[AsyncRealtimeConnection]):
    """A talk that dials again; `dialled` counts how often."""

    def __init__(self, connection: AsyncRealtimeConnection, receive: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(connection, receive)
        self.cut_off = asyncio.Event()
        self.dialled = 0

    @property
    def session_id(self) -> str:
        """As the server named it first."""
        identity: str = self.events[0].session.id
        return identity

    def again(self, _: ReconnectingEvent) -> ReconnectingOverrides:
        """What the next call adds to its address: the session, and how much of it has arrived."""
        self.dialled += 1
        self.cut_off.set()
        return {"extra_query": {"session_id": self.session_id, **self.arrived()}}

    def arrived(self) -> dict[str, object]:
        """Nothing of that, unless a test says so: most programs will not."""
        return {}


class Counting(Resuming):
    """A talk that says what it was told last."""

    def arrived(self) -> dict[str, object]:
        return {"last_event_id": self.events[-1].event_id}


@asynccontextmanager
async def resuming(served: Served, kind: type[Resuming] = Resuming) -> AsyncIterator[tuple[Resuming, Network]]:
    """A connection that may be cut, past its session.created."""
    talks: list[Resuming] = []
    async with network(served.port) as net:
        client = AsyncOpenAI(api_key=TOKEN, base_url=f"http://127.0.0.1:{net.port}/v1", max_retries=0)
        manager = client.realtime.connect(
            model="tandem", on_reconnecting=lambda event: talks[0].again(event), initial_delay=0.05, max_delay=0.5
        )
        async with client, manager as connection, aclosing(aiter(connection)) as events:  # type: ignore[type-var]
            talks.append(kind(connection, events.__anext__))
            assert (await talks[0].until("session.created")).session.id
            yield talks[0], net


@pytest.fixture(scope="module")
def whole(talkative_server: Served) -> bytes:
    """The story as it sounds when nobody is cut off."""

    async def listen() -> bytes:
        async with talking(talkative_server, TOKEN) as talk:
            await talk.hear(tone(0.8) + SILENCE)
            await talk.until("response.done")
        return talk.pcm()

    return asyncio.run(listen())


def check_whole(talk: Resuming, whole: bytes) -> None:
    """What was told of the only reply, before and after, is all of it, once."""
    [created] = talk.of("response.created")
    [done] = talk.of("response.done")
    assert done.response.id == created.response.id
    assert done.response.status == "completed"
    assert "".join(event.delta for event in talk.of("response.output_audio_transcript.delta")).strip() == STORY
    assert len(talk.pcm()) == len(whole)
    assert talk.pcm() == whole
    identities = [event.event_id for event in talk.events]
    assert len(identities) == len(set(identities))
    assert not talk.of("error")


@pytest.mark.parametrize("deltas", [1, BETWEEN], ids=["as_the_agent_begins", "while_the_agent_speaks"])
async def test_reply_goes_on_where_it_was_cut(talkative_server: Served, whole: bytes, deltas: int) -> None:
    async with resuming(talkative_server) as (talk, net):
        await talk.hear(tone(0.8) + SILENCE)
        for _ in range(deltas):
            await talk.until("response.output_audio.delta")
        await net.wires[0].cut()
        await talk.until("response.done")
    assert talk.dialled == 1
    assert {event.session.id for event in talk.of("session.created")} == {talk.session_id}
    assert len(talk.pcm()) > 2 * WIRE_RATE
    check_whole(talk, whole)


async def test_reply_goes_on_after_being_cut_again(talkative_server: Served, whole: bytes) -> None:
    async with resuming(talkative_server) as (talk, net):
        await talk.hear(tone(0.8) + SILENCE)
        for number in range(3):
            while len(talk.of("response.output_audio.delta")) < 1 + number * BETWEEN:
                await talk.until("response.output_audio.delta")
            await net.wires[-1].cut()
        await talk.until("response.done")
    assert talk.dialled == 3
    check_whole(talk, whole)


async def test_what_the_network_lost_is_sent_again(talkative_server: Served, whole: bytes) -> None:
    """Nobody but the client can know how much that was, so it says what it was told last."""
    async with resuming(talkative_server, Counting) as (talk, net):
        await talk.hear(tone(0.8) + SILENCE)
        for _ in range(BETWEEN):
            await talk.until("response.output_audio.delta")
        await net.wires[0].lose(LOST)
        await talk.until("response.done")
    check_whole(talk, whole)


async def test_user_is_cut_off_in_mid_sentence(fake_server: Served) -> None:
    """What is said while the line is down is sent when it is up again: the turn is one, and all of it is heard."""
    async with resuming(fake_server) as (talk, net):
        await talk.hear(tone(0.8))
        await talk.connection.session.update(session={"type": "realtime"})
        await talk.until("session.updated")  # all that was said has arrived
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(talk.until("response.done"))
            await net.wires[0].cut()
            await talk.cut_off.wait()
            await talk.hear(tone(0.8) + SILENCE)
        [stopped] = talk.of("input_audio_buffer.speech_stopped")
        assert 1600 < stopped.audio_end_ms <= 2600
        assert len(talk.of("input_audio_buffer.committed")) == 1
        turns = fake_server.get(f"/v1/conversations/{talk.session_id}").json()["turns"]
    assert [turn["role"] for turn in turns] == ["user", "agent"]
    assert not talk.of("error")


async def test_conversation_is_remembered(talkative_server: Served) -> None:
    """Cut off between two turns: the items are there, and the next turn follows the last."""
    async with resuming(talkative_server) as (talk, net):
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Keep this."}]}
        )
        kept = (await talk.until("conversation.item.done")).item
        async with asyncio.TaskGroup() as tasks:
            answered = tasks.create_task(talk.until("conversation.item.retrieved", "error"))
            await net.wires[0].cut()
            await talk.cut_off.wait()
            await talk.connection.conversation.item.retrieve(item_id=kept.id)
        retrieved = answered.result()
        assert retrieved.type == "conversation.item.retrieved", retrieved
        assert retrieved.item.content[0].text == "Keep this."
        await talk.hear(tone(0.8) + SILENCE)
        assert (await talk.until("input_audio_buffer.committed")).previous_item_id == kept.id
    assert talk.dialled == 1

"""Clients of before the GA protocol, over a real socket: the stock `openai` client's own beta connection."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.beta.realtime.realtime import AsyncRealtimeConnection

from tandem_models.signal import WIRE_RATE, pcm16_to_float

from .serving import Served
from .talking import CHUNK, PATIENCE, SILENCE, calling, encoded, loudness, tone

NEW_NAMES = ("response.output_audio", "response.output_text", "conversation.item.added", "conversation.item.done")


def client_of(served: Served) -> AsyncOpenAI:
    """Its beta connection takes TLS for granted unless it is told the socket's address."""
    return AsyncOpenAI(api_key="not-needed", websocket_base_url=f"ws://127.0.0.1:{served.port}/v1", max_retries=0)


async def until(connection: AsyncRealtimeConnection, kind: str) -> list[Any]:
    """Everything up to the first event of a kind."""
    events: list[Any] = []
    async with asyncio.timeout(PATIENCE):
        while not events or events[-1].type != kind:
            events.append(await connection.recv())
    return events


async def test_stock_beta_client_holds_a_spoken_conversation(fake_server: Served) -> None:
    async with (
        client_of(fake_server) as client,
        client.beta.realtime.connect(model="gpt-4o-realtime-preview") as connection,
    ):
        created = (await until(connection, "session.created"))[0].session
        await connection.session.update(session={"modalities": ["text", "audio"], "temperature": 0.8, "voice": "alloy"})
        updated = (await until(connection, "session.updated"))[-1].session
        pcm = tone(1.0) + SILENCE
        for start in range(0, len(pcm), CHUNK):
            await connection.input_audio_buffer.append(audio=encoded(pcm[start : start + CHUNK]))
        events = await until(connection, "response.done")

    assert created.modalities == updated.modalities == ["audio", "text"]
    assert (created.input_audio_format, created.output_audio_format) == ("pcm16", "pcm16")
    assert updated.turn_detection.interrupt_response is True
    kinds = [event.type for event in events]
    assert not [kind for kind in kinds if kind.startswith(NEW_NAMES)]
    assert "error" not in kinds
    item = kinds.index("conversation.item.created", kinds.index("response.created"))
    assert item < kinds.index("response.content_part.added") < kinds.index("response.audio.delta")
    part = next(event for event in events if event.type == "response.content_part.added").part
    assert (part.type, part.transcript) == ("audio", "")
    response = events[-1].response
    said = "".join(event.delta for event in events if event.type == "response.audio_transcript.delta").strip()
    assert (response.status, response.output[0].content[0].type) == ("completed", "audio")
    assert response.output[0].content[0].transcript == said != ""
    audio = b"".join(base64.b64decode(event.delta) for event in events if event.type == "response.audio.delta")
    assert len(audio) > WIRE_RATE
    assert loudness(pcm16_to_float(audio)) > 0.01


async def test_stock_beta_client_types_and_reads(fake_server: Served) -> None:
    async with (
        client_of(fake_server) as client,
        client.beta.realtime.connect(model="gpt-4o-realtime-preview") as connection,
    ):
        await connection.session.update(session={"modalities": ["text"]})
        content: Any = [{"type": "text", "text": "Hello."}]
        await connection.conversation.item.create(item={"type": "message", "role": "assistant", "content": content})
        created = (await until(connection, "conversation.item.created"))[-1]
        await connection.response.create()
        events = await until(connection, "response.done")

    assert created.item.content[0].type == "text"
    assert created.item.content[0].text == "Hello."
    said = "".join(event.delta for event in events if event.type == "response.text.delta").strip()
    assert said
    assert events[-1].response.output[0].content[0].text == said
    assert events[-1].response.modalities == ["text"]


async def test_mistake_is_told_in_the_clients_own_words(fake_server: Served) -> None:
    async with calling(fake_server.realtime, additional_headers={"OpenAI-Beta": "realtime=v1"}) as caller:
        await caller.send(
            "session.update", event_id="e1", session={"turn_detection": {"type": "server_vad", "threshold": 7}}
        )
        error = (await caller.until("error"))["error"]
        await caller.send("session.update", event_id="e2", session={"input_audio_format": "opus"})
        other = (await caller.until("error"))["error"]

    assert (error["event_id"], error["param"]) == ("e1", "session.turn_detection.threshold")
    assert (other["event_id"], other["param"]) == ("e2", "session.input_audio_format.type")


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (["realtime", "openai-insecure-api-key.x", "openai-beta.realtime-v1"], "realtime"),
        (["openai-beta.realtime-v1"], "openai-beta.realtime-v1"),
    ],
)
async def test_browser_asks_for_the_beta_by_subprotocol(fake_server: Served, offered: list[str], answered: str) -> None:
    async with calling(fake_server.realtime, subprotocols=offered) as caller:
        assert caller.socket.subprotocol == answered
        assert caller.events[0]["session"]["modalities"] == ["audio", "text"]

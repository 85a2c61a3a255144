"""A caller on a real socket: says things, and waits (never longer than allowed) for what it is told."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from websockets.asyncio.client import ClientConnection, connect

from tandem_models.signal import WIRE_RATE, Audio, float_to_pcm16, pcm16_to_float, resample

Event = dict[str, Any]
PATIENCE: Final = 30.0
"""Seconds to wait for an event on a busy machine."""
CHUNK: Final = 2 * WIRE_RATE // 10
SILENCE: Final = bytes(2 * WIRE_RATE)
"""One second."""
AUDIBLE: Final = 0.01
"""Root mean square of quiet speech"""


def tone(seconds: float, level: float = 0.3, pitch: float = 150.0) -> bytes:
    """What the fake voice activity takes for speech: pcm16 at WIRE_RATE."""
    time = np.arange(round(seconds * WIRE_RATE)) / WIRE_RATE
    buzz = np.sum([np.sin(2 * np.pi * pitch * harmonic * time) / harmonic for harmonic in range(1, 8)], axis=0)
    return float_to_pcm16((level * buzz / 2.0).astype(np.float32))


def recording(path: Path) -> bytes:
    """A file as pcm16 at WIRE_RATE."""
    audio, rate = soundfile.read(path, dtype="float32")
    return float_to_pcm16(resample(np.asarray(audio, np.float32), rate, WIRE_RATE))


def encoded(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode("ascii")


class Caller:
    """One connection; `events` is everything it was told, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[Event] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self, pcm: bytes) -> None:
        """Audio as fast as the server takes it."""
        for start in range(0, len(pcm), CHUNK):
            await self.send("input_audio_buffer.append", audio=encoded(pcm[start : start + CHUNK]))

    async def next(self, within: float = PATIENCE) -> Event:
        async with asyncio.timeout(within):
            message = await self.socket.recv()
        event: Event = json.loads(message) if isinstance(message, str) else {"type": "binary", "data": message}
        self.events.append(event)
        return event

    async def until(self, *kinds: str, within: float = PATIENCE) -> Event:
        """The next event of one of these kinds."""
        async with asyncio.timeout(within):
            while True:
                event = await self.next(within)
                if event["type"] in kinds:
                    return event

    async def type(self, text: str, role: str = "user") -> Event:
        """A typed item, and what the server made of it."""
        part = "input_text" if role != "assistant" else "output_text"
        await self.send(
            "conversation.item.create",
            item={"type": "message", "role": role, "content": [{"type": part, "text": text}]},
        )
        event = await self.until("conversation.item.done", "error")
        assert event["type"] == "conversation.item.done", event
        item: Event = event["item"]
        return item

    async def update(self, **session: Any) -> Event:
        await self.send("session.update", session={"type": "realtime", **session})
        event = await self.until("session.updated", "error")
        assert event["type"] == "session.updated", event
        updated: Event = event["session"]
        return updated

    async def turn(self, pcm: bytes) -> Event:
        """Speak, fall silent, and wait for the whole answer: its response.done."""
        await self.hear(pcm + SILENCE)
        return await self.until("response.done")

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def audio(self, response_id: str | None = None) -> Audio:
        """What the agent said, at WIRE_RATE."""
        deltas = self.of("response.output_audio.delta")
        pcm = b"".join(
            base64.b64decode(event["delta"])
            for event in deltas
            if response_id is None or event["response_id"] == response_id
        )
        return pcm16_to_float(pcm)


@asynccontextmanager
async def calling(url: str, *, created: bool = True, **options: Any) -> AsyncIterator[Caller]:
    """A connection, past its session.created."""
    async with connect(url, max_size=None, compression=None, open_timeout=PATIENCE, **options) as socket:
        caller = Caller(socket)
        if created:
            assert (await caller.next())["type"] == "session.created"
        yield caller


def loudness(audio: Audio) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))) if len(audio) else 0.0

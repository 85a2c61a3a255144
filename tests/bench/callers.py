"""People who call a server: recordings played in real time, and how long each waits for the answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import soundfile
from websockets.asyncio.client import ClientConnection, connect

from tandem_models.signal import SAMPLE_RATE, WIRE_RATE, Audio, float_to_pcm16, pcm16_to_float, resample
from tandem_server.contract import AudioFrame

FRAMES_PER_SECOND: Final = 50
AUDIBLE: Final = 0.01
QUIET_BELOW: Final = 10.0 ** (-35.0 / 20.0)
"""Of the recording's loudest 10 ms: what is softer is not speech."""
PATIENCE: Final = 6
"""Seconds after the end of the recording in which there has to be an answer"""
LISTENS: Final = 2.0
"""Seconds from the first audible byte to hanging up, when callers of different servers are to stay equally long."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One utterance at WIRE_RATE and the sample after its last speech."""

    number: int
    audio: Audio
    speech_end: int


@dataclass(slots=True)
class Figures:
    """What was measured in one setting; milliseconds."""

    waits: list[tuple[int, float]] = field(default_factory=list)
    """With the number of the recording"""
    stages: list[dict[str, float]] = field(default_factory=list)
    unanswered: int = 0
    cut_off: int = 0
    """Utterances answered before their end"""


class Wire(Protocol):
    """How a server wants to be spoken to."""

    rate: int
    """Hertz of the audio sent"""
    opening: Sequence[str]
    """Messages before the first audio"""
    ending: Sequence[str]
    """Messages after the last speech"""

    def frame(self, number: int, pcm: bytes) -> bytes:
        """A fiftieth of a second of pcm16 as it is sent."""

    def pcm(self, message: bytes) -> bytes:
        """The pcm16 of a binary message received."""


class Realtime:
    """Ours: OpenAI Realtime events with binary audio frames. Without a VAD the client says when the turn is over."""

    rate = WIRE_RATE

    def __init__(self, vad: dict[str, Any] | None) -> None:
        audio = {"input": {"turn_detection": vad}}
        session = {"type": "realtime", "tandem": {"audio_frames": "binary"}, "audio": audio}
        self.opening: Sequence[str] = (json.dumps({"type": "session.update", "session": session}),)
        committing = ("input_audio_buffer.commit", "response.create")
        self.ending: Sequence[str] = () if vad is not None else tuple(json.dumps({"type": name}) for name in committing)

    def frame(self, number: int, pcm: bytes) -> bytes:
        return AudioFrame("input", number, number * 1000 / FRAMES_PER_SECOND, pcm).encode()

    def pcm(self, message: bytes) -> bytes:
        return AudioFrame.decode(message).pcm


class Raw:
    """pipecat_server.py's: bare pcm16."""

    rate = SAMPLE_RATE
    opening: Sequence[str] = ()
    ending: Sequence[str] = ()

    def frame(self, number: int, pcm: bytes) -> bytes:
        return pcm

    def pcm(self, message: bytes) -> bytes:
        return message


def recordings(folder: Path, most: int) -> list[Recording]:
    """Utterances of 1 to 6 s from the shared recordings, read sentences and commands mixed."""
    found = []
    for path in sorted(folder.rglob("*.flac")):
        info = soundfile.info(path)
        if 1.0 <= info.duration <= 6.0:
            found.append(path)
    chosen = found[:: max(len(found) // most, 1)][:most]
    return [_recording(number, path) for number, path in enumerate(chosen)]


def _recording(number: int, path: Path) -> Recording:
    data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    audio = resample(np.ascontiguousarray(data[:, 0]), rate, WIRE_RATE)
    hop = WIRE_RATE // 100
    levels = np.sqrt(np.mean(audio[: len(audio) // hop * hop].reshape(-1, hop) ** 2, axis=1))
    last = int(np.flatnonzero(levels > QUIET_BELOW * levels.max())[-1])
    lead = np.zeros(WIRE_RATE * 3 // 10, np.float32)
    return Recording(number, np.concatenate([lead, audio]), len(lead) + (last + 1) * hop)


class Caller:
    """Somebody who says one thing after the other and waits for each answer, and with `listens` for that many seconds
    of it; otherwise until the server says that it is complete.
    """

    def __init__(self, url: str, wire: Wire, figures: Figures, listens: float | None = None) -> None:
        self._url = url
        self._wire = wire
        self._figures = figures
        self._listens = listens
        self._sent_last = 0.0
        self._answered = asyncio.Event()
        self._heard = 0.0

    async def talk(self, spoken: Sequence[Recording]) -> None:
        """Say them all, each over a connection of its own: they are different people."""
        for recording in spoken:
            audio = resample(recording.audio, WIRE_RATE, self._wire.rate)
            async with connect(self._url, max_size=None, compression=None) as socket:
                for message in self._wire.opening:
                    await socket.send(message)
                self._answered.clear()
                self._heard = self._sent_last = 0.0
                reader = asyncio.create_task(self._read(socket, recording.number))
                await self._say(socket, audio, recording.speech_end / WIRE_RATE)
                reader.cancel()

    async def _say(self, socket: ClientConnection, audio: Audio, speech_end: float) -> None:
        """`audio` (T,) at the wire's rate and silence after it; `speech_end` in seconds."""
        size, begun, number = self._wire.rate // FRAMES_PER_SECOND, time.perf_counter(), 0
        while not self._done():
            piece = audio[number * size : (number + 1) * size]
            await socket.send(self._wire.frame(number, float_to_pcm16(np.pad(piece, (0, size - len(piece))))))
            number += 1
            if not self._sent_last and number >= speech_end * FRAMES_PER_SECOND:
                self._sent_last = time.perf_counter()
                for message in self._wire.ending:
                    await socket.send(message)
            waited = number * size - len(audio) > PATIENCE * self._wire.rate
            if waited and (self._listens is None or not self._heard):
                self._figures.unanswered += 1
                return
            await asyncio.sleep(max(begun + number / FRAMES_PER_SECOND - time.perf_counter(), 0.0))

    def _done(self) -> bool:
        if self._listens is None:
            return self._answered.is_set()
        return bool(self._heard) and time.perf_counter() > self._heard + self._listens

    async def _read(self, socket: ClientConnection, number: int) -> None:
        async for message in socket:
            if isinstance(message, str):
                self._note(json.loads(message))
            elif not self._heard and np.abs(pcm16_to_float(self._wire.pcm(message))).max() > AUDIBLE:
                self._heard = time.perf_counter()
                if self._sent_last:
                    self._figures.waits.append((number, (self._heard - self._sent_last) * 1000.0))
                else:
                    self._figures.cut_off += 1

    def _note(self, event: dict[str, Any]) -> None:
        if event["type"] == "tandem.latency":
            self._figures.stages.append(event["stages_ms"])
        elif event["type"] == "response.done":
            self._answered.set()

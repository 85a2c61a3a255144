"""What a session works with, and what it may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from tandem_models.extract import PitchRange
from tandem_server.errors import EngineTimeout
from tandem_server.experiment import Plan
from tandem_server.metering import Meter, Unmetered
from tandem_server.record.records import TurnStore
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.protocols import (
    Learner,
    Recogniser,
    RecogniserStream,
    Responder,
    TurnModel,
    Voice,
    VoiceActivity,
    VoiceActivityEngine,
)
from tandem_server.workers import Workers

T = TypeVar("T")
OPENING: Final = 40.0
"""Seconds that an engine may take to be ready for a caller: a model may have to come from a cold disk again."""
CLOSING: Final = 10.0
"""Seconds that it may take to let a caller go"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may take."""

    duration: float = 3600.0
    """Seconds"""
    idle: float = 600.0
    """Seconds without a message from the client"""
    away: float = 30.0
    """Seconds that a client that was cut off may take to come back"""
    audio_rate: float = 10.0
    """How many times as fast as it is spoken audio may come in the long run"""
    audio_burst: float = 60.0
    """Seconds of audio that may come at once"""
    audio_age: float = 30.0
    """Seconds that audio may wait to be heard, at that rate: all the pcm16 that one message holds waits 26"""
    message_rate: float = 1000.0
    """Messages a second in the long run: twenty times as many as a client that speaks sends"""
    message_burst: float = 5000.0


@dataclass(frozen=True, slots=True)
class Engines:
    """What a session works with; shared by all sessions."""

    vad: VoiceActivityEngine
    recogniser: Recogniser
    responder: Responder
    voice: Voice
    agent: AgentVoice
    voice_range: PitchRange
    """Where the agent's own pitch is searched for"""
    workers: Workers
    store: TurnStore
    software_version: str
    meter: Meter = field(default_factory=Unmetered)
    plan: Plan | None = None
    """Of the experiment that is run"""
    turn_model: TurnModel | None = None
    """Ends of turns are told by silence, words and prosody alone without one"""
    learner: Learner | None = None
    """Of the strategy `neural`"""

    async def detector(self) -> VoiceActivity:
        """For one caller; to be released. Raises EngineUnavailable and EngineTimeout."""
        return await _in_time(self.vad.open(), "vad")

    async def stream(self, on_partial: Callable[[str], None]) -> RecogniserStream:
        """For one caller; to be closed. Raises EngineUnavailable and EngineTimeout."""
        return await _in_time(self.recogniser.open(on_partial), "asr")

    async def give_back(self, stream: RecogniserStream) -> None:
        """Close it; one that cannot be closed keeps nobody's place."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await stream.close()

    def names(self) -> dict[str, str]:
        """Stage -> engine, for people."""
        return {
            "vad": self.vad.name,
            "asr": self.recogniser.name,
            "response": self.responder.name,
            "voice": self.voice.name,
            "turn": self.turn_model.name if self.turn_model else "silence, words and melody",
        }


async def _in_time(opening: Coroutine[Any, Any, T], stage: str) -> T:
    try:
        async with asyncio.timeout(OPENING):
            return await opening
    except TimeoutError:
        raise EngineTimeout(f"no {stage} engine was ready within {OPENING:g} s; try again", stage=stage) from None

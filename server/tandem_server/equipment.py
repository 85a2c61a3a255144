"""What a session works with, and what it may take."""

from __future__ import annotations

from dataclasses import dataclass

from tandem_models.extract import PitchRange
from tandem_server.record.records import TurnStore
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.protocols import Recogniser, Responder, Voice, VoiceActivityEngine
from tandem_server.workers import Workers


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may take."""

    duration: float = 3600.0
    """Seconds"""
    idle: float = 600.0
    """Seconds without a message from the client"""
    away: float = 30.0
    """Seconds that a client that was cut off may take to come back"""


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

    def names(self) -> dict[str, str]:
        """Stage -> engine, for people."""
        return {
            "vad": self.vad.name,
            "asr": self.recogniser.name,
            "response": self.responder.name,
            "voice": self.voice.name,
        }

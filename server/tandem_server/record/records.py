"""What is kept of a conversation, as plain data, and what a store must do. No database here: the core builds these."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from tandem_server.errors import StoreError
from tandem_server.stages.protocols import Word

JsonObject = Mapping[str, object]
"""Whatever JSON can hold; never NaN or infinity."""
Features = Mapping[str, float | None]
"""Feature name -> value on the registry's scale; None is missing."""
TurnRole = Literal["user", "agent"]
TurnStatus = Literal["completed", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """One conversation and everything needed to repeat it. Raises ValueError for a number JSON cannot hold."""

    id: str
    started_at: datetime
    """With its time zone."""
    user_id: str | None = None
    ended_at: datetime | None = None
    settings: JsonObject = field(default_factory=dict)
    engines: Mapping[str, str] = field(default_factory=dict)
    """Stage -> the engine's name."""
    software_version: str = ""
    extractor_version: str = ""

    def __post_init__(self) -> None:
        require_zone("started_at", self.started_at)
        require_zone("ended_at", self.ended_at)
        require_finite("settings", self.settings)


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn of either side. Raises ValueError for a number JSON cannot hold or a turn that ends before it starts."""

    id: str
    conversation_id: str
    index: int
    """Place in the conversation, from 0; no two turns share it."""
    role: TurnRole
    item_id: str
    """The conversation item of the Realtime protocol that carries this turn."""
    started_ms: int
    """Milliseconds on the session's sample clock"""
    ended_ms: int
    text: str
    heard_text: str | None = None
    """Agent only: what had been played when it was interrupted; None when all was."""
    words: tuple[Word, ...] = ()
    features: Features = field(default_factory=dict)
    """As measured."""
    z: Features = field(default_factory=dict)
    """As measured, in the speaker's own units."""
    target: Features = field(default_factory=dict)
    """Agent only, as are the next two: what the voice was asked for."""
    target_z: Features = field(default_factory=dict)
    realised: Features = field(default_factory=dict)
    """What its audio measured."""
    strategy: str | None = None
    strategy_settings: JsonObject = field(default_factory=dict)
    latencies: Mapping[str, float] = field(default_factory=dict)
    """Stage -> milliseconds"""
    status: TurnStatus = "completed"
    flags: JsonObject = field(default_factory=dict)
    created_at: datetime | None = None
    """When it was first stored, UTC; the store fills it in."""

    def __post_init__(self) -> None:
        if self.ended_ms < self.started_ms:
            raise ValueError(f"turn {self.id} ends at {self.ended_ms} ms, before it starts at {self.started_ms} ms")
        require_zone("created_at", self.created_at)
        require_finite("words", [[word.start, word.end] for word in self.words])
        for name in ("features", "z", "target", "target_z", "realised", "strategy_settings", "latencies", "flags"):
            require_finite(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class SpeakerRecord:
    """What is remembered of a person between conversations. Raises ValueError for a number JSON cannot hold."""

    user_id: str
    normaliser: JsonObject
    """The posterior, as `Normaliser` writes it."""
    pitch_range: JsonObject
    updated_at: datetime

    def __post_init__(self) -> None:
        require_zone("updated_at", self.updated_at)
        require_finite("normaliser", self.normaliser)
        require_finite("pitch_range", self.pitch_range)


def ignore(_: StoreError) -> None:
    """Nobody asked."""


class TurnStore(Protocol):
    """Keeps conversations. Every method raises StoreError when it could not do its work."""

    async def open_conversation(self, record: ConversationRecord) -> None:
        """Begin a conversation, or begin it again under the same id (a resumed session)."""

    async def close_conversation(self, conversation_id: str, ended_at: datetime) -> None:
        """Mark it as over; one that is not known is a StoreError."""

    async def record_turn(self, turn: TurnRecord) -> None:
        """Returns when the turn is safe from a crash of this process. The same id again replaces the turn."""

    async def turns(self, conversation_id: str, after: int = -1, limit: int | None = None) -> list[TurnRecord]:
        """In order, those whose index is above `after`, at most `limit`; empty for a conversation that is not known."""

    async def conversation(self, conversation_id: str) -> ConversationRecord | None: ...

    async def conversations(
        self,
        limit: int = 50,
        after: str | None = None,
        user_id: str | None = None,
        damaged: Callable[[StoreError], None] = ignore,
    ) -> list[ConversationRecord]:
        """Newest first; `after` is the id of the last one already seen, and a ClientError when it is not known. Of one
        user only, if one is named. One that cannot be read is left out, and `damaged` is told of it."""

    async def load_speaker(self, user_id: str) -> SpeakerRecord | None: ...

    async def save_speaker(self, speaker: SpeakerRecord) -> None:
        """Remember a person, in place of what was remembered."""

    async def close(self) -> None:
        """Finish what is being written, then let go; idempotent."""


def require_finite(name: str, value: object) -> None:
    """Raises ValueError when NaN or infinity hides anywhere in a JSON-like value."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} holds {value}, which JSON cannot; what is missing is None")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            require_finite(f"{name}.{key}", inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            require_finite(name, inner)


def require_zone(name: str, moment: datetime | None) -> None:
    """Raises ValueError for a time without a zone: nobody could say later when that was."""
    if moment is not None and moment.utcoffset() is None:
        raise ValueError(f"{name} has no time zone")

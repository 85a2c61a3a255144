"""One turn of the user while it is being heard, and what the agent's half is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tandem_server import turn
from tandem_server.conversation_events import Finalised
from tandem_server.stages.entrain import UserScores
from tandem_server.turn_wire import TurnWire


@dataclass(frozen=True, slots=True)
class UserBegan:
    """The user speaks; whatever is playing may be interrupted."""


@dataclass(frozen=True, slots=True)
class UserPaused:
    """The user may have finished: what there would be to answer."""

    text: str
    scores: UserScores | None
    """None when the turn could not be measured"""


@dataclass(frozen=True, slots=True)
class UserWentOn:
    """The user had not finished."""


@dataclass(frozen=True, slots=True)
class UserTookBack:
    """The turn never was: the client has cleared it."""


@dataclass(frozen=True, slots=True)
class UserFinished:
    """A turn is over and understood as far as it will be."""

    text: str
    understood: bool
    """False when recognition failed."""
    substantial: bool
    """False for a cough or a noise: nothing to answer."""
    ended: float
    """Wall clock (seconds) when the turn was closed"""
    stages_ms: Mapping[str, float]
    """endpoint, transcript, ... so far"""


Notice = UserBegan | UserPaused | UserWentOn | UserTookBack | UserFinished


@dataclass(slots=True)
class UserTurn:
    """One turn on its way to becoming an item."""

    wire: TurnWire
    start: int
    """First sample, padding included"""
    announced: bool
    """`speech_started` was sent, so that `speech_stopped` must be"""
    generation: int = 0
    """Pauses finalised so far"""
    pauses: int = 0
    """How often the user fell silent, however briefly"""
    settled: bool = False
    """Nothing has been said since the last Finalise"""
    result: Finalised | None = None
    """The answer to the last Finalise"""
    closed: turn.CloseTurn | None = None
    closed_now: float = 0.0
    last_words: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """Words already sent as deltas; deltas cannot be taken back"""
    echo: int = 0
    """Frames of the agent's voice that were taken for no speech (or would have been) since the turn before"""

    @property
    def item_id(self) -> str:
        """Of the item it will be."""
        return self.wire.item_id

"""One reply of the agent while it is being made: what it is to be, how far it has come, and what is kept of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tandem_models.prosody import INDEX, Prosody
from tandem_server import reply
from tandem_server.conversation_events import ReplyMeasured
from tandem_server.items import Item
from tandem_server.listening import UserFinished
from tandem_server.record.records import TurnRecord, TurnStatus
from tandem_server.reply_wire import ReplyWire
from tandem_server.settings import Settings
from tandem_server.shared_state import SharedState, by_name, milliseconds
from tandem_server.stages.entrain import NEUTRAL, Scores
from tandem_server.stages.protocols import Word
from tandem_server.stages.sentences import PhraseSplitter

_STATUS: Final[Mapping[reply.Status, TurnStatus]] = {
    "completed": "completed",
    "cancelled": "interrupted",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """Why and how to reply; None means as the session says."""

    to: UserFinished | None = None
    """The turn that is answered, for the latency figures."""
    say: str | None = None
    """Words to be spoken as they are, without asking the responder."""
    instructions: str | None = None
    text_only: bool | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(slots=True)
class Reply:
    """The reply that is live, or was last."""

    number: int
    request: ReplyRequest
    settings: Settings
    """As they were when it began"""
    wire: ReplyWire
    item: Item
    begun: float
    """Wall clock (seconds)"""
    waits: bool = False
    """For the words of a turn that is closed already"""
    drafted: bool = False
    """It was prepared while the user paused"""
    target: Scores = NEUTRAL
    asked: Prosody | None = None
    """The target in physical units"""
    splitter: PhraseSplitter = field(default_factory=PhraseSplitter)
    phrases: list[str] = field(default_factory=list)
    """Handed to the voice"""
    shown: int = 0
    """Phrases whose text has been sent"""
    text: str = ""
    """Sent so far"""
    sent: int = 0
    """Samples at WIRE_RATE sent so far"""
    audible_from: int | None = None
    """Sample heard when the first audio was sent"""
    stages: dict[str, float] = field(default_factory=dict)
    first_phrase: float | None = None
    measured: ReplyMeasured | None = None
    cancelled: reply.CancelReason | None = None
    error: str | None = None


def record(live: Reply, shared: SharedState, status: reply.Status, realised: Scores | None) -> TurnRecord:
    """The reply as it is kept."""
    tandem = live.settings.tandem
    started = milliseconds(live.audible_from if live.audible_from is not None else shared.heard)
    heard_ms = live.item.audio_ms if live.item.heard_ms is None else live.item.heard_ms
    measured = live.measured.measured if live.measured else None
    features = by_name(measured.prosody.values) if measured else {}
    limits = list(live.measured.limits) if live.measured else []
    return TurnRecord(
        id=f"turn_{live.item.id}",
        conversation_id=shared.session_id,
        index=shared.turn_index(),
        role="agent",
        item_id=live.item.id,
        started_ms=started,
        ended_ms=started + heard_ms,
        text=live.item.text or "",
        heard_text=None if live.item.heard_ms is None else live.item.heard_text,
        words=tuple(Word(w.text, w.start + started / 1000, w.end + started / 1000) for w in live.item.words),
        features=features,
        z=by_name(realised) if realised else {},
        target=by_name(live.asked.values) if live.asked else {},
        target_z=by_name(live.target) if live.asked else {},
        realised=features,
        strategy=tandem.strategy,
        strategy_settings={"strength": tandem.strength, "features": tandem.features},
        latencies=live.stages,
        status=_STATUS[status],
        flags={"limits": limits, "drafted": live.drafted, **({"error": live.error} if live.error else {})},
    )


def with_speed(target: Prosody, speed: float) -> Prosody:
    """The target, spoken so many times as fast: the session's `audio.output.speed`."""
    values = list(target.values)
    rate = values[INDEX["rate"]]
    if rate is not None:
        values[INDEX["rate"]] = rate + math.log(speed)
    return Prosody(tuple(values), target.version)

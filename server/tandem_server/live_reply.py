"""One reply of the agent while it is being made: what it is to be, how far it has come, and what is kept of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tandem_models.prosody import INDEX, Prosody
from tandem_models.signal import SAMPLE_RATE, WIRE_RATE
from tandem_server import reply
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import ReplyMeasured
from tandem_server.errors import ClientError
from tandem_server.items import AnyItem, Item
from tandem_server.manner_wire import MannerWire
from tandem_server.record.records import TurnRecord, TurnStatus
from tandem_server.reply_wire import ReplyWire
from tandem_server.response_output import ResponseOutput
from tandem_server.settings import Settings
from tandem_server.shared_state import SharedState, by_name, milliseconds
from tandem_server.stages.entrain import Aimed, Scores
from tandem_server.stages.protocols import CallPiece, Word
from tandem_server.stages.sentences import PhraseSplitter
from tandem_server.usage import NOTHING, Tokens
from tandem_server.user_turn import UserFinished

NOT_UNDERSTOOD: Final = "Sorry, something went wrong while I was listening. Could you say that again?"
"""Spoken when the recogniser failed."""
SAMPLES_SENT: Final = WIRE_RATE / SAMPLE_RATE
"""Samples of agent audio per sample heard."""
_STATUS: Final[Mapping[reply.Status, TurnStatus]] = {
    "completed": "completed",
    "cancelled": "interrupted",
    "incomplete": "interrupted",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """Why and how to reply."""

    to: UserFinished | None = None
    """The turn that is answered, for the latency figures."""
    say: str | None = None
    """Words to be spoken as they are, without asking the responder."""
    hint: str | None = None
    """What the responder is told besides the conversation."""
    resumes: str | None = None
    """The item that was cut off and goes on."""
    idle: bool = False
    """The user has said nothing for too long."""
    settings: Settings | None = None
    """None: as the session says."""
    context: tuple[AnyItem, ...] | None = None
    """What is answered in place of the conversation."""
    in_conversation: bool = True
    """What is said becomes part of the conversation."""
    metadata: Mapping[str, str] | None = None
    cancelled: bool = False
    """It was taken back while it waited for the end of another."""

    @property
    def unknown(self) -> bool:
        """Does it need words that may not be known yet?"""
        return self.context is None or any(isinstance(one, Item) and one.text is None for one in self.context)


def answer_to(finished: UserFinished) -> ReplyRequest:
    """The answer to a turn."""
    return ReplyRequest(to=finished, say=None if finished.understood else NOT_UNDERSTOOD)


@dataclass(slots=True)
class Reply:
    """The reply that is live, or was last."""

    number: int
    request: ReplyRequest
    settings: Settings
    """As they were when it began"""
    output: ResponseOutput
    manner: MannerWire
    begun: float
    """Wall clock (seconds)"""
    waits: bool = False
    """For the words of a turn that is closed already"""
    drafted: bool = False
    """It was prepared while the user paused"""
    read: Tokens = NOTHING
    """All that it was made from"""
    aimed: Aimed | None = None
    """None for a reply without a voice"""
    words_known: Callable[[str], Aimed] | None = None
    """Aims anew by the first words"""
    splitter: PhraseSplitter = field(default_factory=PhraseSplitter)
    phrases: list[str] = field(default_factory=list)
    """Handed to the voice"""
    shown: int = 0
    """Phrases whose text has been sent"""
    sent: int = 0
    """Samples at WIRE_RATE sent so far"""
    complete: bool = False
    """All that it has to say is known"""
    full: bool = False
    """It has as many tokens as it may have"""
    audible_from: int | None = None
    """Sample heard when the first audio was sent"""
    stages: dict[str, float] = field(default_factory=dict)
    first_phrase: float | None = None
    measured: ReplyMeasured | None = None
    cancelled: reply.CancelReason | None = None
    error: str | None = None

    @property
    def item(self) -> Item:
        """The message that it says."""
        return self.output.item

    @property
    def ends_at(self) -> int | None:
        """Sample at which the user has heard all that was sent; None when there is no sound, or it was cut off."""
        if self.audible_from is None or self.item.heard_ms is not None:
            return None
        return math.ceil(self.audible_from + self.sent / SAMPLES_SENT)

    def played(self, heard: int) -> int:
        """Samples at WIRE_RATE that the user has heard, as far as the clock (samples heard) tells."""
        if self.audible_from is None:
            return 0
        return min(round((heard - self.audible_from) * SAMPLES_SENT), self.sent)

    def stop(self, status: reply.Status, heard: int) -> int:
        """Cut it off: samples at WIRE_RATE that the user will have heard."""
        item, most = self.item, self.sent  # a client that was not told to stop plays all it has
        if item.spoken and status == "incomplete":
            item.heard_ms = item.audio_ms
        elif item.spoken and status == "cancelled":
            told = most if item.told_ms is None else item.told_ms * WIRE_RATE // 1000
            most = min(self.played(heard), told)
            item.heard_ms = most * 1000 // WIRE_RATE
        return most


def begun(number: int, request: ReplyRequest, shared: SharedState, *, waits: bool) -> Reply:
    """A reply of which nothing is known yet."""
    settings = request.settings or shared.settings
    item = Item(shared.item_id(), "assistant", spoken=not settings.text_only, text="", status="in_progress")
    place = number + 1 if number >= 0 else f"aside_{-number}"
    response_id = f"resp_{shared.session_id.removeprefix('sess_')}_{place}"
    wire = ReplyWire(shared, response_id, settings, request.metadata, request.in_conversation)
    manner = MannerWire(shared, response_id, item.id, settings.tandem.strategy)
    return Reply(number, request, settings, ResponseOutput(wire, item), manner, shared.now, waits=waits)


def callable_now(live: Reply, piece: CallPiece) -> bool:
    """May the reply make this call? Responders make up names, and call twice where once is allowed."""
    tools = live.settings.tools
    if piece.call in live.output.wanted:
        return True
    offered = any(tool.name == piece.name for tool in tools.functions)
    return offered and (tools.parallel or not live.output.wanted)


def record(live: Reply, shared: SharedState, status: reply.Status, realised: Scores | None) -> TurnRecord:
    """The reply as it is kept."""
    tandem = live.settings.tandem
    started = milliseconds(live.audible_from if live.audible_from is not None else shared.heard)
    heard_ms = live.item.audio_ms if live.item.heard_ms is None else live.item.heard_ms
    measured = live.measured.measured if live.measured else None
    features = by_name(measured.prosody.values) if measured else {}
    flags: dict[str, object] = {
        "limits": list(live.measured.limits) if live.measured else [],
        "drafted": live.drafted,
    }
    if live.error:
        flags["error"] = live.error
    if live.request.resumes:
        flags["resumes"] = live.request.resumes
    if live.request.idle:
        flags["idle_timeout"] = True
    if live.output.told:
        flags["calls"] = [{"name": one.call.name, "arguments": one.call.arguments} for one in live.output.told]
    if status == "incomplete":
        flags["cut_at_tokens"] = live.settings.max_output_tokens
    if not live.request.in_conversation:
        flags["out_of_band"] = True
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
        target=by_name(live.aimed.asked.values) if live.aimed else {},
        target_z=by_name(live.aimed.target) if live.aimed else {},
        realised=features,
        strategy=tandem.strategy,
        strategy_settings=_strategy_settings(tandem, shared),
        latencies=live.stages,
        status=_STATUS[status],
        flags=flags,
    )


def _strategy_settings(tandem: TandemSettings, shared: SharedState) -> dict[str, object]:
    """What the target was made with; a donor only where its targets were used."""
    settings: dict[str, object] = {"strength": tandem.strength, "features": tandem.features}
    if tandem.strengths:
        settings["strengths"] = tandem.strengths
    if tandem.strategy == "yoked":
        settings["donor"] = shared.donor
    if tandem.strategy == "neural":
        settings["model"] = shared.learned.name if shared.learned else None
    return settings


def cut_short(kept: TurnRecord, item: Item) -> TurnRecord | None:
    """The record of a reply of which less was heard than it says; None when all was heard."""
    if item.heard_ms is None:
        return None
    ended = kept.started_ms + item.heard_ms
    return replace(kept, ended_ms=ended, heard_text=item.heard_text, status="interrupted")


def conflict() -> ClientError:
    """Another reply is under way."""
    message = "a response is in progress; cancel it or wait for its response.done"
    return ClientError(message, code="conversation_already_has_active_response")


def with_speed(target: Prosody, speed: float) -> Prosody:
    """The target, spoken so many times as fast: the session's `audio.output.speed`."""
    values = list(target.values)
    rate = values[INDEX["rate"]]
    if rate is not None:
        values[INDEX["rate"]] = rate + math.log(speed)
    return Prosody(tuple(values), target.version)

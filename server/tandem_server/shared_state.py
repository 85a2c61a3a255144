"""What both halves of a conversation share: settings, items, what is known of either voice, and the numbering."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from openai.types.realtime import ConversationItemAdded, ConversationItemDone, RealtimeError, RealtimeErrorEvent

from tandem_models.extract import SpeakerRange
from tandem_models.normaliser import Normaliser
from tandem_models.prosody import NAMES, Prosody
from tandem_models.signal import SAMPLES_PER_MS
from tandem_server.conversation_events import Send
from tandem_server.experiment import Plan
from tandem_server.items import AnyItem, Items
from tandem_server.predictor_events import Learned
from tandem_server.settings import Settings, Wire
from tandem_server.stages.entrain import UNLIMITED, History, Reach, Scores
from tandem_server.stages.protocols import Calibration


@dataclass(frozen=True, slots=True)
class AgentVoice:
    """The agent's own scale: 0 is how its voice speaks when nothing is asked, 1 is one human within-speaker sd.

    The sd is the population's, not the engine's: a synthesiser varies far less over sentences than people do over
    turns, and z must mean the same on both sides.
    """

    normaliser: Normaliser
    reach: Reach = UNLIMITED

    @classmethod
    def of(cls, calibration: Calibration, reach: Reach = UNLIMITED) -> AgentVoice:
        """From how the voice measures when it speaks unmoved."""
        within = Prosody(tuple(math.sqrt(belief.b / belief.a) for belief in Normaliser.new().prior))
        return cls(Normaliser.from_calibration(calibration.mean, within), reach)


@dataclass(slots=True)
class SharedState:
    """Mutable; owned by one Conversation, changed by it and its two halves only."""

    session: Wire
    """The effective settings as the protocol shows them."""
    settings: Settings
    """The same, as an immutable snapshot."""
    voice: AgentVoice
    plan: Plan | None = None
    """The experiment's, if the server runs one"""
    items: Items = field(default_factory=Items)
    history: History = field(default_factory=History)
    donor: str | None = None
    """The conversation that `yoked` repeats"""
    learned: Learned | None = None
    """The strategy `neural`, once it is loaded"""
    speaker: Normaliser = field(default_factory=Normaliser.new)
    speaker_range: SpeakerRange = field(default_factory=SpeakerRange)
    heard: int = 0
    """Samples heard: the session's clock."""
    now: float = 0.0
    """Seconds of the wall clock, handed in with each news; for latency figures only, no decision reads it."""
    spoken: bool = False
    """The agent has been heard: its voice stays."""
    voice_asked: str | None = None
    """The name by which the client calls it"""
    in_progress: int = 0
    """Responses that have begun and are not done"""
    _events: int = 0
    _items: int = 0
    _calls: int = 0
    _turns: int = 0

    def meet(self, speaker: Normaliser, speaker_range: SpeakerRange) -> None:
        """This is the user who will speak."""
        self.speaker, self.speaker_range = speaker, speaker_range
        self.history = replace(self.history, speaker=speaker)

    @property
    def session_id(self) -> str:
        """The conversation's id everywhere: wire, record, logs."""
        return str(self.session["id"])

    def event_id(self) -> str:
        """A new id for a server event."""
        self._events += 1
        return f"event_{self.session_id.removeprefix('sess_')}_{self._events}"

    def item_id(self) -> str:
        """A new id for an item."""
        self._items += 1
        return f"{self.item_prefix}{self._items}"

    @property
    def item_prefix(self) -> str:
        """What the ids of our own items begin with; a client's never do."""
        return f"item_{self.session_id.removeprefix('sess_')}_"

    def call_id(self) -> str:
        """A new id for a function call: responders give theirs more than once."""
        self._calls += 1
        return f"call_{self.session_id.removeprefix('sess_')}_{self._calls}"

    def turn_index(self) -> int:
        """The place of the next recorded turn."""
        self._turns += 1
        return self._turns - 1

    def add(self, item: AnyItem, after: str | None = None) -> tuple[str | None, Send]:
        """Put the item into the conversation: the id before it, and what to tell the client."""
        previous = self.items.add(item, after)
        event = ConversationItemAdded(
            type="conversation.item.added", event_id=self.event_id(), item=item.wire(), previous_item_id=previous
        )
        return previous, Send(event)

    def done(self, item: AnyItem, previous: str | None) -> Send:
        """Tell the client that an item will not change by itself any more."""
        return Send(
            ConversationItemDone(
                type="conversation.item.done", event_id=self.event_id(), item=item.wire(), previous_item_id=previous
            )
        )

    def error(
        self,
        message: str,
        code: str,
        *,
        kind: Literal["invalid_request_error", "server_error"] = "server_error",
        param: str | None = None,
        cause: str | None = None,
    ) -> Send:
        """An `error` event; `cause` is the event_id of the client event at fault."""
        details = RealtimeError(type=kind, message=message, code=code, param=param, event_id=cause)
        return Send(RealtimeErrorEvent(type="error", event_id=self.event_id(), error=details))


def milliseconds(samples: int) -> int:
    """Of the session's clock."""
    return samples // SAMPLES_PER_MS


def by_name(scores: Scores) -> dict[str, float | None]:
    """Scores or feature values as the wire and the record show them."""
    return {name: None if score is None else round(score, 4) for name, score in zip(NAMES, scores, strict=True)}

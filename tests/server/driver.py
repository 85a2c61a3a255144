"""Plays the caller and every engine for one Conversation, in virtual time, and audits everything it is asked to do.

Nothing is answered until the test says so: effects that want an answer wait in `waiting`, deadlines in `armed`. What
the audit finds wrong is an AssertionError at the moment it happens, in every test that uses the driver.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from tandem_models.extract import TurnProsody
from tandem_models.prosody import NAMES, Prosody
from tandem_models.signal import SAMPLES_PER_MS, VAD_FRAME, WIRE_RATE
from tandem_server.contract import TandemSettings, parse_client_event, to_json
from tandem_server.conversation import Conversation
from tandem_server.conversation_events import (
    Arm,
    CallCame,
    ClientSent,
    Disarm,
    DonorLoaded,
    DropReply,
    Effect,
    EndSpeech,
    Expired,
    Finalise,
    Finalised,
    FrameHeard,
    LoadDonor,
    LoadSpeaker,
    News,
    PhraseSpoken,
    Record,
    ReplyMeasured,
    Send,
    SendAudio,
    Speak,
    SpeakerLoaded,
    StopReply,
    StoreReported,
    TextCame,
    TextEnded,
    Think,
)
from tandem_server.engines.fakes import FakeVoice, spread
from tandem_server.experiment import Plan
from tandem_server.predictor_events import Learned, LoadPredictor, PredictorLoaded
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.entrain import History, Prediction, Scores
from tandem_server.stages.protocols import CallPiece, Transcript

from .audit import Audit

T = TypeVar("T")
SPEECH, SILENCE = 0.9, 0.05
"""Probabilities on either side of every threshold."""
PHRASE: Final = WIRE_RATE
"""Samples of audio of every phrase the driver speaks: one second."""
Waiting = Finalise | Think | Speak | EndSpeech | StopReply | Record | LoadSpeaker | LoadDonor | LoadPredictor

USUAL: Final = Prosody((6.0, 4.0, 68.0, 10.0, -4.6, -2.4, 15.0, 1.5))


def everywhere(value: float) -> Scores:
    """The same score for every feature."""
    return (value,) * len(NAMES)


def spoke(prosody: Prosody = USUAL, voiced: float = 1.0) -> TurnProsody:
    """A turn as the extractor hears it."""
    return TurnProsody(prosody, 2.0, voiced, (), (6.0, None, 5.5), (120.0, 150.0))


def last_level(history: History, text: str) -> Prediction:
    """A learned strategy that is half sure of the user's last level, and higher for every word."""
    level = history.user[-1].level[0] if history.user else None
    return Prediction(everywhere((level or 0.0) + 0.1 * len(text.split())), everywhere(0.5))


class Driver:
    """One conversation and all that is around it."""

    def __init__(self, tandem: TandemSettings | None = None, plan: Plan | None = None) -> None:
        self.conversation = Conversation(
            "sess_t",
            AgentVoice.of(FakeVoice.calibration),
            recogniser="fake ears",
            voice_name="fake voice",
            tandem=tandem or TandemSettings(),
            plan=plan,
        )
        self.audit = Audit()
        self.heard = 0
        self.now = 100.0
        self.effects: list[Effect] = []
        self.waiting: list[Waiting] = []
        self.armed: dict[str, float] = {}
        self.line = "hello there"
        """What the recogniser will have heard"""
        self.measured: TurnProsody | None = spoke()
        """What the extractor will have found in the user's turn"""
        self.reply = "It is nice to hear you. Tell me more."
        """What the responder will say: two phrases"""
        self.donor: tuple[Scores, ...] = (everywhere(0.5), everywhere(-0.25))
        """What `yoked` will repeat"""
        self.learned = Learned(last_level, "taught")
        """What `neural` will be"""
        self.calls: tuple[CallPiece, ...] = ()
        """What it will call after that, if it is offered any tools"""
        self.perform(self.conversation.start())

    # News --------------------------------------------------------------------------------------------------------
    def tell(self, news: News) -> list[Effect]:
        """What the conversation wants done about it."""
        return self.perform(self.conversation.handle(news, self.now))

    def perform(self, effects: list[Effect]) -> list[Effect]:
        """Note and audit the effects."""
        for effect in effects:
            self.audit.check(effect, self.heard)
            self.effects.append(effect)
            if isinstance(effect, Waiting):
                self.waiting.append(effect)
            elif isinstance(effect, Arm):
                self.armed[effect.deadline] = effect.seconds
            elif isinstance(effect, Disarm):
                self.armed.pop(effect.deadline, None)
            elif isinstance(effect, DropReply):
                self.waiting = [one for one in self.waiting if getattr(one, "reply", None) != effect.reply]
        return effects

    def hear(self, probability: float, frames: int = 1, *, echo: bool = False) -> list[Effect]:
        """So many VAD frames of one kind."""
        effects: list[Effect] = []
        for _ in range(frames):
            self.heard += VAD_FRAME
            self.now += VAD_FRAME / SAMPLES_PER_MS / 1000.0
            effects += self.tell(FrameHeard(self.heard, probability, echo=echo, alone=echo))
        return effects

    def client(self, kind: str, **fields: object) -> list[Effect]:
        """An event of the client, through the contract's own door."""
        return self.tell(ClientSent(parse_client_event(json.dumps({"type": kind, **fields}))))

    def update(self, **session: object) -> list[Effect]:
        """session.update."""
        return self.client("session.update", session={"type": "realtime", **session})

    def detect(self, **turn_detection: object) -> list[Effect]:
        """session.update of the server's voice activity detection."""
        return self.update(audio={"input": {"turn_detection": {"type": "server_vad", **turn_detection}}})

    def manual(self) -> list[Effect]:
        """session.update: the client commits."""
        return self.update(audio={"input": {"turn_detection": None}})

    # Answers ------------------------------------------------------------------------------------------------------
    def take(self, kind: type[Waiting]) -> Any:
        """The oldest effect of this kind that waits, no longer waiting."""
        found = next(effect for effect in self.waiting if isinstance(effect, kind))
        self.waiting.remove(found)
        return found

    def answer(self, *kinds: type[Waiting]) -> list[Effect]:
        """Answer the oldest waiting effect of each kind as a healthy engine would."""
        return [effect for kind in kinds for effect in self.answer_one(self.take(kind))]

    def answer_one(self, effect: Waiting) -> list[Effect]:
        """As a healthy engine would."""
        return [one for news in self.usual(effect) for one in self.tell(news)]

    def usual(self, effect: Waiting) -> Iterable[News]:
        """The news that a healthy engine answers with."""
        match effect:
            case Finalise():
                transcript = Transcript(self.line, spread(self.line.split(), 1.0))
                return [Finalised(effect.turn, effect.generation, transcript, self.measured, took_ms={"recogniser": 9})]
            case Think():
                calls = [CallCame(effect.reply, piece) for piece in self.calls if effect.tools.functions]
                said = [TextCame(effect.reply, self.reply)] if self.reply else []
                return [*said, *calls, TextEnded(effect.reply)]
            case Speak():
                words = spread(effect.text.split(), PHRASE / WIRE_RATE)
                return [PhraseSpoken(effect.reply, effect.phrase, bytes(2 * PHRASE), words)]
            case EndSpeech():
                return [ReplyMeasured(effect.reply, spoke())]
            case StopReply():
                return [ReplyMeasured(effect.reply, spoke() if effect.heard else None)]
            case Record():
                return [StoreReported(effect.turn.item_id)]
            case LoadSpeaker():
                return [SpeakerLoaded(effect.user_id, None)]
            case LoadDonor():
                return [DonorLoaded(effect.donor or "sess_d", self.donor)]
            case LoadPredictor():
                return [PredictorLoaded(self.learned)]

    def settle(self) -> None:
        """Answer everything, oldest first, until nothing waits."""
        while self.waiting:
            self.answer_one(self.waiting.pop(0))

    def expire(self, deadline: str) -> list[Effect]:
        """A deadline passes."""
        del self.armed[deadline]
        return self.tell(Expired(deadline))

    # Shorthands ---------------------------------------------------------------------------------------------------
    def speak_turn(self, line: str = "hello there", frames: int = 20) -> None:
        """The user says something and falls silent until the turn is closed; nothing is answered."""
        self.line = line
        self.hear(SPEECH, frames)
        while self.conversation.user_speaking:
            self.hear(SILENCE)

    def until_replying(self, line: str = "hello there") -> None:
        """A turn was understood and the reply's first phrase is on its way."""
        self.speak_turn(line)
        self.answer(Finalise, Record, Think, Speak)

    # What came of it ----------------------------------------------------------------------------------------------
    @property
    def sent(self) -> list[dict[str, Any]]:
        """Every wire event so far; audio as `response.output_audio.delta` of nothing but its type."""
        return wire(self.effects)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The wire events of one type."""
        return [event for event in self.sent if event["type"] == kind]

    def kinds(self) -> list[str]:
        """The types of all wire events, in order."""
        return [event["type"] for event in self.sent]

    def last(self, kind: type[T]) -> T:
        """The newest effect of a kind."""
        return next(effect for effect in reversed(self.effects) if isinstance(effect, kind))

    def all(self, kind: type[T]) -> list[T]:
        """Every effect of a kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def records(self) -> dict[str, Any]:
        """Item id -> its turn as it would be kept now."""
        return {effect.turn.item_id: effect.turn for effect in self.all(Record)}


def wire(effects: Iterable[Effect]) -> list[dict[str, Any]]:
    """The wire events among effects."""
    shown = []
    for effect in effects:
        if isinstance(effect, Send):
            shown.append(json.loads(to_json(effect.event)))
        elif isinstance(effect, SendAudio):
            shown.append({"type": "response.output_audio.delta"})
    return shown


def typed(text: str, role: str = "user", **more: object) -> dict[str, object]:
    """A message item as clients send it."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **more}


def kinds(effects: Iterable[Effect]) -> list[str]:
    """The types of the wire events among effects."""
    return [event["type"] for event in wire(effects)]


def errors(effects: Iterable[Effect]) -> list[str]:
    """The codes of the `error` events among effects."""
    return [event["error"]["code"] for event in wire(effects) if event["type"] == "error"]


def high(level: float) -> Prosody:
    """A voice so many semitones above the usual one."""
    return Prosody.from_dict({name: USUAL[name] if name != "pitch_mean" else level for name in NAMES})

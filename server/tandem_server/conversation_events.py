"""What a conversation is told (news), and what it wants done (effects). The session performs effects and reports back.

Everything carries the number of its turn or reply, so that late news is recognised and ignored by rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tandem_models.extract import TurnProsody
from tandem_models.prosody import Prosody
from tandem_server.contract import ClientEvent, ServerEvent
from tandem_server.formats import AudioFormat
from tandem_server.predictor_events import LoadPredictor, PredictorLoaded
from tandem_server.record.records import SpeakerRecord, TurnRecord
from tandem_server.stages.entrain import Scores
from tandem_server.stages.protocols import NO_TOOLS, CallPiece, Message, Tools, Transcript, Word


# News --------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ClientSent:
    """An event of the client; audio takes another way (the session hears it first)."""

    event: ClientEvent


@dataclass(frozen=True, slots=True)
class FrameHeard:
    """One VAD frame."""

    end: int
    """Sample after its last one, on the session's clock"""
    probability: float
    levels: tuple[float, ...] = (0.0,)
    """dB re full scale of its equal parts, in order"""
    echo: bool = False
    """The agent's own voice came back in it"""
    alone: bool = False
    """And nobody else's, so that any voice in it is the agent's"""


@dataclass(frozen=True, slots=True)
class Stalled:
    """No audio has come for a while although a turn is open."""


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """The hypothesis so far of the stretch of speech that is going on."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class TrackGrew:
    """More of the user's pitch is known."""

    turn: int
    start_ms: int
    """On the session's clock"""
    pitch: tuple[float | None, ...]
    """Semitones, every 10 ms"""


@dataclass(frozen=True, slots=True)
class Finalised:
    """Everything up to a pause has been recognised and measured."""

    turn: int
    generation: int
    """Which of the turn's pauses this answers"""
    transcript: Transcript | None
    """Of the whole turn so far, word times in seconds from its first sample; None if recognition failed"""
    measured: TurnProsody | None
    """None if measuring failed"""
    error: str | None = None
    took_ms: Mapping[str, float] = field(default_factory=dict)
    """Stage -> milliseconds"""


@dataclass(frozen=True, slots=True)
class TurnJudged:
    """How complete the turn sounded when the user fell silent."""

    turn: int
    pause: int
    """Which of the turn's pauses this answers"""
    complete: float
    """Probability"""


@dataclass(frozen=True, slots=True)
class TextCame:
    """A piece of what to say."""

    reply: int
    text: str


@dataclass(frozen=True, slots=True)
class CallCame:
    """A piece of a function call."""

    reply: int
    piece: CallPiece


@dataclass(frozen=True, slots=True)
class TextEnded:
    """That was all of it, calls too."""

    reply: int


@dataclass(frozen=True, slots=True)
class TextFailed:
    """The responder failed or did not answer in time."""

    reply: int
    message: str


@dataclass(frozen=True, slots=True)
class PhraseSpoken:
    """Audio of one phrase, or a part of it."""

    reply: int
    phrase: int
    pcm: bytes
    """pcm16 at WIRE_RATE"""
    words: tuple[Word, ...]
    """Seconds from the start of this audio"""


@dataclass(frozen=True, slots=True)
class VoiceFailed:
    """The voice failed; nothing more of this reply can be spoken."""

    reply: int
    message: str


@dataclass(frozen=True, slots=True)
class ReplyMeasured:
    """The reply's audio as the extractor hears it; comes exactly once per reply, after its last audio."""

    reply: int
    measured: TurnProsody | None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreReported:
    """A turn is safe, or could not be recorded."""

    item_id: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SpeakerLoaded:
    """What is remembered of this user; None if it is the first time, or if it could not be read."""

    user_id: str
    speaker: SpeakerRecord | None
    earlier: int = 0
    """Conversations of theirs under the same experiment plan"""
    error: str | None = None
    """Why it could not be read"""


@dataclass(frozen=True, slots=True)
class DonorLoaded:
    """A recorded conversation whose targets are to be repeated; None if there is none, and why."""

    donor: str | None
    targets: tuple[Scores, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """A deadline has passed."""

    deadline: str


ReplyNews = TextCame | CallCame | TextEnded | TextFailed | PhraseSpoken | VoiceFailed | ReplyMeasured
"""What comes of the work for one reply."""
News = (
    ClientSent
    | FrameHeard
    | Stalled
    | PartialHeard
    | TrackGrew
    | Finalised
    | TurnJudged
    | ReplyNews
    | StoreReported
    | SpeakerLoaded
    | DonorLoaded
    | PredictorLoaded
    | Expired
)


# Effects -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Send:
    """Tell the client."""

    event: ServerEvent


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Send agent audio in the form the client asked for."""

    response_id: str
    item_id: str
    position: int
    """Samples at WIRE_RATE of this item sent before"""
    pcm: bytes
    binary: bool
    format: AudioFormat = "audio/pcm"
    """Of audio that is not sent as binary frames, which are pcm16"""


@dataclass(frozen=True, slots=True)
class Hush:
    """The client plays nothing more of what it was sent."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Begin to recognise and measure a turn from this sample on."""

    turn: int
    start: int


@dataclass(frozen=True, slots=True)
class Finalise:
    """Recognise and measure all that the turn has so far; answer with Finalised."""

    turn: int
    generation: int


@dataclass(frozen=True, slots=True)
class JudgeTurn:
    """Does the turn, from this sample to now, sound complete? Answer with TurnJudged where a model can tell."""

    turn: int
    pause: int
    start: int


@dataclass(frozen=True, slots=True)
class ListenOn:
    """The user goes on: recognise from this sample on."""

    turn: int
    at: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing more will be asked about this turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class Think:
    """Ask the responder; answer with TextCame* and CallCame*, then TextEnded or TextFailed."""

    reply: int
    messages: tuple[Message, ...]
    tools: Tools = NO_TOOLS


@dataclass(frozen=True, slots=True)
class Speak:
    """Speak a phrase towards the target, after those before it; answer with PhraseSpoken+ or VoiceFailed."""

    reply: int
    phrase: int
    text: str
    target: Prosody


@dataclass(frozen=True, slots=True)
class EndSpeech:
    """There are no more phrases; when all are spoken, answer with ReplyMeasured."""

    reply: int


@dataclass(frozen=True, slots=True)
class StopReply:
    """Stop thinking and speaking; answer with ReplyMeasured of the part that was heard."""

    reply: int
    heard: int
    """Samples at WIRE_RATE that the user has heard, as far as is known"""


@dataclass(frozen=True, slots=True)
class DropReply:
    """Stop thinking and speaking, and answer nothing: nobody waits for it."""

    reply: int


@dataclass(frozen=True, slots=True)
class Remember:
    """What is to be kept of a user for the next conversation."""

    user_id: str
    normaliser: Mapping[str, object]
    pitch_range: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Record:
    """Keep the turn, and what was learnt of the speaker; answer with StoreReported."""

    turn: TurnRecord
    speaker: Remember | None = None


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """The session's settings have changed: keep what is in force."""


@dataclass(frozen=True, slots=True)
class LoadSpeaker:
    """Look up what is remembered of this user; answer with SpeakerLoaded."""

    user_id: str
    plan: str | None = None
    """The experiment under which their earlier conversations count"""


@dataclass(frozen=True, slots=True)
class LoadDonor:
    """Find a conversation for `yoked` to repeat: this one, or one drawn that is another user's; answer with
    DonorLoaded."""

    donor: str | None
    user_id: str | None
    seed: int


@dataclass(frozen=True, slots=True)
class Arm:
    """Unless disarmed, answer with Expired after so many seconds; arming again starts anew."""

    deadline: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Disarm:
    """The deadline was met."""

    deadline: str


Effect = (
    Send
    | SendAudio
    | Hush
    | Listen
    | Finalise
    | JudgeTurn
    | ListenOn
    | Forget
    | Think
    | Speak
    | EndSpeech
    | StopReply
    | DropReply
    | Record
    | KeepSettings
    | LoadSpeaker
    | LoadDonor
    | LoadPredictor
    | Arm
    | Disarm
)

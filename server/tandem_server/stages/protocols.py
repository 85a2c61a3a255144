"""What each stage must be able to do: Protocols of one to three methods. An engine is a small file that does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from tandem_models.prosody import Prosody
from tandem_models.signal import Audio
from tandem_server.predictor_events import Learned


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it was said."""

    text: str
    start: float
    """Seconds from the start of the audio that was handed in."""
    end: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser heard in one stretch of speech; the text may be empty."""

    text: str
    words: tuple[Word, ...] = ()


class VoiceActivity(Protocol):
    """Speech probability of consecutive frames of one stream."""

    def probability(self, frame: Audio) -> float:
        """Speech probability in [0, 1] of the next VAD_FRAME samples at SAMPLE_RATE."""

    def reset(self) -> None:
        """Forget the stream, as before its first frame."""


class VoiceActivityEngine(Protocol):
    """Hands out detectors; they are dear to make, so they are used again."""

    name: str

    async def open(self) -> VoiceActivity: ...

    def release(self, detector: VoiceActivity) -> None: ...

    async def close(self) -> None: ...


class RecogniserStream(Protocol):
    """One caller's recogniser. Utterances follow one another: feed* finish, feed* finish, ...; `reset` drops one."""

    def feed(self, audio: bytes) -> None:
        """More pcm16 at SAMPLE_RATE. Never blocks; starts an utterance when none is open."""

    def finish(self) -> Coroutine[Any, Any, Transcript]:
        """End the utterance at once, and await what it was: `feed` may begin the next one meanwhile. Word times are
        seconds from its first sample. Awaiting raises EngineError."""

    def reset(self) -> None:
        """Drop the open utterance, if any."""

    async def close(self) -> None:
        """Give back what the stream holds; idempotent."""


class Recogniser(Protocol):
    """Speech to text: streaming partials, and a final with word times."""

    name: str
    """What is in use, for people: 'pocketsphinx (US English)', 'vosk (vosk-model-small-en-us-0.15)'."""

    async def start(self) -> None:
        """Load what is dear, so that the first caller need not wait. Raises EngineError with what to do next."""

    async def open(self, on_partial: Callable[[str], None]) -> RecogniserStream:
        """`on_partial` gets the whole hypothesis of the open utterance whenever it changes."""

    async def close(self) -> None: ...


class TurnModel(Protocol):
    """Hears from the voice alone whether a turn is complete; shared by all callers."""

    name: str

    async def start(self) -> None:
        """Load what is dear. Raises EngineError with what to do next."""

    async def complete(self, audio: Audio) -> float | None:
        """Probability that the turn is complete, from its audio up to a pause at SAMPLE_RATE, of which the last seconds
        count; None when too many ask at once for an answer in time. Raises EngineError."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the agent had called; the client runs it and tells the result."""

    call_id: str
    name: str
    arguments: str
    """JSON, as the responder wrote it"""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation as the responder sees it; an interrupted reply holds only what was heard."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    call: ToolCall | None = None
    """Of the assistant, in place of words"""
    call_id: str | None = None
    """Of a tool: the call that `text` is the result of"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client can run."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] | None = None
    """JSON Schema of its arguments; None when it takes none"""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a responder may call in one reply."""

    functions: tuple[Tool, ...] = ()
    required: bool = False
    """It must call one of them"""
    parallel: bool = True
    """It may call several at once"""


NO_TOOLS: Final = Tools()


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of the responder's wish to have a function called, as it becomes known."""

    call: int
    """Which call of the reply, from 0; pieces of one call need not follow one another"""
    name: str
    arguments: str
    """JSON, to be joined with that of the pieces before"""


class Responder(Protocol):
    """Decides what to say, and which functions to have called."""

    name: str

    def respond(self, messages: Sequence[Message], tools: Tools = NO_TOOLS) -> AsyncIterator[str | CallPiece]:
        """Pieces of text and of calls as they become known. Closing the iterator cancels the work. Raises
        EngineError."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Utterance:
    """Synthesised speech with the times of its words."""

    audio: Audio
    sample_rate: int
    """Hertz"""
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a voice speaks when nothing is asked of it: the agent's own normaliser starts from this."""

    mean: Prosody
    sd: Prosody


class Voice(Protocol):
    """Text to speech."""

    name: str
    calibration: Calibration

    async def start(self) -> None:
        """Load what is dear. Raises EngineError with what to do next."""

    def speak(self, text: str, target: Prosody) -> AsyncIterator[Utterance]:
        """Speak one phrase, in one or more pieces in order. An engine that cannot follow `target` ignores it: the
        realiser moves its audio there. Raises EngineError."""

    async def close(self) -> None: ...


class Learner(Protocol):
    """Has a strategy that was trained."""

    def fault(self) -> str | None:
        """Why it could not be loaded, if that is known already; for people."""

    async def load(self) -> Learned:
        """It, once for all callers. Raises EngineUnavailable."""

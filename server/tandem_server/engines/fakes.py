"""Doubles of the engines: deterministic, no weights. Tests use them, and `tandem serve --fake` makes a demo of them."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

import numpy as np

from tandem_models.prosody import Prosody
from tandem_models.signal import SAMPLE_RATE, Audio
from tandem_models.text import syllables
from tandem_server.engines.fake_speech import buzz
from tandem_server.errors import EngineError
from tandem_server.stages.protocols import (
    NO_TOOLS,
    Calibration,
    CallPiece,
    Message,
    Tools,
    Transcript,
    Utterance,
    VoiceActivity,
    Word,
)

BYTES_PER_SECOND = 2 * SAMPLE_RATE


class FakeDetector:
    """Speech is what is loud: probability rms / (rms + threshold), which is one half at the threshold."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def probability(self, frame: Audio) -> float:
        rms = float(np.sqrt(np.mean(np.square(frame, dtype=np.float64))))
        return rms / (rms + self._threshold)

    def reset(self) -> None:
        """Nothing to forget."""


class FakeVoiceActivity:
    """VoiceActivityEngine by loudness. `lent` counts the detectors that have not come back."""

    name = "fake"

    def __init__(self, threshold: float = 0.01) -> None:
        self._threshold = threshold
        """Root mean square at which speech and silence are equally likely; -40 dB re full scale."""
        self.lent = 0

    async def open(self) -> FakeDetector:
        self.lent += 1
        return FakeDetector(self._threshold)

    def release(self, detector: VoiceActivity) -> None:  # noqa: ARG002
        self.lent -= 1

    async def close(self) -> None: ...


class FakeRecogniser:
    """Hears what the script says, utterance by utterance, whatever the audio; each stream starts at its beginning.

    An exception in the script is raised by the `finish` whose turn it is. After the last line nothing is heard, or,
    with `repeat`, the script starts again.
    """

    name = "fake"

    def __init__(
        self, script: Sequence[str | EngineError] = (), *, repeat: bool = False, words_per_second: float = 3.0
    ) -> None:
        self._script = tuple(script)
        self._repeat = repeat
        self._words_per_second = words_per_second
        self.lent = 0
        """Streams that are open."""

    async def start(self) -> None: ...

    async def open(self, on_partial: Callable[[str], None]) -> FakeRecogniserStream:
        self.lent += 1
        return FakeRecogniserStream(self, on_partial)

    async def close(self) -> None: ...

    def line(self, number: int) -> str | EngineError:
        """What the utterance of that number says."""
        if self._repeat and self._script:
            number %= len(self._script)
        return self._script[number] if number < len(self._script) else ""

    def heard(self, line: str | EngineError, seconds: float) -> str:
        """What would be known of a line after that much of it."""
        words = [] if isinstance(line, EngineError) else line.split()
        return " ".join(words[: int(seconds * self._words_per_second)])


class FakeRecogniserStream:
    """A partial as each word comes due; the final spreads the words evenly over the audio that was fed."""

    def __init__(self, engine: FakeRecogniser, on_partial: Callable[[str], None]) -> None:
        self._engine = engine
        self._on_partial = on_partial
        self._finished = 0
        self._fed = 0
        self._partial = ""
        self._closed = False

    def feed(self, audio: bytes) -> None:
        if len(audio) % 2:
            raise ValueError(f"{len(audio)} bytes are not a whole number of 16-bit samples")
        self._fed += len(audio)
        partial = self._engine.heard(self._engine.line(self._finished), self._fed / BYTES_PER_SECOND)
        if partial != self._partial:
            self._partial = partial
            self._on_partial(partial)

    def finish(self) -> Coroutine[Any, Any, Transcript]:
        if not self._fed:
            return self._final("", 0.0)
        line, seconds = self._engine.line(self._finished), self._fed / BYTES_PER_SECOND
        self._finished += 1
        self.reset()
        return self._final(line, seconds)

    async def _final(self, line: str | EngineError, seconds: float) -> Transcript:
        if isinstance(line, EngineError):
            raise line
        return Transcript(line, spread(line.split(), seconds))

    def reset(self) -> None:
        """Drop the open utterance; its line is heard at the next one."""
        self._fed = 0
        self._partial = ""

    async def close(self) -> None:
        self._engine.lent -= not self._closed
        self._closed = True


async def at_once() -> None:
    """Between the pieces of a fake there is no waiting, unless a test wants some."""


class FakeResponder:
    """Says its replies in turn, one for each reply the conversation already has; without any, says back what it heard.

    An exception among the replies is raised in its turn. `pause` is awaited before each word.
    """

    name = "fake"

    def __init__(
        self, replies: Sequence[str | EngineError] = (), pause: Callable[[], Awaitable[None]] = at_once
    ) -> None:
        self._replies = tuple(replies)
        self._pause = pause
        self.asked: list[tuple[Message, ...]] = []
        """The messages of every call."""
        self.offered: list[Tools] = []
        """The tools of every call."""
        self.cut_off = 0
        """Replies whose iterator was closed before the end."""

    async def respond(self, messages: Sequence[Message], tools: Tools = NO_TOOLS) -> AsyncIterator[str]:
        self.asked.append(tuple(messages))
        self.offered.append(tools)
        reply = self._reply(messages)
        if isinstance(reply, EngineError):
            raise reply
        finished = False
        try:
            for piece in re.findall(r"\S+\s*", reply):
                await self._pause()
                yield piece
            finished = True
        finally:
            self.cut_off += not finished

    async def close(self) -> None: ...

    def _reply(self, messages: Sequence[Message]) -> str | EngineError:
        if self._replies:
            return self._replies[sum(message.role == "assistant" for message in messages) % len(self._replies)]
        said = [message.text for message in messages if message.role == "user"]
        return f"You said: {said[-1]}" if said and said[-1] else "You said nothing."


class FakeCaller:
    """Calls one tool with one set of arguments, if it is offered; tells what came of it, once that is known.

    Without the tool it says back what it heard.
    """

    name = "fake"

    def __init__(self, tool: str, arguments: str = "{}") -> None:
        self._tool = tool
        self._arguments = arguments
        self._else = FakeResponder()

    async def respond(self, messages: Sequence[Message], tools: Tools = NO_TOOLS) -> AsyncIterator[str | CallPiece]:
        outputs = [message.text for message in messages if message.role == "tool"]
        if not outputs and self._tool in [tool.name for tool in tools.functions]:
            yield CallPiece(0, self._tool, self._arguments)
            return
        speaker = FakeResponder((f"The tool said: {outputs[-1]}",)) if outputs else self._else
        async for piece in speaker.respond(messages):
            yield piece

    async def close(self) -> None: ...


class FakeVoice:
    """Buzzes as it is asked to: each feature of the target, or of its calibration where the target has none.

    An utterance holds `words_per_piece` words, or all; `pause` is awaited before each. What `failing` is in is raised.
    """

    name = "fake"
    calibration = Calibration(
        Prosody((6.0, 4.0, 68.0, 10.0, math.log(0.01), math.log(0.09), 15.0, math.log(4.5))),
        Prosody((0.5, 0.8, 0.5, 1.5, 0.2, 0.15, 1.0, 0.15)),
    )

    def __init__(
        self,
        words_per_piece: int | None = None,
        pause: Callable[[], Awaitable[None]] = at_once,
        failing: EngineError | None = None,
    ) -> None:
        self._words_per_piece = words_per_piece
        self._pause = pause
        self._failing = failing
        self.asked: list[tuple[str, Prosody]] = []
        """What it was to speak, and how."""

    async def start(self) -> None: ...

    async def speak(self, text: str, target: Prosody) -> AsyncIterator[Utterance]:
        self.asked.append((text, target))
        words = text.split()
        step = self._words_per_piece or max(len(words), 1)
        for start in range(0, len(words), step):
            await self._pause()
            if self._failing is not None:
                raise self._failing
            yield self._utterance(words[start : start + step], target)

    async def close(self) -> None: ...

    def _utterance(self, words: Sequence[str], target: Prosody) -> Utterance:
        given = target.as_dict()
        usual = self.calibration.mean.as_dict()
        prosody = Prosody.from_dict({name: usual[name] if value is None else value for name, value in given.items()})
        text = " ".join(words)
        seconds = max(syllables(text), 1) / math.exp(prosody["rate"] or 0.0)
        audio = buzz(prosody, seconds, zlib.crc32(text.encode("utf-8", "replace")))
        return Utterance(audio, SAMPLE_RATE, spread(words, audio.size / SAMPLE_RATE))


def spread(words: Sequence[str], seconds: float) -> tuple[Word, ...]:
    """The words one after another, each as long as the next, over so many seconds."""
    step = seconds / max(len(words), 1)
    return tuple(Word(word, index * step, (index + 1) * step) for index, word in enumerate(words))


class FakeTurnModel:
    """TurnModel that always answers the same, or fails with an error of its own."""

    name = "fake"

    def __init__(self, answer: float | EngineError | None) -> None:
        self.answer = answer
        self.asked: list[int] = []
        """Samples of each question"""

    async def start(self) -> None:
        """Nothing to load."""

    async def complete(self, audio: Audio) -> float | None:
        self.asked.append(len(audio))
        if isinstance(self.answer, EngineError):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        """Nothing to let go."""

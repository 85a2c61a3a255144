"""One open turn as the session hears it: its recogniser segments and its prosody blocks, until both are known.

No tasks are made here; the session awaits what these methods return.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from tandem_models.extract import Block, BlockFeatures, IncrementalExtractor, PitchRange, TurnProsody, phonation
from tandem_models.signal import SAMPLE_RATE, SAMPLES_PER_MS, Audio, float_to_pcm16
from tandem_models.text import syllables
from tandem_server.conversation_events import Finalised, TrackGrew
from tandem_server.errors import EngineError
from tandem_server.stages.protocols import RecogniserStream, Transcript, Word

MEASURE_DEADLINE: Final = 4.0
"""Seconds that prosody may take after the words: less than a turn may wait for both, so that it is answered."""
Analyse = Callable[[Block], Awaitable[BlockFeatures]]
"""`tandem_models.extract.analyse`, wherever it runs."""


@dataclass(slots=True)
class Pause:
    """What there was to do when the turn was to be finalised, caught at that moment."""

    generation: int
    recognised: Coroutine[Any, Any, Transcript] | None
    """The end of the open segment; None when nothing was said since the last"""
    offset: float
    """Seconds from the start of the turn to that segment"""
    tail: Block | None

    def drop(self) -> None:
        """Nobody will wait for it any more; without effect once somebody has."""
        if self.recognised is not None:
            self.recognised.close()


@dataclass(slots=True)
class HeardTurn:
    """Audio in, in order; words and prosody out."""

    turn: int
    start: int
    """Sample of the session's clock"""
    stream: RecogniserStream
    extractor: IncrementalExtractor
    segments: list[tuple[float, Transcript]] = field(default_factory=list)
    open: bool = True
    """False once another turn has begun: this one hears nothing more"""
    recognising: bool = True
    """False between a finalised pause and the moment the user goes on"""
    recognised_to: int = 0
    """First sample that the recogniser has not been given"""
    segment_start: int = 0
    analyses: set[asyncio.Future[None]] = field(default_factory=set)
    deaf: str | None = None
    """Why something was not recognised"""
    failure: str | None = None
    """Why something was not measured"""

    @classmethod
    def begin(cls, turn: int, start: int, stream: RecogniserStream, pitch_range: PitchRange) -> HeardTurn:
        """A turn whose first sample is `start`."""
        return cls(turn, start, stream, IncrementalExtractor(pitch_range), recognised_to=start, segment_start=start)

    def feed(self, at: int, audio: Audio, measured: Audio | None = None) -> list[Block]:
        """Audio from sample `at` on -> blocks to be analysed. After a finalised pause it is only measured; `measured`
        is what is measured in its place: the agent's voice must not be taken for the user's."""
        if self.recognising:
            self._recognise(at, audio)
        return self.extractor.feed(audio if measured is None else measured)

    def resume(self, at: int, kept_from: int, kept: Audio) -> None:
        """The user goes on; `kept` is the recent audio from `kept_from`. Nothing is recognised twice."""
        begin = max(at, self.recognised_to)
        self.recognising, self.segment_start = True, begin
        self._recognise(max(begin, kept_from), kept[max(begin - kept_from, 0) :])

    def pause(self, generation: int) -> Pause:
        """Catch what is there now; audio may go on coming while `finalise` waits for it."""
        recognised = self.stream.finish() if self.recognising else None
        self.recognising = False
        offset = (self.segment_start - self.start) / SAMPLE_RATE
        return Pause(generation, recognised, offset, self.extractor.pending())

    async def finalise(self, pause: Pause, analyse: Analyse) -> Finalised:
        """Wait for words and prosody up to a pause."""
        begun = time.perf_counter()
        transcript = await self._words(pause)
        took = {"recogniser": (time.perf_counter() - begun) * 1000.0}
        measured = await self._measure(pause, transcript, analyse)
        took["pause_to_final"] = (time.perf_counter() - begun) * 1000.0
        return Finalised(self.turn, pause.generation, transcript, measured, self.deaf or self.failure, took)

    def track(self, features: BlockFeatures) -> TrackGrew:
        """Pitch of one block, for the client to draw."""
        pitch = tuple(None if value != value else float(value) for value in features.pitch)  # NaN is unvoiced
        return TrackGrew(self.turn, (self.start + features.start) // SAMPLES_PER_MS, pitch)

    def _recognise(self, at: int, audio: Audio) -> None:
        self.stream.feed(float_to_pcm16(audio))
        self.recognised_to = at + len(audio)

    async def _words(self, pause: Pause) -> Transcript | None:
        if pause.recognised is not None:
            try:
                self.segments.append((pause.offset, await pause.recognised))
            except EngineError as error:
                self.deaf = str(error)
        if self.deaf is not None and not any(segment.text for _, segment in self.segments):
            return None
        words = tuple(
            Word(word.text, word.start + offset, word.end + offset)
            for offset, segment in self.segments
            for word in segment.words
        )
        return Transcript(" ".join(segment.text for _, segment in self.segments if segment.text), words)

    async def _measure(self, pause: Pause, transcript: Transcript | None, analyse: Analyse) -> TurnProsody | None:
        try:
            async with asyncio.timeout(MEASURE_DEADLINE):
                tail = None if pause.tail is None else await analyse(pause.tail)
                if self.analyses:
                    await asyncio.wait(self.analyses)
            spans = [(word.start, word.end) for word in transcript.words] if transcript else []
            count = syllables(transcript.text) if transcript and transcript.text else None
            return self.extractor.result(count, phonation(spans) if spans else None, tail)
        except TimeoutError:
            self.failure = self.failure or f"prosody was not measured within {MEASURE_DEADLINE:g} s"
            return None
        except (EngineError, ValueError) as error:
            self.failure = self.failure or str(error)
            return None

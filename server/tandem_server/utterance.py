"""One reply on its way to the ear: phrases are spoken, moved to their target, reported, and at the end measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import numpy as np

from tandem_models.extract import PitchRange, TurnProsody
from tandem_models.prosody import FEATURES, INDEX
from tandem_models.realise import Limit, Realised, measure, realise
from tandem_models.signal import WIRE_RATE, Audio, float_to_pcm16
from tandem_models.text import syllables
from tandem_server.conversation_events import News, PhraseSpoken, ReplyMeasured, Speak, VoiceFailed
from tandem_server.errors import EngineError
from tandem_server.stages.protocols import Utterance, Voice, Word
from tandem_server.workers import Workers

T = TypeVar("T")
_SENTENCE_PAUSE, _CLAUSE_PAUSE = 0.25, 0.1
"""Seconds between phrases: engines trim the silence around theirs."""
_CHECKED_FROM: Final = 1
"""The first phrase goes out as rendered, since the user waits; from this one on there is time to correct."""


class SpokenReply:
    """The work of one reply; every end of it is reported with exactly one ReplyMeasured."""

    def __init__(
        self,
        number: int,
        voice: Voice,
        workers: Workers,
        pitch_range: PitchRange,
        tell: Callable[[News], None],
        room: Callable[[], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._number = number
        self._voice = voice
        self._workers = workers
        self._pitch_range = pitch_range
        self._tell = tell
        self._room = room
        self._spawn = spawn
        self._phrases: asyncio.Queue[Speak | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._speaking: asyncio.Task[None] | None = None
        self._audio: list[Audio] = []
        self._words: list[Word] = []
        self._limits: dict[str, str] = {}
        self.over = False

    def think(self, work: Coroutine[Any, Any, None]) -> None:
        """Own the task that finds the words, so that it stops with the reply."""
        self._tasks.append(self._spawn(work))

    def add(self, phrase: Speak | None) -> None:
        """The next phrase; None after the last."""
        if self._speaking is None:
            self._speaking = self._spawn(self._speak())
            self._tasks.append(self._speaking)
        self._phrases.put_nowait(phrase)

    def cancel(self) -> None:
        """Stop, and report nothing."""
        self.over = True
        for task in self._tasks:
            task.cancel()

    async def stop(self, heard: int) -> None:
        """Stop, and report what was heard: so many samples at WIRE_RATE."""
        self.cancel()
        await asyncio.wait(self._tasks) if self._tasks else None
        await self._report(heard)

    async def _speak(self) -> None:
        try:
            while (phrase := await self._phrases.get()) is not None:
                async with closing(self._voice.speak(phrase.text, phrase.target)) as utterances:
                    async for spoken in utterances:
                        self._deliver(phrase, spoken, await self._realise(phrase, spoken))
                        await self._room()
        except EngineError as error:
            self._tell(VoiceFailed(self._number, str(error)))
            return
        await self._report(sum(len(piece) for piece in self._audio))
        self.over = True

    async def _realise(self, phrase: Speak, spoken: Utterance) -> Realised:
        return await self._workers.run(
            realise,
            spoken.audio,
            spoken.sample_rate,
            phrase.target,
            syllables=sum(syllables(word.text) for word in spoken.words) or None,
            words=[(word.start, word.end) for word in spoken.words],
            corrections=1 if phrase.phrase >= _CHECKED_FROM else 0,
            pitch_range=self._pitch_range,
        )

    def _deliver(self, phrase: Speak, spoken: Utterance, realised: Realised) -> None:
        pause = np.zeros(round(self._pause() * WIRE_RATE), np.float32)
        audio = np.concatenate([pause, realised.audio])
        shift = len(pause) / WIRE_RATE
        pairs = zip(spoken.words, realised.words, strict=True)
        words = tuple(Word(word.text, begin + shift, end + shift) for word, (begin, end) in pairs)
        offset = sum(len(piece) for piece in self._audio) / WIRE_RATE
        self._words += [Word(word.text, word.start + offset, word.end + offset) for word in words]
        self._audio.append(audio)
        for limit in realised.limits:
            self._limits.setdefault(f"{limit.feature}: {limit.reason}", _in_words(limit))
        self._tell(PhraseSpoken(self._number, phrase.phrase, float_to_pcm16(audio), words))

    def _pause(self) -> float:
        """Silence before the next piece, by how the last one ended."""
        if not self._words:
            return 0.0
        return _SENTENCE_PAUSE if self._words[-1].text.rstrip("\"')”’")[-1:] in ".?!…" else _CLAUSE_PAUSE

    async def _report(self, heard: int) -> None:
        self._tell(ReplyMeasured(self._number, *await self._measured(heard)))

    async def _measured(self, heard: int) -> tuple[TurnProsody | None, tuple[str, ...]]:
        audio = np.concatenate(self._audio)[:heard] if self._audio else np.zeros(0, np.float32)
        limits = tuple(self._limits.values())
        if not len(audio):
            return None, limits
        words = [word for word in self._words if word.start * WIRE_RATE < heard]
        spans = [(word.start, min(word.end, heard / WIRE_RATE)) for word in words]
        count = sum(syllables(word.text) for word in words) or None
        try:
            measured = await self._workers.run(measure, audio, WIRE_RATE, count, spans, pitch_range=self._pitch_range)
        except EngineError:
            return None, limits
        return measured, limits


@asynccontextmanager
async def closing(pieces: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close an iterator that can be closed when it is left, rather than when it is collected as garbage."""
    try:
        yield pieces
    finally:
        close: Callable[[], Awaitable[None]] | None = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


def _in_words(limit: Limit) -> str:
    feature = FEATURES[INDEX[limit.feature]]
    if limit.granted is None:
        return f"{feature.label}: could not be moved ({limit.reason})"
    return f"{feature.label}: {limit.asked:.2f} {feature.unit} was asked, {limit.granted:.2f} possible ({limit.reason})"

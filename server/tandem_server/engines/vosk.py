"""Recognition by Vosk: any language its publisher has a model for, as a folder on this machine.

The binding releases the interpreter lock, so all streams share a few threads; each stream's pieces are done in order,
one at a time. About .07 s of CPU per second of audio with small models.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tandem_models.signal import SAMPLE_RATE
from tandem_server.errors import ConfigurationError, EngineError, EngineTimeout, EngineUnavailable
from tandem_server.stages.protocols import Transcript, Word

if TYPE_CHECKING:
    from vosk import Model

BYTES_PER_SECOND: Final = 2 * SAMPLE_RATE
THREADS: Final = min(4, os.cpu_count() or 1)
BACKLOG_S: Final = 30.0
"""Seconds of audio a stream may be behind: a file sent at once is no trouble, an overloaded machine is."""
FINISH_TIMEOUT_S: Final = 8.0

LAYOUTS: Final = (
    ("am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph"),
    ("final.mdl", "mfcc.conf"),  # models before 0.15, and the few small ones still published that way
)
"""What a model folder has: all of one of these, as Vosk's own `model.cc` looks for them."""


def check_model(folder: Path) -> None:
    """Raises ConfigurationError, saying what to do, unless the folder is a Vosk model."""
    if not folder.is_dir():
        raise ConfigurationError(f"no Vosk model at {folder}: give the folder that holds am/, conf/ and graph/")
    missing = [[part for part in layout if not (folder / part).exists()] for layout in LAYOUTS]
    if all(missing):
        inner = next((path for path in sorted(folder.iterdir()) if (path / LAYOUTS[0][0]).exists()), None)
        advice = f"the model is one folder further down: {inner}" if inner else "unpack or download the model again"
        raise ConfigurationError(f"{folder} is not a whole Vosk model, {', '.join(missing[0])} missing: {advice}")


class Vosk:
    """Recogniser with one model for all callers."""

    def __init__(
        self,
        folder: Path,
        *,
        threads: int = THREADS,
        backlog_s: float = BACKLOG_S,
        finish_timeout_s: float = FINISH_TIMEOUT_S,
    ) -> None:
        check_model(folder)
        self._folder = folder
        self.name = f"vosk ({folder.resolve().name})"
        self.pool = ThreadPoolExecutor(threads, "vosk")
        self.backlog_bytes = int(backlog_s * BYTES_PER_SECOND)
        self.finish_timeout_s = finish_timeout_s
        self._loading = asyncio.Lock()
        self._model: Model | None = None
        self._streams: set[VoskStream] = set()

    async def start(self) -> None:
        """Load the model: .1 s for a small one, half a minute and gigabytes for the largest."""
        async with self._loading:
            if self._model is None:
                self._model = await asyncio.get_running_loop().run_in_executor(self.pool, _load, self._folder)

    async def open(self, on_partial: Callable[[str], None]) -> VoskStream:
        await self.start()
        stream = VoskStream(self, Decoder(self._model), on_partial)
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        for stream in tuple(self._streams):
            await stream.close()
        self._model = None
        self.pool.shutdown()

    def forget(self, stream: VoskStream) -> None:
        self._streams.discard(stream)


class Decoder:
    """One stream's recogniser, called by one thread at a time."""

    def __init__(self, model: Model | None) -> None:
        from vosk import KaldiRecognizer

        # One for all utterances: it keeps the part of the graph it has composed. It counts time from its own beginning.
        self._recogniser = KaldiRecognizer(model, SAMPLE_RATE)
        self._recogniser.SetWords(True)
        self._heard = 0
        """Bytes since the beginning."""
        self._start = 0
        """Bytes before this utterance."""
        self._words: list[Word] = []
        """Of this utterance, up to the last end that Vosk saw in it; ends of turns are ours to decide."""

    def hear(self, audio: bytes) -> str:
        """The hypothesis of the utterance after this audio too."""
        self._heard += len(audio)
        if self._recogniser.AcceptWaveform(audio):
            self._take(self._recogniser.Result())
            tail = ""
        else:
            tail = json.loads(self._recogniser.PartialResult())["partial"]
        return " ".join([*(word.text for word in self._words), *tail.split()])

    def finish(self) -> list[Word]:
        self._take(self._recogniser.FinalResult())
        words, self._words = self._words, []
        self._start = self._heard
        return words

    def _take(self, result: str) -> None:
        start, length = self._start / BYTES_PER_SECOND, (self._heard - self._start) / BYTES_PER_SECOND
        for word in json.loads(result).get("result", ()):
            times = [min(max(round(word[key] - start, 3), 0.0), length) for key in ("start", "end")]
            self._words.append(Word(word["word"], times[0], times[1]))


@dataclass(eq=False, slots=True)
class _Job:
    utterance: int
    audio: bytes = b""
    """Empty: the utterance is over."""
    final: asyncio.Future[list[Word]] | None = None


class VoskStream:
    """One caller: a queue of jobs, of which one at a time is with the pool."""

    def __init__(self, engine: Vosk, decoder: Decoder, on_partial: Callable[[str], None]) -> None:
        self._engine = engine
        self._decoder = decoder
        self._on_partial = on_partial
        self._jobs: deque[_Job] = deque()
        self._running: asyncio.Future[str | list[Word]] | None = None
        self._closed = False
        self._number = 0
        """Of the open utterance, or the next one."""
        self._open = False
        self._fed = 0
        """Bytes of the open utterance."""
        self._partial = ""
        self._error: EngineError | None = None
        """Why the open utterance has failed; `finish` says so."""

    def feed(self, audio: bytes) -> None:
        if len(audio) % 2:
            raise ValueError(f"{len(audio)} bytes are not a whole number of 16-bit samples")
        if self._closed or not audio:
            return
        if not self._open:
            self._open, self._fed, self._partial = True, 0, ""
        self._fed += len(audio)
        if self._error is not None:
            return
        self._add(_Job(self._number, audio))
        behind = sum(len(job.audio) for job in self._jobs)
        if behind > self._engine.backlog_bytes:
            seconds = behind / BYTES_PER_SECOND
            self._error = EngineError(f"recognition is {seconds:.0f} s behind the speaker", stage="asr")
            self._end()

    def finish(self) -> Coroutine[Any, Any, Transcript]:
        if not self._open:
            return self._failed_or_empty(None)
        number, error = self._number, self._error
        self._next()
        if error is not None:
            return self._failed_or_empty(error)
        final: asyncio.Future[list[Word]] = asyncio.get_running_loop().create_future()
        self._add(_Job(number, final=final))
        return self._final(number, final)

    async def _failed_or_empty(self, error: EngineError | None) -> Transcript:
        if error is not None:
            raise error
        return Transcript("")

    async def _final(self, number: int, final: asyncio.Future[list[Word]]) -> Transcript:
        try:
            async with asyncio.timeout(self._engine.finish_timeout_s):
                words = await final
        except TimeoutError:
            self._drop(number)
            raise EngineTimeout(f"no transcript within {self._engine.finish_timeout_s:g} s", stage="asr") from None
        return Transcript(" ".join(word.text for word in words), tuple(words))

    def reset(self) -> None:
        if self._open:
            self._end()
            self._next()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._next()
        for job in self._jobs:
            if job.final is not None and not job.final.done():
                job.final.set_exception(EngineError("the recogniser was closed", stage="asr"))
        self._jobs.clear()
        if self._running is not None:
            await asyncio.wait([self._running])
        self._engine.forget(self)

    def _next(self) -> None:
        self._number += 1
        self._open, self._error = False, None

    def _end(self) -> None:
        """Have the decoder forget the open utterance."""
        self._drop(self._number)
        self._add(_Job(self._number))

    def _drop(self, utterance: int) -> None:
        self._jobs = deque(job for job in self._jobs if job.utterance != utterance or not job.audio)

    def _add(self, job: _Job) -> None:
        self._jobs.append(job)
        self._pump()

    def _pump(self) -> None:
        if self._running is None and self._jobs:
            job = self._jobs.popleft()
            self._running = asyncio.get_running_loop().run_in_executor(self._engine.pool, self._do, job)
            self._running.add_done_callback(partial(self._done, job))

    def _do(self, job: _Job) -> str | list[Word]:
        """In a thread of the pool."""
        return self._decoder.hear(job.audio) if job.audio else self._decoder.finish()

    def _done(self, job: _Job, running: asyncio.Future[str | list[Word]]) -> None:
        self._running = None
        error, result = running.exception(), None if running.exception() else running.result()
        if error is not None:
            self._failed(job, EngineError(f"Vosk failed: {error}", stage="asr"))
        elif isinstance(result, list):
            if job.final is not None and not job.final.done():
                job.final.set_result(result)
        elif self._open and job.utterance == self._number and result != self._partial:
            self._partial = result or ""
            self._on_partial(self._partial)
        self._pump()

    def _failed(self, job: _Job, error: EngineError) -> None:
        if self._open and job.utterance == self._number:
            self._error = error
            self._drop(job.utterance)
        for other in (job, *self._jobs):
            if other.utterance == job.utterance and other.final is not None and not other.final.done():
                other.final.set_exception(error)


def _load(folder: Path) -> Model:
    import vosk

    vosk.SetLogLevel(-1)  # Kaldi writes a screenful to stderr
    try:
        return vosk.Model(str(folder))
    except Exception as error:  # the binding raises nothing narrower
        advice = f"Vosk cannot load {folder}; it may be damaged or made for another version: download it again"
        raise EngineUnavailable(advice, stage="asr") from error

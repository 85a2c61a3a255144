"""Recognition by PocketSphinx: US English, weights in the wheel, no network. Each caller has a worker process of its
own, because the binding holds the interpreter lock through every call.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from tandem_models.signal import SAMPLE_RATE, exact_div
from tandem_server.engines import frames
from tandem_server.engines.frames import Frame
from tandem_server.engines.nursery import Link, Nursery
from tandem_server.errors import EngineError, EngineTimeout
from tandem_server.stages.protocols import Transcript, Word

Settings = Mapping[str, bool | int | float | str]
"""Decoder options by their PocketSphinx names."""

# From `python tests/bench/recognition.py`, 91 utterances of read and command speech, 8.5 min, finished at each pause
# as the session does (and at the end only), two cores shared with other work, so latencies are too
# long and differ by chance (the chosen row again: .13, 18 / 82 / 184); WER does not:
#                                          WER            CPU s/s   finish ms p50 / p95 / max
#   library defaults                     .421 (.416)      .17           49 / 205 / 409
#   no second pass (fwdflat)             .416 (.426)      .15           20 /  88 / 300
#   neither it nor bestpath              .424 (.420)      .14           13 /  58 / 192
#   no fwdflat, 6000 states, 20 words    .412 (.428)      .12           18 /  61 / 113   <- chosen
#   no fwdflat, 6000 states, 10 words    .425 (.444)      .11           14 /  39 /  86
#   pruned for speed                     .498 (.523)      .08           19 /  51 / 182
# Finishing at pauses costs no accuracy and leaves the end of the turn with a short stretch to finish.
DEFAULTS: Final[Settings] = {"fwdflat": False, "bestpath": True, "maxhmmpf": 6000, "maxwpf": 20}

BYTES_PER_SECOND: Final = 2 * SAMPLE_RATE
FRAME_BYTES: Final = exact_div(BYTES_PER_SECOND, 10)
"""Longer audio is cut into frames of 100 ms: partials come between them, and a dropped worker stops within one."""
BACKLOG_S: Final = 30.0
"""Seconds of audio a worker may be behind. It decodes 5-7 times faster than real time, so a file sent at once is no
trouble; an overloaded machine is, and is noticed by FINISH_TIMEOUT_S first."""
FINISH_TIMEOUT_S: Final = 8.0

_WORKER: Final = "tandem_server.engines.pocketsphinx_worker"
_ADVICE: Final = "Reinstall it (pip install --force-reinstall pocketsphinx) or choose another recogniser (vosk:FOLDER)."


class PocketSphinx:
    """Recogniser on one nursery; workers are not used again, so no caller's voice or words reach the next."""

    name = "pocketsphinx (US English)"

    def __init__(
        self,
        settings: Settings = DEFAULTS,
        *,
        fork: bool = hasattr(os, "fork"),
        backlog_s: float = BACKLOG_S,
        finish_timeout_s: float = FINISH_TIMEOUT_S,
    ) -> None:
        self._nursery = Nursery(_WORKER, json.dumps(dict(settings)), _ADVICE, fork=fork)
        self.backlog_bytes = int(backlog_s * BYTES_PER_SECOND)
        self.finish_timeout_s = finish_timeout_s
        self._streams: set[PocketSphinxStream] = set()

    async def start(self) -> None:
        await self._nursery.start()

    async def open(self, on_partial: Callable[[str], None]) -> PocketSphinxStream:
        stream = PocketSphinxStream(self, self._nursery, on_partial)
        await stream.connect()
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        for stream in tuple(self._streams):
            await stream.close()
        await self._nursery.close()

    def forget(self, stream: PocketSphinxStream) -> None:
        self._streams.discard(stream)


class PocketSphinxStream:
    """One caller's worker. When it is lost, the utterances it held fail, and the next one gets another worker."""

    def __init__(self, engine: PocketSphinx, nursery: Nursery, on_partial: Callable[[str], None]) -> None:
        self._engine = engine
        self._nursery = nursery
        self._on_partial = on_partial
        self._closed = False
        self._link: Link | None = None
        """The worker in use; news from any other is late, and ignored."""
        self._links: set[Link] = set()
        """Every worker that is not yet gone."""
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: list[Frame] = []
        """For the worker that is being made."""
        self._number = 0
        """Of the open utterance, or the next one."""
        self._open = False
        self._fed = 0
        """Bytes of the open utterance."""
        self._partial = ""
        self._error: EngineError | None = None
        """Why the open utterance has failed; `finish` says so."""
        self._unanswered: deque[int] = deque()
        """Bytes of each audio frame the worker has not answered, in order."""
        self._finals: dict[int, asyncio.Future[list[Word]]] = {}

    async def connect(self) -> None:
        """Get a worker. Raises EngineUnavailable."""
        link = Link(self._frame_came, self._link_lost)
        await self._nursery.connect(link)
        self._links.add(link)
        self._link = link
        for frame in self._waiting:
            link.send(frame)
        self._waiting.clear()
        if link.lost.done():
            self._link_lost(link)

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
        for start in range(0, len(audio), FRAME_BYTES):
            piece = audio[start : start + FRAME_BYTES]
            self._unanswered.append(len(piece))
            self._send(Frame(frames.AUDIO, self._number, piece))
        behind = sum(self._unanswered)
        if behind > self._engine.backlog_bytes:
            seconds = behind / BYTES_PER_SECOND
            self._abandon(EngineError(f"recognition is {seconds:.0f} s behind the speaker", stage="asr"))

    def finish(self) -> Coroutine[Any, Any, Transcript]:
        if not self._open:
            return self._failed_or_empty(None)
        number, seconds, error = self._number, self._fed / BYTES_PER_SECOND, self._error
        self._next()
        if error is not None:
            return self._failed_or_empty(error)
        self._finals[number] = asyncio.get_running_loop().create_future()
        self._send(Frame(frames.FINISH, number))
        return self._final(number, seconds)

    async def _failed_or_empty(self, error: EngineError | None) -> Transcript:
        if error is not None:
            raise error
        return Transcript("")

    async def _final(self, number: int, seconds: float) -> Transcript:
        final = self._finals[number]
        try:
            async with asyncio.timeout(self._engine.finish_timeout_s):
                words = await final
        except TimeoutError:
            late = EngineTimeout(f"no transcript within {self._engine.finish_timeout_s:g} s", stage="asr")
            self._abandon(late)
            raise late from None
        finally:
            self._finals.pop(number, None)
        # The last 10 ms frame may end after the audio does.
        words = [Word(word.text, min(word.start, seconds), min(word.end, seconds)) for word in words]
        return Transcript(" ".join(word.text for word in words), tuple(words))

    def reset(self) -> None:
        if self._open:
            if self._error is None:
                self._send(Frame(frames.RESET, self._number))
            self._next()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._abandon(EngineError("the recogniser was closed", stage="asr"))
        if self._connecting is not None:
            await asyncio.wait([self._connecting])
        for link in tuple(self._links):
            link.hang_up()
            await link.lost
        self._engine.forget(self)

    def _next(self) -> None:
        self._number += 1
        self._open, self._error = False, None

    def _send(self, frame: Frame) -> None:
        if self._link is not None:
            self._link.send(frame)
            return
        self._waiting.append(frame)
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        try:
            await self.connect()
        except EngineError as error:
            self._abandon(error)
        finally:
            self._connecting = None

    def _frame_came(self, link: Link, frame: Frame) -> None:
        if link is not self._link:
            return
        if frame.kind == frames.FINAL:
            final = self._finals.get(frame.utterance)
            if final is not None and not final.done():
                final.set_result([Word(*word) for word in json.loads(frame.payload)])
            return
        self._unanswered.popleft()
        text = frame.payload.decode()
        if self._open and frame.utterance == self._number and text != self._partial:
            self._partial = text
            self._on_partial(text)

    def _link_lost(self, link: Link) -> None:
        self._links.discard(link)
        if link is self._link:
            self._abandon(EngineError("the recogniser's process ended unexpectedly", stage="asr"))

    def _abandon(self, error: EngineError) -> None:
        """Let the worker go, and fail what it had been given."""
        if self._link is not None:
            self._link.hang_up()
            self._link = None
        self._waiting.clear()
        self._unanswered.clear()
        if self._open:
            self._error = error
        for final in self._finals.values():
            if not final.done():
                final.set_exception(error)

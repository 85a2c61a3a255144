"""espeak-ng as the offline voice: its library from the wheel, called by ctypes, one utterance at a time.

The library keeps one global state per process: voice, rate and callback. Every call therefore goes through one lock,
in the one thread of the voice, so that the loop never waits. The calls release the GIL; a sentence takes about 5 ms.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tandem_models.prosody import Prosody
from tandem_models.signal import Audio
from tandem_server.engines import calibration
from tandem_server.engines.spoken_text import clean, pieces, tokens
from tandem_server.errors import EngineError, EngineUnavailable
from tandem_server.stages.protocols import Calibration, Utterance, Word

CALIBRATIONS: Final = Path(__file__).with_name("espeak_calibration.json")
DEFAULT_VOICE: Final = "en-us+f5"
"""Of 30 variants the one that PocketSphinx misheard least (32 % of words; f2 37 %, en-us 85 %)."""
CALIBRATED: Final = (DEFAULT_VOICE, "en-us+f2", "en-us", "en-us+m3")
"""The voices whose calibration is shipped: two higher, two lower."""

NEUTRAL_RATE: Final = 175
"""Words per minute, espeak's own default; speed follows this number within 3 % from 80 to 280."""
SLOWEST, FASTEST = 90, 320
"""Words per minute; beyond, words become hard to follow and the realiser would have to undo it anyway."""
GAIN: Final = 0.7
"""Brings a neutral sentence to about 70 dB, which leaves 10 dB to be asked for without clipping."""
AUDIBLE: Final = 0.004
"""Absolute sample value (-48 dB re full scale) below which the edges and the ends of words count as silence."""
EDGE: Final = 0.015
"""Seconds of silence kept at either end."""
FADE: Final = 0.004
"""Seconds, within the kept silence."""

# From speak_lib.h of espeak-ng 1.52.
_RETRIEVAL_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8, _CHARACTER_POSITION = 1, 1
_RATE, _LIST_END, _WORD = 1, 0, 1
_CONTINUE, _ABORT = 0, 1


class _Event(ctypes.Structure):
    """espeak_EVENT: positions count characters from 1, `sample` counts from the start of the call."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(slots=True)
class _Job:
    """One call of the library and what it has given so far."""

    text: str
    rate: int
    blocks: list[NDArray[np.int16]] = field(default_factory=list)
    marks: list[tuple[int, int]] = field(default_factory=list)
    """(character position, sample) of each word event, in order."""
    abandoned: threading.Event = field(default_factory=threading.Event)


class _Library:
    """The loaded library. One per process, because there is only one state to own."""

    def __init__(self) -> None:
        try:
            import espeakng_loader

            self._c = ctypes.CDLL(str(espeakng_loader.get_library_path()))
            data = str(espeakng_loader.get_data_path())
        except (ImportError, OSError) as error:
            raise EngineUnavailable(
                f"espeak-ng cannot be loaded: {error}; pip install espeakng-loader", stage="voice"
            ) from error
        self.lock = threading.Lock()
        self._job: _Job | None = None
        self._callback = _Callback(self._receive)  # the library keeps only the address: hold the object
        self._c.espeak_Info.restype = ctypes.c_char_p
        self.sample_rate = int(self._c.espeak_Initialize(_RETRIEVAL_SYNCHRONOUS, 0, data.encode(), _DO_NOT_EXIT))
        if self.sample_rate <= 0:
            raise EngineUnavailable(f"espeak-ng found no data in {data}; reinstall espeakng-loader", stage="voice")
        self._c.espeak_SetSynthCallback(self._callback)
        self._variants = {path.name for path in (Path(data) / "voices" / "!v").glob("*")}
        self.version = str(self._c.espeak_Info(None).decode())

    def has(self, voice: str) -> bool:
        """Whether espeak knows this voice and variant; what it is set to afterwards does not matter."""
        _, plus, variant = voice.partition("+")
        if plus and variant not in self._variants:
            return False  # espeak itself leaves out a variant that it does not know
        with self.lock:
            return bool(self._c.espeak_SetVoiceByName(voice.encode()) == 0)

    def run(self, job: _Job, voice: str) -> None:
        """Fill `job`; returns early when it is abandoned. Raises EngineError."""
        data = job.text.encode() + b"\0"
        with self.lock:
            if job.abandoned.is_set():
                return
            self._job = job
            failed = (
                self._c.espeak_SetVoiceByName(voice.encode())
                or self._c.espeak_SetParameter(_RATE, job.rate, 0)
                or self._c.espeak_Synth(data, len(data), 0, _CHARACTER_POSITION, 0, _UTF8, None, None)
            )
            self._job = None
        if failed and not job.abandoned.is_set():
            raise EngineError(f"espeak-ng refused to speak (status {failed})", stage="voice")

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        """espeak's callback. It must not raise: ctypes would only print it."""
        job = self._job
        if job is None or job.abandoned.is_set():
            return _ABORT
        if samples and count > 0:
            job.blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _LIST_END:
            if events[index].type == _WORD:
                job.marks.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return _CONTINUE


_loading = threading.Lock()


def _library() -> _Library:
    """The one library: two voices that start at once must not load it twice, or one would lose its callback."""
    with _loading:
        return _loaded()


@cache
def _loaded() -> _Library:
    return _Library()


def version() -> str:
    """espeak-ng's own version. Raises EngineUnavailable."""
    return _library().version


class EspeakVoice:
    """A formant voice that is always there. Follows only the rate of a target; the realiser does the rest."""

    def __init__(self, voice: str = DEFAULT_VOICE, own: Calibration | None = None) -> None:
        self.voice = voice
        self.name = f"espeak-ng ({voice})"
        if own is None and voice not in CALIBRATED:
            self._check()  # to calibrate a voice that does not exist is no remedy
        self.calibration = own or calibration.load(CALIBRATIONS, voice)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak")

    async def start(self) -> None:
        """Load the library and say one word, which fills its caches (40 ms)."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._check)
        async for _ in self.speak("ready", self.calibration.mean):
            pass

    async def speak(self, text: str, target: Prosody) -> AsyncGenerator[Utterance, None]:
        """One piece for a phrase of usual length, more for a long text, none when there is nothing to say."""
        rate = words_per_minute(target, self.calibration.mean)
        for piece in pieces(clean(text)):
            utterance = await self._say(_Job(piece, rate))
            if utterance is not None:
                yield utterance

    async def _say(self, job: _Job) -> Utterance | None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._run, job)
        except RuntimeError as error:  # the executor is shut down
            raise EngineError("the voice is closed", stage="voice") from error
        finally:
            job.abandoned.set()  # cancelled: the callback stops the library at its next block
        if not job.blocks:
            return None
        audio = np.concatenate(job.blocks).astype(np.float32) * np.float32(GAIN / 32768.0)
        return assemble(job.text, audio, _library().sample_rate, job.marks)

    def _check(self) -> None:
        if not _library().has(self.voice):
            known = ", ".join(CALIBRATED)
            raise EngineUnavailable(
                f"espeak-ng has no voice {self.voice!r}; ready for use (calibrated) are: {known}", stage="voice"
            )

    def _run(self, job: _Job) -> None:
        _library().run(job, self.voice)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def words_per_minute(target: Prosody, own: Prosody) -> int:
    """espeak's rate for a target; the engine's own speech sounds better at another rate than a stretched one."""
    wanted, usual = target["rate"], own["rate"]
    if wanted is None or usual is None:
        return NEUTRAL_RATE
    return round(min(max(NEUTRAL_RATE * math.exp(wanted - usual), SLOWEST), FASTEST))


def assemble(text: str, audio: Audio, sample_rate: int, marks: list[tuple[int, int]]) -> Utterance | None:
    """Audio (T,) without its silent edges and the words' times; None when nothing can be heard."""
    audible = np.flatnonzero(np.abs(audio) > AUDIBLE)
    if not audible.size:
        return None
    edge = round(EDGE * sample_rate)
    first = max(int(audible[0]) - edge, 0)
    last = min(int(audible[-1]) + 1 + edge, audio.size)
    words: list[Word] = []
    for group, start, stop in _groups(text, marks, audio.size):
        heard = audible[np.searchsorted(audible, start) : np.searchsorted(audible, stop)]
        if heard.size:  # else a pause, which espeak may announce as a word
            begin, end = max(start, first) - first, int(heard[-1]) + 1 - first
            words += _divide(group, begin / sample_rate, end / sample_rate)
    return Utterance(_faded(audio[first:last], round(FADE * sample_rate)), sample_rate, tuple(words))


def _faded(audio: Audio, length: int) -> Audio:
    """Without a step at either end: some phrases begin or stop in the middle of a breath."""
    ramp = np.linspace(0.0, 1.0, min(length, audio.size // 2), endpoint=False, dtype=np.float32)
    faded = audio.copy()
    faded[: ramp.size] *= ramp
    faded[faded.size - ramp.size :] *= ramp[::-1]
    return faded


def _groups(text: str, marks: list[tuple[int, int]], length: int) -> Iterator[tuple[list[str], int, int]]:
    """Each announced word with those after it that were not ('- really' is announced as '-'), and its samples."""
    spans = tokens(text)
    starts: dict[int, int] = {}
    for position, sample in marks:
        # the last token that begins at or before the event; numbers announce themselves several times
        starts.setdefault(max(sum(begin <= position for begin, _ in spans) - 1, 0), sample)
    order = sorted(starts.items())
    for number, (index, start) in enumerate(order):
        index = index if number else 0
        following, stop = order[number + 1] if number + 1 < len(order) else (len(spans), length)
        yield [text[slice(*span)] for span in spans[index:following]], start, stop


def _divide(group: list[str], begin: float, end: float) -> Iterator[Word]:
    """The words of a group over its time (s), by their letters; marks without letters only when alone."""
    spoken = [word for word in group if any(map(str.isalnum, word))] or group[:1]
    letters = list(accumulate(map(len, spoken), initial=0))
    edges = [begin + (end - begin) * count / letters[-1] for count in letters[:-1]] + [end]
    for word, (start, stop) in zip(spoken, pairwise(edges), strict=True):
        yield Word(word, start, stop)

"""Real pauses for `endpointing.py`: who fell silent when, for how long, whether the turn was over, and what was heard.

Every speaker's own channel is played through voice activity, turn machine, recogniser and prosody as the server plays a
caller's. What a pause was is read off both channels:

* **end**: in the silence the other speaker takes the turn, or the recording is over;
* **hold**: the same speaker goes on, and the other said nothing or only "mmhmm" and the like;
* left out: silences that begin while the other already speaks (overlap), and those after one's own "mmhmm".

A turn begins anew after each end, so every pause is met with the history that it would have if nobody had been cut off
before it.
"""

from __future__ import annotations

import asyncio
import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from tandem_models.extract import IncrementalExtractor, SpeakerRange, TurnProsody, analyse
from tandem_models.signal import SAMPLE_RATE, SAMPLES_PER_MS, VAD_FRAME, Audio, float_to_pcm16, resample
from tandem_server.audio import levels
from tandem_server.engines.pocketsphinx import PocketSphinx, PocketSphinxStream
from tandem_server.engines.silero import Silero
from tandem_server.listening import SOFT
from tandem_server.stages.protocols import VoiceActivity
from tandem_server.turn import Frame, Hearing, OpenTurn, Pausing, Quiet, Resume, Settle, State, TurnSettings, step

_CONTINUERS: Final = "mm mmhm mmhmm mhm hmm uhhuh uh-huh huh yeah right aha ajá ajah"
BACKCHANNELS: Final = frozenset(_CONTINUERS.split())
"""Words that ask the other to go on. "Okay" and "yes" are answers: they may be all that a turn is."""
_NEVER: Final = 10**9
_SETTINGS: Final = TurnSettings(patience=_NEVER, longest=_NEVER)
_PADDING: Final = 300 * SAMPLES_PER_MS
_ONSET_MARGIN: Final = 160 * SAMPLES_PER_MS
_TAKEN: Final = 200.0
"""Milliseconds of the other's speech that take the turn."""

_EDGE: Final = 0.1
"""Seconds by which speech may be longer than its words say."""

_SLIP: Final = 3
"""Letters by which the place of a word may be wrong"""

Label = Literal["hold", "end", "neither"]
Segments = Sequence[tuple[float, float, str]]
"""(start, end, text) in seconds, of one speaker"""


@dataclass(frozen=True, slots=True)
class Pause:
    """One silence, and what was known in it."""

    dialogue: str
    speaker: str
    turn: int
    end: bool
    since: float
    """Seconds from the start of the recording"""
    lasted_ms: float | None
    """Until the same speaker spoke again; None if never"""
    text: str
    """What the recogniser made of the turn so far"""
    guess: str
    """The last hypothesis before its final words"""
    said: str
    """What was really said, as near as the reference's times tell"""
    pitch: list[float | None]
    loudness: list[float | None]
    begun: float = 0.0
    """Seconds from the start of the recording to that of the turn, padding included ..."""
    asked: float = 0.0
    """... and to the moment at which the server would have asked the turn model"""
    complete: float | None = None
    """What that says; None when it was not asked"""
    took_ms: float = 0.0
    """Processor time of its answer"""

    @property
    def answered_ms(self) -> float:
        """Silence that has passed when its answer counts: the server acts at ends of frames."""
        frames = math.ceil(self.took_ms * SAMPLES_PER_MS / VAD_FRAME)
        return (self.asked - self.since) * 1000.0 + frames * VAD_FRAME / SAMPLES_PER_MS


@dataclass(slots=True)
class Channel:
    """One speaker's side of a recording."""

    dialogue: str
    speaker: str
    audio: Audio
    segments: Segments
    speech: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Probability for each VAD_FRAME"""
    other: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """In which of them the other speaker has the turn"""

    def hear(self, detector: VoiceActivity, *, apart: bool) -> None:
        """Find the speech. Where the channels are not `apart`, each holds the other's voice: only words count."""
        detector.reset()
        frames = self.audio[: len(self.audio) // VAD_FRAME * VAD_FRAME].reshape(-1, VAD_FRAME)
        self.speech = np.array([detector.probability(frame) for frame in frames])
        if not apart:
            own = np.zeros(len(self.speech), np.bool_)
            for start, end, _ in self.segments:
                own[_frame(start - _EDGE) : _frame(end + _EDGE)] = True
            self.speech[~own] = 0.0

    @property
    def takes_turns(self) -> NDArray[np.bool_]:
        """Frames in which this speaker says something that is more than a backchannel."""
        turns = np.zeros(len(self.speech), np.bool_)
        for start, end, text in self.segments:
            if not is_backchannel(text):
                turns[_frame(start) : _frame(end)] = True
        return turns & (self.speech >= _SETTINGS.on)

    def label(self, since: int, resumed: int | None) -> Label:
        """Of a silence between two samples."""
        first, last = since // VAD_FRAME, len(self.other) if resumed is None else resumed // VAD_FRAME
        own = [text for start, end, text in self.segments if start <= since / SAMPLE_RATE <= end + 0.5]
        if self.other[max(first - 1, 0) : first + 1].any() or (own and all(map(is_backchannel, own))):
            return "neither"
        taken = np.count_nonzero(self.other[first:last]) * VAD_FRAME / SAMPLES_PER_MS
        return "end" if resumed is None or taken >= _TAKEN else "hold"

    def said(self, start: int, until: int) -> str:
        """Words between two samples: those of a segment are spread over its speech by their letters."""
        found: list[str] = []
        for begin, end, text in self.segments:
            if end * SAMPLE_RATE <= start or begin * SAMPLE_RATE >= until:
                continue
            spoken = self.speech[_frame(begin) : _frame(end)] >= _SETTINGS.off
            before = spoken[: max(until // VAD_FRAME - _frame(begin), 0)]
            share = np.count_nonzero(before) / max(int(np.count_nonzero(spoken)), 1)
            words = text.split()
            reached = np.cumsum(np.array([len(word) + 1.0 for word in words]))
            found += words[: int(np.count_nonzero(reached <= share * reached[-1] + _SLIP))]
        return " ".join(found)


def is_backchannel(text: str) -> bool:
    """Nothing but continuers?"""
    words = text.lower().split()
    return bool(words) and all(word.strip(".,?!") in BACKCHANNELS for word in words)


def _frame(seconds: float) -> int:
    return max(round(seconds * SAMPLE_RATE / VAD_FRAME), 0)


class Listener:
    """Plays one channel and keeps its pauses."""

    def __init__(self, channel: Channel, stream: PocketSphinxStream | None, guesses: list[str]) -> None:
        self._channel = channel
        self._stream = stream
        self._guesses = guesses
        """Hypotheses as they come"""
        self._range = SpeakerRange()
        self._turn = 0
        self._begin()
        self.pauses: list[Pause] = []

    def _begin(self) -> None:
        self._state: State = Quiet()
        self._loudest = 0.0
        self._asked = 0
        self._quiet_since = self._start = self._segment = self._measured_to = 0
        self._texts: list[str] = []
        self._guessed = ""
        self._extractor = IncrementalExtractor(self._range.pitch_range)
        self._open: Pause | None = None

    async def run(self) -> list[Pause]:
        """All pauses of the channel."""
        channel = self._channel
        for number, probability in enumerate(channel.speech):
            end = (number + 1) * VAD_FRAME
            now = levels(channel.audio[end - VAD_FRAME : end])
            speaking = isinstance(self._state, Hearing | Pausing)
            self._loudest = max(*now, self._loudest if speaking else -math.inf)
            audible = [part for part, one in enumerate(now, 1) if one > self._loudest - SOFT]
            if audible:
                self._quiet_since = end - VAD_FRAME + audible[-1] * VAD_FRAME // len(now)
            before, frame = self._state, Frame(end, float(probability), self._quiet_since)
            self._state, effects = step(before, frame, _SETTINGS)
            if isinstance(before, Hearing) and isinstance(self._state, Pausing):
                self._asked = end
            for effect in effects:
                match effect:
                    case OpenTurn():
                        self._start = self._segment = self._measured_to = max(effect.start - _PADDING, 0)
                    case Settle():
                        await self._settle(end)
                    case Resume():
                        self._segment = max(effect.at - _ONSET_MARGIN, self._segment)
        return self.pauses

    async def _settle(self, end: int) -> None:
        channel, state = self._channel, self._state
        assert isinstance(state, Pausing)
        voiced = np.flatnonzero(channel.speech[end // VAD_FRAME :] >= _SETTINGS.on)
        resumed = end + int(voiced[0]) * VAD_FRAME if len(voiced) else None
        label = channel.label(state.since, resumed)
        await self._recognise(end)
        measured = self._measure(end)
        if label != "neither":
            self.pauses.append(self._pause(state.since, resumed, label == "end", measured))
        if label != "hold":
            self._range = self._range.updated(measured)
            self._turn += 1
            self._begin()

    def _pause(self, since: int, resumed: int | None, over: bool, measured: TurnProsody) -> Pause:
        return Pause(
            self._channel.dialogue,
            self._channel.speaker,
            self._turn,
            over,
            since / SAMPLE_RATE,
            None if resumed is None else (resumed - since) / SAMPLES_PER_MS,
            " ".join(text for text in self._texts if text),
            self._guessed,
            self._channel.said(self._start, since),
            [None if pitch is None else round(pitch, 2) for pitch in measured.track],
            [None if loudness is None else round(loudness, 1) for loudness in measured.loudness],
            self._start / SAMPLE_RATE,
            self._asked / SAMPLE_RATE,
        )

    async def _recognise(self, end: int) -> None:
        if self._stream is None:
            return
        before = " ".join(text for text in self._texts if text)
        self._guesses.clear()
        self._stream.feed(float_to_pcm16(self._channel.audio[self._segment : end]))
        while self._stream._unanswered:  # noqa: ASYNC110  nobody speaks faster than is recognised
            await asyncio.sleep(0.001)
        self._texts.append((await self._stream.finish()).text)
        self._guessed = f"{before} {self._guesses[-1] if self._guesses else ''}".strip()
        self._segment = end

    def _measure(self, end: int) -> TurnProsody:
        for block in self._extractor.feed(self._channel.audio[self._measured_to : end]):
            self._extractor.add(analyse(block))
        self._measured_to = end
        tail = self._extractor.pending()
        return self._extractor.result(tail=None if tail is None else analyse(tail))


# Recordings ---------------------------------------------------------------------------------------------------------
def spokenwoz(folder: Path) -> Iterator[list[Channel]]:
    """Telephone dialogues in stereo: audio/NAME.wav, and turns.jsonl with start, end, speaker and text of each turn."""
    turns = [json.loads(line) for line in (folder / "turns.jsonl").read_text("utf-8").splitlines()]
    for path in sorted((folder / "audio").glob("*.wav")):
        data, rate = soundfile.read(path, dtype="float32", always_2d=True)
        yield [
            Channel(
                path.stem,
                speaker,
                resample(np.ascontiguousarray(data[:, side]), rate, SAMPLE_RATE),
                [
                    (turn["start"], turn["end"], turn["text"])
                    for turn in turns
                    if turn["speaker"] == f"{path.stem}_{speaker}"
                ],
            )
            for side, speaker in enumerate("AB")
        ]


def games(folder: Path) -> Iterator[list[Channel]]:
    """A Spanish dialogue: test-A.wav and test-B.wav, with times of words in .words, "#" for silence."""
    sides = []
    for speaker in "AB":
        data, rate = soundfile.read(folder / f"test-{speaker}.wav", dtype="float32", always_2d=True)
        segments: list[tuple[float, float, str]] = []
        words: list[tuple[float, float, str]] = []
        for line in [*(folder / f"test-{speaker}.words").read_text("utf-8").splitlines(), "0 0 #"]:
            start, end, word = line.split()
            if word != "#":
                words.append((float(start), float(end), word))
            elif words:
                segments.append((words[0][0], words[-1][1], " ".join(text for _, _, text in words)))
                words = []
        sides.append(Channel("games", speaker, resample(data[:, 0], rate, SAMPLE_RATE), segments))
    yield sides


def read_speech(folder: Path) -> Iterator[list[Channel]]:
    """Read utterances: manifest.tsv with audio and transcript. Whatever is said is one turn."""
    margin = np.zeros(_PADDING, np.float32)
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            data, rate = soundfile.read(folder / row["audio"], dtype="float32", always_2d=True)
            audio = resample(np.ascontiguousarray(data[:, 0]), rate, SAMPLE_RATE)
            whole = np.concatenate([margin, audio, np.zeros(SAMPLE_RATE, np.float32)])
            seconds = len(whole) / SAMPLE_RATE
            yield [Channel(row["audio"], row["speaker"], whole, [(0.0, seconds, row["transcript"])])]


@dataclass(frozen=True, slots=True)
class Corpus:
    """How recordings are read and heard."""

    read: Callable[[Path], Iterator[list[Channel]]]
    folder: str
    known: bool = True
    """The recogniser knows the language"""
    apart: bool = True
    """A channel holds nothing of the other speaker"""


CORPORA: Final[dict[str, Corpus]] = {
    "spokenwoz": Corpus(spokenwoz, "spokenwoz_sample"),
    "games": Corpus(games, "uba_games_demo", known=False, apart=False),
    "read": Corpus(read_speech, "speech"),
}


async def collect(name: str, folder: Path) -> list[Pause]:
    """The pauses of every recording in a folder; dialogues of one's own are laid out as spokenwoz is."""
    corpus = CORPORA.get(name, CORPORA["spokenwoz"])
    recogniser, detector = PocketSphinx(), await Silero().open()
    guesses: list[str] = []
    stream = None
    if corpus.known:
        await recogniser.start()
        stream = await recogniser.open(guesses.append)
    pauses: list[Pause] = []
    for sides in corpus.read(folder):
        for side in sides:
            side.hear(detector, apart=corpus.apart)
        for side, other in zip(sides, sides[::-1], strict=True):
            side.other = np.zeros(len(side.speech), np.bool_) if other is side else other.takes_turns
            pauses += await Listener(side, stream, guesses).run()
        print(f"\r{name}: {len(pauses)} pauses", end="", flush=True)
    print()
    if stream is not None:
        await stream.close()
    await recogniser.close()
    return pauses


def save(pauses: Sequence[Pause], path: Path) -> None:
    """As JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(pause)) + "\n" for pause in pauses), "utf-8")


def load(path: Path) -> list[Pause]:
    """The inverse of `save`."""
    return [Pause(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]

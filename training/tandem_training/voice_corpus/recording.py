"""One sentence as it was said, its copies with other prosody, and the lines that describe them in the corpus.

Every copy is moved by our own realiser and then measured by our extractor: what a line states is what can be heard.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from tandem_models.extract import PitchRange, phonation
from tandem_models.phone_set import is_vowel
from tandem_models.phones import Pronounced
from tandem_models.prosody import EXTRACTOR_VERSION, Prosody
from tandem_models.realise import REACH, Span, measure, realise
from tandem_models.signal import Audio, resample

SAMPLE_RATE: Final = 22_050
"""Hertz, of the corpus"""
_RATIOS: Final = frozenset({"pitch_range", "intensity_range"})
_MELODY: Final = ("pitch_mean", "pitch_range", "rate", "intensity_mean")
_QUALITY: Final = ("jitter", "shimmer", "hnr", "intensity_range")
_MELODY_SHARE: Final = 0.8
"""How often a copy moves each feature of melody, and of voice quality: not always, so that each is heard alone too."""
_QUALITY_SHARE: Final = 0.45
_LOUDEST: Final = 8.0
"""dB; further up, speech at the teacher's level would clip."""

Line = dict[str, Any]
"""One line of utterances.jsonl"""


class UnusableError(Exception):
    """The recording cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Speech with the times of its phones."""

    name: str
    text: str
    split: str
    sentence: Pronounced
    wave: Path
    phones: tuple[str, ...]
    """(N,) as they were said"""
    ends: tuple[float, ...]
    """(N,) seconds"""


def lines(recording: Recording, copies: int, seed: int, pitch_range: PitchRange, folder: Path) -> Iterator[Line]:
    """Write the recording and its copies as FLAC into `folder`/wavs and describe them. Raises UnusableError."""
    audio, rate = read(recording.wave)
    checked(recording, len(audio) / rate)
    syllables = sum(map(is_vowel, recording.phones))
    spans = word_spans(recording)
    plain = resample(audio, rate, SAMPLE_RATE)
    own = measure(plain, SAMPLE_RATE, syllables, spans, pitch_range=pitch_range).prosody
    if own["pitch_mean"] is None:
        raise UnusableError("no voice was heard in it")
    yield _written(recording, recording.name, plain, recording.ends, own, {}, folder)
    for copy in range(1, copies + 1):
        moves = drawn(random.Random(f"{seed} {recording.name} {copy}"))  # noqa: S311  # variety, not secrecy
        aim = target(own, moves, math.log(syllables / phonation(spans)))
        moved = realise(audio, rate, aim, pitch_range=pitch_range, syllables=syllables, words=spans)
        factor = spans[-1][1] / moved.words[-1][1]
        copied = resample(moved.audio, moved.sample_rate, SAMPLE_RATE)
        heard = measure(copied, SAMPLE_RATE, syllables, moved.words, pitch_range=pitch_range).prosody
        ends = tuple(end / factor for end in recording.ends)
        told = {name: round(move, 4) for name, move in moves.items()} | {"rate_factor": round(factor, 6)}
        yield _written(recording, f"{recording.name}-{copy}", copied, ends, heard, told, folder)


def read(path: Path) -> tuple[Audio, int]:
    """Mono float32 and its rate. Raises UnusableError."""
    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UnusableError(f"cannot be read: {error}") from error
    return np.asarray(audio.mean(axis=1), np.float32), int(rate)


def checked(recording: Recording, duration: float) -> None:
    """Raises UnusableError unless the phones are our front end's and their times fit the sound."""
    if recording.phones != recording.sentence.phones:
        raise UnusableError("the phones that were said are not those of the front end")
    starts = (0.0, *recording.ends[:-1])
    if any(end <= start for start, end in zip(starts, recording.ends, strict=True)):
        raise UnusableError("a phone has no duration")
    if abs(recording.ends[-1] - duration) > 0.05:
        raise UnusableError(f"phones end at {recording.ends[-1]:.2f} s, the sound at {duration:.2f} s")


def word_spans(recording: Recording) -> list[Span]:
    """Begin and end (s) of each word."""
    starts = (0.0, *recording.ends[:-1])
    return [(starts[first], recording.ends[last - 1]) for _, first, last in recording.sentence.words]


def drawn(source: random.Random) -> dict[str, float]:
    """Moves within the realiser's reach, in its units; evenly, since a corpus should know the edges too."""
    moves = {}
    for names, share in ((_MELODY, _MELODY_SHARE), (_QUALITY, _QUALITY_SHARE)):
        for name in names:
            low, high = REACH[name]
            move = source.uniform(max(low, -_LOUDEST), min(high, _LOUDEST))
            if source.random() < share:
                moves[name] = move
    return moves


def target(own: Prosody, moves: Mapping[str, float], rate: float) -> Prosody:
    """Where moves lead from a recording's own prosody; a feature that it lacks is left alone, but for the rate of a
    word or two, which the extractor does not call a rate."""
    values = {}
    for name, move in moves.items():
        value = rate if name == "rate" else own[name]
        if value is not None:
            values[name] = value * math.exp(move) if name in _RATIOS else value + move
    return Prosody.from_dict(values)


def _written(
    recording: Recording,
    name: str,
    audio: Audio,
    ends: tuple[float, ...],
    prosody: Prosody,
    moves: Mapping[str, float],
    folder: Path,
) -> Line:
    soundfile.write(folder / "wavs" / f"{name}.flac", np.clip(audio, -1.0, 1.0), SAMPLE_RATE, subtype="PCM_16")
    sentence = recording.sentence
    return {
        "id": name,
        "text": recording.text,
        "said": sentence.text,
        "kind": sentence.kind,
        "split": recording.split,
        "audio": f"wavs/{name}.flac",
        "phones": list(sentence.phones),
        "ends": [round(end, 5) for end in ends],
        "stress": list(sentence.stress),
        "words": [list(word) for word in sentence.words],
        "prosody": prosody.as_dict(),
        "extractor_version": EXTRACTOR_VERSION,
        "augmentation": dict(moves),
    }

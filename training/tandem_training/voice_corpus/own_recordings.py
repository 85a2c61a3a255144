"""A person's own recordings, in the layout of LJSpeech, as recordings with phone times.

    metadata.csv    ID|text as written|text as read (may be left out)
    wavs/ID.wav     or .flac; any rate, mono or not

Pauses are where the speaker made them, not where the text has a mark: that is what a voice should learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from tandem_models.phone_set import PAUSE
from tandem_models.phones import Pronounced, pronounce
from tandem_models.signal import SAMPLE_RATE, resample
from tandem_training.voice_corpus.alignment import Aligner, AlignmentError, Span
from tandem_training.voice_corpus.recording import Recording, UnusableError, read

_PAUSE: Final = 0.06
"""Seconds of silence between words that count as a pause; a shorter one belongs to the phone before it."""
_LONGEST: Final = 20.0
"""Seconds"""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A sentence of the corpus: a line of metadata.csv, or what the teacher is to say."""

    name: str
    text: str
    wave: Path | None
    """None is not recorded"""


def transcripts(folder: Path) -> list[Transcript]:
    """All lines. Raises ValueError that says what is missing from the folder."""
    table = folder / "metadata.csv"
    if not table.is_file():
        raise ValueError(f"{table} is missing: lines of ID|text, and each recording as wavs/ID.wav")
    found = []
    for number, line in enumerate(table.read_text("utf-8").splitlines(), 1):
        name, *texts = (field.strip() for field in line.split("|"))
        if not name:
            continue
        if not texts or not texts[-1]:
            raise ValueError(f"{table}, line {number}: not ID|text")
        waves = [path for ending in ("wav", "flac") if (path := folder / "wavs" / f"{name}.{ending}").is_file()]
        if not waves:
            raise ValueError(f"{table}, line {number}: there is no wavs/{name}.wav")
        found.append(Transcript(name, texts[-1], waves[0]))
    if len({one.name for one in found}) < len(found):
        raise ValueError(f"{table}: two lines have the same ID")
    return found


def aligned(transcript: Transcript, split: str, aligner: Aligner) -> Recording:
    """The recording with phone times. Raises UnusableError."""
    if transcript.wave is None:
        raise UnusableError("it was not recorded")
    audio, rate = read(transcript.wave)
    duration = len(audio) / rate
    if not 0.3 <= duration <= _LONGEST:
        raise UnusableError(f"it lasts {duration:.1f} s; only 0.3 to {_LONGEST:.0f} s can be used")
    sentences = pronounce(transcript.text)
    if not sentences:
        raise UnusableError("nothing in its text can be said")
    words = [one.phones[first:last] for one in sentences for _, first, last in one.words]
    try:
        spans = aligner.phones(resample(audio, rate, SAMPLE_RATE), words)
    except AlignmentError as error:
        raise UnusableError(str(error)) from error
    said, ends = with_pauses(sentences, spans, duration)
    return Recording(transcript.name, transcript.text, split, said, transcript.wave, said.phones, ends)


def with_pauses(
    sentences: Sequence[Pronounced], spans: Sequence[Sequence[Span]], duration: float
) -> tuple[Pronounced, tuple[float, ...]]:
    """One sentence of all, its pauses where there was silence, and the ends of its phones (s). There is always a pause
    at either end, of at least 10 ms."""
    phones, stress, ends = [PAUSE], [0], [max(spans[0][0][0], 0.01)]
    words: list[tuple[str, int, int]] = []
    told = [(one, word) for one in sentences for word in one.words]
    nexts = [*(after[0][0] for _, after in pairwise(spans)), duration - 0.01]
    for (sentence, (word, first, last)), said, following in zip(told, spans, nexts, strict=True):
        words.append((word, len(phones), len(phones) + last - first))
        phones += sentence.phones[first:last]
        stress += sentence.stress[first:last]
        ends += [end for _, end in said[:-1]]
        silent = following - said[-1][1] >= _PAUSE and len(words) < len(told)
        ends.append(min(said[-1][1], duration - 0.01) if silent or len(words) == len(told) else following)
        if silent:
            phones.append(PAUSE)
            stress.append(0)
            ends.append(following)
    text = " ".join(one.text for one in sentences)
    whole = Pronounced(text, sentences[-1].kind, (*phones, PAUSE), (*stress, 0), tuple(words))
    return whole, (*ends, duration)

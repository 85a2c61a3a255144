"""How well a voice is understood: recognisers write down sentences that no voice was trained on.

Absolute word error rates say as much about the recogniser as about the voice; compare voices by the same one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from tandem_models.normalise_text import normalise
from tandem_models.signal import SAMPLE_RATE, Audio, float_to_pcm16, resample
from tandem_training.metrics import WordErrors, word_errors

Speech = Callable[[str], tuple[Audio, int]]
"""Text -> audio (T,) and its sample rate."""

_LEVEL: Final = 0.1
"""Root mean square to which speech is brought: a voice is not to lose words by being soft."""
_EDGE: Final = 0.3
"""Seconds of silence before and after, as a recogniser expects"""
_FILLERS: Final = ("<", "[", "+")


class Recogniser(Protocol):
    """Something that writes down speech."""

    @property
    def name(self) -> str: ...

    def words(self, audio: Audio) -> list[str]:
        """Of speech (T,) at SAMPLE_RATE, in lower case."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """One sentence and what was made of it."""

    text: str
    heard: str
    errors: WordErrors


@cache
def unseen_sentences() -> tuple[str, ...]:
    """The 200 sentences of `unseen_sentences.txt`."""
    text = files("tandem_training").joinpath("unseen_sentences.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def judged(
    speech: Speech,
    recogniser: Recogniser,
    sentences: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Heard]:
    """Have sentences spoken (by default the unseen ones) and written down; `progress` is told how many of how many."""
    texts = unseen_sentences() if sentences is None else sentences
    found = []
    for done, text in enumerate(texts, 1):
        words = recogniser.words(prepared(*speech(text)))
        found.append(Heard(text, " ".join(words), word_errors(words, spoken_words(text))))
        if progress:
            progress(done, len(texts))
    return found


def total(heard: Sequence[Heard]) -> WordErrors:
    """Of all sentences together."""
    return WordErrors(*(sum(column) for column in zip(*(tuple(one.errors) for one in heard), strict=True)))


def spoken_words(text: str) -> list[str]:
    """The words of a text as they are said, letters without their dot."""
    return [word.rstrip(".") for sentence in normalise(text) for word in sentence.words]


def prepared(audio: Audio, sample_rate: int) -> Audio:
    """At SAMPLE_RATE and one level, between silences."""
    speech = resample(audio, sample_rate, SAMPLE_RATE)
    power = float(np.sqrt(np.mean(np.square(speech, dtype=np.float64)))) if len(speech) else 0.0
    edge = np.zeros(int(_EDGE * SAMPLE_RATE), np.float32)
    loud = np.clip(speech * np.float32(_LEVEL / max(power, 1e-4)), -1.0, 1.0)
    return np.concatenate([edge, loud.astype(np.float32), edge])


class PocketSphinx:
    """The wheel's US English model. It holds the interpreter lock: for evaluation, never in the server."""

    name = "pocketsphinx"

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(loglevel="FATAL", fwdflat=False, bestpath=True)

    def words(self, audio: Audio) -> list[str]:
        # Not adapted to what was heard before: every sentence and every voice starts alike.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(float_to_pcm16(audio), no_search=False, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.seg() if self._decoder.hyp() else ()
        return [one.word.partition("(")[0] for one in found if not one.word.startswith(_FILLERS)]


class Vosk:
    """A Vosk model in a folder. Raises ValueError if there is none."""

    def __init__(self, folder: Path) -> None:
        from vosk import Model, SetLogLevel

        if not (folder / "am" / "final.mdl").is_file():
            raise ValueError(f"{folder} is not a Vosk model: am/final.mdl is missing")
        SetLogLevel(-1)
        self.name = f"vosk {folder.name}"
        self._model: Any = Model(str(folder))

    def words(self, audio: Audio) -> list[str]:
        from vosk import KaldiRecognizer

        recogniser = KaldiRecognizer(self._model, SAMPLE_RATE)
        recogniser.AcceptWaveform(float_to_pcm16(audio))
        return str(json.loads(recogniser.FinalResult()).get("text", "")).split()

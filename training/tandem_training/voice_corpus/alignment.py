"""When each phone of a transcript is said: forced alignment by PocketSphinx's acoustic model, in steps of 10 ms.

Words are given by our phones, not by its dictionary, and silence may be between any two. A phone lasts 30 ms at least.
Against Festival's own times (100 sentences, 3,046 phones; `tests/bench/alignment.py`): median error 10 ms, p90 20 ms,
91 % within 20 ms; that is the teacher's clear speech, not a person's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from pocketsphinx import Decoder

from tandem_models.signal import Audio, float_to_pcm16

FRAME: Final = 0.01
"""Seconds"""
_SCHWA: Final = {"ax": "AH"}
"""Phones that PocketSphinx's set does not have"""
_LEVEL: Final = 0.1
"""Root mean square to which speech is brought: the model was trained on speech at such levels."""

Span = tuple[float, float]
"""Begin and end, seconds"""


class AlignmentError(Exception):
    """The words could not be found in the speech: most likely something else was said."""


class Aligner:
    """One acoustic model, 96 MB and a quarter of a second to load; use it again and again, from one thread."""

    def __init__(self) -> None:
        # With bestpath its second pass fails on a tenth of all sentences (pocketsphinx 5.1, pull request 468).
        self._decoder = Decoder(lm=None, loglevel="FATAL", bestpath=False)
        self._names: dict[tuple[str, ...], str] = {}

    def phones(self, audio: Audio, words: Sequence[tuple[str, ...]]) -> list[list[Span]]:
        """Spans of the phones of each word in speech (T,) at SAMPLE_RATE. Raises AlignmentError."""
        loud = audio * np.float32(_LEVEL / max(float(np.sqrt(np.mean(np.square(audio)))), 1e-4))
        sound = float_to_pcm16(loud)
        try:
            self._decoder.set_align_text(" ".join(self._name(word) for word in words))
            self._hear(sound)
            self._decoder.set_alignment()
            self._hear(sound)
            found = [
                [(phone.start * FRAME, (phone.start + phone.duration) * FRAME) for phone in word]
                for word in self._decoder.get_alignment()
                if word.name in self._names.values()
            ]
        except (RuntimeError, TypeError) as error:  # no hypothesis; no alignment
            raise AlignmentError("the words of the transcript were not found in the speech") from error
        if [len(spans) for spans in found] != [len(word) for word in words]:
            raise AlignmentError("only a part of the transcript was found in the speech")
        return found

    def _hear(self, sound: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(sound, no_search=False, full_utt=True)
        self._decoder.end_utt()

    def _name(self, word: tuple[str, ...]) -> str:
        """What the decoder calls a word that is said like this."""
        if word not in self._names:
            name = f"_word{len(self._names)}"
            self._decoder.add_word(name, " ".join(_SCHWA.get(phone, phone.upper()) for phone in word), True)
            self._names[word] = name
        return self._names[word]

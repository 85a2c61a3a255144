"""How long to wait in a pause: silence, the text and the final prosody say together whether a turn is over.

The waiting time is the session's `silence_duration_ms`, shortened when the melody has fallen to its end and the words
have stopped changing, and lengthened when it is level or the last word leaves the sentence open; cues of this kind are
in Gravano & Hirschberg (2011). The numbers were chosen by hand on 91 read utterances and are printed for them by
`python tests/bench/endpointing.py`; a model fitted on conversations is to replace them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tandem_models.signal import SAMPLES_PER_MS

LEAST: Final = 200 * SAMPLES_PER_MS
"""Samples of silence that always pass: shorter pauses are stop consonants and breaths."""
FINISHED, UNFINISHED = 0.4, 1.3
"""Factors on the waiting time at either end of the evidence."""
_FALL: Final = -2.0
"""Semitones below the turn's median at which a final fall says neither one nor the other."""
_CLEAR: Final = 1.5
"""Semitones from there to where it leaves no doubt."""
_RISE: Final = 3.0
"""Semitones above the median from which the melody rises: a question yields the turn, a list holds it."""
_TAIL: Final = 20
"""Frames of 10 ms: the last 200 ms of voice."""

_HANGING_TEXT: Final = (
    "a an and are as at because but by can could for from had has have he her his i if in is it's its i'm "
    "my of on or our than the their to uh um was we we're were "
    "will with would your"
)
HANGING: Final = frozenset(_HANGING_TEXT.split())
"""Words that rarely end a turn: after them somebody is still looking for the next."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a pause once the speech before it has been finalised."""

    text: str
    """The turn so far, as finalised."""
    final_fall: float | None
    """Semitones of the last voice against the turn's median; None when there was too little voice."""
    stable: bool = True
    """The recogniser has not changed its mind about the last word it guessed before the pause."""


def final_fall(track: Sequence[float | None]) -> float | None:
    """Median pitch (semitones) of the last 200 ms of voice minus the turn's median; None below 0.4 s of voice."""
    voiced = np.array([pitch for pitch in track if pitch is not None], dtype=float)
    if len(voiced) < 2 * _TAIL:
        return None
    return float(np.median(voiced[-_TAIL:]) - np.median(voiced))


def completeness(evidence: Evidence) -> float:
    """From -1 (unfinished) over 0 (no evidence) to 1 (finished)."""
    words = evidence.text.lower().split()
    if not words:
        return 0.0
    if words[-1].strip(".,?!") in HANGING:
        return -1.0
    if evidence.final_fall is None or evidence.final_fall > _RISE:
        return 0.0
    score = min(max((_FALL - evidence.final_fall) / _CLEAR, -1.0), 1.0)
    return score if evidence.stable else min(score, 0.0)


def patience(silence: int, evidence: Evidence | None) -> int:
    """Samples of silence to wait: `silence` (as the session asks) moved by the evidence, never under LEAST."""
    if evidence is None:
        return silence
    score = completeness(evidence)
    factor = 1.0 - score * ((1.0 - FINISHED) if score > 0 else (UNFINISHED - 1.0))
    return max(round(silence * factor), min(LEAST, silence))

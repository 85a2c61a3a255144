"""How the voice ended before a pause: its fall, decay and lengthening, from the frames of the prosody extractor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Track = Sequence[float | None]
"""One number every 10 ms; None where there is none."""

_LAST: Final = 20
"""Frames of voice that are the end: 200 ms."""
_LEAST_VOICE: Final = 2 * _LAST
"""Frames of voice without which there is nothing to compare the end with."""
_DIP: Final = 2.0
"""dB between two loudness peaks that are two syllables (de Jong & Wempe, 2009)"""
_FEWEST: Final = 3
"""Syllables that make a mean"""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of the voice against the turn so far; None where there was too little voice to tell."""

    fall: float | None = None
    """Semitones of the last 200 ms of voice above the turn's median: below 0 the melody has fallen"""
    decay: float | None = None
    """dB of the last 200 ms of voice above the turn's mean: below 0 the voice has faded"""
    lengthening: float | None = None
    """Natural logarithm of the last syllable's length over the turn's mean syllable"""


UNHEARD: Final = Ending()


def ending(pitch: Track, loudness: Track) -> Ending:
    """From a turn's pitch (semitones; None is unvoiced) and loudness (dB), frame by frame."""
    voiced = np.array([value is not None for value in pitch], np.bool_)
    if np.count_nonzero(voiced) < _LEAST_VOICE:
        return UNHEARD
    semitones = np.array([value for value in pitch if value is not None])
    fall = float(np.median(semitones[-_LAST:]) - np.median(semitones))
    if len(loudness) != len(pitch):
        return Ending(fall)
    decibels = np.array([np.nan if value is None else value for value in loudness])
    return Ending(fall, _decay(decibels[voiced]), _lengthening(decibels, voiced))


def _decay(voice: NDArray[np.float64]) -> float | None:
    known = np.isfinite(voice)
    if not known[-_LAST:].any():
        return None
    return float(np.nanmean(voice[-_LAST:]) - np.nanmean(voice))


def peaks_of(curve: NDArray[np.float64], prominence: float) -> list[int]:
    """Places of the peaks that rise so far above the higher of the two dips that part them from a higher one, or from
    the end; of a plateau its middle. As scipy.signal.find_peaks, which takes 77 MB and a second to import."""
    if not len(curve):
        return []
    edges = np.flatnonzero(np.diff(curve)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(curve)]])
    runs = curve[starts]
    found = []
    for run in np.flatnonzero((runs[1:-1] > runs[:-2]) & (runs[1:-1] > runs[2:])) + 1:
        higher = np.flatnonzero(runs > runs[run])
        place = int(np.searchsorted(higher, run))
        left = higher[place - 1] if place else -1
        right = higher[place] if place < len(higher) else len(runs)
        if runs[run] - max(runs[left + 1 : run].min(), runs[run + 1 : right].min()) >= prominence:
            found.append(int(starts[run] + ends[run] - 1) // 2)
    return found


def _lengthening(loudness: NDArray[np.float64], voiced: NDArray[np.bool_]) -> float | None:
    """Syllables are the peaks of loudness in voice; the last reaches back to the dip before its peak."""
    filled = np.where(np.isfinite(loudness), loudness, np.nanmin(loudness, initial=0.0))
    peaks = [peak for peak in peaks_of(filled, _DIP) if voiced[peak]]
    if len(peaks) < _FEWEST:
        return None
    dip = peaks[-2] + int(np.argmin(filled[peaks[-2] : peaks[-1]]))
    mean = np.count_nonzero(voiced) / len(peaks)
    return float(np.log(np.count_nonzero(voiced[dip:]) / mean))

"""Pitch-synchronous overlap-add (Moulines & Charpentier 1990): other pitch, range, rate and jitter, same spectrum.

The grain around each glottal pulse goes to where the new contour wants a pulse; between voiced runs, grains at a fixed
step. Neighbouring half windows sum to one, so with pulses left in place the waveform comes back. N pulses, K grains.

    source   ...|....|....|....|~~~~~~~~|...|...     | pulse    ~ unvoiced
    out      ...|..|..|..|..|..|~~~~~~~~|..|..|
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import parselmouth
from numpy.typing import NDArray
from parselmouth.praat import call

from tandem_models.praat import HOP, PitchRange
from tandem_models.signal import SAMPLE_RATE, WIRE_RATE, Audio, resample
from tandem_models.voice_quality import BELOW_PEAK

Doubles = NDArray[np.float64]

FINE_RATE: Final = 4 * WIRE_RATE
"""Hertz: what grains are read from, so that pulses land within 5 us; coarser, rounding would add jitter."""
_STEP: Final = 0.006
"""Seconds between grains where there is no voice: short enough that a burst is not heard twice."""
_LONGEST_PERIOD: Final = 0.02
"""Seconds; pulses further apart belong to different voiced runs (Praat's own limit)."""
_GRID: Final = 0.001
"""Seconds between the points at which the new contour is integrated."""
_BATCH: Final = 256
"""Grains added at a time, about a second: a long utterance then needs no more memory than a short one."""
_FEWEST_PULSES: Final = 3
_FEWEST_VOICED: Final = 10
"""Frames, as the extractor."""
_PERIODS: Final = (0.0, 0.0, 0.0001, 0.02, 1.3)
"""All of the sound; shortest, longest period (s), largest ratio of neighbours: as the extractor."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An utterance with all that does not depend on the target: made once, rendered as often as needed."""

    fine: Audio
    """(T,) at FINE_RATE"""
    duration: float
    """Seconds"""
    runs: tuple[Doubles, ...]
    """Pulses of each voiced run, seconds, each (N,)"""
    contour: tuple[Doubles, Doubles]
    """Times (s) and semitones re 100 Hz of the voiced frames, each (F,)"""
    own: Mapping[str, float]
    """How the engine spoke, by the names and on the scales of the registry; what could not be measured is left out."""


@dataclass(frozen=True, slots=True)
class Melody:
    """What to change. The default changes nothing."""

    shift: float = 0.0
    """Semitones"""
    spread: float = 1.0
    """Factor on the distance from the mean pitch, in semitones."""
    rate: float = 1.0
    """Factor on speed."""
    jitter: float = 0.0
    """Standard deviation of pulse times, periods."""
    shimmer: float = 0.0
    """Standard deviation of pulse amplitudes, relative."""


@dataclass(frozen=True, slots=True, eq=False)
class _Grains:
    """Where each grain is taken from and put to, in order of time; all (K,)."""

    source: Doubles
    """Seconds"""
    out: Doubles
    """Seconds"""
    left: Doubles
    """Longest rising half window: the source's own period, seconds; infinite without voice"""
    right: Doubles
    gain: Doubles
    voiced: NDArray[np.bool_]


def prepare(audio: Audio, sample_rate: int, pitch_range: PitchRange) -> Source:
    """Find pulses and measure, with one call for pitch. Raises parselmouth.PraatError for audio Praat cannot take."""
    heard = resample(audio, sample_rate, SAMPLE_RATE)
    sound = parselmouth.Sound(heard.astype(np.float64), SAMPLE_RATE)
    contour = sound.to_pitch_ac(HOP / SAMPLE_RATE, pitch_range.floor, pitch_ceiling=pitch_range.ceiling)
    pulses = call([sound, contour], "To PointProcess (cc)")
    times = call(pulses, "To Matrix").values[0] if call(pulses, "Get number of points") else np.zeros(0)
    hertz = contour.selected_array["frequency"]
    voiced = hertz > 0.0
    semitones = 12.0 * np.log2(hertz[voiced] / 100.0)
    own = _loudness(sound)
    if len(semitones) >= _FEWEST_VOICED:
        own |= _melody(semitones, contour.selected_array["strength"][voiced]) | _perturbation(sound, pulses)
    fine = resample(audio, sample_rate, FINE_RATE)
    return Source(fine, len(audio) / sample_rate, _runs(times), (contour.xs()[voiced], semitones), own)


# The extractor's formulas over the whole utterance at once, from the contour and the pulses that the grains need
# anyway. They differ from its half-second blocks by little, and only set the first aim: what was realised is measured
# by the extractor itself.


def _loudness(sound: Any) -> dict[str, float]:
    """Energy mean and spread (dB) of the frames within 30 dB of the loudest."""
    intensity = sound.to_intensity(100.0, HOP / SAMPLE_RATE, True).values[0]
    loud = intensity[intensity >= intensity.max() - BELOW_PEAK]
    low, high = np.quantile(loud, (0.05, 0.95))
    return {"intensity_mean": 10.0 * math.log10(np.mean(10.0 ** (loud / 10.0))), "intensity_range": float(high - low)}


def _melody(semitones: Doubles, strength: Doubles) -> dict[str, float]:
    low, high = np.quantile(semitones, (0.05, 0.95))
    ratio = np.clip(strength, 1e-6, 1.0 - 1e-6)
    hnr = float(np.mean(10.0 * np.log10(ratio / (1.0 - ratio))))
    return {"pitch_mean": float(semitones.mean()), "pitch_range": float(high - low), "hnr": hnr}


def _perturbation(sound: Any, pulses: Any) -> dict[str, float]:
    jitter = float(call(pulses, "Get jitter (local)", *_PERIODS))
    shimmer = float(call([sound, pulses], "Get shimmer (local)", *_PERIODS, 1.6))
    found = {"jitter": jitter, "shimmer": shimmer}
    return {name: math.log(value) for name, value in found.items() if value > 0.0}  # NaN is not


def _runs(pulses: Doubles) -> tuple[Doubles, ...]:
    """Cut where two pulses are too far apart to be one voice; runs of one or two pulses are left unvoiced."""
    runs = np.split(pulses, np.flatnonzero(np.diff(pulses) > _LONGEST_PERIOD) + 1)
    return tuple(run for run in runs if len(run) >= _FEWEST_PULSES)


def render(source: Source, melody: Melody, seed: int = 0) -> Audio:
    """The source with other pitch, rate, jitter and shimmer, at WIRE_RATE; (T,) is the duration over `rate`."""
    grains = _grains(source, melody, np.random.default_rng(seed))
    length = round(source.duration / melody.rate * WIRE_RATE)
    return _overlap_add(source.fine, grains, length, stretched=abs(melody.rate - 1.0) > 0.01)


def _grains(source: Source, melody: Melody, random: np.random.Generator) -> _Grains:
    """Voiced grains where the new contour wants them; in between and at the edges, unvoiced ones at _STEP."""
    end = source.duration / melody.rate
    parts: list[_Grains] = []
    reached = 0.0
    for run in source.runs:
        voiced = _voiced(source, run, melody, random)
        parts.append(_unvoiced(reached, float(voiced.out[0]), melody.rate, first=not parts))
        parts.append(voiced)
        reached = float(voiced.out[-1])
    parts.append(_unvoiced(reached, end, melody.rate, first=not parts))
    parts.append(_at(np.array([end]), melody.rate))
    return _Grains(*(np.concatenate([getattr(part, column) for part in parts]) for column in _Grains.__slots__))


def _voiced(source: Source, run: Doubles, melody: Melody, random: np.random.Generator) -> _Grains:
    """Grains of one voiced run (N,): each is the nearest pulse's, placed where the new contour has a pulse."""
    time = np.linspace(run[0], run[-1], int((run[-1] - run[0]) / _GRID) + 2)
    own = np.interp(time, source.contour[0], source.contour[1])
    mean = source.own.get("pitch_mean", 0.0)
    wanted = own + (own - mean) * (melody.spread - 1.0) + melody.shift
    speed = 100.0 * 2.0 ** (wanted / 12.0) / melody.rate  # pulses per second of the source
    phase = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2.0 * np.diff(time))])
    count = int(phase[-1] + 0.5) + 1
    place = np.interp(np.arange(count), phase, time)
    middle = (run[1:] + run[:-1]) / 2.0
    nearest = np.searchsorted(middle, place)
    wobble = melody.jitter * np.clip(random.standard_normal(count), -2.5, 2.5) / np.interp(place, time, speed)
    wobble[[0, -1]] = 0.0
    gain = 1.0 + melody.shimmer * np.clip(random.standard_normal(count), -2.5, 2.5)
    out = np.maximum.accumulate(place / melody.rate + wobble / melody.rate)
    gap = np.concatenate([[np.inf], np.diff(run), [np.inf]])  # towards the unvoiced, as far as the next grain
    voiced = np.ones(count, np.bool_)
    return _Grains(run[nearest], out, gap[nearest], gap[nearest + 1], np.maximum(gain, 0.1), voiced)


def _unvoiced(begin: float, end: float, rate: float, *, first: bool) -> _Grains:
    """Grains between two voiced runs, evenly spaced; the first grain of all starts the sound."""
    count = max(int((end - begin) / _STEP), 1)
    return _at(np.linspace(begin, end, count, endpoint=False)[0 if first else 1 :], rate)


def _at(out: Doubles, rate: float) -> _Grains:
    """Unvoiced grains, taken from where their time was."""
    unlimited, ones = np.full(len(out), np.inf), np.ones(len(out))
    return _Grains(out * rate, out, unlimited, unlimited, ones, np.zeros(len(out), np.bool_))


def _overlap_add(fine: Audio, grains: _Grains, length: int, *, stretched: bool) -> Audio:
    """Sum of the grains at WIRE_RATE, (T,). The two half windows in the gap between grains add up to one."""
    gap = np.diff(grains.out)
    left = np.minimum(np.concatenate([[0.0], gap]), grains.left)
    right = np.minimum(np.concatenate([gap, [0.0]]), grains.right)
    out = np.zeros(length)
    for first in range(0, len(left), _BATCH):
        batch = slice(first, first + _BATCH)
        at, taken, weight = _windows(grains, left, right, batch, power=stretched)
        keep = (at >= 0) & (at < length) & (weight > 0.0)
        at, value = at[keep], fine[np.clip(taken[keep], 0, len(fine) - 1)] * weight[keep]
        if at.size:
            out[at.min() : at.max() + 1] += np.bincount(at - at.min(), value)
    return out.astype(np.float32)


def _windows(
    grains: _Grains, left: Doubles, right: Doubles, batch: slice, *, power: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], Doubles]:
    """(sample of the output, sample at FINE_RATE, weight) of some grains, each (K, W) with W the widest."""
    left, right, out = left[batch, None], right[batch, None], grains.out[batch, None]
    begin = np.ceil((out - left) * WIRE_RATE).astype(np.int64)
    at = begin + np.arange(int((left + right).max() * WIRE_RATE) + 2)
    offset = at / WIRE_RATE - out
    share = np.minimum(np.abs(offset) / np.maximum(np.where(offset < 0.0, left, right), 1e-9), 1.0)
    weight = 0.5 + 0.5 * np.cos(np.pi * share)
    if power:  # neighbours no longer agree in phase: noise adds by power, so the windows' squares must sum to one
        weight = np.where(grains.voiced[batch, None], weight, np.sqrt(weight))
    taken = np.rint((grains.source[batch, None] + offset) * FINE_RATE).astype(np.int64)
    return at, taken, weight * grains.gain[batch, None]

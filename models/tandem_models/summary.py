"""Frames of a turn -> its prosody vector: which frames count, which features may be trusted, and why not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tandem_models.praat import HOP, BlockFeatures, Frames
from tandem_models.prosody import FEATURES, INDEX, MISSING, Feature, Prosody, hertz
from tandem_models.signal import SAMPLE_RATE

_SHORTEST: Final = 0.1
"""Seconds: below it nothing is measured."""
_SILENT: Final = 1e-4
"""Root mean square of a turn in which nothing was said."""
_CLIPPED_SHARE: Final = 0.001
_FEWEST_VOICED: Final = 10
"""Frames: with fewer, what was voiced is chance."""
_BELOW_PEAK: Final = 30.0
"""dB: frames further below the loudest are pauses. Praat's silence threshold (0.03 of the peak) for the whole turn."""
_FEWEST_SYLLABLES, _LEAST_PHONATION = 3, 0.4
_STRENGTH_CEILING: Final = 1.0 - 1e-6
"""A strength of exactly 1 would be infinitely harmonic."""


@dataclass(frozen=True, slots=True)
class TurnProsody:
    """How a turn was spoken."""

    prosody: Prosody
    duration: float
    """Seconds"""
    voiced: float
    """Seconds"""
    flags: tuple[str, ...]
    """Why features are missing: short, silent, clipped, unvoiced, tonal; repaired if samples were NaN or infinite."""
    track: tuple[float | None, ...]
    """Pitch every 10 ms, semitones re 100 Hz; None is unvoiced."""
    quartiles: tuple[float, float] | None
    """Lower and upper quartile of F0, Hertz; what the next turn's pitch range is made from."""
    loudness: tuple[float | None, ...] = ()
    """Intensity every 10 ms, dB as in `BlockFeatures`; None where nothing was measured."""

    @property
    def weight(self) -> float:
        """How much the turn counts for the normaliser: min(1, voiced seconds)."""
        return min(1.0, self.voiced)


def phonation(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds covered by the (start, end) of words, pauses left out and overlap counted once."""
    total, reached = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def speaking_rate(syllables: int | None, phonation: float | None) -> float | None:
    """The registry's `rate` of a turn of which only its words are known; None where it would be noise."""
    return _plausible(_rate(syllables, phonation), FEATURES[INDEX["rate"]])


def summarise(
    blocks: Sequence[BlockFeatures], syllables: int | None, phonation: float | None, repaired: bool = False
) -> TurnProsody:
    """The prosody of a turn from its blocks in order. Arithmetic on frames: under a millisecond for half a minute."""
    samples = sum(block.length for block in blocks)
    duration = samples / SAMPLE_RATE
    unheard = _unheard(duration, sum(block.energy for block in blocks) / max(samples, 1))
    flags = ["repaired"] if repaired else []
    if unheard:
        empty = (None,) * sum(block.length // HOP for block in blocks)
        return TurnProsody(MISSING, duration, 0.0, (*flags, unheard), empty, None, empty)

    clipped = sum(block.clipped for block in blocks) > _CLIPPED_SHARE * samples
    intensity = np.concatenate([block.intensity for block in blocks])
    loud = _within_reach(intensity)
    pitch = np.where(loud, np.concatenate([block.pitch for block in blocks]), np.nan)
    voiced = np.isfinite(pitch)
    enough = int(voiced.sum()) >= _FEWEST_VOICED
    measured = {"rate": _rate(syllables, phonation)}
    if not clipped:
        measured |= _loudness(intensity[loud])
    if enough:
        strength = np.concatenate([block.strength for block in blocks])
        measured |= _melody(pitch[voiced], strength[voiced]) | _perturbation(blocks)
    reasons = (("clipped", clipped), ("unvoiced", not enough), ("tonal", any(block.tone for block in blocks)))
    return TurnProsody(
        Prosody(tuple(_plausible(measured.get(feature.name), feature) for feature in FEATURES)),
        duration,
        float(voiced.sum()) * HOP / SAMPLE_RATE,
        (*flags, *(name for name, holds in reasons if holds)),
        _track(pitch),
        _quartiles(pitch[voiced]) if enough else None,
        _track(intensity),
    )


def _unheard(duration: float, power: float) -> str | None:
    """The flag of a turn of which nothing is measured."""
    if duration < _SHORTEST:
        return "short"
    return "silent" if math.sqrt(power) < _SILENT else None


def _within_reach(intensity: Frames) -> NDArray[np.bool_]:
    """Which frames are within 30 dB of the loudest."""
    loudest = np.nanmax(intensity, initial=-np.inf)
    return np.asarray(intensity >= loudest - _BELOW_PEAK, dtype=np.bool_)


def _loudness(intensity: Frames) -> dict[str, float | None]:
    """Energy mean (dB) and spread of the frames that are not pauses."""
    if not len(intensity):
        return {}
    low, high = np.quantile(intensity, (0.05, 0.95))
    mean = 10.0 * math.log10(float(np.mean(10.0 ** (intensity / 10.0))))
    return {"intensity_mean": mean, "intensity_range": float(high - low)}


def _melody(pitch: Frames, strength: Frames) -> dict[str, float | None]:
    """Pitch, its range, and harmonicity from the strength r of the chosen candidate: mean of 10 log10(r / (1 - r))."""
    low, high = np.quantile(pitch, (0.05, 0.95))
    ratio = np.clip(strength, 1.0 - _STRENGTH_CEILING, _STRENGTH_CEILING)
    harmonicity = float(np.mean(10.0 * np.log10(ratio / (1.0 - ratio))))
    return {"pitch_mean": float(np.mean(pitch)), "pitch_range": float(high - low), "hnr": harmonicity}


def _perturbation(blocks: Sequence[BlockFeatures]) -> dict[str, float | None]:
    """Log jitter and shimmer of the turn from its blocks.

    Over a whole turn Praat divides a mean difference by a mean amplitude, so loud stretches count for more in shimmer.
    """
    periods = sum(block.periods for block in blocks)
    amplitudes = sum(block.periods * block.amplitude for block in blocks)
    jitter = sum(block.jitter for block in blocks)
    shimmer = sum(block.shimmer * block.amplitude for block in blocks)
    if jitter <= 0.0 or shimmer <= 0.0:
        return {}
    return {"jitter": math.log(jitter / periods), "shimmer": math.log(shimmer / amplitudes)}


def _rate(syllables: int | None, phonation: float | None) -> float | None:
    """Log syllables per second of phonation; too few syllables or too little time make it noise."""
    if syllables is None or phonation is None or not math.isfinite(phonation):
        return None
    enough = syllables >= _FEWEST_SYLLABLES and phonation >= _LEAST_PHONATION
    return math.log(syllables / phonation) if enough else None


def _track(frames: Frames) -> tuple[float | None, ...]:
    """With None for NaN."""
    return tuple(None if math.isnan(value) else value for value in frames.tolist())


def _quartiles(pitch: Frames) -> tuple[float, float]:
    low, high = np.quantile(pitch, (0.25, 0.75))
    return hertz(float(low)), hertz(float(high))


def _plausible(value: float | None, feature: Feature) -> float | None:
    """The value if it is within its bounds; a measurement outside them is a mistake, and missing."""
    return value if value is not None and feature.low <= value <= feature.high else None

"""The one place that calls Praat: a block of a turn with margins -> what was measured every 10 ms in its inner part.

`analyse` is pure and its argument and result can be pickled: Praat holds the GIL for the whole call, so a server runs
it in a worker process, or on the loop in blocks of at most half a second (about 8 ms each at the widest pitch range).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import parselmouth
from numpy.typing import NDArray
from parselmouth.praat import call

from tandem_models.signal import SAMPLE_RATE, Audio, exact_div

Frames = NDArray[np.float64]
"""One number per HOP, shape (N,); NaN where there is none."""

HOP: Final = exact_div(SAMPLE_RATE, 100)
"""Samples between frames: 10 ms."""
MARGIN: Final = exact_div(SAMPLE_RATE, 4)
"""Samples on either side of a block that are heard but not counted: context for the path finder and the filter."""
CLIPPED: Final = 0.999
"""|x| from which a sample counts as clipped."""

_HOP_S: Final = HOP / SAMPLE_RATE
_MARGIN_S: Final = MARGIN / SAMPLE_RATE
# Praat 6.1's own defaults for raw autocorrelation, spelled out because 6.4 changed what "To Pitch" means.
_CANDIDATES, _SILENCE, _VOICING, _OCTAVE, _OCTAVE_JUMP, _VOICED_UNVOICED = 15, 0.03, 0.45, 0.01, 0.35, 0.14
_PITCH_PERIODS: Final = 3.0
"""Periods of the pitch floor in Praat's window"""
_ABOVE: Final = 1.0 + 1e-6
"""Keeps the window from being exactly a number of hops, where rounding would decide how many frames there are."""
_INTENSITY_FLOOR: Final = 100.0
"""Hertz; Praat's window is 6.4 periods of it (64 ms), as in Levitan & Hirschberg (2011)."""
_PERIODS: Final = (0.0001, 0.02, 1.3)
"""Shortest and longest period (s) and largest ratio of neighbours: Praat's defaults for jitter and shimmer."""
_AMPLITUDE_RATIO: Final = 1.6
_HIGH_PASS: Final = 60.0
"""Hertz: below it there is mains hum, handling noise and DC, and no harmonic that the pitch tracker would need."""
_TONE_FRAMES, _TONE_VOICED, _TONE_SPREAD, _TONE_JITTER = 10, 0.95, 0.1, 1e-5
"""With so many frames, a block voiced throughout within a tenth of a semitone, or without jitter, is no voice."""
_INAUDIBLE: Final = 1e-5
"""A filtered block that never exceeds this is not worth a call to Praat."""


@dataclass(frozen=True, slots=True)
class PitchRange:
    """Where the pitch tracker looks, Hertz. Raises ValueError when that is not a range."""

    floor: float
    ceiling: float

    def __post_init__(self) -> None:
        if not 30.0 <= self.floor < self.ceiling <= SAMPLE_RATE / 8:
            raise ValueError(f"no pitch range: {self.floor:g} to {self.ceiling:g} Hz")

    @classmethod
    def adapted(cls, q25: float, q75: float) -> PitchRange:
        """De Looze & Hirst: 0.75 q25 to 1.5 q75 of the speaker's F0 (Hz), at least an octave, within 50-600 Hz."""
        floor = min(max(0.75 * q25, UNKNOWN_RANGE.floor), 0.5 * UNKNOWN_RANGE.ceiling)
        ceiling = min(max(1.5 * q75, 2.0 * floor), UNKNOWN_RANGE.ceiling)
        return cls(floor, ceiling)


UNKNOWN_RANGE: Final = PitchRange(50.0, 600.0)
"""For a speaker not heard before."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A stretch of a turn. Where the turn has not begun or is over, the margins hold its outermost sample."""

    samples: Audio
    """(MARGIN + length + MARGIN,) at SAMPLE_RATE"""
    start: int
    """Samples from the start of the turn to the first that counts."""
    length: int
    """Samples that count."""
    peak: float
    """Loudest |x| of the turn so far, to the end of this block's margin: what silence is measured against."""
    pitch_range: PitchRange

    def __post_init__(self) -> None:
        if self.samples.shape != (self.length + 2 * MARGIN,):
            raise ValueError(f"a block of {self.length} samples needs {self.length + 2 * MARGIN} with its margins")

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True, slots=True, eq=False)
class BlockFeatures:
    """What Praat found in the inner part of a block: frames (N,) with N = length // HOP, and whole-block numbers."""

    start: int
    length: int
    pitch: Frames
    """Semitones re 100 Hz; NaN is unvoiced."""
    strength: Frames
    """Normalised autocorrelation at the chosen period, 0 to 1; NaN is unvoiced."""
    intensity: Frames
    """dB, as Praat gives it: re 20 uPa if a sample of 1 were a pascal."""
    periods: int
    """Glottal periods found; what the block's jitter weighs"""
    jitter: float
    """Local jitter (ratio) times periods"""
    shimmer: float
    """Local shimmer (ratio) times periods"""
    energy: float
    """Sum of squares after the high-pass"""
    clipped: int
    """Samples at full scale"""
    amplitude: float = 1.0
    """Mean of the voiced frames, linear on the scale of `intensity`; with periods, what the block's shimmer weighs"""
    tone: bool = False
    """A tone, hum or chord and no voice; its frames are empty."""

    @property
    def end(self) -> int:
        return self.start + self.length


def analyse(block: Block) -> BlockFeatures:
    """Measure a block. Never raises for audio within [-1, 1]."""
    filtered = _high_passed(block.samples)
    inner = slice(MARGIN, MARGIN + block.length)
    energy = float(np.square(filtered[inner]).sum())
    clipped = int(np.count_nonzero(np.abs(block.samples[inner]) >= CLIPPED))
    count = block.length // HOP
    if not count or np.abs(filtered).max() < _INAUDIBLE:
        return _empty(block, energy, clipped, tone=False)
    whole_hops = filtered[: count * HOP + 2 * MARGIN]
    sound, contour = _contour(whole_hops, block)
    pitch, strength = _voice(contour, count)
    periods, jitter, shimmer = _perturbation(sound, contour, count * _HOP_S)
    if _is_tone(pitch, periods, jitter):
        return _empty(block, energy, clipped, tone=True)
    loudness = parselmouth.Sound(whole_hops, SAMPLE_RATE).to_intensity(_INTENSITY_FLOOR, _HOP_S, True)
    intensity = _on_grid(loudness, loudness.values[0], count)
    voiced = np.isfinite(pitch)
    amplitude = float(np.mean(10.0 ** (intensity[voiced] / 20.0))) if voiced.any() else 0.0
    return BlockFeatures(
        block.start,
        block.length,
        pitch,
        strength,
        intensity,
        periods,
        jitter * periods,
        shimmer * periods,
        energy,
        clipped,
        amplitude,
    )


def _empty(block: Block, energy: float, clipped: int, *, tone: bool) -> BlockFeatures:
    nothing = np.full(block.length // HOP, np.nan)
    return BlockFeatures(block.start, block.length, nothing, nothing, nothing, 0, 0.0, 0.0, energy, clipped, 0.0, tone)


def _contour(samples: NDArray[np.float64], block: Block) -> tuple[Any, Any]:
    """Sound and pitch by raw autocorrelation, on the clock of the block.

    Praat calls a frame silent relative to the loudest sample of its sound; the scaled threshold makes that the loudest
    of the turn so far, or the noise of a pause would be heard as voice.
    """
    floor, ceiling = block.pitch_range.floor * _ABOVE, block.pitch_range.ceiling
    # Praat centres its frames in the sound: they fall on the edges of hops when an odd number of hops has no frame.
    # Then half a hop less on either side puts them in the middle, the same for every block of a turn.
    trim = HOP // 2 if math.ceil(_PITCH_PERIODS / floor / _HOP_S) % 2 == 0 else 0
    sound = parselmouth.Sound(samples[trim : len(samples) - trim], SAMPLE_RATE, start_time=trim / SAMPLE_RATE)
    silence = _SILENCE * max(1.0, block.peak / float(np.abs(block.samples).max()))
    costs = (_OCTAVE, _OCTAVE_JUMP, _VOICED_UNVOICED)
    return sound, sound.to_pitch_ac(_HOP_S, floor, _CANDIDATES, False, silence, _VOICING, *costs, ceiling)


def _voice(contour: Any, count: int) -> tuple[Frames, Frames]:
    """Semitones and strengths of the path that Praat chose, NaN where it chose none."""
    hertz = _on_grid(contour, contour.selected_array["frequency"], count)
    voiced = np.nan_to_num(hertz) > 0.0
    pitch = np.where(voiced, 12.0 * np.log2(np.where(voiced, hertz, 100.0) / 100.0), np.nan)
    return pitch, np.where(voiced, _on_grid(contour, contour.selected_array["strength"], count), np.nan)


def _is_tone(pitch: Frames, periods: int, jitter: float) -> bool:
    """Whether a block is too steady or too regular for a throat."""
    found = pitch[np.isfinite(pitch)]
    if len(found) < _TONE_FRAMES:
        return False
    low, high = np.quantile(found, (0.15, 0.85))  # the edges of a tone sway
    steady = len(found) >= _TONE_VOICED * len(pitch) and high - low < _TONE_SPREAD
    return bool(steady) or (periods > 0 and jitter < _TONE_JITTER)


def _high_passed(samples: Audio) -> NDArray[np.float64]:
    """Zero-phase Butterworth of order 4 run both ways; its run-in (50 ms) stays within the margins."""
    frequency = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
    frequency[0] = 1e-3  # Hertz: as good as nought, and can be divided by
    gain = 1.0 / (1.0 + (_HIGH_PASS / frequency) ** 8)
    return np.fft.irfft(np.fft.rfft(samples.astype(np.float64)) * gain, len(samples))


def _on_grid(sampled: Any, values: NDArray[np.float64], count: int) -> Frames:
    """The frames of the inner part; each is in the middle of its 10 ms."""
    first = round((_MARGIN_S + _HOP_S / 2.0 - sampled.x1) / _HOP_S)
    return np.array(values[first : first + count], np.float64)


def _perturbation(sound: Any, contour: Any, seconds: float) -> tuple[int, float, float]:
    """Periods, local jitter and local shimmer of the inner part; (0, 0, 0) where Praat finds none."""
    pulses = call([sound, contour], "To PointProcess (cc)")
    span = (_MARGIN_S, _MARGIN_S + seconds)
    periods = int(call(pulses, "Get number of periods", *span, *_PERIODS))
    jitter = float(call(pulses, "Get jitter (local)", *span, *_PERIODS))
    shimmer = float(call([sound, pulses], "Get shimmer (local)", *span, *_PERIODS, _AMPLITUDE_RATIO))
    if periods < 2 or not np.isfinite(jitter) or not np.isfinite(shimmer):
        return 0, 0.0, 0.0
    return periods, jitter, shimmer

"""What is done to a voice after its melody: loudness range, breath noise, level, and no clipping. All at WIRE_RATE.

T samples; F frames of 10 ms, on which gains are computed and between which they are interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tandem_models.signal import WIRE_RATE, Audio, exact_div

Doubles = NDArray[np.float64]

FRAME: Final = exact_div(WIRE_RATE, 100)
"""Samples of 10 ms."""
BELOW_PEAK: Final = 30.0
"""dB: frames further below the loudest are pauses, as for the extractor."""
CEILING: Final = 0.97
"""Largest sample that leaves."""

_REFERENCE: Final = 2e-5
"""Praat's 0 dB: 20 uPa if a sample of 1 were a pascal."""
_WINDOW: Final = np.hanning(9)[1:-1] / np.hanning(9)[1:-1].sum()
"""Over 7 frames: close to the 64 ms window of Praat's intensity."""
_DEEPEST: Final = 0.5
"""The limiter takes peaks down by 6 dB at most; what is above that lowers the whole utterance."""
_LIMITER_FRAME: Final = exact_div(WIRE_RATE, 1000)
_LIMITER_SPAN: Final = 9
"""Limiter frames (1 ms) over which a gain comes and goes: slower than a wave form, faster than a syllable."""
_BREATH_BAND: Final = (1500.0, 7000.0)
"""Hertz: where aspiration is strongest. Noise among the low harmonics would sound hoarse and add three times the jitter
for the same loss of harmonicity (measured)."""
_BREATH_TAPS: Final = 65
_RAMP: Final = 0.015
"""Seconds in which breath comes and goes at the edge of a voiced run."""


def loudness(audio: Audio) -> Doubles:
    """Level of each 10 ms frame in dB on Praat's scale, (F,), over a window like Praat's."""
    frames = -(-len(audio) // FRAME)
    squares = np.square(np.pad(audio, (0, frames * FRAME - len(audio))), dtype=np.float64)
    power = np.convolve(squares.reshape(frames, FRAME).mean(axis=1), _WINDOW, mode="same")[:frames]
    return np.asarray(10.0 * np.log10(np.maximum(power, 1e-20) / _REFERENCE**2))


def mean_loudness(audio: Audio) -> float:
    """Energy mean (dB) over the frames that are not pauses; within 0.1 dB of the extractor's on speech."""
    level = loudness(audio)
    spoken = level[level >= level.max() - BELOW_PEAK]
    return 10.0 * math.log10(float(np.mean(10.0 ** (spoken / 10.0))))


def with_range(audio: Audio, factor: float) -> Audio:
    """Loudness differences between syllables times `factor`, by a slow gain; pauses follow the quietest syllable."""
    level = loudness(audio)
    heard = np.clip(level, level.max() - BELOW_PEAK, None)
    middle = float(np.mean(heard[heard > heard.min()])) if np.ptp(heard) > 0.0 else float(heard[0])
    return _gained(audio, (factor - 1.0) * (heard - middle))


def with_breath(audio: Audio, runs: Sequence[tuple[float, float]], power: float, seed: int = 0) -> Audio:
    """Noise of `power` relative to the voice's own, in its voiced runs (begin, end; seconds), following its level."""
    noise = np.random.default_rng(seed).standard_normal(len(audio) + _BREATH_TAPS - 1)
    coloured = np.convolve(noise, _breath_filter(), mode="valid")
    amplitude = 10.0 ** (loudness(audio) / 20.0) * _REFERENCE * _gate(runs, -(-len(audio) // FRAME))
    return audio + (math.sqrt(power) * _between(amplitude, len(audio)) * coloured).astype(np.float32)


@cache
def _breath_filter() -> Doubles:
    """Band-pass by windowed sinc, (_BREATH_TAPS,), with unit power for white noise."""
    time = np.arange(_BREATH_TAPS) - (_BREATH_TAPS - 1) / 2
    low, high = (2.0 * edge / WIRE_RATE for edge in _BREATH_BAND)
    taps = (high * np.sinc(high * time) - low * np.sinc(low * time)) * np.hamming(_BREATH_TAPS)
    return np.asarray(taps / np.sqrt(np.square(taps).sum()))


def with_level(audio: Audio, level: float) -> tuple[Audio, float]:
    """At a mean loudness (dB), without clipping; returns also the level that was possible."""
    gain = 10.0 ** ((level - mean_loudness(audio)) / 20.0)
    loud = audio * np.float32(gain)
    peak = float(np.abs(loud).max(initial=0.0))
    if peak <= CEILING:
        return loud, level
    if peak > CEILING / _DEEPEST:
        loud = loud * np.float32(CEILING / _DEEPEST / peak)
    limited = _limited(loud)
    return limited, mean_loudness(limited)


def _limited(audio: Audio) -> Audio:
    """Peaks above CEILING taken down by a gain that looks ahead, so that the wave form keeps its shape."""
    frames = -(-len(audio) // _LIMITER_FRAME)
    peaks = np.abs(np.pad(audio, (0, frames * _LIMITER_FRAME - len(audio)))).reshape(frames, -1).max(axis=1)
    needed = np.minimum(1.0, CEILING / np.maximum(peaks, CEILING))
    # The lowest of the span, then its mean over the span: never above what a frame itself needs.
    lowest = sliding_window_view(np.pad(needed, _LIMITER_SPAN, mode="edge"), _LIMITER_SPAN + 2).min(axis=1)
    gain = sliding_window_view(lowest, _LIMITER_SPAN).mean(axis=1)[:frames]
    at = (np.arange(len(audio)) + 0.5) / _LIMITER_FRAME - 0.5
    smooth = np.interp(at, np.arange(len(gain)), gain)
    return np.asarray(np.clip(audio * smooth, -CEILING, CEILING), np.float32)


def _gate(runs: Sequence[tuple[float, float]], frames: int) -> Doubles:
    """1 within the runs, 0 outside, (F,), with ramps inside the runs."""
    time = (np.arange(frames) + 0.5) * FRAME / WIRE_RATE
    gate = np.zeros(frames)
    for begin, end in runs:
        gate = np.maximum(gate, np.clip(np.minimum(time - begin, end - time) / _RAMP, 0.0, 1.0))
    return gate


def _gained(audio: Audio, gain: Doubles) -> Audio:
    """Each frame's gain (dB, (F,)) applied, interpolated in dB."""
    return (audio * 10.0 ** (_between(gain, len(audio)) / 20.0)).astype(np.float32)


def _between(frames: Doubles, length: int) -> Doubles:
    """(F,) at the middle of the frames -> (T,)."""
    return np.interp((np.arange(length) + 0.5) / FRAME - 0.5, np.arange(len(frames)), frames)

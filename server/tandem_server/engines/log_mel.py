"""The picture of a sound that Whisper's encoder, and what is made of it, was trained on: 80 mel bands every 10 ms.

Radford et al. (2022), section 2.2: 25 ms Hann windows, Slaney's mel filters (linear below 1 kHz, equal areas), the
logarithm cut off 80 dB below the loudest, moved to about [-1, 1]. As `transformers.WhisperFeatureExtractor` gives it
with `do_normalize`.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tandem_models.signal import SAMPLE_RATE, Audio, exact_div

WINDOW: Final = exact_div(SAMPLE_RATE, 40)
"""Samples: 25 ms"""
HOP: Final = exact_div(SAMPLE_RATE, 100)
"""Samples: 10 ms"""
BANDS: Final = 80
_BEND_HERTZ, _BEND_MEL = 1000.0, 15.0
"""Up to here the scale is linear, then logarithmic: 27 steps to 6.4 kHz (Slaney, 1998)."""
_MELS_PER_LOG: Final = 27.0 / float(np.log(6.4))
_FLOOR: Final = 1e-10
_RANGE: Final = 8.0
"""Powers of ten below the loudest band"""
_LEAST_VARIANCE: Final = 1e-7


def log_mel(audio: Audio) -> NDArray[np.float32]:
    """(T,) at SAMPLE_RATE -> (BANDS, T // HOP), of whatever loudness; frames are centred, the ends mirrored. T is at
    least WINDOW."""
    even = (audio - audio.mean()) / np.sqrt(audio.var() + _LEAST_VARIANCE)
    padded = np.pad(even.astype(np.float32), WINDOW // 2, mode="reflect")
    frames = sliding_window_view(padded, WINDOW)[::HOP][: len(audio) // HOP]
    spectrum = np.fft.rfft(frames * _window())
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    bands = np.log10(np.maximum(power @ _filters(), _FLOOR))
    return np.ascontiguousarray((np.maximum(bands, bands.max() - _RANGE).T + 4.0) / 4.0, dtype=np.float32)


@cache
def _window() -> NDArray[np.float32]:
    """A Hann window (WINDOW,) whose next period would begin with its first sample."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


@cache
def _filters() -> NDArray[np.float32]:
    """Triangles (WINDOW // 2 + 1, BANDS), each between the peaks of its neighbours and of equal area."""
    top = _mel(SAMPLE_RATE / 2.0)
    edges = np.array([_hertz(mel) for mel in np.linspace(0.0, top, BANDS + 2).tolist()])
    hertz = np.fft.rfftfreq(WINDOW, 1.0 / SAMPLE_RATE)[:, None]
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.maximum(np.minimum((hertz - low) / (peak - low), (high - hertz) / (high - peak)), 0.0)
    return np.asarray(triangles * 2.0 / (high - low), dtype=np.float32)


def _mel(hertz: float) -> float:
    """Of a frequency above the bend."""
    return _BEND_MEL + _MELS_PER_LOG * float(np.log(hertz / _BEND_HERTZ))


def _hertz(mel: float) -> float:
    if mel < _BEND_MEL:
        return mel * _BEND_HERTZ / _BEND_MEL
    return _BEND_HERTZ * float(np.exp((mel - _BEND_MEL) / _MELS_PER_LOG))

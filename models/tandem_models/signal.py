"""Audio constants, PCM conversion and streaming resampling. Audio is float32 mono in [-1, 1] unless said otherwise."""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Audio = NDArray[np.float32]
"""Samples (T,), mono, in [-1, 1]."""


def exact_div(numerator: int, denominator: int) -> int:
    """Integer division that fails at import time rather than rounding a hop or a frame."""
    if numerator % denominator:
        raise ValueError(f"{numerator} is not a multiple of {denominator}")
    return numerator // denominator


SAMPLE_RATE: Final = 16_000
"""Hertz: what voice activity, recognition and prosody hear."""
WIRE_RATE: Final = 24_000
"""Hertz: pcm16 of the OpenAI Realtime protocol, both ways."""
VAD_FRAME: Final = 512
"""Samples at SAMPLE_RATE (32 ms): the window Silero was trained on, and the tick of the turn clock."""
SAMPLES_PER_MS: Final = exact_div(SAMPLE_RATE, 1000)
_HALF: Final = 24
"""Periods of the lower rate on either side of the resampler's filter: its delay."""
_KAISER: Final = 9.0
"""Shape of its window: the stop band is 90 dB down."""


def pcm16_to_float(data: bytes) -> Audio:
    """Little-endian 16-bit PCM -> float32; raises ValueError for half a sample."""
    if len(data) % 2:
        raise ValueError(f"{len(data)} bytes are not a whole number of 16-bit samples")
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768.0)


def float_to_pcm16(audio: Audio) -> bytes:
    """float32 -> little-endian 16-bit PCM, clipped at full scale."""
    return (np.clip(audio, -1.0, 32767 / 32768) * 32768.0).astype("<i2").tobytes()


class Resampler:
    """Streaming resampler from one rate to another; feed blocks in order, `flush` ends the stream.

    A linear-phase polyphase filter: what comes out is aligned with what went in, and waits for `_HALF` periods of the
    lower rate only (1.5 ms at 16 kHz; soxr's stream holds back 20 to 40 ms). 0.2 dB down at 0.875 of the lower Nyquist
    frequency, 6 dB at 0.95, 65 dB at 1.06. O(samples).
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        common = math.gcd(source_rate, target_rate)
        self._up, self._down = target_rate // common, source_rate // common
        self._phases = _phases(self._up, self._down)
        self._delay = len(_lowpass(self._up, self._down)) // 2
        """Samples at the common multiple of both rates"""
        self._kept: Audio = np.zeros(0, np.float32)
        """Input that output yet to come depends on"""
        self._first = 0
        """Of what is kept, counted from the beginning of the stream; a multiple of `_down`"""
        self._given = 0

    def feed(self, audio: Audio) -> Audio:
        """The samples that have become available; may be empty while the filter fills."""
        if self._up == self._down:
            return audio
        self._kept = np.concatenate([self._kept, audio])
        known = self._first + len(self._kept)
        return self._give(max((known * self._up - self._delay - 1) // self._down + 1, 0))

    def flush(self) -> Audio:
        """What the filter still held; the stream is over."""
        if self._up == self._down:
            return np.zeros(0, np.float32)
        total = -(-(self._first + len(self._kept)) * self._up // self._down)
        self._kept = np.concatenate([self._kept, np.zeros(self._delay // self._up + 1, np.float32)])
        return self._give(total)

    def _give(self, until: int) -> Audio:
        """Output up to sample `until`, and forget what no later one needs."""
        begin, skipped = self._given, (self._delay - self._first * self._up) // self._down
        if until <= begin:
            return np.zeros(0, np.float32)
        given = self._filtered(begin + skipped, until - begin)
        self._given = until
        needed = max((until * self._down - self._delay) // self._up, 0) // self._down * self._down
        self._kept, self._first = self._kept[max(needed - self._first, 0) :], max(needed, self._first)
        return given

    def _filtered(self, first: int, count: int) -> Audio:
        """Output from place `first` of what is kept on. Every `_up`-th sample has the same taps (phase), and its input
        moves on by `_down`."""
        width = self._phases.shape[1]
        nothing = np.zeros(width, np.float32)
        windows = sliding_window_view(np.concatenate([nothing, self._kept, nothing]), width)
        given = np.empty(count, np.float32)
        for offset in range(min(self._up, count)):
            last, phase = divmod((first + offset) * self._down, self._up)
            samples = -(-(count - offset) // self._up)
            rows = windows[last + 1 : last + 2 + (samples - 1) * self._down : self._down]
            given[offset :: self._up] = np.einsum("ij,j->i", rows, self._phases[phase])  # as exact as it is cut
        return given


@cache
def _lowpass(up: int, down: int) -> Audio:
    """Taps at the common multiple of both rates, an odd number with a middle that is a multiple of `down`.

    scipy.signal has such filters, at 77 MB and a second of every process that knows this file.
    """
    widest = max(up, down)
    half = -(-_HALF * widest // down) * down
    taps = np.sinc(0.95 * np.arange(-half, half + 1) / widest) * np.kaiser(2 * half + 1, _KAISER)
    return np.asarray(taps * (up / taps.sum()), dtype=np.float32)


@cache
def _phases(up: int, down: int) -> Audio:
    """The taps (up, width) of each place between two input samples, the newest sample's last."""
    taps = _lowpass(up, down)
    width = -(-len(taps) // up)
    padded = np.concatenate([taps, np.zeros(width * up - len(taps), np.float32)])
    return np.ascontiguousarray(padded.reshape(width, up).T[:, ::-1])


def resample(audio: Audio, source_rate: int, target_rate: int) -> Audio:
    """A whole recording at another rate."""
    if source_rate == target_rate:
        return audio
    return np.asarray(soxr.resample(audio, source_rate, target_rate), dtype=np.float32)

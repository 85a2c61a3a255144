"""Audio constants, PCM conversion and streaming resampling. Audio is float32 mono in [-1, 1] unless said otherwise."""

from __future__ import annotations

from typing import Final

import numpy as np
import soxr
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


def pcm16_to_float(data: bytes) -> Audio:
    """Little-endian 16-bit PCM -> float32; raises ValueError for half a sample."""
    if len(data) % 2:
        raise ValueError(f"{len(data)} bytes are not a whole number of 16-bit samples")
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768.0)


def float_to_pcm16(audio: Audio) -> bytes:
    """float32 -> little-endian 16-bit PCM, clipped at full scale."""
    return (np.clip(audio, -1.0, 32767 / 32768) * 32768.0).astype("<i2").tobytes()


class Resampler:
    """Streaming resampler from one rate to another; feed blocks in order, `flush` ends the stream."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        # MQ: pass band to 0.9 of Nyquist, delay of a few ms; recognisers gain nothing from more.
        same = source_rate == target_rate
        self._stream = None if same else soxr.ResampleStream(source_rate, target_rate, 1, "float32", "MQ")

    def feed(self, audio: Audio) -> Audio:
        """The samples that have become available; may be empty while the filter fills."""
        if self._stream is None:
            return audio
        return np.asarray(self._stream.resample_chunk(audio), dtype=np.float32)

    def flush(self) -> Audio:
        """What the filter still held; the stream is over."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        return np.asarray(self._stream.resample_chunk(np.zeros(0, np.float32), last=True), dtype=np.float32)


def resample(audio: Audio, source_rate: int, target_rate: int) -> Audio:
    """A whole recording at another rate."""
    if source_rate == target_rate:
        return audio
    return np.asarray(soxr.resample(audio, source_rate, target_rate), dtype=np.float32)

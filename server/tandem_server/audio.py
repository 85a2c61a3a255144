"""What comes in from a microphone: wire audio -> VAD frames at SAMPLE_RATE, and the last seconds of them."""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, WIRE_RATE, Audio, Resampler, exact_div, pcm16_to_float
from tandem_server.errors import ClientError

REMEMBERED: Final = 7 * SAMPLE_RATE // VAD_FRAME
"""Frames kept for turns that begin in the past: the longest padding (5 s), an onset, and the pause before a resume."""

LEVEL_STEP: Final = exact_div(VAD_FRAME, 4)
"""Samples (8 ms): how finely the end of speech is told."""
_PIECE: Final = 2 * WIRE_RATE
"""Bytes resampled at once: one second, so that a whole file in one message holds nobody up."""


def decode_base64(audio: str) -> bytes:
    """pcm16 of an `input_audio_buffer.append`. Raises ClientError for anything else."""
    try:
        data = base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise ClientError("audio is not valid base64", code="invalid_audio", param="audio") from None
    if len(data) % 2:
        raise ClientError("audio holds half a sample; pcm16 has two bytes each", code="invalid_audio", param="audio")
    return data


def levels(frame: Audio) -> tuple[float, ...]:
    """Root mean square of each LEVEL_STEP of a frame in dB re full scale."""
    power = np.mean(np.square(frame.reshape(-1, LEVEL_STEP)), axis=1)
    return tuple((10.0 * np.log10(power + 1e-12)).tolist())


class AudioInput:
    """One caller's audio clock: bytes in, whole frames out. Memory is bounded by REMEMBERED frames."""

    def __init__(self) -> None:
        self._resampler = Resampler(WIRE_RATE, SAMPLE_RATE)
        self._rest: Audio = np.zeros(0, np.float32)
        self._frames: deque[Audio] = deque(maxlen=REMEMBERED)
        self.heard = 0
        """Samples given out so far"""

    def frames(self, pcm: bytes) -> Iterator[Audio]:
        """The frames (VAD_FRAME,) completed by more pcm16 at WIRE_RATE; the clock moves with each."""
        for begin in range(0, len(pcm), _PIECE):
            samples = self._resampler.feed(pcm16_to_float(pcm[begin : begin + _PIECE]))
            self._rest = np.concatenate([self._rest, samples])
            while len(self._rest) >= VAD_FRAME:
                frame, self._rest = self._rest[:VAD_FRAME], self._rest[VAD_FRAME:]
                self._frames.append(frame)
                self.heard += VAD_FRAME
                yield frame

    def since(self, start: int) -> tuple[int, Audio]:
        """All frames from the one that holds sample `start`, as far back as they are kept: (first sample, audio)."""
        count = min(-(-(self.heard - start) // VAD_FRAME), len(self._frames))
        if count <= 0:
            return self.heard, np.zeros(0, np.float32)
        kept = list(self._frames)[-count:]
        return self.heard - count * VAD_FRAME, np.concatenate(kept)

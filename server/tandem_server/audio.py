"""What comes in from a microphone: wire audio -> VAD frames at SAMPLE_RATE, and the last seconds of them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, Audio, exact_div
from tandem_server.errors import ClientError
from tandem_server.formats import CODINGS, AudioFormat, Decoder

REMEMBERED: Final = 8 * SAMPLE_RATE // VAD_FRAME
"""Frames kept for turns that begin in the past, which takes 7 s (the longest padding of 5 s, an onset, and the pause
before a resume), and for the turn model, which hears 8 s."""
_LARGE: Final = 256 * 1024
"""Characters of base64 that take 0.5 ms"""

LEVEL_STEP: Final = exact_div(VAD_FRAME, 4)
"""Samples (8 ms): how finely the end of speech is told."""


def decode_base64(audio: str, audio_format: AudioFormat = "audio/pcm") -> bytes:
    """The samples of an `input_audio_buffer.append`. Raises ClientError for anything else."""
    try:
        data = base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise ClientError("audio is not valid base64", code="invalid_audio", param="audio") from None
    if len(data) % CODINGS[audio_format].sample_bytes:
        raise ClientError("audio holds half a sample; pcm16 has two bytes each", code="invalid_audio", param="audio")
    return data


async def decoded(audio: str, audio_format: AudioFormat) -> bytes:
    """As `decode_base64`; aside when it is so long that it would hold up the others."""
    if len(audio) > _LARGE:
        return await asyncio.to_thread(decode_base64, audio, audio_format)
    return decode_base64(audio, audio_format)


def levels(frame: Audio) -> tuple[float, ...]:
    """Root mean square of each LEVEL_STEP of a frame in dB re full scale."""
    power = np.mean(np.square(frame.reshape(-1, LEVEL_STEP)), axis=1)
    return tuple((10.0 * np.log10(power + 1e-12)).tolist())


def seconds_of(data: bytes, audio_format: AudioFormat) -> float:
    """How long it plays."""
    coding = CODINGS[audio_format]
    return len(data) / (coding.rate * coding.sample_bytes)


def check_age(waits: float, most: float) -> None:
    """Raises ClientError for audio that would be heard only so many seconds from now. It is refused whole, and what
    came before it is heard: a turn with a hole in it would be worse than one that ends, and the client knows which
    message to send again."""
    if waits > most:
        message = (
            f"this audio would wait {waits:.1f} s to be heard, and may wait {most:g} s: send less at once, or "
            "nearer to the pace at which it is spoken; none of this message was taken, all before it was"
        )
        raise ClientError(message, code="input_audio_backlog", param="audio")


class AudioInput:
    """One caller's audio clock: bytes in, whole frames out. Memory is bounded by REMEMBERED frames."""

    def __init__(self) -> None:
        self._decoder = Decoder("audio/pcm", SAMPLE_RATE)
        self._rest: Audio = np.zeros(0, np.float32)
        self._frames: deque[Audio] = deque(maxlen=REMEMBERED)
        self._measured: deque[Audio] = deque(maxlen=REMEMBERED)
        self.heard = 0
        """Samples given out so far"""

    def frames(self, data: bytes, audio_format: AudioFormat = "audio/pcm") -> Iterator[Audio]:
        """The frames (VAD_FRAME,) completed by more audio, of whole samples; the clock moves with each."""
        if audio_format != self._decoder.format:
            self._rest = np.concatenate([self._rest, self._decoder.flush()])
            self._decoder = Decoder(audio_format, SAMPLE_RATE)
        coding = CODINGS[audio_format]
        second = coding.rate * coding.sample_bytes  # at once, so that a whole file in one message holds nobody up
        for begin in range(0, len(data), second):
            self._rest = np.concatenate([self._rest, self._decoder.feed(data[begin : begin + second])])
            while len(self._rest) >= VAD_FRAME:
                frame, self._rest = self._rest[:VAD_FRAME], self._rest[VAD_FRAME:]
                self._frames.append(frame)
                self._measured.append(frame)
                self.heard += VAD_FRAME
                yield frame

    def measure(self, audio: Audio) -> Audio:
        """Where voices are measured, the last frame is this; it is returned."""
        self._measured[-1] = audio
        return audio

    def since(self, start: int) -> tuple[int, Audio]:
        """All frames from the one that holds sample `start`, as far back as they are kept: (first sample, audio)."""
        return self._since(self._frames, start)

    def measured_since(self, start: int) -> Audio:
        """The same frames as they are to be measured."""
        return self._since(self._measured, start)[1]

    def _since(self, frames: deque[Audio], start: int) -> tuple[int, Audio]:
        count = min(-(-(self.heard - start) // VAD_FRAME), len(frames))
        if count <= 0:
            return self.heard, np.zeros(0, np.float32)
        kept = list(frames)[-count:]
        return self.heard - count * VAD_FRAME, np.concatenate(kept)

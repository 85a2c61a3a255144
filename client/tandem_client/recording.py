"""A conversation without audio devices: the user's file in blocks, a loudspeaker of numbers, and the stereo file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soundfile as sf

from tandem_client.errors import AudioUnusable
from tandem_models.signal import WIRE_RATE, Audio, exact_div, float_to_pcm16, pcm16_to_float, resample

BLOCK: Final = exact_div(WIRE_RATE, 50)
"""Samples sent at a time: 20 ms, as telephony and WebRTC do."""
_RATES: Final = range(4_000, 768_001)
"""Hertz: telephones have 8,000, and no recorder more than 768,000; a header that says otherwise is damaged."""


def read_audio(path: Path) -> Audio:
    """A file of any format, rate and number of channels as mono (T,) at WIRE_RATE. Raises AudioUnusable."""
    if not path.is_file():
        raise AudioUnusable(f"there is no file {path}")
    try:
        samples, rate = sf.read(path, dtype="float32", always_2d=True)
    except (sf.SoundFileError, OSError) as error:
        raise AudioUnusable(f"{path} is not audio that can be read (WAV, FLAC, OGG, MP3, AIFF): {error}") from None
    if not len(samples):
        raise AudioUnusable(f"{path} holds no audio")
    if rate not in _RATES:
        raise AudioUnusable(f"{path} says that it has {rate} samples a second, which no recording has: it is damaged")
    if not np.isfinite(samples).all():
        raise AudioUnusable(f"{path} holds samples that are no numbers (NaN or infinite): it is damaged")
    return resample(np.ascontiguousarray(samples.mean(axis=1, dtype=np.float32)), rate, WIRE_RATE)


def blocks(audio: Audio) -> Iterator[bytes]:
    """pcm16 of BLOCK samples each; the last one is filled up with silence."""
    for start in range(0, len(audio), BLOCK):
        block = audio[start : start + BLOCK]
        yield float_to_pcm16(np.pad(block, (0, BLOCK - len(block))))


class Track:
    """What was sent, in order: the left channel, and the clock of the whole conversation."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self.length = 0
        """Samples sent so far."""

    def append(self, pcm: bytes) -> None:
        """Another block was sent."""
        self._blocks.append(pcm)
        self.length += len(pcm) // 2

    def samples(self) -> Audio:
        """All of it (T,)."""
        return pcm16_to_float(b"".join(self._blocks))


class VirtualLoudspeaker:
    """Plays in the time it is told, and remembers at which sample of it each piece was heard."""

    def __init__(self) -> None:
        self._waiting: deque[Audio] = deque()
        self._heard: list[tuple[int, Audio]] = []
        self._now = 0
        """Sample at which the next one would be heard."""
        self._played = 0

    @property
    def played(self) -> int:
        """Samples of audio played so far."""
        return self._played

    def play(self, pcm: bytes) -> None:
        """Queues audio."""
        self._waiting.append(pcm16_to_float(pcm))

    def flush(self) -> int:
        """Drops what has not been played; returns the samples played so far."""
        self._waiting.clear()
        return self._played

    def advance(self, now: int) -> None:
        """Time has come to this sample; it never goes back."""
        while self._waiting and self._now < now:
            self._play_next(now - self._now)
        self._now = max(self._now, now)

    def drain(self) -> None:
        """Plays all that is queued, taking the time that it takes."""
        self.advance(self._now + sum(len(piece) for piece in self._waiting))

    def _play_next(self, limit: int) -> None:
        piece = self._waiting.popleft()
        if len(piece) > limit:
            self._waiting.appendleft(piece[limit:])
        self._heard.append((self._now, piece[:limit]))
        self._now += len(piece[:limit])
        self._played += len(piece[:limit])

    def samples(self) -> Audio:
        """All that was heard, at its time (T,)."""
        length = max((start + len(piece) for start, piece in self._heard), default=0)
        track = np.zeros(length, np.float32)
        for start, piece in self._heard:
            track[start : start + len(piece)] = piece
        return track


def write_stereo(path: Path, left: Audio, right: Audio) -> None:
    """16-bit stereo at WIRE_RATE, the shorter side filled up with silence. Raises AudioUnusable."""
    length = max(len(left), len(right))
    stereo = np.stack([np.pad(side, (0, length - len(side))) for side in (left, right)], axis=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, stereo, WIRE_RATE, subtype="PCM_16", format="WAV")
    except (sf.SoundFileError, OSError) as error:
        raise AudioUnusable(f"cannot write {path}: {error}") from None

"""What waits for the loudspeaker: pushed by the loop, pulled by the audio thread, flushed by whoever interrupts."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import numpy as np

from tandem_models.signal import WIRE_RATE, Audio, exact_div

PREBUFFER: Final = exact_div(WIRE_RATE * 60, 1000)
"""Samples that wait before playing begins: 60 ms is more jitter than a local network has."""


class PlaybackRing:
    """What waits to be played; pushed on one thread and pulled on another. Samples are at WIRE_RATE."""

    def __init__(self, prebuffer: int = PREBUFFER) -> None:
        self._prebuffer = prebuffer
        self._lock = threading.Lock()
        self._waiting: deque[Audio] = deque()
        self._running = False
        self._held_back = 0
        """Samples of silence pulled since the first audio came to an empty ring."""
        self._played = 0

    @property
    def played(self) -> int:
        """Samples of audio pulled so far; silence does not count."""
        return self._played

    def push(self, audio: Audio) -> None:
        """Queues audio (T,)."""
        with self._lock:
            if len(audio):
                self._waiting.append(audio)

    def pull(self, samples: int) -> Audio:
        """The next samples (samples,), silence where there are none."""
        out = np.zeros(samples, np.float32)
        with self._lock:
            if not self._may_play(samples):
                return out
            filled = 0
            while self._waiting and filled < samples:
                piece = self._waiting.popleft()
                taken = piece[: samples - filled]
                out[filled : filled + len(taken)] = taken
                filled += len(taken)
                if len(taken) < len(piece):
                    self._waiting.appendleft(piece[len(taken) :])
            self._played += filled
            self._running = bool(self._waiting)  # run dry, it gathers the prebuffer again
        return out

    def _may_play(self, samples: int) -> bool:
        if not self._running and self._waiting:
            # A reply shorter than the prebuffer starts when the time for it to fill has passed.
            gathered = sum(len(piece) for piece in self._waiting)
            self._running = gathered >= self._prebuffer or self._held_back >= self._prebuffer
            self._held_back = 0 if self._running else self._held_back + samples
        return self._running

    def flush(self) -> int:
        """Drops what waits; returns the samples played so far."""
        with self._lock:
            self._waiting.clear()
            self._running = False
            self._held_back = 0
            return self._played

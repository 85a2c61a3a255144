"""The turn model smart-turn v3.2 (Pipecat, BSD-2): Whisper's smallest encoder, trained to hear whether a turn is over.

8.7 MB of quantised weights under onnxruntime, fetched by `turn_model_fetch.py`. It hears at most eight seconds, the end
of the turn last; what is missing before is silence. One question takes about 50 ms of one core, 6 of them for the log
mel; 300 ms of more silence would make its answers a little better (AUC .89 after .83 on 174 telephone pauses), and come
too late.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tandem_models.signal import SAMPLE_RATE, Audio
from tandem_server.engines.log_mel import BANDS, HOP, log_mel
from tandem_server.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

HEARD: Final = 8 * SAMPLE_RATE
"""Samples that it hears"""
MOST_WAITING: Final = 4
"""Questions that may wait for each thread: 200 ms"""
_SHAPE: Final = (1, BANDS, HEARD // HOP)
_INSTEAD: Final = "Fetch it again (tandem models fetch smart-turn), or do without: TANDEM_TURN_MODEL=off"


class SmartTurn:
    """TurnModel: one thread for every two cores asks it for all callers, and what would wait too long is refused."""

    name = "smart-turn v3.2"

    def __init__(self, path: Path, threads: int = max(1, (os.cpu_count() or 1) // 2)) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="smart-turn")
        self._places = threading.Semaphore(threads * (1 + MOST_WAITING))
        """For questions that wait or are being answered, also when nobody wants to know any more"""
        self._session: InferenceSession

    async def start(self) -> None:
        """Raises EngineUnavailable."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._load)

    async def complete(self, audio: Audio) -> float | None:
        """As the protocol says; of the audio the last HEARD samples count."""
        if not self._places.acquire(blocking=False):
            return None
        answer = self._pool.submit(self._judge, audio)
        answer.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(answer)

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _load(self) -> None:
        try:
            from onnxruntime import InferenceSession, SessionOptions
        except ImportError as error:
            remedy = "Reinstall it (pip install --force-reinstall onnxruntime), or set TANDEM_TURN_MODEL=off"
            raise EngineUnavailable(f"onnxruntime does not load here: {error}. {remedy}", stage="turn") from error
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # two take longer, and more of the processor
        options.log_severity_level = 3
        try:
            self._session = InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
            self._judge(np.zeros(HEARD, np.float32))
        except Exception as error:
            message = f"{self._path} is no turn model that works here. {_INSTEAD}"
            raise EngineUnavailable(message, stage="turn") from error

    def _judge(self, audio: Audio) -> float:
        """In a thread of the pool."""
        last = audio[-HEARD:]
        heard = np.concatenate([np.zeros(HEARD - len(last), np.float32), last])
        try:
            (answer,) = self._session.run(None, {"input_features": log_mel(heard).reshape(_SHAPE)})
            complete = float(np.asarray(answer).item())
        except Exception as error:  # onnxruntime's errors have no common base
            raise EngineError(f"{self.name} failed: {error}", stage="turn") from error
        if not 0.0 <= complete <= 1.0:
            raise EngineError(f"{self.name} answered {complete}, which is no probability", stage="turn")
        return complete

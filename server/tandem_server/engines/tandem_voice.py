"""Tandem's own voice: a folder of TorchScript networks, run in one thread of its own.

The calls release the GIL. The networks follow the target themselves, so that the realiser has little left to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from tandem_models.checkpoint import CheckpointError
from tandem_models.prosody import Prosody
from tandem_models.voice_folders import read
from tandem_server.engines.spoken_text import clean, pieces, tokens
from tandem_server.engines.written_words import groups, timed
from tandem_server.errors import EngineError, EngineUnavailable
from tandem_server.stages.protocols import Calibration, Utterance

if TYPE_CHECKING:
    from tandem_models.phones import Pronounced
    from tandem_models.voice import Voice as Networks

T = TypeVar("T")
DEFAULT_VOICE: Final = "slt"
_WARMING: Final = ("Ready.", "The first sentences through a network are slower than all that follow them.")
"""TorchScript specialises itself to what it is given"""


class TandemVoice:
    """The voice of a folder. Raises EngineUnavailable for one that is damaged or was not calibrated."""

    def __init__(self, folder: Path, own: Calibration | None = None) -> None:
        self._folder = folder
        self.calibration = own or _calibration(folder)
        self.name = f"tandem ({folder.name})"
        self._networks: Networks | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="voice")

    async def start(self) -> None:
        """Load the networks and speak twice, which makes later calls fast. Raises EngineUnavailable."""
        await self._call(self._load)

    async def speak(self, text: str, target: Prosody) -> AsyncGenerator[Utterance, None]:
        """From pause to pause; nothing when there is nothing to say."""
        from tandem_models.mel import RATE
        from tandem_models.speech import say

        if self._networks is None:
            raise EngineError("the voice was not started", stage="voice")
        for piece in pieces(clean(text)):
            sentences = await self._call(_sentences, piece)
            said = [word for sentence in sentences for word, _, _ in sentence.words]
            written = groups([piece[begin:end] for begin, end in tokens(piece)], said)
            first = 0
            for sentence in sentences:
                spoken = say(self._networks, sentence, target)
                while (stretch := await self._call(next, spoken, None)) is not None:
                    times = [(begin, end) for _, begin, end in stretch.words]
                    yield Utterance(stretch.audio, RATE, timed(written, first, times))
                    first += len(times)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _call(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except (RuntimeError, ValueError) as error:  # the executor is shut down, torch has no memory, a strange phone
            raise EngineError(f"the voice cannot speak: {error}", stage="voice") from error

    def _load(self) -> None:
        import torch

        from tandem_models.speech import speak
        from tandem_models.voice import Voice as Networks

        torch.set_num_threads(1)
        try:
            self._networks = Networks.load(self._folder)
        except CheckpointError as error:
            raise EngineUnavailable(str(error), stage="voice") from error
        for text in _WARMING * 2:
            list(speak(self._networks, text))


def _calibration(folder: Path) -> Calibration:
    try:
        about = read(folder)
    except CheckpointError as error:
        raise EngineUnavailable(str(error), stage="voice") from error
    return Calibration(about.mean, about.sd)


def _sentences(text: str) -> tuple[Pronounced, ...]:
    from tandem_models.phones import pronounce

    return pronounce(text)

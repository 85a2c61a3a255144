"""The strategy `neural`: its model is loaded when a session first asks for it, since torch takes seconds and 200 MB."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path

from tandem_models.checkpoint import FILES, CheckpointError
from tandem_models.checkpoint import load as read
from tandem_models.entrainment_shipped import SHIPPED
from tandem_models.normaliser import Normaliser
from tandem_server.errors import EngineUnavailable
from tandem_server.predictor_events import Learned
from tandem_server.stages.carried import Carried

_INSTEAD = "the other strategies work without it"


class LearnedStrategy:
    """One for the server, made for the voice that speaks; `agent` is its calibrated normaliser."""

    def __init__(self, agent: Normaliser, folder: Path = SHIPPED) -> None:
        self._agent = agent
        self._folder = folder
        self._loading = asyncio.Lock()
        self._learned: Learned | None = None

    def fault(self) -> str | None:
        """Why it cannot be loaded, as far as that can be told without torch: the files are compared with their sums."""
        try:
            read(self._folder).read(FILES["torchscript"])
        except CheckpointError as error:
            return f"neural cannot be used: {error}; {_INSTEAD}"
        if find_spec("torch") is None:
            return f"neural cannot be used: torch is not installed (pip install torch); {_INSTEAD}"
        return None

    async def start(self) -> None:
        """Load it before anybody asks. Raises EngineUnavailable."""
        await self.load()

    async def load(self) -> Learned:
        """Ready to be asked. Raises EngineUnavailable."""
        async with self._loading:
            if self._learned is None:
                self._learned = await asyncio.to_thread(self._load)
            return self._learned

    def _load(self) -> Learned:
        if fault := self.fault():
            raise EngineUnavailable(fault, stage="entrainment")
        try:
            import torch

            from tandem_server.engines.entrainment_model import EntrainmentPredictor

            torch.set_num_threads(1)  # what it computes is too small to share
            predictor = EntrainmentPredictor(read(self._folder), self._agent)
        except (ImportError, OSError, RuntimeError, CheckpointError) as error:
            message = f"neural cannot be used: its model does not run here ({error}); {_INSTEAD}"
            raise EngineUnavailable(message, stage="entrainment") from error
        return Learned(Carried(predictor), self._folder.name)

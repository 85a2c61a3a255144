"""One caller's questions to the turn model: one at a time, and of those that wait only the newest is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tandem_models.signal import Audio
from tandem_server.audio import AudioInput
from tandem_server.conversation_events import JudgeTurn, TurnJudged
from tandem_server.errors import EngineError
from tandem_server.stages.protocols import TurnModel
from tandem_server.telemetry import Log

DEADLINE: Final = 1.0
"""Seconds: after that the silence has said more than the answer would."""


class Judging:
    """Asks, and tells the answers. Without a model there are none, and the endpoint does without."""

    def __init__(
        self,
        model: TurnModel | None,
        tell: Callable[[TurnJudged], None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        log: Log,
    ) -> None:
        self._model = model
        self._tell = tell
        self._spawn = spawn
        self._log = log
        self._next: tuple[JudgeTurn, Audio] | None = None
        self._task: asyncio.Task[None] | None = None

    def ask(self, question: JudgeTurn, heard: AudioInput) -> None:
        """In place of a question that still waits: the user has gone on since."""
        if self._model is None:
            return
        self._next = question, heard.since(question.start)[1]
        if self._task is None or self._task.done():
            self._task = self._spawn(self._answer(self._model))

    async def _answer(self, model: TurnModel) -> None:
        while self._next is not None:
            (question, audio), self._next = self._next, None
            complete = await self._in_time(model, audio)
            if complete is not None:
                self._tell(TurnJudged(question.turn, question.pause, complete))

    async def _in_time(self, model: TurnModel, audio: Audio) -> float | None:
        """None when there is no answer, for whatever reason."""
        try:
            async with asyncio.timeout(DEADLINE):
                return await model.complete(audio)
        except EngineError as error:
            self._log.warning("turn_not_judged", reason=error.plain)
        except TimeoutError:
            self._log.warning("turn_not_judged", reason=f"no answer within {DEADLINE:g} s")
        return None

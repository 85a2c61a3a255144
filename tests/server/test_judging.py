"""One question to the turn model at a time, the newest of those that wait, and no harm when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tandem_models.signal import VAD_FRAME, Audio
from tandem_server import judging
from tandem_server.audio import AudioInput
from tandem_server.conversation_events import JudgeTurn, TurnJudged
from tandem_server.engines.fakes import FakeTurnModel
from tandem_server.errors import EngineError
from tandem_server.judging import Judging

from .callers import LOG

FRAME_BYTES = 2 * VAD_FRAME * 3 // 2
"""A VAD frame at the rate of the wire"""


def heard(frames: int) -> AudioInput:
    audio = AudioInput()
    assert len(list(audio.frames(b"\1\0" * (FRAME_BYTES // 2) * (frames + 1)))) >= frames
    return audio


class Slow(FakeTurnModel):
    """Answers when the gate opens."""

    def __init__(self) -> None:
        super().__init__(0.7)
        self.gate = asyncio.Event()

    async def complete(self, audio: Audio) -> float | None:
        self.asked.append(len(audio))
        await self.gate.wait()
        return 0.7


class Asked:
    """A Judging with what it told."""

    def __init__(self, model: FakeTurnModel | None) -> None:
        self.told: list[TurnJudged] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.judging = Judging(model, self.told.append, self.spawn, LOG)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    def ask(self, pause: int, frames: int = 20) -> None:
        self.judging.ask(JudgeTurn(0, pause, 10 * VAD_FRAME), heard(frames))

    async def over(self) -> None:
        await asyncio.gather(*self.tasks)


async def test_the_answer_names_its_pause_and_is_about_the_turn_alone() -> None:
    model = FakeTurnModel(0.25)
    asked = Asked(model)
    asked.ask(3)
    await asked.over()
    assert asked.told == [TurnJudged(0, 3, 0.25)]
    (samples,) = model.asked
    assert samples in (10 * VAD_FRAME, 11 * VAD_FRAME)  # of 20 or 21 frames the first ten were before it


async def test_never_two_at_once_and_of_those_that_wait_only_the_newest() -> None:
    model = Slow()
    asked = Asked(model)
    for pause in (1, 2, 3):
        asked.ask(pause)
        await asyncio.sleep(0)
    assert len(model.asked) == 1
    model.gate.set()
    await asked.over()
    assert asked.told == [TurnJudged(0, 1, 0.7), TurnJudged(0, 3, 0.7)]


@pytest.mark.parametrize("answer", [None, EngineError("it broke", stage="turn")])
async def test_no_answer_is_no_news_and_the_next_pause_is_asked_about(answer: EngineError | None) -> None:
    model = FakeTurnModel(answer)
    asked = Asked(model)
    asked.ask(1)
    await asked.over()
    assert asked.told == []
    model.answer = 0.5
    asked.ask(2)
    await asked.over()
    assert asked.told == [TurnJudged(0, 2, 0.5)]


async def test_an_answer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "DEADLINE", 0.0)
    asked = Asked(Slow())
    asked.ask(1)
    await asked.over()
    assert asked.told == []


async def test_without_a_model_nothing_is_done() -> None:
    asked = Asked(None)
    asked.ask(1)
    assert asked.tasks == []

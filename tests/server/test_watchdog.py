"""Every wait of a session has a deadline and a way out: what never answers is passed over, or the caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from tandem_models.extract import analyse
from tandem_server import equipment, hearing, keeping
from tandem_server.engines.fakes import FakeDetector, FakeRecogniser, FakeRecogniserStream, FakeVoiceActivity
from tandem_server.errors import EngineTimeout, StoreError
from tandem_server.record.memory import MemoryStore
from tandem_server.record.records import ConversationRecord

from .callers import Call, Here, P, T


async def never() -> None:
    await asyncio.Event().wait()


class NoAnswer(Here):
    """Workers that measure the agent's voice and never the user's."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if function is analyse:
            await never()
        return await super().run(function, *args, **kwargs)


class SlowVoiceActivity(FakeVoiceActivity):
    async def open(self) -> FakeDetector:
        await never()
        raise AssertionError


class SlowRecogniser(FakeRecogniser):
    async def open(self, on_partial: Callable[[str], None]) -> FakeRecogniserStream:
        await never()
        raise AssertionError


class NoGoodbye(FakeRecogniser):
    async def open(self, on_partial: Callable[[str], None]) -> FakeRecogniserStream:
        stream = await super().open(on_partial)
        stream.close = self._never  # type: ignore[method-assign]
        return stream

    async def _never(self) -> None:
        self.lent -= 1
        await never()


class NeverOpens(MemoryStore):
    async def open_conversation(self, record: ConversationRecord) -> None:
        await never()


class NeverCloses(MemoryStore):
    async def close_conversation(self, conversation_id: str, ended_at: datetime) -> None:
        await never()


async def test_a_turn_whose_prosody_never_comes_is_understood_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "MEASURE_DEADLINE", 0.0)
    call = Call(workers=NoAnswer())
    call.client.speak()
    done = await call.client.until("response.done")
    await call.end()

    assert done["response"]["status"] == "completed"
    user, _ = await call.turns()
    assert (user.text, user.status, user.features) == ("hello there", "completed", {})


@pytest.mark.parametrize("engine", ["vad", "asr"])
async def test_an_engine_that_is_never_ready_is_not_waited_for(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equipment, "OPENING", 0.0)
    call = Call(vad=SlowVoiceActivity()) if engine == "vad" else Call(recogniser=SlowRecogniser())
    with pytest.raises(EngineTimeout, match=f"no {engine} engine was ready") as error:
        await call.over()

    assert error.value.stage == engine
    kept = await call.engines.store.conversation("sess_t")
    assert kept is not None and kept.ended_at is not None


async def test_a_store_that_never_opens_the_conversation_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "STORE_DEADLINE", 0.0)
    call = Call(store=NeverOpens())
    with pytest.raises(StoreError, match="did not answer within"):
        await call.over()


async def test_a_store_that_never_closes_the_conversation_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "STORE_DEADLINE", 0.0)
    call = Call(store=NeverCloses())
    call.client.speak()
    await call.client.until("response.done")
    await call.end()

    assert len(await call.turns()) == 2


async def test_a_recogniser_that_cannot_be_closed_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equipment, "CLOSING", 0.0)
    call = Call(recogniser=NoGoodbye(["hello there"]))
    await call.client.until("session.created")
    await call.end()

    kept = await call.engines.store.conversation("sess_t")
    assert kept is not None and kept.ended_at is not None

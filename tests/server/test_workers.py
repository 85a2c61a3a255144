"""Real processes: what they return and raise, and what happens when one dies."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tandem_server import workers as workers_module
from tandem_server.errors import EngineError, EngineTimeout
from tandem_server.workers import Workers


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[Workers]:
    made = Workers(1)
    yield made
    await made.close()


async def test_a_worker_is_another_process_and_what_it_raises_comes_back(workers: Workers) -> None:
    await workers.start()
    assert await workers.run(os.getpid) != os.getpid()
    assert await workers.run(math.sqrt, 9.0) == 3.0
    with pytest.raises(ValueError, match="math domain error"):
        await workers.run(math.sqrt, -1.0)
    await workers.close()
    await workers.close()


async def test_a_worker_that_dies_is_our_fault_and_the_next_call_gets_a_new_one(workers: Workers) -> None:
    with pytest.raises(EngineError, match="died") as error:
        await workers.run(os._exit, 3)
    assert error.value.stage == "prosody"
    assert await workers.run(math.sqrt, 9.0) == 3.0


async def test_closing_what_was_never_started_is_nothing() -> None:
    await Workers(1).close()


async def test_a_worker_that_hangs_is_ended_and_the_next_call_gets_a_new_one() -> None:
    workers = Workers(1, call_timeout=4.0)
    await workers.start()
    hung = await workers.run(os.getpid)
    with pytest.raises(EngineTimeout, match="did not answer within 4 s") as error:
        await workers.run(signal.pause)
    assert error.value.stage == "prosody"
    assert await workers.run(os.getpid) != hung
    await workers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(hung, 0)


async def test_closing_does_not_wait_for_a_worker_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "CLOSE_TIMEOUT", 0.1)
    workers = Workers(1)
    stopped = await workers.run(os.getpid)
    os.kill(stopped, signal.SIGSTOP)
    async with asyncio.timeout(30.0):
        await workers.close()
    with pytest.raises(EngineError, match="closed"):
        await workers.run(os.getpid)

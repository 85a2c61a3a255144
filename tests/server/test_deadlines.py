"""Deadlines: which of them pass, and when that of a reply does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tandem_server.deadlines import Deadlines
from tandem_server.line import Message
from tandem_server.outgoing import ROOM_BYTES, Outgoing


async def settle() -> None:
    """Let the other tasks and timers run."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def crowded(passed: list[str]) -> AsyncIterator[tuple[Deadlines, Outgoing]]:
    """Deadlines of a session whose client has not caught up."""
    outgoing = Outgoing()
    outgoing.put("e", "x" * (ROOM_BYTES + 1))
    async with asyncio.TaskGroup() as group:
        deadlines = Deadlines(passed.append, group.create_task, outgoing)
        yield deadlines, outgoing
        outgoing.close()
    deadlines.close()


async def reads(outgoing: Outgoing) -> None:
    """The client catches up."""

    async def send(_: str, __: Message) -> None:
        """It reads."""

    pump = asyncio.create_task(outgoing.pump(send))
    await settle()
    pump.cancel()
    await asyncio.wait([pump])


async def test_a_reply_has_its_time_again_when_the_client_has_caught_up() -> None:
    passed: list[str] = []
    async with crowded(passed) as (deadlines, outgoing):
        deadlines.arm("reply:1", 0.0)
        await settle()
        assert passed == []
        await reads(outgoing)
        assert passed == ["reply:1"]


async def test_what_does_not_wait_for_the_client_is_given_up_in_time() -> None:
    passed: list[str] = []
    async with crowded(passed) as (deadlines, _):
        deadlines.arm("turn:1", 0.0)
        deadlines.arm("aside:-1", 0.0)
        await settle()
        assert passed == ["turn:1", "aside:-1"]


async def test_once_the_client_has_left_everything_passes() -> None:
    passed: list[str] = []
    async with crowded(passed) as (deadlines, _):
        deadlines.arm("reply:1", 60.0)
        deadlines.arm("turn:1", 60.0)
        deadlines.pass_all()
        assert passed == ["reply:1", "turn:1"]

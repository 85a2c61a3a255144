"""The queue to one client: in order, bounded, nothing dropped in silence."""

from __future__ import annotations

import asyncio

import pytest

from tandem_server.line import ClientTooSlowError, Message
from tandem_server.outgoing import MOST_BYTES, ROOM_BYTES, Outgoing


class Reader:
    """A client that reads when it is let."""

    def __init__(self) -> None:
        self.read: list[Message] = []
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def send(self, _: str, message: Message) -> None:
        await self.may_read.wait()
        self.read.append(message)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel and join."""
    task.cancel()
    await asyncio.wait([task])


async def turns(count: int = 10) -> None:
    """Let the other tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_messages_go_out_in_order_whether_put_before_or_while_pumping() -> None:
    queue, reader = Outgoing(), Reader()
    queue.put("e", "one")
    queue.put("e", b"two")
    pump = asyncio.create_task(queue.pump(reader.send))
    await turns()
    queue.put("e", "three")
    await turns()
    assert reader.read == ["one", b"two", "three"]
    await ended(pump)


async def test_there_is_room_again_when_the_client_has_caught_up() -> None:
    queue, reader = Outgoing(), Reader()
    reader.may_read.clear()
    pump = asyncio.create_task(queue.pump(reader.send))
    queue.put("e", bytes(ROOM_BYTES))
    await queue.room()  # at the mark there still is
    queue.put("e", b"x")
    waiting = asyncio.create_task(queue.room())
    await turns()
    assert not waiting.done()
    reader.may_read.set()
    await waiting
    assert len(reader.read) >= 1
    await ended(pump)


async def test_a_client_that_lets_too_much_pile_up_is_let_go() -> None:
    queue, reader = Outgoing(), Reader()
    queue.put("e", bytes(MOST_BYTES))
    queue.put("e", b"x")
    with pytest.raises(ClientTooSlowError):
        await queue.pump(reader.send)
    assert reader.read == []


async def test_exactly_the_most_is_still_sent() -> None:
    queue, reader = Outgoing(), Reader()
    queue.put("e", bytes(MOST_BYTES))
    pump = asyncio.create_task(queue.pump(reader.send))
    await turns()
    assert len(reader.read) == 1
    await ended(pump)


async def test_what_send_raises_comes_out() -> None:
    async def gone(_: str, __: Message) -> None:
        raise ConnectionResetError

    queue = Outgoing()
    queue.put("e", "hello")
    with pytest.raises(ConnectionResetError):
        await queue.pump(gone)


async def test_closing_forgets_what_is_queued_ends_the_pump_and_lets_nobody_wait() -> None:
    queue, reader = Outgoing(), Reader()
    reader.may_read.clear()
    pump = asyncio.create_task(queue.pump(reader.send))
    for _ in range(3):
        queue.put("e", bytes(ROOM_BYTES))
    waiting = asyncio.create_task(queue.room())
    await turns()
    queue.close()
    queue.close()
    queue.put("e", "nobody hears this")
    await waiting
    reader.may_read.set()
    await pump
    assert len(reader.read) == 1  # the one that was on its way


async def test_a_pump_that_begins_after_the_close_ends_at_once() -> None:
    queue, reader = Outgoing(), Reader()
    queue.put("e", "x")
    queue.close()
    await queue.pump(reader.send)
    assert reader.read == []

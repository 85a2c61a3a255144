"""A client that was cut off goes on where it was: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio

import pytest

from tandem_server import line as line_module
from tandem_server.errors import ClientError
from tandem_server.line import ClientTooSlowError, ConnectionLostError, Line, Message


class Wire:
    """One connection; it breaks, or stops taking messages, when the test says so."""

    def __init__(self, takes: int = 1_000) -> None:
        self.got: list[Message] = []
        self.takes = takes
        """Messages until it breaks"""
        self.reads = asyncio.Event()
        self.reads.set()
        self.closes = asyncio.Event()
        self.closes.set()
        """Takes a goodbye"""
        self.closed: tuple[int, str] | None = None
        self._inbox: asyncio.Queue[Message | ConnectionLostError] = asyncio.Queue()

    async def receive(self) -> Message:
        message = await self._inbox.get()
        if isinstance(message, ConnectionLostError):
            raise message
        return message

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        if len(self.got) >= self.takes:
            raise ConnectionLostError
        self.got.append(message)

    async def close(self, code: int, reason: str) -> None:
        """Nobody who is receiving is woken: a peer that is gone does not answer."""
        await self.closes.wait()
        self.closed = code, reason

    def say(self, message: Message) -> None:
        self._inbox.put_nowait(message)

    def breaks(self, *, final: bool = False) -> None:
        self.takes = 0
        self._inbox.put_nowait(ConnectionLostError(final=final))


HELLO = ("hello", "HELLO")


async def settle() -> None:
    """Let the other tasks run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def sending(line: Line, count: int, begin: int = 0) -> None:
    """So many messages: e0 "m0", e1 "m1", ..."""
    for number in range(begin, begin + count):
        await line.send(f"e{number}", f"m{number}")


async def over(*tasks: asyncio.Task[None] | asyncio.Task[Message]) -> None:
    """Cancel and join."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_without_patience_the_first_connection_is_the_only_one() -> None:
    first = Wire(takes=1)
    line = Line(first)
    await line.send("e0", "m0")
    with pytest.raises(ConnectionLostError):
        await line.send("e1", "m1")
    assert not line.resumable


async def test_who_says_goodbye_does_not_come_back() -> None:
    first = Wire()
    line = Line(first, patience=60.0)
    assert line.resumable
    first.breaks(final=True)
    with pytest.raises(ConnectionLostError):
        await line.receive()
    assert not line.resumable


async def test_who_stays_away_too_long_is_gone() -> None:
    first = Wire()
    line = Line(first, patience=0.001)
    first.breaks()
    with pytest.raises(ConnectionLostError):
        await line.receive()
    assert not line.attached


@pytest.mark.parametrize("seen", range(6))
async def test_what_was_not_seen_is_sent_again_and_nothing_else(seen: int) -> None:
    """Six messages were handed to the connection; the client has read some of them."""
    first, second = Wire(takes=6), Wire()
    line = Line(first, patience=60.0)
    pump = asyncio.create_task(sending(line, 10))
    await settle()
    assert not line.attached

    resumed = asyncio.create_task(line.resume(second, HELLO, f"e{seen - 1}" if seen else "e0"))
    await pump
    assert second.got == ["HELLO", *(f"m{number}" for number in range(max(seen, 1), 10))]
    await over(resumed)


async def test_without_a_word_what_was_handed_over_counts_as_seen() -> None:
    first, second = Wire(takes=6), Wire()
    line = Line(first, patience=60.0)
    pump = asyncio.create_task(sending(line, 10))
    await settle()
    resumed = asyncio.create_task(line.resume(second, HELLO, None))
    await pump
    assert second.got == ["HELLO", "m6", "m7", "m8", "m9"]
    await over(resumed)


async def test_what_was_missed_comes_even_when_nothing_new_is_said() -> None:
    first, second = Wire(), Wire()
    line = Line(first, patience=60.0)
    await sending(line, 3)
    listening = asyncio.create_task(line.receive())
    first.breaks()
    await settle()
    resumed = asyncio.create_task(line.resume(second, HELLO, "e0"))
    await settle()
    assert second.got == ["HELLO", "m1", "m2"]
    second.say("I am back")
    assert await listening == "I am back"
    await over(resumed)


async def test_a_client_that_is_cut_off_again_may_have_seen_nothing_but_the_greeting() -> None:
    first, second, third = Wire(), Wire(takes=1), Wire()
    line = Line(first, patience=60.0)
    await sending(line, 3)
    await line.resume(second, HELLO, "e0")
    resumed = asyncio.create_task(line.resume(third, ("hello again", "AGAIN"), "hello"))
    await settle()
    assert third.got == ["AGAIN", "m1", "m2"]
    await over(resumed)


async def test_a_connection_that_only_seems_to_be_there_is_replaced_at_once() -> None:
    """Half-open: its messages are stuck on the way, and nobody has noticed."""
    first, second = Wire(), Wire()
    line = Line(first, patience=60.0)
    first.reads.clear()
    pump = asyncio.create_task(sending(line, 3))
    await settle()
    assert line.attached

    resumed = asyncio.create_task(line.resume(second, HELLO, None))
    await pump
    assert second.got == ["HELLO", "m0", "m1", "m2"]
    await settle()
    assert first.closed == (1000, line_module.REPLACED)
    await over(resumed)


async def test_messages_that_are_too_old_are_not_kept_and_resuming_there_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "KEPT_BYTES", 6)
    line = Line(Wire(), patience=60.0)
    await sending(line, 10)  # three messages of two characters are kept
    line.check("e9")
    line.check("e7")
    line.check(None)
    with pytest.raises(ClientError, match="begin a new conversation"):
        line.check("e6")
    with pytest.raises(ClientError, match="'nonsense'"):
        line.check("nonsense")


async def test_a_message_that_was_on_its_way_does_not_lose_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten characters are kept: as the fifth message arrives, the second and third make room for it, and the client
    that comes back at that moment asks for them."""
    monkeypatch.setattr(line_module, "KEPT_BYTES", 10)
    first, second, third = Wire(), Wire(), Wire()
    line = Line(first, patience=60.0)
    await sending(line, 4)
    first.reads.clear()
    pump = asyncio.create_task(line.send("e4", "m4m4m4m4"))
    await settle()
    resumed = asyncio.create_task(line.resume(second, HELLO, "e0"))
    first.reads.set()
    await pump
    await settle()
    assert second.got == []
    with pytest.raises(ClientError, match="begin a new conversation"):
        await resumed
    assert not line.attached

    again = asyncio.create_task(line.resume(third, HELLO, "e3"))
    await settle()
    assert third.got == ["HELLO", "m4m4m4m4"]
    await over(again)


async def test_a_client_that_reads_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "SEND_TIMEOUT", 0.0)
    first = Wire()
    first.reads.clear()
    with pytest.raises(ClientTooSlowError):
        await Line(first, patience=60.0).send("e0", "m0")


async def test_when_the_server_hangs_up_everybody_waiting_is_told() -> None:
    first, second = Wire(), Wire()
    line = Line(first, patience=60.0)
    first.breaks()
    listening = asyncio.create_task(line.receive())
    await settle()
    resumed = asyncio.create_task(line.resume(second, HELLO, None))
    await settle()
    await line.close(1011, "internal error")
    await line.close(1011, "internal error")
    await resumed
    assert second.closed == (1011, "internal error")
    with pytest.raises(ConnectionLostError):
        await listening


async def test_nobody_is_waited_for_any_more_once_that_was_given_up() -> None:
    first = Wire()
    line = Line(first, patience=60.0)
    first.breaks()
    listening = asyncio.create_task(line.receive())
    await settle()
    line.give_up()
    with pytest.raises(ConnectionLostError):
        await listening


async def test_who_comes_back_when_it_has_just_been_given_up_is_told() -> None:
    """It was let in a moment ago; nobody will ever listen to that connection, nor close it."""
    first, second = Wire(), Wire()
    line = Line(first, patience=60.0)
    first.breaks()
    listening = asyncio.create_task(line.receive())
    await settle()
    line.give_up()
    await line.close(1000, "")
    resumed = asyncio.create_task(line.resume(second, HELLO, None))
    await settle()
    assert resumed.done(), "it waits for ever"
    with pytest.raises(ClientError, match="connect without session_id"):
        resumed.result()
    with pytest.raises(ConnectionLostError):
        await listening


async def test_who_comes_back_is_heard_though_the_old_connection_cannot_be_closed() -> None:
    """Half-open and full: not even a goodbye can be sent to it."""
    first, second = Wire(), Wire()
    first.closes.clear()
    line = Line(first, patience=60.0)
    await sending(line, 2)
    listening = asyncio.create_task(line.receive())
    await settle()
    resumed = asyncio.create_task(line.resume(second, HELLO, "e0"))
    second.say("I am back")
    await settle()
    assert second.got == ["HELLO", "m1"]
    assert listening.done() and listening.result() == "I am back"
    await over(resumed)


async def test_what_the_old_connection_takes_at_the_last_moment_is_not_sent_again() -> None:
    first, second = Wire(), Wire()
    line = Line(first, patience=60.0)
    first.reads.clear()
    pump = asyncio.create_task(sending(line, 1))
    await settle()
    resumed = asyncio.create_task(line.resume(second, HELLO, None))
    first.reads.set()
    await pump
    await settle()
    assert (first.got, second.got) == (["m0"], ["HELLO"])
    await over(resumed)

"""A connection that is cut is made again: in virtual time, against a server that is a list of what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tandem_client.actions import ConnectionCut, ServerSaid, Typed, Wire
from tandem_client.dialogue import Dialogue
from tandem_client.errors import ConnectionLost, ConversationOver, CutOff, ServerUnreachable, TokenRefused
from tandem_client.fakes import JumpingClock, RememberingView
from tandem_client.link import Link
from tandem_client.position import TRIES
from tandem_client.recording import VirtualLoudspeaker
from tandem_client.resuming import ResumingTransport

SPEECH = {"type": "input_audio_buffer.append", "audio": "AAAA"}
CANCEL = {"type": "response.cancel"}


def event(number: int, kind: str = "x", **fields: Any) -> ServerSaid:
    return ServerSaid({"type": kind, "event_id": f"e{number}", **fields})


def greeting(number: int, session: str = "sess_1") -> ServerSaid:
    return event(number, "session.created", session={"id": session})


class Wires:
    """One socket: says these things, and is then cut; or stays quiet."""

    def __init__(self, *says: ServerSaid, stays: bool = False) -> None:
        self._says = list(says)
        self._stays = stays
        self.sent: list[Wire] = []
        self.closed = False
        self.cut = False

    async def send(self, event: Wire) -> None:
        if self.cut:
            raise CutOff("cut")
        self.sent.append(event)

    async def receive(self) -> ServerSaid:
        if self._says:
            return self._says.pop(0)
        if self._stays:
            await asyncio.Event().wait()
        self.cut = True
        raise CutOff("cut")

    async def close(self) -> None:
        self.closed = True


class Server:
    """Answers one call after another, with a socket or a refusal."""

    def __init__(self, *answers: Wires | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, str]] = []

    async def dial(self, query: Mapping[str, str]) -> Wires:
        self.asked.append(dict(query))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def joined(first: Wires, *answers: Wires | Exception, anew: bool = False) -> tuple[ResumingTransport, Server]:
    server = Server(*answers)
    return ResumingTransport(first, server.dial, JumpingClock(), anew=anew), server


async def settled() -> None:
    """Let the other tasks run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def heard(transport: ResumingTransport, count: int) -> list[str]:
    """The ids of the next events; `cut` where the connection was."""
    told = [await transport.receive() for _ in range(count)]
    return ["cut" if isinstance(one, ConnectionCut) else str(getattr(one, "event", {})["event_id"]) for one in told]


async def test_the_conversation_goes_on_after_the_last_event() -> None:
    transport, server = joined(Wires(greeting(1), event(2)), Wires(greeting(3), event(4), stays=True))
    assert await heard(transport, 5) == ["e1", "e2", "cut", "e3", "e4"]
    assert server.asked == [{"session_id": "sess_1", "last_event_id": "e2"}]


async def test_cut_again_before_anything_else_it_goes_on_after_the_greeting() -> None:
    transport, server = joined(Wires(greeting(1)), Wires(greeting(2)), Wires(greeting(3), stays=True))
    assert await heard(transport, 5) == ["e1", "cut", "e2", "cut", "e3"]
    assert [query["last_event_id"] for query in server.asked] == ["e1", "e2"]


async def test_what_is_sent_meanwhile_waits_and_arrives_once_in_order() -> None:
    first, second = Wires(greeting(1)), Wires(greeting(2), stays=True)
    transport, _ = joined(first, second)
    await transport.receive()
    await transport.send({"type": "a"})
    assert isinstance(await transport.receive(), ConnectionCut)

    async def say() -> None:
        await transport.send({"type": "b"})
        await transport.send({"type": "c"})

    saying = asyncio.create_task(say())
    await asyncio.sleep(0)
    assert not saying.done()
    await transport.receive()
    await saying
    assert (first.sent, second.sent) == ([{"type": "a"}], [{"type": "b"}, {"type": "c"}])


async def test_who_sends_into_a_connection_that_is_cut_sends_it_again() -> None:
    first, second = Wires(greeting(1)), Wires(greeting(2), stays=True)
    transport, _ = joined(first, second)
    await transport.receive()
    first.cut = True
    sending = asyncio.create_task(transport.send(SPEECH))
    assert await heard(transport, 2) == ["cut", "e2"]
    await sending
    assert second.sent == [SPEECH]


async def test_a_server_that_is_gone_for_a_while_is_called_again() -> None:
    gone = ServerUnreachable("nobody there")
    transport, server = joined(Wires(greeting(1)), gone, gone, Wires(greeting(2), stays=True))
    assert await heard(transport, 3) == ["e1", "cut", "e2"]
    assert len(server.asked) == 3


async def test_a_server_that_stays_away_is_given_up_after_so_many_tries() -> None:
    transport, server = joined(Wires(greeting(1)), *[ServerUnreachable("nobody there")] * TRIES)
    await heard(transport, 2)
    with pytest.raises(ConnectionLost, match=rf"not be made again in {TRIES} tries: nobody there"):
        await transport.receive()
    assert len(server.asked) == TRIES


async def test_a_connection_that_never_holds_is_given_up_too() -> None:
    transport, _ = joined(Wires(greeting(1)), *[Wires(greeting(number + 2)) for number in range(TRIES)])
    await heard(transport, 2 + 2 * TRIES)
    with pytest.raises(ConnectionLost, match="again and again"):
        await transport.receive()


async def test_a_conversation_that_is_over_is_not_gone_on_with() -> None:
    transport, _ = joined(Wires(greeting(1)), ConversationOver("it is over"))
    await heard(transport, 2)
    with pytest.raises(ConversationOver):
        await transport.receive()


async def test_another_conversation_in_its_place_is_none() -> None:
    other = Wires(greeting(1, "sess_2"), stays=True)
    transport, _ = joined(Wires(greeting(1)), other)
    await heard(transport, 2)
    with pytest.raises(ConversationOver, match="another conversation"):
        await transport.receive()
    assert other.closed


async def test_a_person_gets_another_conversation_and_what_they_said_is_sent_there() -> None:
    second = Wires(greeting(1, "sess_2"), stays=True)
    transport, server = joined(Wires(greeting(1)), ConversationOver("it is over"), second, anew=True)
    await heard(transport, 2)
    speaking = asyncio.create_task(transport.send(SPEECH))
    cancelling = asyncio.create_task(transport.send(CANCEL))
    await asyncio.sleep(0)
    await transport.receive()
    await asyncio.gather(speaking, cancelling)
    assert second.sent == [SPEECH], "what was about the old conversation is of no use in the new one"
    assert server.asked[-1] == {}


async def test_what_waits_for_the_old_conversation_is_not_sent_to_the_new_one() -> None:
    wires = Wires(stays=True)
    link = Link(wires, Dialogue({"type": "realtime"}), VirtualLoudspeaker(), RememberingView(), clock=JumpingClock())
    writing = asyncio.create_task(link.write())
    link.handle(greeting(1))
    await settled()
    link.handle(Typed("hello"))
    link.handle(greeting(1, "sess_2"))
    await settled()
    assert [event["type"] for event in wires.sent] == ["session.update"] * 2
    writing.cancel()


async def test_a_token_that_is_refused_is_not_tried_again() -> None:
    transport, server = joined(Wires(greeting(1)), TokenRefused("wrong"))
    await heard(transport, 2)
    with pytest.raises(TokenRefused):
        await transport.receive()
    assert len(server.asked) == 1


async def test_a_connection_without_a_session_is_lost() -> None:
    transport, server = joined(Wires())
    with pytest.raises(CutOff):
        await transport.receive()
    assert not server.asked

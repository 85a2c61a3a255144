"""The queue to one client: in order, bounded, nothing dropped in silence."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from openai.types.realtime import ResponseAudioDoneEvent

from tandem_server.contract import AudioFrame
from tandem_server.conversation_events import Send, SendAudio
from tandem_server.formats import AudioFormat
from tandem_server.line import ClientTooSlowError, Message
from tandem_server.outgoing import MOST_BYTES, ROOM_BYTES, Messages, Outgoing


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


# Audio --------------------------------------------------------------------------------------------------------------
def said(pcm: bytes, *, binary: bool = False, audio_format: AudioFormat = "audio/pcm", reply: int = 1) -> SendAudio:
    return SendAudio(f"r{reply}", f"i{reply}", 0, pcm, binary, audio_format)


def done(reply: int = 1) -> Send:
    where: dict[str, Any] = {"response_id": f"r{reply}", "item_id": f"i{reply}", "output_index": 0, "content_index": 0}
    return Send(ResponseAudioDoneEvent(type="response.output_audio.done", event_id="e", **where))


def deltas(messages: list[tuple[str, Message]]) -> list[dict[str, Any]]:
    events = [json.loads(message) for _, message in messages]
    return [event for event in events if event["type"] == "response.output_audio.delta"]


def test_audio_is_cut_into_tenths_of_a_second_and_numbered() -> None:
    messages = Messages("sess_x")
    events = deltas([*messages.of(said(bytes(10_000))), *messages.of(done()), *messages.of(said(b"\1\2", reply=2))])
    assert [len(base64.b64decode(event["delta"])) for event in events] == [4800, 4800, 400, 2]
    assert [event["event_id"] for event in events] == [f"event_x_a{number}" for number in (1, 2, 3, 4)]
    assert [event["response_id"] for event in events] == ["r1", "r1", "r1", "r2"]


@pytest.mark.parametrize(("audio_format", "silence"), [("audio/pcmu", 0xFF), ("audio/pcma", 0xD5)])
def test_a_telephone_gets_every_sample_before_it_is_told_that_the_audio_is_over(
    audio_format: AudioFormat, silence: int
) -> None:
    messages = Messages("sess_x")
    sent = [one for _ in range(3) for one in messages.of(said(bytes(48_000), audio_format=audio_format))]
    closing = list(messages.of(done()))
    audio = b"".join(base64.b64decode(event["delta"]) for event in deltas([*sent, *closing]))
    assert audio == bytes([silence]) * 24_000
    assert json.loads(closing[-1][1])["type"] == "response.output_audio.done"
    assert deltas(closing), "the end of the audio is in the filter until then"
    assert len(list(messages.of(done(2)))) == 1


def test_each_reply_begins_anew_in_its_own_format() -> None:
    messages = Messages("sess_x")
    first = deltas([*messages.of(said(bytes(4800), audio_format="audio/pcmu")), *messages.of(done())])
    second = deltas([*messages.of(said(bytes(4800), reply=2)), *messages.of(done(2))])
    assert sum(len(base64.b64decode(event["delta"])) for event in first) == 800
    assert [base64.b64decode(event["delta"]) for event in second] == [bytes(4800)]


def test_binary_frames_are_pcm_whatever_the_format() -> None:
    frames = list(Messages("sess_x").of(said(bytes(9600), binary=True, audio_format="audio/pcmu")))
    assert [AudioFrame.decode(frame) for _, frame in frames if isinstance(frame, bytes)] == [
        AudioFrame("output", 1, 0.0, bytes(4800)),
        AudioFrame("output", 2, 100.0, bytes(4800)),
    ]
    assert [name for name, _ in frames] == ["event_x_a1", "event_x_a2"]

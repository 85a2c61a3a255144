"""What a session takes from outside: settings it starts with, formats, a pace, and somebody who counts."""

from __future__ import annotations

import asyncio
import base64
from typing import cast

import pytest
from openai.types.realtime import ConversationItemAdded, RealtimeSessionCreateRequest
from starlette.websockets import WebSocket

from tandem_models.signal import WIRE_RATE, float_to_pcm16, pcm16_to_float, resample
from tandem_server.contract import AudioFrame, TandemSettings
from tandem_server.conversation_events import Effect, Send
from tandem_server.dialects import GA
from tandem_server.equipment import Limits
from tandem_server.g711 import encode_mulaw
from tandem_server.line import Line
from tandem_server.pace import TokenBucket
from tandem_server.routes.socket import Socket
from tandem_server.session import Session

from .callers import LOG, SILENCE, SPEECH, Call


class Count:
    """A Meter that remembers."""

    def __init__(self) -> None:
        self.samples = 0
        self.effects: list[Effect] = []

    def heard(self, samples: int) -> None:
        self.samples += samples

    def performed(self, effect: Effect) -> None:
        self.effects.append(effect)


def telephone(pcm: bytes) -> str:
    """pcm16 at WIRE_RATE as base64 of µ-law at 8 kHz."""
    return base64.b64encode(encode_mulaw(float_to_pcm16(resample(pcm16_to_float(pcm), WIRE_RATE, 8000)))).decode()


async def test_a_session_starts_with_what_was_prepared_and_records_it() -> None:
    call = Call()
    await call.client.until("session.created")
    wanted = RealtimeSessionCreateRequest.model_validate(
        {"type": "realtime", "instructions": "Be brief.", "tandem": {"strategy": "anti", "user_id": "ada"}}
    )
    other = Session("sess_p", call.engines, Line(call.client), TandemSettings(), Limits(), LOG, wanted)
    task = asyncio.create_task(other.run())
    created = await call.client.until("session.created", 2)
    call.client.leave()
    call.client.leave()
    await asyncio.wait([task, call.task])
    task.result()

    assert created["session"]["id"] == "sess_p"
    assert created["session"]["instructions"] == "Be brief."
    assert created["session"]["tandem"]["strategy"] == "anti"
    assert call.client.events("session.updated") == []
    kept = await call.engines.store.conversation("sess_p")
    assert kept is not None and kept.user_id == "ada"
    assert kept.settings["instructions"] == "Be brief."


async def test_audio_is_taken_in_the_format_that_is_in_force_when_it_comes() -> None:
    call = Call()
    call.client.speak()
    await call.client.until("response.done")
    call.client.say(
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}},
        }
    )
    call.client.say({"type": "input_audio_buffer.append", "audio": telephone(SILENCE * 3 + SPEECH + SILENCE)})
    done = await call.client.until("response.done", 2)
    call.client.say(AudioFrame("input", 1, 0.0, SILENCE * 3 + SPEECH + SILENCE).encode())  # always pcm16
    again = await call.client.until("response.done", 3)
    await call.end()

    assert done["response"]["status"] == again["response"]["status"] == "completed"
    starts = [event["audio_start_ms"] for event in call.client.events("input_audio_buffer.speech_started")]
    assert starts == sorted(starts)
    assert 4600 < starts[1] < 5100, "five seconds in, less the padding"
    assert 9600 < starts[2] < 10_100


async def test_half_a_sample_of_the_wider_format_alone_is_a_mistake() -> None:
    call = Call()
    call.client.say({"type": "input_audio_buffer.append", "audio": "AQID"})
    error = await call.client.until("error")
    await call.end()
    assert error["error"]["code"] == "invalid_audio"


async def test_audio_that_would_wait_too_long_is_refused_whole_and_what_came_before_it_is_heard() -> None:
    call = Call(limits=Limits(away=0.0, audio_rate=1.0, audio_burst=3.0, audio_age=2.0))
    call.client.speak(SPEECH + SILENCE)
    long = base64.b64encode(SILENCE * 60).decode()
    call.client.say({"type": "input_audio_buffer.append", "audio": long, "event_id": "mine"})
    refused = await call.client.until("error")
    assert (refused["error"]["code"], refused["error"]["event_id"]) == ("input_audio_backlog", "mine")
    assert "may wait 2 s" in refused["error"]["message"]

    done = await call.client.until("response.done")
    assert done["response"]["status"] == "completed"
    call.client.say({"type": "input_audio_buffer.append", "audio": base64.b64encode(SILENCE[:4800]).decode()})
    await call.end()
    assert len(call.client.events("error")) == 1


async def test_all_the_audio_that_a_message_may_hold_is_taken() -> None:
    """15 MiB of base64 (OpenAI's limit) hold 246 s of pcm16, of which the last waits 24.6 s when the burst is spent."""
    pcm = 15 * 2**20 * 3 // 4
    limits, bucket = Limits(), TokenBucket(Limits().audio_rate, Limits().audio_burst)
    bucket.take(limits.audio_burst, 0.0)

    assert bucket.wait(pcm / 48_000, 0.0) == pytest.approx(24.6, abs=0.05)
    assert bucket.wait(pcm / 48_000, 0.0) < limits.audio_age


class Pace:
    """A bucket that is always a little behind."""

    def __init__(self) -> None:
        self.taken = 0.0

    def take(self, amount: float, now: float) -> float:
        self.taken += amount
        return 0.001

    def wait(self, amount: float, now: float) -> float:
        return 0.001


async def test_who_sends_faster_than_may_be_heard_waits_and_loses_nothing() -> None:
    call, pace = Call(), Pace()
    call.session._audio_pace = pace  # type: ignore[assignment]
    call.client.speak(SPEECH + SILENCE * 2)
    done = await call.client.until("response.done")
    call.client.say({"type": "input_audio_buffer.clear"})
    await call.client.until("input_audio_buffer.cleared")
    await call.end()

    assert done["response"]["status"] == "completed"
    assert pace.taken == pytest.approx(3.0, abs=0.064)


async def test_whoever_counts_is_told_of_all_audio_and_every_effect() -> None:
    count = Count()
    call = Call(meter=count)
    call.client.speak()
    await call.client.until("response.done")
    await call.end()

    assert count.samples == pytest.approx(2 * 16_000, abs=1024)
    assert [type(one.event) for one in count.effects if isinstance(one, Send)].count(ConversationItemAdded) == 2


class Flood:
    """A WebSocket on which a message is always waiting."""

    async def receive(self) -> dict[str, str]:
        return {"type": "websocket.receive", "text": "{}"}


async def test_every_message_of_a_client_is_paced() -> None:
    socket, pace = Socket(cast(WebSocket, Flood()), GA, Limits()), Pace()
    socket._pace = pace  # type: ignore[assignment]
    assert [await socket.receive() for _ in range(5)] == ["{}"] * 5
    assert pace.taken == 5

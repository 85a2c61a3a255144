"""A caller by telephone: G.711 in and out over a real socket, and times that are still right."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from tandem_models.signal import WIRE_RATE, Audio, float_to_pcm16, pcm16_to_float, resample
from tandem_server.formats import AudioFormat, Decoder
from tandem_server.g711 import encode_alaw, encode_mulaw

from .serving import Served
from .talking import SILENCE, Caller, calling, encoded, loudness, tone

ENCODE = {"audio/pcmu": encode_mulaw, "audio/pcma": encode_alaw}
FORMATS: list[AudioFormat] = ["audio/pcmu", "audio/pcma"]


def telephone(pcm: bytes, kind: AudioFormat) -> bytes:
    """pcm16 at WIRE_RATE as a telephone sends it."""
    return ENCODE[kind](float_to_pcm16(resample(pcm16_to_float(pcm), WIRE_RATE, 8000)))


async def speak(caller: Caller, pcm: bytes, kind: AudioFormat) -> dict[str, Any]:
    """A turn in 20 ms packets, as they come from a trunk, and its answer."""
    data = telephone(pcm + SILENCE, kind)
    for begin in range(0, len(data), 160):
        await caller.send("input_audio_buffer.append", audio=encoded(data[begin : begin + 160]))
    return await caller.until("response.done")


def spoken(caller: Caller, response_id: str) -> bytes:
    deltas = caller.of("response.output_audio.delta")
    return b"".join(base64.b64decode(one["delta"]) for one in deltas if one["response_id"] == response_id)


def sound(data: bytes, kind: AudioFormat) -> Audio:
    decoder = Decoder(kind, WIRE_RATE)
    return np.concatenate([decoder.feed(data), decoder.flush()])


@pytest.mark.parametrize("kind", FORMATS)
async def test_conversation_by_telephone_has_the_times_of_any_other(fake_server: Served, kind: AudioFormat) -> None:
    async with calling(fake_server.realtime) as caller:
        session = await caller.update(audio={side: {"format": {"type": kind}} for side in ("input", "output")})
        done = await speak(caller, SILENCE + tone(1.0), kind)
    started = caller.of("input_audio_buffer.speech_started")[0]["audio_start_ms"]
    stopped = caller.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"]
    response = done["response"]
    conversation = fake_server.get(f"/v1/conversations/{session['id']}").json()
    agent = next(turn for turn in conversation["turns"] if turn["role"] == "agent")
    data = spoken(caller, response["id"])

    assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {"type": kind}
    assert 650 <= started <= 1000, "a second of silence, less the padding of 0.3 s"
    assert 2000 <= stopped <= 2700, "the end of the tone and the silence after it"
    assert response["status"] == "completed"
    assert loudness(sound(data, kind)) > 0.01
    assert agent["ended_ms"] - agent["started_ms"] == pytest.approx(len(data) / 8, abs=1)


async def test_formats_change_with_the_next_audio_and_the_next_reply(fake_server: Served) -> None:
    async with calling(fake_server.realtime) as caller:
        first = await caller.turn(tone(1.0))
        await caller.update(audio={side: {"format": {"type": "audio/pcmu"}} for side in ("input", "output")})
        second = await speak(caller, tone(1.0), "audio/pcmu")
        await caller.update(audio={"input": {"format": {"type": "audio/pcm"}}})
        third = await caller.turn(tone(1.0))
        await caller.update(audio={"output": {"format": {"type": "audio/pcm"}}})
        fourth = await caller.turn(tone(1.0))

    kinds: list[AudioFormat] = ["audio/pcm", "audio/pcmu", "audio/pcmu", "audio/pcm"]
    for done, kind in zip((first, second, third, fourth), kinds, strict=True):
        assert done["response"]["status"] == "completed"
        level = loudness(sound(spoken(caller, done["response"]["id"]), kind))
        assert 0.01 < level < 0.5, f"{kind} taken for something else is noise"


async def test_caller_who_interrupts_is_cut_off_where_it_was_heard(fake_server: Served) -> None:
    async with calling(fake_server.realtime) as caller:
        await caller.update(audio={"output": {"format": {"type": "audio/pcma"}}, "input": {"turn_detection": None}})
        await caller.type("hello")
        await caller.send("response.create")
        done = await caller.until("response.done")
        item = done["response"]["output"][0]["id"]
        await caller.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=100_000)
        clamped = await caller.until("conversation.item.truncated", "error")

    milliseconds = len(spoken(caller, done["response"]["id"])) / 8
    assert clamped["type"] == "conversation.item.truncated"
    assert clamped["audio_end_ms"] == pytest.approx(milliseconds, abs=1)


async def test_beta_client_by_telephone_is_understood(fake_server: Served) -> None:
    async with calling(fake_server.realtime, additional_headers={"OpenAI-Beta": "realtime=v1"}) as caller:
        await caller.send(
            "session.update", session={"input_audio_format": "g711_ulaw", "output_audio_format": "g711_alaw"}
        )
        session = (await caller.until("session.updated"))["session"]
        done = await speak(caller, tone(1.0), "audio/pcmu")

    assert (session["input_audio_format"], session["output_audio_format"]) == ("g711_ulaw", "g711_alaw")
    assert done["response"]["status"] == "completed"
    data = b"".join(base64.b64decode(one["delta"]) for one in caller.of("response.audio.delta"))
    assert 0.01 < loudness(sound(data, "audio/pcma")) < 0.5

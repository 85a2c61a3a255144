"""The agent's voice comes back from the client's loudspeaker: it neither interrupts the agent nor becomes a turn."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest

from tandem_models.signal import WIRE_RATE
from tandem_server.contract import TandemSettings

from .callers import SILENCE, SPEECH, Call
from .driver import SPEECH as SPEECH_PROBABILITY
from .driver import Driver

CHUNK: Final = 960
"""20 ms on the wire"""
LATE: Final = WIRE_RATE // 4
"""Samples from sending to hearing: 250 ms"""


def echo(call: Call, seconds: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    """What a microphone hears while the client plays all that it has been sent: a quarter of it, and a little noise."""
    heard = np.random.default_rng(1).normal(0.0, 3.0, int(seconds * WIRE_RATE))
    sent = call.client.audio()[: len(heard) - LATE]
    heard[LATE : LATE + len(sent)] += 0.25 * sent
    return heard.astype("<i2")


async def answered(tandem: TandemSettings) -> Call:
    """One turn has been answered: the client has all the audio and begins to play it."""
    call = Call(tandem=tandem)
    call.client.speak(size=CHUNK)
    await call.client.until("response.done")
    return call


async def test_the_agents_own_voice_opens_no_turn() -> None:
    call = await answered(TandemSettings())
    call.client.speak(echo(call, 3.0).tobytes(), size=CHUNK)
    call.client.speak(SILENCE + SPEECH + SILENCE, size=CHUNK)
    await call.client.until("conversation.item.input_audio_transcription.completed", 2)
    await call.client.until("response.done", 2)
    await call.end()

    turns = await call.turns()
    assert [(turn.role, turn.status) for turn in turns] == [("user", "completed"), ("agent", "completed")] * 2
    assert "echo_ms" not in turns[0].flags
    heard = turns[2].flags["echo_ms"]
    assert isinstance(heard, int) and heard >= 500  # of the reply, which lasts longer, and not all of it is loud
    assert [event["audio_start_ms"] for event in call.client.events("input_audio_buffer.speech_started")][1] >= 4500


async def test_a_researcher_may_let_the_agent_hear_itself() -> None:
    call = await answered(TandemSettings(echo="hear"))
    call.client.speak(echo(call, 3.0).tobytes(), size=CHUNK)
    call.client.speak(SILENCE, size=CHUNK)
    await call.client.until("input_audio_buffer.speech_started", 2)
    await call.end()
    assert (await call.turns())[1].status == "interrupted"


async def test_a_user_interrupts_the_agent_over_its_echo() -> None:
    call = await answered(TandemSettings())
    heard = echo(call, 3.0)
    begin = len(heard) // 4
    user = np.frombuffer(SPEECH, "<i2")
    heard[begin : begin + len(user)] += user // 2
    call.client.speak(heard.tobytes() + SILENCE, size=CHUNK)
    started = await call.client.until("input_audio_buffer.speech_started", 2)
    await call.end()

    assert (await call.turns())[1].status == "interrupted"
    # The first turn took 2 s; the padding is 300 ms.
    assert started["audio_start_ms"] == pytest.approx(2000 + 750 - 300, abs=150)


@pytest.mark.parametrize(("setting", "turns"), [("suppress", 0), ("hear", 1)])
def test_a_frame_that_is_echo_is_no_speech(setting: str, turns: int) -> None:
    driver = Driver()
    driver.update(tandem={"echo": setting})
    driver.hear(SPEECH_PROBABILITY, 20, echo=True)
    assert len(driver.events("input_audio_buffer.speech_started")) == turns


def test_a_turn_says_how_much_echo_was_heard_since_the_one_before() -> None:
    driver = Driver()
    driver.hear(SPEECH_PROBABILITY, 5, echo=True)
    driver.speak_turn("hello there")
    driver.settle()
    driver.speak_turn("how are you")
    driver.settle()
    flags = [record.flags for record in driver.records().values() if record.role == "user"]
    assert flags[0]["echo_ms"] == 160  # 5 frames of 32 ms
    assert "echo_ms" not in flags[1]

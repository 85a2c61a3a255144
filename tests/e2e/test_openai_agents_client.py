"""The stock `openai-agents` package for Python, unmodified, talks with the server."""

from __future__ import annotations

from agents.realtime.items import UserMessageItem

from tandem_models.signal import WIRE_RATE

from .agents_call import calling_agent, spoken
from .conftest import STEADY, STORY
from .serving import Served
from .talking import AUDIBLE, SILENCE, loudness, tone

HEARD_MS = 1000
"""What is played of a story before the user interrupts it"""


async def test_spoken_turn_is_understood_and_answered(steady_server: Served, question: tuple[bytes, str]) -> None:
    pcm, words = question
    async with calling_agent(steady_server) as call:
        await call.hear(pcm + SILENCE)
        await call.until("agent_end")

    assert [event.type for event in call.events if event.type in ("agent_start", "audio_end", "agent_end")] == [
        "agent_start",
        "audio_end",
        "agent_end",
    ]
    user, answer = call.history
    assert isinstance(user, UserMessageItem)
    [part] = user.content
    assert part.type == "input_audio"
    assert part.transcript is not None
    assert len(set(part.transcript.lower().split()) & set(words.split())) >= 4, part.transcript
    assert spoken(answer) == STEADY
    assert loudness(call.audio()) > AUDIBLE
    assert 0.15 < len(call.audio()) / WIRE_RATE / len(STEADY.split()) < 0.9, "seconds a word"


async def test_conversation_goes_on_for_several_turns(fake_server: Served) -> None:
    async with calling_agent(fake_server) as call:
        for _ in range(3):
            await call.exchange(tone(0.8))
    items = call.history
    assert [item.type == "message" and item.role for item in items] == ["user", "assistant"] * 3
    assert [spoken(item) for item in items[1::2]] == [
        "You said: hello there",
        "You said: what are you doing today",
        "You said: that sounds nice",
    ]


async def test_typed_turn_is_answered_aloud(fake_server: Served) -> None:
    async with calling_agent(fake_server) as call:
        await call.session.send_message("My name is Ada.")
        await call.until("agent_end")
    assert spoken(call.history[-1]) == "You said: My name is Ada."
    assert loudness(call.audio()) > AUDIBLE


async def test_interruption_stops_the_playback_and_shortens_the_turn(talkative_server: Served) -> None:
    async with calling_agent(talkative_server) as call:
        await call.hear(tone(0.8) + SILENCE)
        while len(call.pcm()) < 2 * WIRE_RATE * (HEARD_MS + 200) // 1000:
            playing = await call.until("audio")
        call.playback.on_play_ms(playing.item_id, playing.content_index, HEARD_MS)
        await call.hear(tone(0.8))
        interrupted = await call.until("audio_interrupted")
        assert interrupted.item_id == playing.item_id

        done = await call.until_raw("response.done")
        await call.until("agent_end")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        truncated = call.raw("conversation.item.truncated") or [await call.until_raw("conversation.item.truncated")]
        assert [(event["item_id"], event["audio_end_ms"]) for event in truncated] == [(playing.item_id, HEARD_MS)]

        await call.retrieve(playing.item_id)
        retrieved = await call.until_raw("conversation.item.retrieved")
        assert retrieved["item"]["id"] == playing.item_id
        await call.until("history_updated")
        kept = spoken(next(item for item in call.history if item.item_id == playing.item_id))
        assert kept == retrieved["item"]["content"][0]["transcript"]
        assert 1 <= len(kept.split()) <= 6, "a second's worth of words"
        assert STORY.startswith(kept)

        await call.hear(SILENCE)
        assert (await call.until_raw("response.created"))["response"]["id"] != done["response"]["id"]


async def test_agent_is_stopped_by_the_program(talkative_server: Served) -> None:
    """By `session.interrupt()`, the button of an application."""
    async with calling_agent(talkative_server) as call:
        await call.session.send_message("Tell me a story.")
        playing = await call.until("audio")
        call.playback.on_play_ms(playing.item_id, playing.content_index, 50)
        await call.session.interrupt()
        assert (await call.until("audio_interrupted")).item_id == playing.item_id
        assert (await call.until_raw("conversation.item.truncated"))["item_id"] == playing.item_id

"""The stock `openai` client, unmodified, holds spoken conversations with the real engines and real recordings."""

from __future__ import annotations

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from tandem_models.signal import WIRE_RATE

from .conftest import STEADY
from .serving import Served
from .stock import in_order, talking
from .talking import AUDIBLE, SILENCE, loudness


async def test_spoken_turn_is_understood_and_answered(real_server: Served, question: tuple[bytes, str]) -> None:
    pcm, words = question
    async with talking(real_server) as talk:
        session_id = talk.events[0].session.id
        await talk.hear(pcm + SILENCE)
        done = await talk.until("response.done")

    assert in_order(
        talk.kinds(),
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    )
    heard = talk.of("conversation.item.input_audio_transcription.completed")[0].transcript.lower().split()
    assert len(set(heard) & set(words.split())) >= 4, heard
    started = talk.of("input_audio_buffer.speech_started")[0]
    stopped = talk.of("input_audio_buffer.speech_stopped")[0]
    seconds = len(pcm) / 2 / WIRE_RATE
    assert 0 <= started.audio_start_ms < stopped.audio_end_ms <= (seconds + 1.0) * 1000
    assert done.response.status == "completed"
    said = done.response.output[0].content[0].transcript
    assert said == talk.of("response.output_audio_transcript.done")[0].transcript
    assert "".join(event.delta for event in talk.of("response.output_audio_transcript.delta")).strip() == said

    audio = talk.audio()
    assert loudness(audio) > AUDIBLE
    assert np.abs(audio).max() < 1.0
    assert 0.15 < len(audio) / WIRE_RATE / len(said.split()) < 0.9, "seconds a word"
    turns = real_server.get(f"/v1/conversations/{session_id}").json()["turns"]
    assert [turn["role"] for turn in turns] == ["user", "agent"]
    assert turns[1]["ended_ms"] - turns[1]["started_ms"] == pytest.approx(len(audio) * 1000 / WIRE_RATE, abs=1)


async def test_conversation_goes_on_for_several_turns(real_server: Served, question: tuple[bytes, str]) -> None:
    pcm, _ = question
    async with talking(real_server) as talk:
        for _ in range(3):
            await talk.hear(pcm + SILENCE)
            assert (await talk.until("response.done")).response.status == "completed"
    assert len(talk.of("input_audio_buffer.committed")) == 3
    items = [event.item.id for event in talk.of("conversation.item.added")]
    previous = [event.previous_item_id for event in talk.of("conversation.item.added")]
    assert len(set(items)) == 6
    assert previous == [None, *items[:-1]]
    assert not talk.of("error")


async def test_semantic_detection_waits_by_what_it_hears(real_server: Served, question: tuple[bytes, str]) -> None:
    pcm, _ = question
    async with talking(real_server) as talk:
        await talk.connection.session.update(
            session={
                "type": "realtime",
                "audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}},
            }
        )
        in_force = (await talk.until("session.updated")).session.audio.input.turn_detection
        assert (in_force.type, in_force.eagerness, in_force.interrupt_response) == ("semantic_vad", "high", True)
        await talk.hear(pcm + 2 * SILENCE)  # the most that this eagerness waits is two seconds
        assert (await talk.until("response.done")).response.status == "completed"
    stopped = talk.of("input_audio_buffer.speech_stopped")[0].audio_end_ms
    assert len(pcm) / 2 / WIRE_RATE * 1000 - 500 < stopped < len(pcm) / 2 / WIRE_RATE * 1000 + 2_000


async def test_who_says_nothing_after_a_reply_is_spoken_to(real_server: Served) -> None:
    async with talking(real_server) as talk:
        await talk.connection.session.update(
            session={
                "type": "realtime",
                "audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 1_000}}},
            }
        )
        await talk.connection.response.create()
        await talk.until("response.done")
        said = len(talk.audio()) / WIRE_RATE  # who hears all of it and then says nothing for a second
        await talk.hear(bytes(2 * round((said + 1.5) * WIRE_RATE)))
        second = await talk.until("response.done")
    triggered = talk.of("input_audio_buffer.timeout_triggered")[0]
    assert triggered.audio_end_ms - triggered.audio_start_ms == pytest.approx(1_000, abs=32)
    assert second.response.status == "completed"
    assert second.response.output[0].content[0].transcript
    assert not talk.of("input_audio_buffer.speech_started")


async def test_client_may_decide_when_a_turn_is_over(real_server: Served, question: tuple[bytes, str]) -> None:
    pcm, words = question
    async with talking(real_server) as talk:
        await talk.connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        updated = await talk.until("session.updated")
        assert updated.session.audio.input.turn_detection is None
        await talk.hear(pcm + SILENCE)
        await talk.connection.input_audio_buffer.commit()
        completed = await talk.until("conversation.item.input_audio_transcription.completed")
        assert len(set(completed.transcript.lower().split()) & set(words.split())) >= 4
        assert "response.created" not in talk.kinds()
        await talk.connection.response.create()
        assert (await talk.until("response.done")).response.status == "completed"
    assert "input_audio_buffer.speech_started" not in talk.kinds()
    assert loudness(talk.audio()) > AUDIBLE


async def test_typed_turn_is_answered_aloud(real_server: Served) -> None:
    async with talking(real_server) as talk:
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "My name is Ada."}]}
        )
        await talk.connection.response.create()
        done = await talk.until("response.done")
    assert "Ada" in done.response.output[0].content[0].transcript
    assert loudness(talk.audio()) > AUDIBLE


async def test_answer_may_be_written(real_server: Served) -> None:
    async with talking(real_server) as talk:
        await talk.connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        assert (await talk.until("session.updated")).session.output_modalities == ["text"]
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "My name is Ada."}]}
        )
        await talk.connection.response.create()
        done = await talk.until("response.done")
    text = talk.of("response.output_text.done")[0].text
    assert "Ada" in text
    assert done.response.output[0].content[0].text == text
    assert not talk.of("response.output_audio.delta")


async def test_agent_is_interrupted(steady_server: Served, question: tuple[bytes, str]) -> None:
    pcm, _ = question
    async with talking(steady_server) as talk:
        await talk.hear(pcm + SILENCE)
        delta = await talk.until("response.output_audio.delta")
        await talk.hear(pcm)
        done = await talk.until("response.done")
        assert "input_audio_buffer.speech_started" in talk.kinds()[talk.kinds().index("response.output_audio.delta") :]
        assert done.response.id == delta.response_id
        assert done.response.status == "cancelled"
        assert done.response.status_details.reason == "turn_detected"

        await talk.connection.conversation.item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=1500)
        truncated = await talk.until("conversation.item.truncated", "error")
        assert (truncated.item_id, truncated.audio_end_ms) == (delta.item_id, 1500)
        await talk.connection.conversation.item.retrieve(item_id=delta.item_id)
        kept = (await talk.until("conversation.item.retrieved")).item.content[0].transcript
        assert kept
        assert STEADY.startswith(kept)
        assert len(kept) < len(STEADY) / 2

        await talk.hear(SILENCE)
        assert (await talk.until("response.done")).response.status == "completed"


async def test_items_are_retrieved_and_deleted(real_server: Served) -> None:
    async with talking(real_server) as talk:
        item = talk.connection.conversation.item
        await item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Keep this."}]}
        )
        added = await talk.until("conversation.item.added")
        await item.retrieve(item_id=added.item.id)
        retrieved = await talk.until("conversation.item.retrieved")
        assert retrieved.item.content[0].text == "Keep this."
        await item.delete(item_id=added.item.id)
        assert (await talk.until("conversation.item.deleted")).item_id == added.item.id
        await item.retrieve(item_id=added.item.id, event_id="mine")
        error = await talk.until("error")
        assert (error.error.code, error.error.event_id) == ("item_not_found", "mine")


async def test_mistakes_are_named_and_the_session_goes_on(real_server: Served) -> None:
    async with talking(real_server) as talk:
        await talk.connection.response.cancel(event_id="first")
        error = await talk.until("error")
        assert (error.error.code, error.error.event_id) == ("response_cancel_not_active", "first")
        await talk.connection.input_audio_buffer.commit(event_id="second")
        error = await talk.until("error")
        assert (error.error.code, error.error.event_id) == ("input_audio_buffer_commit_empty", "second")
        await talk.connection.response.create()
        await talk.connection.response.create(event_id="third")
        error = await talk.until("error")
        assert (error.error.code, error.error.event_id) == ("conversation_already_has_active_response", "third")
        assert (await talk.until("response.done")).response.status == "completed"


async def test_reply_is_cancelled_by_the_client(steady_server: Served) -> None:
    async with talking(steady_server) as talk:
        await talk.connection.response.create()
        await talk.until("response.output_audio.delta")
        await talk.connection.response.cancel()
        done = await talk.until("response.done")
        assert (done.response.status, done.response.status_details.reason) == ("cancelled", "client_cancelled")
        await talk.connection.response.create()
        assert (await talk.until("response.done")).response.status == "completed"


async def test_client_leaves_and_nothing_more_comes(real_server: Served) -> None:
    async with talking(real_server) as talk:
        await talk.connection.close()
        with pytest.raises(ConnectionClosed):
            await talk.connection.recv()
    assert real_server.alive

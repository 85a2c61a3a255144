"""The stock `openai` client's beta connection, unmodified: older programs speak the dialect of before GA."""

from __future__ import annotations

from tandem_models.signal import WIRE_RATE, pcm16_to_float

from .conftest import STORY, TOKEN
from .serving import Served
from .stock import in_order, talking_beta
from .talking import AUDIBLE, SILENCE, loudness, tone

AUDIO = "response.audio.delta"
HEARD_MS = 1000


async def test_spoken_turn_is_understood_and_answered(fake_server: Served) -> None:
    async with talking_beta(fake_server) as talk:
        await talk.hear(tone(0.8) + SILENCE)
        done = await talk.until("response.done")

    assert in_order(
        talk.kinds(),
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        AUDIO,
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    )
    assert done.response.status == "completed"
    [content] = done.response.output[0].content
    assert (content.type, content.transcript) == ("audio", "You said: hello there")
    said = "".join(event.delta for event in talk.of("response.audio_transcript.delta"))
    assert said == talk.of("response.audio_transcript.done")[0].transcript == "You said: hello there"
    assert talk.of("response.content_part.added")[0].part.transcript == ""
    [heard] = talk.of("conversation.item.input_audio_transcription.completed")
    assert heard.transcript == "hello there"
    assert loudness(pcm16_to_float(talk.pcm(AUDIO))) > AUDIBLE
    assert not talk.of("error")


async def test_no_event_has_the_name_of_the_other_dialect(fake_server: Served) -> None:
    async with talking_beta(fake_server) as talk:
        await talk.hear(tone(0.8) + SILENCE)
        await talk.until("response.done")
    ga = {"conversation.item.added", "conversation.item.done"}
    assert [kind for kind in talk.kinds() if kind in ga or kind.startswith("response.output_audio")] == []
    assert len(talk.of("conversation.item.created")) == 2


async def test_flat_settings_are_echoed(fake_server: Served) -> None:
    async with talking_beta(fake_server) as talk:
        await talk.connection.session.update(
            session={
                "modalities": ["text"],
                "instructions": "Be brief.",
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
            }
        )
        session = (await talk.until("session.updated", "error")).session
        assert (session.modalities, session.instructions) == (["text"], "Be brief.")
        assert session.turn_detection.silence_duration_ms == 400
        assert (session.input_audio_format, session.output_audio_format) == ("pcm16", "pcm16")

        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "My name is Ada."}]}
        )
        await talk.connection.response.create()
        done = await talk.until("response.done", "error")
    [content] = done.response.output[0].content
    assert (content.type, content.text) == ("text", "You said: My name is Ada.")
    assert "".join(event.delta for event in talk.of("response.text.delta")) == "You said: My name is Ada."


async def test_agent_is_interrupted(talkative_server: Served) -> None:
    async with talking_beta(talkative_server, TOKEN) as talk:
        await talk.hear(tone(0.8) + SILENCE)
        while len(talk.pcm(AUDIO)) < 2 * WIRE_RATE * HEARD_MS // 1000:
            delta = await talk.until(AUDIO)
        await talk.hear(tone(0.8))
        await talk.until("input_audio_buffer.speech_started")
        done = await talk.until("response.done")
        assert done.response.id == delta.response_id
        assert (done.response.status, done.response.status_details.reason) == ("cancelled", "turn_detected")

        item = talk.connection.conversation.item
        await item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=HEARD_MS)
        truncated = await talk.until("conversation.item.truncated", "error")
        assert (truncated.item_id, truncated.audio_end_ms) == (delta.item_id, HEARD_MS)
        await item.retrieve(item_id=delta.item_id)
        [content] = (await talk.until("conversation.item.retrieved")).item.content
        assert content.type == "audio"
        assert content.transcript
        assert STORY.startswith(content.transcript)
        assert len(content.transcript.split()) <= 6, "a second's worth of words"

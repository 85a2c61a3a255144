"""What the stock `openai` client may ask of a response: another context, no place in the talk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from .serving import Served
from .stock import Talk, talking
from .talking import SILENCE, tone


@asynccontextmanager
async def transcribing(served: Served) -> AsyncIterator[Talk[AsyncRealtimeConnection]]:
    """A connection that was opened for transcription, past its session.created."""
    client = AsyncOpenAI(api_key="not-needed", base_url=f"{served.http}/v1", max_retries=0)
    async with client, client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        talk = Talk(connection)
        await talk.until("session.created")
        yield talk


async def write(talk: Talk[AsyncRealtimeConnection], text: str) -> None:
    """A typed turn of the user."""
    await talk.connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )


async def test_a_response_outside_the_conversation_is_not_part_of_it(fake_server: Served) -> None:
    async with talking(fake_server) as talk:
        await write(talk, "Remember the blue house.")
        await talk.connection.response.create(
            response={
                "conversation": "none",
                "output_modalities": ["text"],
                "metadata": {"topic": "mood"},
                "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "glad"}]}],
            }
        )
        aside = (await talk.until("response.done")).response
        assert (aside.conversation_id, aside.metadata, aside.status) == (None, {"topic": "mood"}, "completed")
        assert aside.output[0].content[0].text == "You said: glad"
        assert aside.usage.output_tokens == 4  # fourteen characters
        added = len(talk.of("conversation.item.added"))

        await talk.connection.response.create(response={"output_modalities": ["text"]})
        answer = (await talk.until("response.done")).response
    assert answer.conversation_id is not None
    assert answer.output[0].content[0].text == "You said: Remember the blue house."
    assert (added, len(talk.of("conversation.item.added"))) == (1, 2)


async def test_a_response_may_refer_to_items_and_be_cut_short(fake_server: Served) -> None:
    async with talking(fake_server) as talk:
        await write(talk, "one two three four five six seven")
        item = (await talk.until("conversation.item.done")).item
        await talk.connection.response.create(
            response={
                "output_modalities": ["text"],
                "max_output_tokens": 4,
                "input": [{"type": "item_reference", "id": item.id}],
            }
        )
        response = (await talk.until("response.done")).response
    assert (response.status, response.status_details.reason) == ("incomplete", "max_output_tokens")
    assert response.output[0].content[0].text == "You said: one tw"  # four tokens of four characters


async def test_a_transcription_session_transcribes_and_never_answers(fake_server: Served) -> None:
    async with transcribing(fake_server) as talk:
        assert talk.events[0].session.type == "transcription"
        await talk.hear(tone(1.0) + SILENCE)
        await talk.until("conversation.item.input_audio_transcription.completed")
        await talk.connection.response.create()
        assert (await talk.until("error")).error.code == "unsupported_event"
    kinds = talk.kinds()
    assert not [kind for kind in kinds if kind.startswith("response.")]
    assert "input_audio_buffer.committed" in kinds


async def test_a_session_can_be_made_one_of_transcription(fake_server: Served) -> None:
    async with talking(fake_server) as talk:
        await talk.connection.session.update(session={"type": "transcription"})
        assert (await talk.until("session.updated")).session.type == "transcription"
        await talk.hear(tone(1.0) + SILENCE)
        await talk.until("conversation.item.input_audio_transcription.completed")
        await talk.connection.conversation.item.retrieve(item_id=talk.of("input_audio_buffer.committed")[0].item_id)
        await talk.until("conversation.item.retrieved")
    assert not talk.of("response.created")


async def test_a_user_who_says_nothing_is_spoken_to(fake_server: Served) -> None:
    async with talking(fake_server) as talk:
        await talk.connection.session.update(
            session={
                "type": "realtime",
                "audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 1000}}},
            }
        )
        await talk.hear(tone(1.0) + SILENCE)
        await talk.until("response.done")
        await talk.hear(SILENCE * 8)
        triggered = await talk.until("input_audio_buffer.timeout_triggered")
        assert 1000 <= triggered.audio_end_ms - triggered.audio_start_ms < 1040  # one frame is 32 ms
        done = await talk.until("response.done")
    assert done.response.output[0].content[0].transcript == "You said nothing."


async def test_the_voice_cannot_change_once_it_was_heard(fake_server: Served) -> None:
    async with talking(fake_server) as talk:
        session = talk.connection.session
        await session.update(session={"type": "realtime", "audio": {"output": {"voice": "cedar"}}})
        await talk.until("session.updated")
        await talk.connection.response.create()
        await talk.until("response.done")
        await session.update(session={"type": "realtime", "audio": {"output": {"voice": "cedar"}}})
        await talk.until("session.updated")
        await session.update(session={"type": "realtime", "audio": {"output": {"voice": "marin"}}})
        assert (await talk.until("error")).error.code == "cannot_update_voice"


async def test_what_was_not_heard_is_forgotten_however_late_the_client_says_so(fake_server: Served) -> None:
    async with talking(fake_server) as talk:
        await write(talk, "one two three four")
        await talk.connection.response.create()
        done = await talk.until("response.done")
        item, spoken = done.response.output[0], done.response.output[0].content[0].transcript
        lengths = []
        for heard in (600, 900, 300):  # the second is more than the first, and comes too late
            await talk.connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=heard)
            assert (await talk.until("conversation.item.truncated")).audio_end_ms == min(heard, 600)
            await talk.connection.conversation.item.retrieve(item_id=item.id)
            kept = (await talk.until("conversation.item.retrieved")).item.content[0].transcript
            assert spoken.startswith(kept)
            lengths.append(len(kept))
    assert lengths[2] < lengths[0] == lengths[1] < len(spoken)
    assert done.response.usage.output_token_details.audio_tokens > 0

"""The scripted server says what the contract says, and its transport settles every step."""

from __future__ import annotations

import base64
import json

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from tandem_client.actions import ServerSaid, ServerSpoke
from tandem_client.fakes import Message, ScriptedServer, Turn
from tandem_client.transport import parsed
from tandem_server.contract import EntrainmentEvent, LatencyEvent

SERVER_EVENT: TypeAdapter[RealtimeServerEvent] = TypeAdapter(RealtimeServerEvent)


def conversation(audio_frames: str, *turns: Turn) -> list[Message]:
    server = ScriptedServer(turns)
    session = {"type": "realtime", "tandem": {"audio_frames": audio_frames}}
    messages = server.opening() + server.answer(json.dumps({"type": "session.update", "session": session}))
    second = base64.b64encode(bytes(48_000)).decode()
    for _ in range(5):
        messages += server.answer(json.dumps({"type": "input_audio_buffer.append", "audio": second}))
    return messages


def test_every_event_of_the_script_is_one_of_the_contract() -> None:
    failing = Turn(3000, 4000, status="failed")
    messages = conversation("base64", Turn(0, 1000), failing)
    for message in messages:
        match json.loads(message)["type"]:
            case "tandem.entrainment":
                EntrainmentEvent.model_validate_json(message)
            case "tandem.latency":
                LatencyEvent.model_validate_json(message)
            case _:
                SERVER_EVENT.validate_json(message)


def test_the_order_of_a_turn_is_the_servers() -> None:
    kinds = [json.loads(message)["type"] for message in conversation("base64", Turn(0, 1000, reply_ms=200))]
    assert kinds == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "tandem.entrainment",
        "tandem.latency",
        "response.done",
    ]


def test_audio_is_as_long_as_the_script_says_in_either_form() -> None:
    in_text = [parsed(message) for message in conversation("base64", Turn(0, 1000, reply_ms=250))]
    deltas = [said.event["delta"] for said in in_text if isinstance(said, ServerSaid) and "audio.delta" in str(said)]
    in_binary = [parsed(message) for message in conversation("binary", Turn(0, 1000, reply_ms=250))]
    frames = [spoke.frame for spoke in in_binary if isinstance(spoke, ServerSpoke)]
    audio = b"".join(frame.pcm for frame in frames)
    assert len(audio) == 2 * 6000 and b"".join(base64.b64decode(delta) for delta in deltas) == audio
    assert [frame.time_ms for frame in frames] == [0, 100, 200]

"""The beta dialect: what a client of then sends is what GA has, and what we send is what it expects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from tandem_server.beta import _SESSION, _TRANSLATED, read, write
from tandem_server.contract import TandemSettings, parse_client_event
from tandem_server.dialects import GA, dialect_of
from tandem_server.settings import default_session, derived, merged

Json = dict[str, Any]
OLD: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
"""The types of the beta, as the package still has them"""
FIELDS = [*_SESSION, "audio", "tool_choice", "function", "content", "input", "role", "type"]


def sent(event: Json) -> Json:
    """What GA hears of a client's event."""
    heard: Json = json.loads(read(json.dumps(event)))
    parse_client_event(json.dumps(heard))
    return heard


def shown(event: Json) -> Json | None:
    """What a client of the beta sees of an event of ours."""
    text = write(json.dumps({"event_id": "e", **event}))
    if text is None:
        return None
    seen: Json = json.loads(text)
    if not seen["type"].startswith("tandem."):
        known = {key: value for key, value in seen.get("session", {}).items() if key != "model"}  # theirs alone
        OLD.validate_python({**seen, "session": known} if known else seen)
    return seen


# Who speaks it ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("headers", "offered", "beta"),
    [
        ({}, [], False),
        ({}, ["realtime"], False),
        ({"openai-beta": "realtime=v1"}, [], True),
        ({"openai-beta": "assistants=v2, realtime=v1"}, [], True),
        ({"openai-beta": "assistants=v2"}, [], False),
        ({}, ["realtime", "openai-insecure-api-key.x", "openai-beta.realtime-v1"], True),
    ],
)
def test_a_client_asks_for_the_beta_by_header_or_subprotocol(
    headers: dict[str, str], offered: list[str], beta: bool
) -> None:
    assert (dialect_of(headers, offered) is not GA) is beta


# Client events ------------------------------------------------------------------------------------------------------
def test_a_flat_session_is_the_nested_one() -> None:
    flat = {
        "modalities": ["text", "audio"],
        "instructions": "Be kind.",
        "voice": "alloy",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"},
        "input_audio_noise_reduction": None,
        "turn_detection": {"type": "server_vad", "threshold": 0.6},
        "tools": [],
        "tool_choice": "auto",
        "temperature": 0.8,
        "speed": 1.25,
        "max_response_output_tokens": "inf",
        "tandem": {"strategy": "anti"},
    }
    assert sent({"type": "session.update", "event_id": "e1", "session": flat}) == {
        "type": "session.update",
        "event_id": "e1",
        "session": {
            "type": "realtime",
            "instructions": "Be kind.",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {"model": "whisper-1"},
                    "noise_reduction": None,
                    "turn_detection": {"type": "server_vad", "threshold": 0.6},
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.25},
            },
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tandem": {"strategy": "anti"},
        },
    }


def test_only_the_fields_that_are_there_are_sent_on() -> None:
    assert sent({"type": "session.update", "session": {"modalities": ["text"]}})["session"] == {
        "type": "realtime",
        "output_modalities": ["text"],
    }
    assert sent({"type": "session.update", "session": {"turn_detection": None}})["session"] == {
        "type": "realtime",
        "audio": {"input": {"turn_detection": None}},
    }


def test_a_chosen_function_is_named_where_ga_names_it() -> None:
    choice = {"type": "function", "function": {"name": "dim"}}
    session = sent({"type": "session.update", "session": {"tool_choice": choice}})["session"]
    assert session["tool_choice"] == {"type": "function", "name": "dim"}


@pytest.mark.parametrize("told", ["session.created", "session.updated"])
def test_a_transcription_session_stays_one_when_it_is_updated(told: str) -> None:
    beta = dialect_of({"openai-beta": "realtime=v1"}, [])
    update = json.dumps({"type": "session.update", "session": {"input_audio_format": "g711_alaw"}})
    kinds = [json.loads(beta.read(update))["session"]["type"]]
    for kind in ("transcription", "realtime"):
        beta.write(json.dumps({"type": told, "event_id": "e", "session": {"type": kind, "audio": {}}}))
        beta.write(json.dumps({"type": "response.output_text.delta", "delta": "session.created"}))
        kinds.append(json.loads(beta.read(update))["session"]["type"])
    assert kinds == ["realtime", "transcription", "realtime"]


def test_a_transcription_session_is_a_session_of_that_type() -> None:
    event = {"type": "transcription_session.update", "session": {"input_audio_format": "g711_alaw"}}
    assert sent(event) == {
        "type": "session.update",
        "session": {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcma"}}}},
    }


@pytest.mark.parametrize(
    ("role", "old", "new"),
    [("assistant", "text", "output_text"), ("user", "input_text", "input_text"), ("user", "text", "input_text")],
)
def test_the_parts_of_an_item_have_their_new_names(role: str, old: str, new: str) -> None:
    item = {"type": "message", "role": role, "content": [{"type": old, "text": "hi"}]}
    heard = sent({"type": "conversation.item.create", "item": item, "previous_item_id": "root"})
    assert heard["item"] == {**item, "content": [{"type": new, "text": "hi"}]}
    assert heard["previous_item_id"] == "root"


def test_a_wish_for_a_response_is_translated() -> None:
    wish = {
        "modalities": ["audio", "text"],
        "instructions": "Sing.",
        "voice": "echo",
        "output_audio_format": "g711_alaw",
        "max_response_output_tokens": 100,
        "temperature": 1.0,
        "metadata": {"a": "b"},
        "input": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "la"}]}],
    }
    assert sent({"type": "response.create", "response": wish})["response"] == {
        "output_modalities": ["audio"],
        "instructions": "Sing.",
        "audio": {"output": {"voice": "echo", "format": {"type": "audio/pcma"}}},
        "max_output_tokens": 100,
        "metadata": {"a": "b"},
        "input": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "la"}]}],
    }
    assert sent({"type": "response.create"}) == {"type": "response.create"}


@pytest.mark.parametrize(
    "message",
    [
        '{"type": "input_audio_buffer.append", "audio": "AAAA"}',
        '{"type": "response.cancel"}',
        '{"type": "conversation.item.truncate", "item_id": "session.update", "content_index": 0, "audio_end_ms": 1}',
        '{"type": "session.update", ',
        '["session.update"]',
        '{"type": ["session.update"]}',
        '{"session.update": ' + "[" * 5000,
        "",
    ],
)
def test_what_is_the_same_in_both_or_makes_no_sense_is_left_as_it_is(message: str) -> None:
    assert read(message) == message


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.update"},
        {"type": "session.update", "session": 5},
        {"type": "session.update", "session": {"modalities": "audio", "input_audio_format": 5, "audio": 5}},
        {"type": "conversation.item.create", "item": {"role": "assistant", "content": [5, {}]}},
        {"type": "response.create", "response": {"input": 5}},
    ],
)
def test_nonsense_is_translated_without_a_fault(event: Json) -> None:
    assert json.loads(read(json.dumps(event)))["type"] == event["type"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the translation
@given(
    st.sampled_from(sorted(_TRANSLATED)), st.dictionaries(st.sampled_from(["session", "item", "response"]), ANYTHING)
)
def test_whatever_the_fields_hold_it_is_translated_without_a_fault(kind: str, fields: Json) -> None:
    heard = json.loads(read(json.dumps({**fields, "type": kind})))
    assert heard["type"] == kind.removeprefix("transcription_")


@given(st.text())
def test_whatever_text_comes_it_is_an_event_or_left_as_it_is(text: str) -> None:
    for message in (text, f'"session.update"{text}', f'{{"type": "session.update", "x": {text}}}'):
        assert isinstance(read(message), str)


# Server events ------------------------------------------------------------------------------------------------------
def test_the_session_is_shown_flat_and_says_what_is_in_force() -> None:
    session = default_session("sess_1", "ears", "mouth", TandemSettings())
    seen = shown({"type": "session.created", "session": session})
    assert seen is not None
    assert seen["session"] == {
        "object": "realtime.session",
        "id": "sess_1",
        "model": "tandem",
        "modalities": ["audio", "text"],
        "instructions": session["instructions"],
        "voice": "mouth",
        "speed": 1.0,
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "ears"},
        "input_audio_noise_reduction": None,
        "turn_detection": session["audio"]["input"]["turn_detection"],
        "tools": [],
        "tool_choice": "auto",
        "max_response_output_tokens": "inf",
        "truncation": "auto",
        "tandem": session["tandem"],
        "include": None,
        "parallel_tool_calls": True,
        "prompt": None,
    }


def test_a_session_that_is_sent_back_as_it_was_shown_changes_nothing() -> None:
    session = default_session("sess_1", "ears", "mouth", TandemSettings())
    seen = shown({"type": "session.created", "session": session})
    assert seen is not None
    event = parse_client_event(read(json.dumps({"type": "session.update", "session": seen["session"]})))
    assert merged(session, event.session) == session  # type: ignore[union-attr]
    assert derived(session).text_only is False


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("response.output_audio.delta", "response.audio.delta"),
        ("response.output_audio_transcript.delta", "response.audio_transcript.delta"),
        ("response.output_text.delta", "response.text.delta"),
    ],
)
def test_what_is_said_comes_under_its_old_name(new: str, old: str) -> None:
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    assert shown({"type": new, "delta": "AA==", **where}) == {
        "event_id": "e", "type": old, "delta": "AA==", **where,
    }  # fmt: skip


def test_the_end_of_what_is_said_comes_under_its_old_name() -> None:
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    for new, old, text in (
        ("response.output_audio.done", "response.audio.done", {}),
        ("response.output_audio_transcript.done", "response.audio_transcript.done", {"transcript": "hi"}),
        ("response.output_text.done", "response.text.done", {"text": "hi"}),
    ):
        assert shown({"type": new, **where, **text}) == {"event_id": "e", "type": old, **where, **text}


def test_an_item_is_announced_once() -> None:
    part = {"type": "output_audio", "transcript": "hi"}
    item = {"id": "i", "object": "realtime.item", "type": "message", "role": "assistant", "status": "completed"}
    added = shown({"type": "conversation.item.added", "item": {**item, "content": [part]}, "previous_item_id": None})
    assert added is not None
    assert added["type"] == "conversation.item.created"
    assert added["item"]["content"] == [{"type": "audio", "transcript": "hi"}]
    assert shown({"type": "conversation.item.done", "item": item, "previous_item_id": None}) is None


def test_a_content_part_keeps_its_empty_transcript() -> None:
    event = {
        "type": "response.content_part.added", "response_id": "r", "item_id": "i", "output_index": 0,
        "content_index": 0, "part": {"type": "audio", "transcript": ""},
    }  # fmt: skip
    assert shown(event) == {"event_id": "e", **event}


def test_a_response_shows_its_old_fields() -> None:
    item = {
        "id": "i", "object": "realtime.item", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "hi"}],
    }  # fmt: skip
    response = {
        "id": "r",
        "object": "realtime.response",
        "status": "completed",
        "output_modalities": ["text"],
        "output": [item],
    }
    seen = shown({"type": "response.done", "response": response})
    assert seen is not None
    assert seen["response"] == {
        "id": "r",
        "object": "realtime.response",
        "status": "completed",
        "modalities": ["text"],
        "output": [{**item, "content": [{"type": "text", "text": "hi"}]}],
    }


@pytest.mark.parametrize(
    ("param", "old"),
    [
        ("session.audio.input.format", "session.input_audio_format"),
        ("session.audio.input.turn_detection.threshold", "session.turn_detection.threshold"),
        ("session.output_modalities", "session.modalities"),
        ("response.output_modalities", "response.modalities"),
        ("session.audio.output.speed", "session.speed"),
        ("session.tandem.strength", "session.tandem.strength"),
        ("item_id", "item_id"),
        (None, None),
    ],
)
def test_a_mistake_names_the_field_as_the_client_wrote_it(param: str | None, old: str | None) -> None:
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": "no", "param": param}
    seen = shown({"type": "error", "error": error})
    assert seen is not None
    assert seen["error"] == {**error, "param": old}


def test_what_is_ours_and_what_is_the_same_passes_as_it_is() -> None:
    for event in (
        {"type": "tandem.latency", "response_id": "r", "stages_ms": {"total": 1.0}},
        {"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": 3},
    ):
        assert shown(event) == {"event_id": "e", **event}

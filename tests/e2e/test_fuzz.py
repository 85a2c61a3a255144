"""Messages that hypothesis makes up, and valid ones that it damages: the server answers, says no, or closes with a
reason; it never fails on its own side."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from .serving import UNWANTED, Served
from .talking import SILENCE, calling, encoded, tone

EVENTS: list[dict[str, Any]] = [
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": "Be brief.",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "x"},
                    "noise_reduction": {"type": "near_field"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 300},
                },
                "output": {"voice": "alloy", "speed": 1.0},
            },
            "tools": [],
            "tool_choice": "auto",
            "truncation": "auto",
            "tandem": {"strategy": "match", "strength": 1.0, "features": ["pitch_mean"], "user_id": "ada"},
        },
    },
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}},
        },
    },
    {"type": "input_audio_buffer.append", "audio": encoded(tone(0.4))},
    {"type": "input_audio_buffer.append", "audio": encoded(SILENCE)},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {
        "type": "conversation.item.create",
        "previous_item_id": "root",
        "item": {
            "id": "one",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "hello"}],
        },
    },
    {
        "type": "conversation.item.create",
        "item": {"id": "two", "type": "function_call", "name": "look", "arguments": "{}", "call_id": "call"},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "call", "output": "a lamp"},
    },
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "tools": [{"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}],
            "tool_choice": {"type": "function", "name": "look"},
            "parallel_tool_calls": False,
            "max_output_tokens": 100,
            "audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}},
        },
    },
    {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {"turn_detection": None}}}},
    {
        "type": "response.create",
        "response": {
            "conversation": "none",
            "output_modalities": ["text"],
            "max_output_tokens": 20,
            "tools": [{"type": "function", "name": "look"}],
            "tool_choice": "required",
            "audio": {"output": {"voice": "alloy", "format": {"type": "audio/pcm", "rate": 24000}}},
            "input": [
                {"type": "item_reference", "id": "one"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
            ],
        },
    },
    {"type": "conversation.item.retrieve", "item_id": "one"},
    {"type": "conversation.item.truncate", "item_id": "one", "content_index": 0, "audio_end_ms": 100},
    {"type": "conversation.item.delete", "item_id": "one"},
    {"type": "response.create", "response": {"instructions": "Sing.", "metadata": {"a": "b"}}},
    {"type": "response.create"},
    {"type": "response.cancel", "response_id": "resp_1"},
    {"type": "response.cancel"},
    {"type": "output_audio_buffer.clear"},
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "root", "one", "audio/pcm", "realtime", "transcription", "text", "\x00", "\U0001f600" * 50])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to everything inside a JSON value."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [path, *(one for key, inner in pairs for one in places(inner, (*path, key)))]
    return [path]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid event with something replaced, removed or added; or cut off."""
    event = copy.deepcopy(draw(st.sampled_from(EVENTS)))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(places(event)[1:]))
        owner: Any = event
        for key in path[:-1]:
            owner = owner[key]
        what = draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "remove":
            del owner[path[-1]]
            if not event:
                break
        elif what == "add" and isinstance(owner, dict):
            owner[draw(st.text(max_size=8))] = draw(anything)
        else:
            owner[path[-1]] = draw(anything)
    text = json.dumps(event)
    return text if draw(st.integers(0, 9)) else text[: draw(st.integers(0, len(text)))]


messages = st.lists(damaged() | damaged() | anything.map(json.dumps) | st.binary(max_size=60), min_size=10, max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(messages)
def test_nothing_that_is_sent_breaks_the_server(fake_server: Served, sent: list[str | bytes]) -> None:
    before = len(fake_server.log)

    asyncio.run(said(fake_server, sent))

    assert fake_server.alive
    assert not [word for word in UNWANTED if word in fake_server.log[before:]], fake_server.log[before:]


async def said(served: Served, sent: list[str | bytes]) -> None:
    async with calling(served.realtime) as caller:
        with contextlib.suppress(ConnectionClosed):
            for message in sent:
                await caller.socket.send(message)
            await caller.send("conversation.item.retrieve", item_id="nothing", event_id="the end")
            while (await caller.until("error"))["error"].get("event_id") != "the end":
                pass
            return
        assert caller.socket.close_code in (1007, 1008, 1009)
        assert caller.socket.close_reason

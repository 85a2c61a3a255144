"""What hypothesis has a client say: well-formed events in both dialects, damaged ones, and nonsense.

`$item3`, `$call0` and `$response1` stand for ids; whoever sends the event puts in what it knows by then (`with_ids`).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from .talking import SILENCE, Event, encoded, tone

REFERENCE: Final = re.compile(r"\$(item|call|response)(\d+)")
MADE_UP: Final = ("nothing", "root", "item_t_1", "resp_1", "x" * 65, "\U0001f600")
LOOK: Final = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}
WORDS: Final = ("", "hello", "What is it that you do? Tell me.", "\U0001f600 \x00 é", "42 " * 20)


def references(kind: str) -> st.SearchStrategy[str]:
    """Ids of one kind, known or not."""
    return st.integers(0, 9).map(lambda number: f"${kind}{number}") | st.sampled_from(MADE_UP)


ids = {kind: references(kind) for kind in ("item", "call", "response")}
words = st.sampled_from(WORDS)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    """An object with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def event(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    """An event with all of these fields, and perhaps an id."""
    return st.fixed_dictionaries(
        {"type": st.just(kind), **fields}, optional={"event_id": st.sampled_from(["mine", "", "$item0"])}
    )


# Sessions -----------------------------------------------------------------------------------------------------------
detections = (
    st.none()
    | some(
        threshold=st.sampled_from([0.05, 0.5, 0.9]),
        prefix_padding_ms=st.sampled_from([0, 300, 5000]),
        silence_duration_ms=st.sampled_from([50, 200, 500]),
        create_response=st.booleans(),
        interrupt_response=st.booleans(),
        idle_timeout_ms=st.sampled_from([None, 1000, 5000]),
    ).map(lambda fields: {"type": "server_vad", **fields})
    | st.sampled_from(["low", "high"]).map(lambda eagerness: {"type": "semantic_vad", "eagerness": eagerness})
)
formats = st.sampled_from(["audio/pcm", "audio/pcmu", "audio/pcma"])
wire_formats = formats.map(lambda kind: {"type": kind, **({"rate": 24000} if kind == "audio/pcm" else {})})
tools = st.sampled_from([[], [LOOK]])
choices = st.sampled_from(["auto", "none", "required", {"type": "function", "name": "look"}])
limits = st.sampled_from(["inf", 1, 8, 100])
tandem = some(
    strategy=st.sampled_from(["match", "anti", "rule", "neutral", "yoked"]),
    strength=st.sampled_from([0.0, 1.0, 1.5]),
    features=st.sampled_from([[], ["pitch_mean"]]),
    speculate=st.booleans(),
    resume_interrupted=st.booleans(),
    events=st.booleans(),
    user_id=st.sampled_from([None, "ada"]),
    audio_frames=st.sampled_from(["base64", "binary"]),
)
sessions = some(
    instructions=words,
    output_modalities=st.sampled_from([["audio"], ["text"]]),
    audio=some(
        input=some(format=wire_formats, turn_detection=detections, transcription=st.just({"model": "x"})),
        output=some(format=wire_formats, voice=st.sampled_from(["alloy", "fake"]), speed=st.sampled_from([0.5, 1.5])),
    ),
    tools=tools,
    tool_choice=choices,
    parallel_tool_calls=st.booleans(),
    max_output_tokens=limits,
    tandem=tandem,
).map(lambda fields: {"type": "realtime", **fields})
listening = some(audio=some(input=some(turn_detection=detections))).map(lambda rest: {"type": "transcription", **rest})
flat_formats = st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"])
flat_sessions = some(
    modalities=st.sampled_from([["audio", "text"], ["text"]]),
    instructions=words,
    voice=st.just("alloy"),
    input_audio_format=flat_formats,
    output_audio_format=flat_formats,
    turn_detection=detections,
    tools=tools,
    tool_choice=choices,
    temperature=st.just(0.8),
    max_response_output_tokens=limits,
    tandem=tandem,
)


# Items and responses ------------------------------------------------------------------------------------------------
def message(role: str, part: str) -> st.SearchStrategy[Event]:
    """A message of one part."""
    content = words.map(lambda text: [{"type": part, "text": text}])
    return st.fixed_dictionaries(
        {"type": st.just("message"), "role": st.just(role), "content": content},
        optional={"id": st.sampled_from(["one", "two"]) | ids["item"]},
    )


calls = st.fixed_dictionaries(
    {"type": st.just("function_call"), "name": st.just("look"), "arguments": st.just("{}")},
    optional={"call_id": ids["call"]},
)
outputs = st.fixed_dictionaries({"type": st.just("function_call_output"), "call_id": ids["call"], "output": words})
items = (message("user", "input_text") | message("system", "input_text") | message("assistant", "output_text")) | (
    calls | outputs
)
flat_items = message("user", "text") | message("assistant", "text") | outputs
responses = some(
    conversation=st.sampled_from(["auto", "none"]),
    output_modalities=st.sampled_from([["audio"], ["text"], ["text"]]),
    instructions=words,
    max_output_tokens=limits,
    tools=tools,
    tool_choice=choices,
    metadata=st.just({"a": "b"}),
    input=st.lists(ids["item"].map(lambda item: {"type": "item_reference", "id": item}) | items, max_size=3),
)
flat_responses = some(
    conversation=st.sampled_from(["auto", "none"]),
    modalities=st.sampled_from([["audio", "text"], ["text"]]),
    instructions=words,
    tools=tools,
    input=st.lists(flat_items, max_size=2),
)


def dialect(
    update: st.SearchStrategy[Event], item: st.SearchStrategy[Event], response: st.SearchStrategy[Event]
) -> st.SearchStrategy[Event]:
    """Every event but audio."""
    truncated = st.sampled_from([0, 100, 1000, 10**6])
    return st.one_of(
        update,
        event("input_audio_buffer.commit"),
        event("input_audio_buffer.clear"),
        event("conversation.item.create", item=item, previous_item_id=st.none() | ids["item"]),
        event("conversation.item.create", item=item),
        event("conversation.item.retrieve", item_id=ids["item"]),
        event("conversation.item.delete", item_id=ids["item"]),
        event("conversation.item.truncate", item_id=ids["item"], content_index=st.just(0), audio_end_ms=truncated),
        event("response.create"),
        event("response.create", response=response),
        event("response.cancel"),
        event("response.cancel", response_id=ids["response"]),
        event("output_audio_buffer.clear"),
    )


ga = dialect(event("session.update", session=sessions) | event("session.update", session=listening), items, responses)
beta = dialect(
    event("session.update", session=flat_sessions)
    | event("transcription_session.update", session=some(turn_detection=detections, input_audio_format=flat_formats)),
    flat_items,
    flat_responses,
)


# What is no event ---------------------------------------------------------------------------------------------------
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "root", "one", "audio/pcm", "realtime", "transcription", "text", "\x00", "\U0001f600" * 50])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner), max_leaves=8
)
heard = st.sampled_from([{"type": "input_audio_buffer.append", "audio": encoded(pcm)} for pcm in (tone(0.1), SILENCE)])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to everything inside a JSON value."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [path, *(one for key, inner in pairs for one in places(inner, (*path, key)))]
    return [path]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid event with something replaced, removed or added; or cut off."""
    event = copy.deepcopy(draw(ga | beta | heard))
    for _ in range(draw(st.integers(1, 2))):
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


nonsense = st.one_of(damaged(), damaged(), anything.map(json.dumps), st.binary(max_size=60))


def with_ids(text: str, known: Mapping[str, Sequence[str]]) -> str:
    """A message with ids where it only refers to them; what is not known is made up."""

    def named(reference: re.Match[str]) -> str:
        of_kind, number = known[reference[1]], int(reference[2])
        return of_kind[-1 - number] if number < len(of_kind) else f"{reference[1]}_{number}"

    return REFERENCE.sub(named, text)

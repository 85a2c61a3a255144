"""The published schema is the wire: an example of every message class, made by reflection, goes there and back."""

from __future__ import annotations

import ast
import json
import types
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import httpx
import pytest
from jsonschema import Draft202012Validator
from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel

import tandem_server
from tandem_server.app import create_app
from tandem_server.config import load
from tandem_server.contract import (
    AUDIO_FRAME_HEADER,
    AudioFrame,
    ClientEvent,
    TandemEvent,
    event_types,
    parse_client_event,
    to_json,
)
from tandem_server.schema import SERVER_EVENTS, message_schema

DEEPEST = 8
CLIENT = list(event_types(get_args(ClientEvent)[0]))
SIMPLE: dict[Any, Any] = {str: "text", int: 1, float: 0.5, bool: True, object: "anything", Any: "anything", None: None}


def example(annotation: Any, *, full: bool, depth: int = 0) -> Any:
    """A value of a type, as JSON; `full`: with every optional field."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return example(arguments[0], full=full, depth=depth)
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return example(next(one for one in arguments if one is not type(None)), full=full, depth=depth)
    if origin is list:
        return [example(arguments[0], full=full, depth=depth + 1)] if depth < DEEPEST else []
    if origin is dict:
        return {"key": example(arguments[1], full=full, depth=depth + 1)}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {
            field.alias or name: example(field.annotation, full=full, depth=depth + 1)
            for name, field in annotation.model_fields.items()
            if field.is_required() or name == "type" or (full and depth < DEEPEST)
        }
    return SIMPLE[annotation]


@cache
def validator(name: str) -> Draft202012Validator:
    """Of one definition of the document."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": message_schema()["$defs"]})


def by_name(message: type[BaseModel]) -> str:
    return message.__name__


# There and back -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("full", [False, True], ids=["least", "full"])
@pytest.mark.parametrize("message", CLIENT, ids=by_name)
def test_every_event_of_a_client_is_parsed_and_fits_the_schema(message: type[BaseModel], full: bool) -> None:
    sent = example(message, full=full)
    event = parse_client_event(json.dumps(sent))

    assert type(event) is message
    again = event.model_dump_json(exclude_unset=True, by_alias=True)
    assert json.loads(again) == sent
    assert parse_client_event(again) == event
    validator("ClientEvent").validate(sent)
    validator(message.__name__).validate(sent)


@pytest.mark.parametrize("full", [False, True], ids=["least", "full"])
@pytest.mark.parametrize("message", SERVER_EVENTS, ids=by_name)
def test_every_event_of_the_server_is_written_and_fits_the_schema(message: type[BaseModel], full: bool) -> None:
    event = message.model_validate(example(message, full=full))
    text = to_json(event)  # type: ignore[arg-type]

    assert message.model_validate_json(text) == event
    validator("ServerEvent").validate(json.loads(text))
    validator(message.__name__).validate(json.loads(text))


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": "unheard.of"},
        {"type": "input_audio_buffer.append"},
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": "0", "audio_end_ms": 1},
        {"type": "session.update", "session": {"type": "realtime", "tandem": {"strength": 7}}},
        {"type": "session.update", "session": {"type": "realtime", "tandem": {"misspelt": 1}}},
    ],
)
def test_what_the_server_refuses_does_not_fit_the_schema(event: dict[str, Any]) -> None:
    assert not validator("ClientEvent").is_valid(event)


def test_an_event_of_ours_must_be_whole() -> None:
    event = {"type": "tandem.latency", "event_id": "e", "response_id": "r", "stages_ms": {"total": 1.0}}
    assert validator("ServerEvent").is_valid(event)
    for key in event:
        assert not validator("ServerEvent").is_valid({name: value for name, value in event.items() if name != key})


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(message_schema())


# Completeness -------------------------------------------------------------------------------------------------------
def imported_events() -> set[str]:
    """The server events of the `openai` package that any file of the server names."""
    names: set[str] = set()
    for path in Path(tandem_server.__file__).parent.rglob("*.py"):
        if path.name == "schema.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("openai.types.realtime"):
                names |= {alias.name for alias in node.names}
    return names & {one.__name__ for one in event_types(RealtimeServerEvent)}


def test_the_schema_has_every_event_that_the_server_sends_and_no_other() -> None:
    published = {one.__name__ for one in SERVER_EVENTS} - {one.__name__ for one in event_types(TandemEvent)}
    assert published == imported_events(), "name new server events in tandem_server/schema.py"
    assert set(event_types(TandemEvent)) <= set(SERVER_EVENTS)
    assert len(CLIENT) == 11


def test_no_two_messages_have_one_name_and_every_reference_leads_somewhere() -> None:
    definitions = message_schema()["$defs"]
    assert {one.__name__ for one in (*CLIENT, *SERVER_EVENTS)} <= set(definitions)
    assert all(name.isidentifier() for name in definitions), "pydantic writes a module's name for a name used twice"
    text = json.dumps(message_schema())
    for reference in {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}:
        assert reference in definitions


def test_the_binary_frame_is_as_it_is_described() -> None:
    described = message_schema()["x-binary-frame"]
    fields = {field["name"]: field for field in described["fields"]}
    message = AudioFrame("output", 0x01020304, 2.0, b"\x05\x06").encode()

    assert described["header_bytes"] == AUDIO_FRAME_HEADER == fields["samples"]["offset"]
    assert message[fields["kind"]["offset"]] == 2
    assert message[fields["version"]["offset"]] == fields["version"]["const"]
    assert message[fields["sequence"]["offset"] :][:4] == b"\x04\x03\x02\x01"
    assert message[fields["time_ms"]["offset"] :][:8] == b"\0\0\0\0\0\0\0\x40"
    assert message[fields["samples"]["offset"] :] == b"\x05\x06"


async def test_the_schema_is_served(tmp_path: Path) -> None:
    app = create_app(load({"data_dir": tmp_path, "host": "127.0.0.1"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        answer = await client.get("/v1/realtime/schema")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json() == json.loads(json.dumps(message_schema()))

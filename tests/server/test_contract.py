"""Every message, there and back; and what a client is told about one that makes no sense."""

from __future__ import annotations

import inspect
import json
import struct
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeConversationItemUserMessage
from pydantic import BaseModel, TypeAdapter, ValidationError

from tandem_models.prosody import NAMES
from tandem_server import contract
from tandem_server.contract import (
    AUDIO_FRAME_HEADER,
    AgentRealisedEvent,
    AgentTargetEvent,
    Assignment,
    AudioFrame,
    ClientEvent,
    ClientSecretRequest,
    CreateResponseEvent,
    EntrainmentEvent,
    EntrainmentMeasure,
    ExpiresAfter,
    FeatureMeasure,
    ItemReference,
    LatencyEvent,
    PitchTrack,
    TandemEvent,
    TandemModel,
    TandemSettings,
    UserProsodyEvent,
    parse_client_event,
    to_json,
)
from tandem_server.errors import ClientError

TRACK = PitchTrack(start_ms=320, hop_ms=10, pitch=[1.5, None, -2.0])
SOME: dict[str, float | None] = {name: None if name == "hnr" else 0.5 for name in NAMES}
MEASURE = FeatureMeasure(user=1.0, target=None, realised=0.5, distance=0.5)
SO_FAR = EntrainmentMeasure(
    measure="synchrony", responder="agent", feature="rate", n=9, effect=0.4, p=0.03, p_adjusted=None
)

OURS: list[TandemModel] = [
    TandemSettings(strategy="anti", strength=0.5, features=["rate"], user_id="anna", audio_frames="binary"),
    Assignment(plan="pilot", condition="still", session=2),
    TRACK,
    MEASURE,
    UserProsodyEvent(
        event_id="e", item_id="i", final=True, track=TRACK, features=SOME, z=SOME, level=SOME, duration_s=1.0,
        voiced_s=0.5, flags=["clipped"],
    ),
    AgentTargetEvent(event_id="e", response_id="r", item_id="i", strategy="rule", features=SOME, z=SOME),
    AgentRealisedEvent(
        event_id="e", response_id="r", item_id="i", features=SOME, z=SOME, track=TRACK, limits=["no"]
    ),
    SO_FAR,
    EntrainmentEvent(event_id="e", exchange=3, strategy="match", features={"rate": MEASURE}, measures=[SO_FAR]),
    LatencyEvent(event_id="e", response_id="r", stages_ms={"total": 612.5}),
    ExpiresAfter(seconds=60),
    ClientSecretRequest(expires_after=ExpiresAfter(seconds=60)),
]  # fmt: skip
THEIRS: dict[str, dict[str, Any]] = {
    "session.update": {"session": {"type": "realtime", "instructions": "Be kind.", "tandem": {"strength": 1}}},
    "input_audio_buffer.append": {"audio": "AAA="},
    "input_audio_buffer.commit": {},
    "input_audio_buffer.clear": {},
    "conversation.item.create": {
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        "previous_item_id": "root",
    },
    "conversation.item.retrieve": {"item_id": "i"},
    "conversation.item.delete": {"item_id": "i"},
    "conversation.item.truncate": {"item_id": "i", "content_index": 0, "audio_end_ms": 10},
    "response.create": {"response": {"instructions": "Sing.", "metadata": {"a": "b"}}},
    "response.cancel": {"response_id": "r"},
    "output_audio_buffer.clear": {},
}


def members(union: Any) -> list[type[BaseModel]]:
    """The classes of a union, annotated or not."""
    found: list[type[BaseModel]] = []
    for arg in get_args(union):
        found += members(arg) if get_args(arg) else [arg] if inspect.isclass(arg) and issubclass(arg, BaseModel) else []
    return found


def test_a_response_may_read_items_and_refer_to_others() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    reference = {"type": "item_reference", "id": "i"}
    event = parse_client_event(json.dumps({"type": "response.create", "response": {"input": [reference, item]}}))
    assert isinstance(event, CreateResponseEvent) and event.response is not None
    first, second = event.response.input or []
    assert first == ItemReference(type="item_reference", id="i")
    assert isinstance(second, RealtimeConversationItemUserMessage)


# There and back -----------------------------------------------------------------------------------------------------
def test_every_message_of_ours_has_an_example_here() -> None:
    defined = {
        one
        for _, one in inspect.getmembers(contract, inspect.isclass)
        if one.__module__ == contract.__name__ and issubclass(one, TandemModel) and one is not TandemModel
    }
    assert defined == {type(example) for example in OURS}


@pytest.mark.parametrize("message", OURS, ids=lambda message: type(message).__name__)
def test_every_message_of_ours_survives_the_wire(message: TandemModel) -> None:
    assert type(message).model_validate_json(to_json(message), strict=True) == message  # type: ignore[arg-type]
    if isinstance(message, get_args(TandemEvent)):
        adapter: TypeAdapter[Any] = TypeAdapter(TandemEvent)
        assert adapter.validate_json(to_json(message), strict=True) == message
        assert json.loads(to_json(message))["type"].startswith("tandem.")


@pytest.mark.parametrize("message", OURS, ids=lambda message: type(message).__name__)
def test_our_messages_are_closed(message: TandemModel) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        type(message).model_validate({**message.model_dump(), "misspelt": 1})


def test_every_event_of_a_client_has_an_example_here() -> None:
    kinds = {get_args(one.model_fields["type"].annotation)[0] for one in members(ClientEvent)}
    assert kinds == set(THEIRS)


@pytest.mark.parametrize("kind", THEIRS)
def test_every_event_of_a_client_is_understood_and_says_the_same_again(kind: str) -> None:
    sent = {"type": kind, "event_id": "e1", **THEIRS[kind]}
    event = parse_client_event(json.dumps(sent))

    assert event.model_dump(exclude_unset=True) == sent
    assert event.event_id == "e1"
    assert parse_client_event(event.model_dump_json(exclude_unset=True).encode()) == event


def test_missing_numbers_of_ours_are_null_and_what_openai_leaves_out_is_absent() -> None:
    assert json.loads(to_json(OURS[4]))["features"]["hnr"] is None  # type: ignore[arg-type]
    from openai.types.realtime import InputAudioBufferClearedEvent

    cleared = InputAudioBufferClearedEvent(type="input_audio_buffer.cleared", event_id="e")
    assert json.loads(to_json(cleared)) == {"type": "input_audio_buffer.cleared", "event_id": "e"}


# Mistakes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        ("null", "invalid_json", None),
        (b"\xff\xfe", "invalid_json", None),
        ("[" * 5000, "invalid_json", None),
        ('{"a":' * 5000, "invalid_json", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type": 5}', "unknown_event_type", "type"),
        ('{"type": "response.created"}', "unknown_event_type", "type"),
        ('{"type": "session.update"}', "missing_required_parameter", "session"),
        ('{"type": "session.update", "session": {"type": "other"}}', "invalid_value", "session.type"),
        (
            '{"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"speed": "fast"}}}}',
            "invalid_value",
            "session.audio.output.speed",
        ),
        ('{"type": "input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type": "input_audio_buffer.append", "audio": 5}', "invalid_value", "audio"),
        ('{"type": "response.create", "response": {"metadata": {"a": 5}}}', "invalid_value", "response.metadata.a"),
    ],
)
def test_a_message_that_makes_no_sense_is_told_where(message: str | bytes, code: str, param: str | None) -> None:
    with pytest.raises(ClientError) as error:
        parse_client_event(message)
    assert (error.value.code, error.value.param, error.value.event_id) == (code, param, None)


def test_a_mistake_says_which_event_it_was() -> None:
    for message in (
        '{"type": "x", "event_id": "e1"}',
        '{"event_id": "e1"}',
        '{"type": "session.update","event_id":"e1"}',
    ):
        with pytest.raises(ClientError) as error:
            parse_client_event(message)
        assert error.value.event_id == "e1"
    for message in ('{"event_id": 5}', '["event_id"]', '{"event_id": "e1"'):
        with pytest.raises(ClientError) as error:
            parse_client_event(message)
        assert error.value.event_id is None


@given(st.text())
def test_whatever_is_sent_is_an_event_or_a_mistake_of_the_client(message: str) -> None:
    with pytest.raises(ClientError):
        parse_client_event(message.encode("utf-8", "replace"))


# Binary frames ------------------------------------------------------------------------------------------------------
def test_a_frame_is_sixteen_bytes_of_header_and_the_samples() -> None:
    assert AUDIO_FRAME_HEADER == 16
    message = AudioFrame("output", 7, 100.5, b"\x01\x02").encode()
    assert message == b"\x02\x01\x00\x00\x07\x00\x00\x00" + struct.pack("<d", 100.5) + b"\x01\x02"


@given(
    st.sampled_from(["input", "output"]),
    st.integers(0, 2**32 - 1),
    st.floats(allow_nan=False),
    st.binary().filter(lambda pcm: len(pcm) % 2 == 0),
)
def test_a_frame_survives_the_wire(kind: contract.FrameKind, sequence: int, time_ms: float, pcm: bytes) -> None:
    frame = AudioFrame(kind, sequence, time_ms, pcm)
    assert AudioFrame.decode(frame.encode()) == frame


def test_the_sequence_wraps_around() -> None:
    assert AudioFrame.decode(AudioFrame("input", 2**32 + 3, 0.0, b"").encode()).sequence == 3


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"", "0 bytes"),
        (bytes(15), "15 bytes"),
        (b"\x01\x02" + bytes(14), "version 2"),
        (b"\x03\x01" + bytes(14), "kind 3"),
        (b"\x00\x01" + bytes(14), "kind 0"),
        (b"\x01\x01\x01\x00" + bytes(12), "unknown"),
        (b"\x01\x01" + bytes(15), "half a sample"),
    ],
)
def test_anything_but_a_whole_frame_of_this_version_is_refused(message: bytes, says: str) -> None:
    with pytest.raises(ClientError, match=says) as error:
        AudioFrame.decode(message)
    assert error.value.code == "invalid_audio_frame"


@given(st.binary(max_size=64))
def test_whatever_bytes_are_sent_are_a_frame_or_a_mistake_of_the_client(message: bytes) -> None:
    try:
        frame = AudioFrame.decode(message)
    except ClientError:
        return
    assert len(frame.pcm) == len(message) - 16

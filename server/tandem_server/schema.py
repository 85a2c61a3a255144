"""The messages of `/v1/realtime` as one JSON Schema document, made from the classes that parse and write them."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, Union

from openai.types.realtime import (
    ConversationItemAdded,
    ConversationItemDeletedEvent,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    ConversationItemInputAudioTranscriptionFailedEvent,
    ConversationItemTruncatedEvent,
    InputAudioBufferClearedEvent,
    InputAudioBufferCommittedEvent,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    InputAudioBufferTimeoutTriggered,
    RateLimitsUpdatedEvent,
    RealtimeErrorEvent,
    ResponseAudioDeltaEvent,
    ResponseAudioDoneEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseAudioTranscriptDoneEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseDoneEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
    SessionCreatedEvent,
    SessionUpdatedEvent,
)
from openai.types.realtime.realtime_server_event import ConversationItemRetrieved
from pydantic import BaseModel, TypeAdapter

from tandem_models.signal import WIRE_RATE
from tandem_server.contract import (
    AUDIO_FRAME_HEADER,
    AUDIO_FRAME_VERSION,
    ClientEvent,
    TandemEvent,
    TandemSettings,
    event_types,
)

SERVER_EVENTS: Final[tuple[type[BaseModel], ...]] = (
    SessionCreatedEvent,
    SessionUpdatedEvent,
    RealtimeErrorEvent,
    ConversationItemAdded,
    ConversationItemDone,
    ConversationItemRetrieved,
    ConversationItemDeletedEvent,
    ConversationItemTruncatedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionFailedEvent,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    InputAudioBufferCommittedEvent,
    InputAudioBufferClearedEvent,
    InputAudioBufferTimeoutTriggered,
    ResponseCreatedEvent,
    ResponseOutputItemAddedEvent,
    ResponseContentPartAddedEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseAudioDeltaEvent,
    ResponseTextDeltaEvent,
    ResponseAudioDoneEvent,
    ResponseAudioTranscriptDoneEvent,
    ResponseTextDoneEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseContentPartDoneEvent,
    ResponseOutputItemDoneEvent,
    ResponseDoneEvent,
    RateLimitsUpdatedEvent,
    *event_types(TandemEvent),
)
"""All that a client may be sent; the `openai` package types more, which this server never sends."""

_FRAME: Final = {
    "description": (
        "A binary WebSocket message: agent audio for a session whose tandem.audio_frames is binary, and user audio "
        "from whoever prefers it to input_audio_buffer.append. A header, then the samples; all little-endian."
    ),
    "header_bytes": AUDIO_FRAME_HEADER,
    "fields": [
        {"name": "kind", "offset": 0, "type": "uint8", "description": "1 input (client), 2 output (server)"},
        {"name": "version", "offset": 1, "type": "uint8", "const": AUDIO_FRAME_VERSION},
        {"name": "reserved", "offset": 2, "type": "uint16", "const": 0},
        {"name": "sequence", "offset": 4, "type": "uint32", "description": "counts up, modulo 2**32"},
        {
            "name": "time_ms",
            "offset": 8,
            "type": "float64",
            "description": "output: milliseconds of this content part's audio before the frame; input: capture time",
        },
        {
            "name": "samples",
            "offset": AUDIO_FRAME_HEADER,
            "type": "int16[]",
            "description": f"mono at {WIRE_RATE} Hz, whatever session.audio.*.format says",
        },
    ],
}


@cache
def message_schema() -> dict[str, Any]:
    """JSON Schema 2020-12: `$defs/ClientEvent`, `$defs/ServerEvent`, every class by its name, and the binary frame."""
    any_server_event: Any = Union[SERVER_EVENTS]  # noqa: UP007
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        ("ClientEvent", "validation", TypeAdapter(ClientEvent)),
        ("ServerEvent", "serialization", TypeAdapter(any_server_event)),
        ("TandemSettings", "validation", TypeAdapter(TandemSettings)),
    ]
    made, shared = TypeAdapter.json_schemas(adapters, ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = shared["$defs"]
    for name, mode, _ in adapters[:2]:
        definitions[name] = made[(name, mode)]
    # Sessions are open, so that clients may send what is new at OpenAI; what is ours in them is closed.
    for session in ("RealtimeSessionCreateRequest", "RealtimeTranscriptionSessionCreateRequest"):
        definitions[session]["properties"]["tandem"] = {"$ref": "#/$defs/TandemSettings"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tandem: messages of /v1/realtime",
        "anyOf": [{"$ref": "#/$defs/ClientEvent"}, {"$ref": "#/$defs/ServerEvent"}],
        "$defs": dict(sorted(definitions.items())),
        "x-binary-frame": _FRAME,
    }

"""A session's settings: the wire form that is merged and echoed, and the immutable snapshot that the core reads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from openai.types.realtime import RealtimeSessionCreateRequest, RealtimeTranscriptionSessionCreateRequest
from pydantic import BaseModel, ValidationError

from tandem_models.prosody import NAMES
from tandem_models.signal import SAMPLES_PER_MS, WIRE_RATE
from tandem_server.contract import TandemSettings
from tandem_server.errors import ClientError
from tandem_server.formats import AudioFormat
from tandem_server.stages.protocols import NO_TOOLS, Tools
from tandem_server.tool_settings import tools_of
from tandem_server.turn import TurnSettings

Wire = dict[str, Any]
"""JSON object of the protocol."""
Update = RealtimeSessionCreateRequest | RealtimeTranscriptionSessionCreateRequest

DEFAULT_INSTRUCTIONS: Final = (
    "You are a friendly partner in a spoken conversation: all you write is read aloud. Answer in one to three short "
    "sentences of plain spoken English, without lists, headings, emoji or code. If the user's words look garbled, "
    "remember that a speech recogniser wrote them, and ask what was meant."
)
PCM: Final[Wire] = {"type": "audio/pcm", "rate": WIRE_RATE}
FORMATS: Final[Mapping[AudioFormat, Wire]] = {
    "audio/pcm": PCM,
    "audio/pcmu": {"type": "audio/pcmu"},
    "audio/pcma": {"type": "audio/pcma"},
}
"""As the protocol shows them; the last two are G.711 at 8 kHz."""
SERVER_VAD: Final[Wire] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
    "idle_timeout_ms": None,
}
SEMANTIC_VAD: Final[Wire] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
MOST_CHARACTERS: Final = 262_144
"""Of a session as JSON: it is kept, and sent back with every update."""
_EAGERNESS_MS: Final = {"low": (800, 8_000), "medium": (500, 4_000), "auto": (500, 4_000), "high": (350, 2_000)}
"""Silence without evidence, and at most: OpenAI's longest waits"""
_HYSTERESIS: Final = 0.15
"""Silero's own distance between its two thresholds."""
MOST_OUTPUT_TOKENS: Final = 4096
"""As OpenAI has it; "inf" is no bound."""
_WHOLE: Final = frozenset({"turn_detection", "format", "tool_choice", "features", "strengths"})
"""Objects that a new value replaces whole: their fields make sense only together."""
_DROPPED: Final = frozenset({"tracing", "prompt", "include", "reasoning", "truncation", "expires_at"})
"""Accepted because clients send them, and without effect here: the echo goes on saying what is in force."""
_CLEARED: Final[Wire] = {
    "instructions": "",
    "output_modalities": ["audio"],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "max_output_tokens": "inf",
}
"""What null, or an empty list, makes of a field."""
_OF_REPLIES: Final = frozenset({"create_response", "interrupt_response", "idle_timeout_ms"})
"""Turn detection's fields that a session without replies does not have."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the core reads, of one moment."""

    turn: TurnSettings = field(default_factory=TurnSettings)
    padding: int = 300 * SAMPLES_PER_MS
    """Samples before the first voice that belong to the turn."""
    create_response: bool = True
    interrupt_response: bool = True
    instructions: str = DEFAULT_INSTRUCTIONS
    text_only: bool = False
    speed: float = 1.0
    tools: Tools = NO_TOOLS
    max_output_tokens: int | None = None
    idle_timeout: int | None = None
    """Samples of the user's silence after which the agent says something of its own accord."""
    transcription: bool = False
    """Only listen, never reply."""
    output_format: AudioFormat = "audio/pcm"
    tandem: TandemSettings = field(default_factory=TandemSettings)


def default_session(session_id: str, recogniser: str, voice: str, tandem: TandemSettings) -> Wire:
    """The session as created, complete."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": "tandem",
        "output_modalities": ["audio"],
        "instructions": DEFAULT_INSTRUCTIONS,
        "audio": {
            "input": {
                "format": PCM,
                "transcription": {"model": recogniser},
                "noise_reduction": None,
                "turn_detection": SERVER_VAD,
            },
            "output": {"format": PCM, "voice": voice, "speed": 1.0},
        },
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "max_output_tokens": "inf",
        "truncation": "auto",
        "include": None,
        "prompt": None,
        "tandem": tandem.model_dump(),
    }


def merged(session: Wire, update: Update) -> Wire:
    """The session after an update: only the fields present change; the identity, model and voice do not.

    Raises ClientError, naming the field, for what cannot be done here.
    """
    fields = _declared(update)
    for fixed in ("object", "id", "model", *_DROPPED):
        fields.pop(fixed, None)
    _refuse_unsupported(fields)
    result = _deep_merge(session, _known(session, fields))
    if isinstance(fields.get("tandem"), dict):
        result["tandem"]["assignment"] = session["tandem"]["assignment"]  # clients send back what they were shown
        if "events" not in fields["tandem"]:
            result["tandem"]["events"] = True
    for name, cleared in _CLEARED.items():
        result[name] = cleared if result[name] in (None, []) else result[name]
    heard, spoken = result["audio"]["input"], result["audio"]["output"]
    heard["turn_detection"] = _complete(heard["turn_detection"])
    for side in (heard, spoken):
        side["format"] = FORMATS[(side["format"] or PCM).get("type") or "audio/pcm"]
    # Clients ask for a cloud model by name, or for none; what they get is what is here, and the echo says so.
    heard["transcription"] = session["audio"]["input"]["transcription"]
    heard["noise_reduction"] = None
    spoken["voice"] = session["audio"]["output"]["voice"]
    spoken["speed"] = 1.0 if spoken["speed"] is None else spoken["speed"]
    if len(json.dumps(result)) > MOST_CHARACTERS:
        message = f"a session's settings hold at most {MOST_CHARACTERS} characters"
        raise ClientError(message, code="too_long", param="session")
    return result


def voice_asked(update: Update) -> str | None:
    """The voice that an update names, if it does."""
    audio = update.audio if isinstance(update, RealtimeSessionCreateRequest) else None
    voice = audio.output.voice if audio is not None and audio.output is not None else None
    return voice if voice is None or isinstance(voice, str) else voice.id


def shown(session: Wire) -> Wire:
    """The session as the protocol shows it: a transcription session has fewer fields."""
    if session["type"] == "realtime":
        return session
    heard = session["audio"]["input"]
    detection = heard["turn_detection"]
    if detection is not None:
        detection = {key: value for key, value in detection.items() if key not in _OF_REPLIES}
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": session["id"],
        "audio": {"input": {**heard, "turn_detection": detection}},
        "include": None,
        "tandem": session["tandem"],
    }


def _declared(model: BaseModel) -> Wire:
    """The fields present that the protocol declares, and ours. Others passed unchecked, and a transcription session's
    may be a conversation's."""
    fields: Wire = model.model_dump(mode="json", exclude_unset=True)
    for name in model.model_extra or ():
        if name != "tandem":
            del fields[name]
    for name, value in model:
        if isinstance(value, BaseModel) and name in fields and name != "tandem":
            fields[name] = _declared(value)
    return fields


def _known(session: Mapping[str, Any], fields: Wire) -> Wire:
    """The fields that a session has. Clients send others, which must neither be echoed nor pile up; misspelt ones of
    ours are left for their own model to refuse."""
    kept = {key: value for key, value in fields.items() if key in session}
    for key in ("audio", "input", "output"):
        if isinstance(kept.get(key), Mapping):
            kept[key] = _known(session[key], kept[key])
    return kept


def _refuse_unsupported(fields: Wire) -> None:
    if sorted(fields.get("output_modalities") or ["audio"]) == ["audio", "text"]:
        raise _refusal("output_modalities", 'ask for ["audio"] (which comes with its transcript) or ["text"]')


def _refusal(param: str, message: str) -> ClientError:
    return ClientError(f"session.update: {message}", code="unsupported_value", param=f"session.{param}")


def _deep_merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> Wire:
    result = dict(old)
    for key, value in new.items():
        nested = isinstance(value, Mapping) and isinstance(old.get(key), Mapping) and key not in _WHOLE
        if value is None and key in ("audio", "input", "output", "tandem"):
            continue
        result[key] = _deep_merge(old[key], value) if nested else value
    return result


def _complete(turn_detection: Wire | None) -> Wire | None:
    """With every field, as the echo must have: clients decide by `interrupt_response` whether to cancel themselves."""
    if turn_detection is None:
        return None
    base = SEMANTIC_VAD if turn_detection["type"] == "semantic_vad" else SERVER_VAD
    return {**base, **{key: value for key, value in turn_detection.items() if value is not None}}


def derived(session: Wire) -> Settings:
    """The snapshot of a session's wire form. Raises ClientError for a number out of its range."""
    try:
        tandem = TandemSettings.model_validate(session["tandem"])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("session.tandem", *map(str, first["loc"])))
        raise ClientError(f"{where}: {first['msg']}", param=where) from None
    for field_name, named in (("features", tandem.features), ("strengths", tandem.strengths)):
        if unknown := sorted(set(named) - set(NAMES)):
            message = f"unknown feature {unknown[0]!r}; known are {', '.join(NAMES)}"
            raise ClientError(message, param=f"session.tandem.{field_name}")
    detection = session["audio"]["input"]["turn_detection"]
    tools, choice, parallel = session["tools"], session["tool_choice"], session["parallel_tool_calls"]
    settings = Settings(
        instructions=session["instructions"],
        text_only=session["output_modalities"] == ["text"],
        speed=_within("audio.output.speed", session["audio"]["output"]["speed"], 0.25, 1.5),
        tools=tools_of(tools, choice, parallel=parallel, where="session"),
        max_output_tokens=token_limit(session["max_output_tokens"], "session"),
        transcription=session["type"] == "transcription",
        output_format=session["audio"]["output"]["format"]["type"],
        tandem=tandem,
    )
    if detection is None:
        return replace(settings, turn=TurnSettings.by_hand(), create_response=False, interrupt_response=False)
    replies = not settings.transcription
    return replace(
        settings,
        turn=_turn_settings(detection),
        padding=_milliseconds(detection, "prefix_padding_ms", 300, 0, 5_000),
        idle_timeout=_idle_timeout(detection),
        create_response=replies and bool(detection["create_response"]),
        interrupt_response=replies and bool(detection["interrupt_response"]),
    )


def token_limit(limit: int | str | None, where: str) -> int | None:
    """Tokens that a reply may have. Raises ClientError for a number out of its range."""
    if limit is None or isinstance(limit, str):
        return None
    if not 1 <= limit <= MOST_OUTPUT_TOKENS:
        message = f'max_output_tokens is "inf" or between 1 and {MOST_OUTPUT_TOKENS}, not {limit}'
        raise ClientError(message, param=f"{where}.max_output_tokens")
    return limit


def _idle_timeout(detection: Wire) -> int | None:
    if detection.get("idle_timeout_ms") is None:
        return None
    return _milliseconds(detection, "idle_timeout_ms", 0, 1_000, 60_000)


def _turn_settings(detection: Wire) -> TurnSettings:
    if detection["type"] == "semantic_vad":
        silence, most = _EAGERNESS_MS[detection["eagerness"]]
        return TurnSettings(patience=silence * SAMPLES_PER_MS, most_patience=most * SAMPLES_PER_MS)
    where = "audio.input.turn_detection.threshold"
    on = _within(where, detection["threshold"], 0.05, 0.99)
    patience = _milliseconds(detection, "silence_duration_ms", 500, 50, 10_000)
    return TurnSettings(on=on, off=max(on - _HYSTERESIS, 0.5 * on), patience=patience)


def _milliseconds(detection: Wire, name: str, default: int, low: int, high: int) -> int:
    """Samples of a duration given in ms."""
    value = detection.get(name)
    where = f"audio.input.turn_detection.{name}"
    return round(_within(where, default if value is None else value, low, high)) * SAMPLES_PER_MS


def _within(where: str, value: float, low: float, high: float) -> float:
    if not (math.isfinite(value) and low <= value <= high):
        raise ClientError(f"session.{where} must be between {low} and {high}, not {value}", param=f"session.{where}")
    return value


def echo(session: Wire) -> RealtimeSessionCreateRequest | RealtimeTranscriptionSessionCreateRequest:
    """The effective settings as the protocol's type, which leaves room for what is ours."""
    visible = shown(session)
    if visible["type"] == "transcription":
        return RealtimeTranscriptionSessionCreateRequest.model_validate(visible)
    return RealtimeSessionCreateRequest.model_validate(visible)

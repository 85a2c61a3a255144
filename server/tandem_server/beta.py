"""The dialect that clients spoke before the GA protocol (`OpenAI-Beta: realtime=v1`): translated on the way in and out.

Pure, and of single messages: nothing is remembered from one to the next, and who reads says of what type the session
is, which an update need not say. The rest of the server knows GA only; what the
beta had no word for (`tandem`, `tandem.*`) passes as it is. Names are those of `openai.types.beta.realtime`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic_core import from_json

Json = dict[str, Any]
_Path = tuple[str, ...]

_FORMATS: Final[Mapping[str, Json]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FORMAT_NAMES: Final = {ga["type"]: beta for beta, ga in _FORMATS.items()}
_SESSION: Final[Mapping[str, _Path]] = {
    "modalities": ("output_modalities",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "max_response_output_tokens": ("max_output_tokens",),
}
"""Field of a flat session -> where GA has it; the fields that are not here have the same name."""
_RESPONSE: Final[Mapping[str, _Path]] = {
    name: _SESSION[name] for name in ("modalities", "voice", "output_audio_format")
}
"""The same of a response that the server shows"""
_WITHOUT_EFFECT: Final = frozenset({"temperature", "client_secret"})
_EVENTS: Final = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "conversation.item.added": "conversation.item.created",
}
"""GA's name of a server event -> the beta's"""
_UNKNOWN: Final = "conversation.item.done"
"""The beta says once that an item is there."""
_TRANSCRIPTION: Final = {
    "session.created": "transcription_session.created",
    "session.updated": "transcription_session.updated",
}


# Client events: beta -> GA ------------------------------------------------------------------------------------------
def read(message: str, kind: str = "realtime") -> str:
    """A client's message as GA has it, for a session of a type. What is no event is left for the parser to refuse."""
    # Most messages are audio, which is the same in both and long; a name that is not in there is not its type.
    if not any(name in message for name in _TRANSLATED):
        return message
    try:
        event = from_json(message)
    except ValueError:
        return message
    name = str(event.get("type")) if isinstance(event, dict) else ""
    if name == "session.update":
        event = _with(event, "session", lambda session: {"type": kind, **session})
    return json.dumps(_TRANSLATED[name](event)) if name in _TRANSLATED else message


def _session_update(event: Json) -> Json:
    return _with(event, "session", _nested)


def _transcription_update(event: Json) -> Json:
    changed = _with(event, "session", lambda session: {**_nested(session), "type": "transcription"})
    return {**changed, "type": "session.update"}


def _item_create(event: Json) -> Json:
    return _with(event, "item", _item_read)


def _response_create(event: Json) -> Json:
    return _with(event, "response", lambda response: _with_each(_nested(response), "input", _item_read))


_TRANSLATED: Final[Mapping[str, Callable[[Json], Json]]] = {
    "session.update": _session_update,
    "transcription_session.update": _transcription_update,
    "conversation.item.create": _item_create,
    "response.create": _response_create,
}


def _nested(flat: Json) -> Json:
    """A flat session, or the parameters of a response, as GA has them."""
    nested: Json = {key: value for key, value in flat.items() if key not in _SESSION and key not in _WITHOUT_EFFECT}
    for name, (*folders, leaf) in _SESSION.items():
        if name not in flat:
            continue
        place = nested
        for folder in folders:
            inner = place.get(folder)
            place[folder] = place = dict(inner) if isinstance(inner, dict) else {}
        place[leaf] = _value_read(name, flat[name])
    if isinstance(choice := nested.get("tool_choice"), dict) and isinstance(choice.get("function"), dict):
        nested["tool_choice"] = {"type": "function", **choice["function"]}
    return nested


def _value_read(name: str, value: Any) -> Any:
    if name.endswith("_format") and isinstance(value, str):
        return _FORMATS.get(value, {"type": value})
    if name == "modalities" and isinstance(value, list) and "audio" in value:
        return ["audio"]  # whose transcript comes with it
    return value


def _item_read(item: Json) -> Json:
    kinds = _SAID if item.get("role") == "assistant" else _TYPED
    return _with_each(
        item, "content", lambda part: {**part, "type": kinds.get(str(part.get("type")), part.get("type"))}
    )


_SAID: Final = {"text": "output_text", "audio": "output_audio"}
_TYPED: Final = {"text": "input_text"}


# Server events: GA -> beta ------------------------------------------------------------------------------------------
def write(message: str) -> str | None:
    """A server event as the beta has it; None when it has none."""
    event: Json = from_json(message)
    kind: str = event["type"]
    if kind == _UNKNOWN:
        return None
    event["type"] = _EVENTS.get(kind, kind)
    if kind in _TRANSCRIPTION and event["session"].get("type") == "transcription":
        event["type"] = _TRANSCRIPTION[kind]
    for key, translate in _PARTS.items():
        event = _with(event, key, translate)
    return json.dumps(event, ensure_ascii=False)


def session_type(message: str) -> str | None:
    """What a server event says of the type of the session, if it is about that."""
    if not any(name in message for name in _TRANSCRIPTION):
        return None
    event: Json = from_json(message)
    return event["session"].get("type") if event["type"] in _TRANSCRIPTION else None


def _session_written(session: Json) -> Json:
    return {key: value for key, value in _flat(session, _SESSION).items() if key != "type"}


def _flat(nested: Json, places: Mapping[str, _Path]) -> Json:
    """A session or a response without folders."""
    moved = {first for first, *_ in places.values()}
    flat: Json = {key: value for key, value in nested.items() if key not in moved}
    for name, (*folders, leaf) in places.items():
        place: Any = nested
        for folder in folders:
            place = place.get(folder) if isinstance(place, dict) else None
        if isinstance(place, dict) and leaf in place:
            flat[name] = _value_written(name, place[leaf])
    return flat


def _value_written(name: str, value: Any) -> Any:
    if name.endswith("_format") and isinstance(value, dict):
        return _FORMAT_NAMES.get(str(value.get("type")), "pcm16")
    if name == "modalities" and value == ["audio"]:
        return ["audio", "text"]
    return value


def _response_written(response: Json) -> Json:
    return _with_each(_flat(response, _RESPONSE), "output", _item_written)


def _item_written(item: Json) -> Json:
    def written(part: Json) -> Json:
        return {**part, "type": str(part.get("type")).removeprefix("output_")}

    return _with_each(item, "content", written)


def _error_written(error: Json) -> Json:
    """`param` names the field as the client knows it."""
    param = error.get("param")
    for name, path in _SESSION.items():
        for whole in ("session", "response"):
            ga = ".".join((whole, *path))
            if isinstance(param, str) and (param == ga or param.startswith(f"{ga}.")):
                return {**error, "param": f"{whole}.{name}{param.removeprefix(ga)}"}
    return error


_PARTS: Final[Mapping[str, Callable[[Json], Json]]] = {
    "session": _session_written,
    "item": _item_written,
    "response": _response_written,
    "error": _error_written,
}


def _with(whole: Json, key: str, change: Callable[[Json], Json]) -> Json:
    """With one object in it changed, if it is there and an object."""
    return {**whole, key: change(whole[key])} if isinstance(whole.get(key), dict) else whole


def _with_each(whole: Json, key: str, change: Callable[[Json], Json]) -> Json:
    """With each object of a list in it changed."""
    if not isinstance(whole.get(key), list):
        return whole
    return {**whole, key: [change(one) if isinstance(one, dict) else one for one in whole[key]]}

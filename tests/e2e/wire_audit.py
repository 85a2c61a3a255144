"""What must hold of everything that one client is told, over one connection after another, in either dialect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, get_args

from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import BaseModel

from tandem_server.contract import AudioFrame, event_types

from ..server.audit import Audit, validates

_OLD: Final[Mapping[str, type[BaseModel]]] = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in event_types(RealtimeServerEvent)
}
"""The events of the beta by their types, as the `openai` package still has them"""
_NARROW: Final = frozenset({"model", "tool_choice"})
"""Fields of a session for which the package knows OpenAI's names only, or a string where a function may stand"""
_NEW_NAMES: Final[Mapping[str, str]] = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "conversation.item.created": "conversation.item.added",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}


class WireAudit:
    """The audit of the core's own tests (see `Audit`), of what arrives. Every method raises AssertionError."""

    def __init__(self, *, beta: bool) -> None:
        self._beta = beta
        self.audit = Audit()
        self.missed = False
        """Not everything has arrived, as when a client does not say what it has seen: orders cannot be judged"""
        self.last: str | None = None
        """Event id of what came last"""
        self._sequence = 0
        self._name = ""

    def told(self, text: str) -> dict[str, Any]:
        """A text message, as the GA protocol names it."""
        event: dict[str, Any] = json.loads(text)
        if self._beta:
            event = self._renamed(event)
        else:
            validates(event)
        if event["type"] == "session.created":
            self._name = event["session"]["id"].removeprefix("sess_")
        self.last = event["event_id"]
        if self.missed:
            assert event["event_id"] not in self.audit.event_ids, "an event id was used twice"
            self.audit.event_ids.add(event["event_id"])
        else:
            self.audit.told(event)
        return event

    def heard(self, message: bytes) -> None:
        """A binary message."""
        frame = AudioFrame.decode(message)
        assert frame.kind == "output" and frame.pcm
        assert frame.sequence > self._sequence, "audio came twice, or out of order"
        assert self.missed or self.audit.audio_open, "audio of a reply that is not open"
        self._sequence, self.last = frame.sequence, f"event_{self._name}_a{frame.sequence}"

    @property
    def quiet(self) -> bool:
        """Every response that was begun has come to its end."""
        return self.audit.created == self.audit.done and not self.audit.asides

    def _renamed(self, event: dict[str, Any]) -> dict[str, Any]:
        assert event["type"] != "conversation.item.done" and "output_audio" not in event["type"]
        if event["type"].startswith("tandem."):
            validates(event)
            return event
        if not event["type"].startswith("transcription_session."):  # the package's is OpenAI's cloud's: keys, models
            known = dict(event)
            if "session" in event:
                known["session"] = {key: event["session"][key] for key in event["session"].keys() - _NARROW}
            _OLD[event["type"]].model_validate(known)
        named = {**event, "type": _NEW_NAMES.get(event["type"], event["type"])}
        if isinstance(response := event.get("response"), dict):
            modalities = ["text"] if response.get("modalities") == ["text"] else ["audio"]
            named["response"] = {**response, "output_modalities": modalities}
        return named

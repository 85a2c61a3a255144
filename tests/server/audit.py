"""What must hold of everything that a conversation sends and asks for, at any moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from tandem_models.signal import VAD_FRAME
from tandem_server.contract import TandemEvent, to_json
from tandem_server.conversation_events import (
    Arm,
    Disarm,
    DropReply,
    Effect,
    EndSpeech,
    Finalise,
    Forget,
    Hush,
    Listen,
    ListenOn,
    LoadDonor,
    LoadSpeaker,
    Record,
    Send,
    SendAudio,
    Speak,
    StopReply,
    Think,
)
from tandem_server.predictor_events import LoadPredictor

_OPENAI: Final[TypeAdapter[Any]] = TypeAdapter(RealtimeServerEvent)
_TANDEM: Final[TypeAdapter[Any]] = TypeAdapter(TandemEvent)


class Audit:
    """What must hold of everything that is sent and asked for, at any moment."""

    def __init__(self) -> None:
        self.event_ids: set[str] = set()
        self.created: list[str] = []
        self.done: list[str] = []
        """Replies, in order; they are live one at a time"""
        self.asides: set[str] = set()
        """Responses in text outside the conversation that are live now"""
        self.outputs: dict[str, dict[int, str]] = {}
        """Response -> output_index -> the item that is open there; closed ones are in `closed`"""
        self.closed: dict[str, list[dict[str, Any]]] = {}
        self.arguments: dict[str, str] = {}
        """Function call's item -> its arguments so far"""
        self.audio_open: set[str] = set()
        self.speech_open: str | None = None
        self.listening: set[int] = set()
        self.stopped: set[int] = set()
        self.used = 0
        """Samples that belong to closed or cleared turns"""
        self.places: dict[str, int] = {}

    def check(self, effect: Effect, heard: int) -> None:
        """Raises AssertionError."""
        match effect:
            case Send():
                event = json.loads(to_json(effect.event))
                validates(event)
                self.told(event, heard)
            case SendAudio():
                assert effect.response_id in self.audio_open, "audio of a reply that is not open"
                assert effect.pcm and len(effect.pcm) % 2 == 0
            case Listen():
                assert effect.start >= self.used, "audio is used twice"
                assert effect.start <= heard and effect.start % VAD_FRAME == 0
                assert effect.turn not in self.listening
                self.listening.add(effect.turn)
            case Finalise() | ListenOn():
                assert effect.turn in self.listening, "a turn that is not listened to"
            case Forget():
                self.listening.remove(effect.turn)
            case Think() | Speak() | EndSpeech():
                assert effect.reply not in self.stopped, "work for a reply that was stopped"
            case StopReply() | DropReply():
                assert effect.reply not in self.stopped, "stopped twice"
                self.stopped.add(effect.reply)
            case Record():
                self._place(effect)
            case Arm() | Disarm() | Hush() | LoadSpeaker() | LoadDonor() | LoadPredictor():
                pass

    def _place(self, effect: Record) -> None:
        turn = effect.turn
        assert self.places.setdefault(turn.id, turn.index) == turn.index, "a turn changed its place"
        assert len(set(self.places.values())) == len(self.places), "two turns in one place"

    def told(self, event: dict[str, Any], heard: int = 0) -> None:
        """The client is told this. Raises AssertionError."""
        kind: str = event["type"]
        assert event["event_id"] not in self.event_ids, "an event id was used twice"
        self.event_ids.add(event["event_id"])
        if "response_id" in event:
            live = self.asides | ({self.created[-1]} if self.created and self.created[-1] not in self.done else set())
            assert event["response_id"] in live, "content of a response that is not live"
        match kind:
            case "response.created":
                self._created(event["response"])
            case "response.done":
                self._done(event["response"])
            case "response.output_item.added" | "response.output_item.done":
                self._output(event)
            case "response.function_call_arguments.delta" | "response.function_call_arguments.done":
                self._call(event)
            case "response.output_audio.delta":
                assert event["response_id"] in self.audio_open, "audio of a reply that is not open"
            case "response.content_part.added":
                self.audio_open.add(event["response_id"])
            case "response.content_part.done":
                self.audio_open.remove(event["response_id"])
            case "input_audio_buffer.speech_started":
                assert self.speech_open is None, "speech started twice"
                self.speech_open = event["item_id"]
            case "input_audio_buffer.speech_stopped":
                assert self.speech_open == event["item_id"], "speech stopped that had not started"
                self.speech_open = None
            case "input_audio_buffer.committed":
                self.used = heard
            case "input_audio_buffer.cleared":
                self.used, self.speech_open = heard, None

    def _created(self, response: dict[str, Any]) -> None:
        name: str = response["id"]
        assert name not in self.outputs, "a response id was used twice"
        self.outputs[name], self.closed[name] = {}, []
        if response["conversation_id"] is None and response["output_modalities"] == ["text"]:
            self.asides.add(name)
            return
        assert self.created == self.done, "two replies are live"
        self.created.append(name)

    def _done(self, response: dict[str, Any]) -> None:
        name: str = response["id"]
        assert not self.outputs[name], "a terminal before its output was done"
        assert name not in self.audio_open, "a terminal before its audio was done"
        shown, closed = (
            [(item["id"], item["status"]) for item in items] for items in (response["output"], self.closed[name])
        )
        assert shown == closed, "the terminal tells of other output than its events did"
        usage = response["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        calls = [item for item in response["output"] if item["type"] == "function_call"]
        assert not calls or response["status"] == "completed", "a response that was cut off calls nothing"
        if name in self.asides:
            self.asides.remove(name)
            return
        self.done.append(name)
        assert self.created == self.done, "a terminal without its reply"

    def _output(self, event: dict[str, Any]) -> None:
        """Each output is opened once, in order, and closed once."""
        outputs, closed = self.outputs[event["response_id"]], self.closed[event["response_id"]]
        index, item = event["output_index"], event["item"]
        if event["type"] == "response.output_item.added":
            assert index == len(outputs) + len(closed), "outputs are counted from 0"
            assert item["status"] == "in_progress"
            outputs[index] = item["id"]
            return
        assert outputs.pop(index) == item["id"], "an output was closed that was not open"
        assert item["status"] in ("completed", "incomplete")
        if item["type"] == "function_call":
            assert self.arguments[item["id"]] == item["arguments"]
        closed.append(item)

    def _call(self, event: dict[str, Any]) -> None:
        """Deltas add up to the arguments; all of it belongs to an open output."""
        item: str = event["item_id"]
        assert self.outputs[event["response_id"]][event["output_index"]] == item
        if event["type"].endswith("delta"):
            self.arguments[item] = self.arguments.get(item, "") + event["delta"]
        else:
            assert event["arguments"] == self.arguments[item] and event["name"]


def validates(event: Mapping[str, Any]) -> None:
    """Raises unless the event is one of the `openai` package's, or one of ours, to the letter."""
    adapter = _TANDEM if event["type"].startswith("tandem.") else _OPENAI
    adapter.validate_json(json.dumps(event), strict=True)

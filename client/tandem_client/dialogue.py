"""The client's half of a spoken conversation: `handle(event) -> actions`, pure.

Rule 1: what the user hears and sees is decided here and nowhere else; shells perform the actions in their order and
report back as events. Rule 2: time is samples played; nothing here reads a clock.

A reply is *open* from `response.created` until the user has heard its end or stopped it. Audio of a reply that is not
open is late news and is dropped; that one rule is all of barge-in on the receiving side.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tandem_client.actions import (
    Action,
    AgentText,
    Away,
    Back,
    BeganAnew,
    ConnectionCut,
    Event,
    Exchange,
    Failed,
    Flush,
    Flushed,
    Latency,
    Phase,
    PhaseChanged,
    Play,
    Played,
    Ready,
    ReplyEnded,
    Send,
    ServerSaid,
    ServerSpoke,
    Typed,
    UserText,
    Wire,
)
from tandem_client.playback import Part, Playback, Reply
from tandem_server.contract import EntrainmentEvent

Said = Mapping[str, Any]
UPDATE_ID: Final = "tandem_client_settings"
"""Event id of our session.update: an error that echoes it is about our settings."""


class Dialogue:
    """One conversation; `settings` is the session of the session.update that opens it."""

    def __init__(self, settings: Wire) -> None:
        self.phase: Phase = "connecting"
        self._settings = settings
        self._session_id: str | None = None
        self._ready = False
        self._away = False
        self._server_interrupts = True
        self._open: dict[str, Reply] = {}
        self._stopping: list[Reply] = []
        """No longer open; they end when the loudspeaker has said how far it came."""
        self._playback = Playback()
        self._announced: tuple[str, str, int] | None = None
        """Reply, item and content part that binary audio belongs to."""
        self._texts: dict[str, str] = {}
        """Item -> text so far, of items whose text is not final."""
        self._notes: list[str] = []

    def handle(self, event: Event) -> tuple[Action, ...]:
        """What to do now, in order. Never raises for what a server may send: that becomes `Failed`."""
        match event:
            case ServerSaid():
                return self._said(event.event)
            case ServerSpoke():
                return self._tried("audio frame", self._frame(event.frame.pcm))
            case Played():
                self._playback.played(event.total)
                return tuple(self._end_what_is_over())
            case Flushed():
                return tuple(self._flushed(event.total))
            case Typed():
                return tuple(self._typed(event.text))
            case ConnectionCut():
                self._away = True
                return (Away(event.reason),)

    def _said(self, said: Said) -> tuple[Action, ...]:
        kind = said.get("type")
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is None:  # newer servers and other dialects have events that we do not know
            return ()
        return self._tried(str(kind), handler(self, said))

    def _tried(self, kind: str, actions: Iterator[Action]) -> tuple[Action, ...]:
        # Handlers read all that they need before they change anything, so a malformed event changes nothing.
        try:
            return tuple(actions)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return (Failed("malformed_event", f"the server sent a malformed {kind} ({reason})"),)

    # The session.
    def _session_created(self, said: Said) -> Iterator[Action]:
        session_id = said["session"].get("id")
        self._read_session(said["session"])
        another = self._session_id is not None and session_id != self._session_id
        if another:
            yield from self._begin_anew()
        elif self._away:
            yield Back()
        self._session_id, self._away = session_id, False
        if not self._ready:
            yield Send({"type": "session.update", "event_id": UPDATE_ID, "session": self._settings})

    def _begin_anew(self) -> Iterator[Action]:
        yield BeganAnew()
        for reply in (*self._stopping, *self._open.values()):
            reply.forgotten = True
        self._ready, self._announced = False, None
        self._texts.clear()
        self._notes.clear()
        yield from self._stop(cancel=False)
        yield from self._enter("connecting")

    def _session_updated(self, said: Said) -> Iterator[Action]:
        self._read_session(said["session"])
        if not self._ready:
            self._ready = True
            yield from self._enter("listening")
            yield Ready(str(said["session"].get("id", "")))

    def _read_session(self, session: Said) -> None:
        audio_input = (session.get("audio") or {}).get("input") or {}
        detection = audio_input.get("turn_detection") or {}
        self._server_interrupts = bool(detection.get("interrupt_response", True))

    # The user's turn.
    def _speech_started(self, _: Said) -> Iterator[Action]:
        yield from self._stop(cancel=not self._server_interrupts)
        yield from self._enter("hearing")

    def _turn_over(self, _: Said) -> Iterator[Action]:
        # `committed` follows `speech_stopped`, or stands alone; by then the reply may be speaking.
        if self.phase in ("hearing", "listening"):
            yield from self._enter("thinking")

    def _cleared(self, _: Said) -> Iterator[Action]:
        if self.phase in ("hearing", "thinking") and not self._open:
            yield from self._enter("listening")

    def _typed(self, text: str) -> Iterator[Action]:
        yield from self._stop(cancel=True)
        content = [{"type": "input_text", "text": text}]
        yield Send(
            {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
        )
        yield Send({"type": "response.create"})
        yield from self._enter("thinking")

    def _user_delta(self, said: Said) -> Iterator[Action]:
        item_id = _text(said, "item_id")
        text = self._texts.get(item_id, "") + (said.get("delta") or "")
        self._texts[item_id] = text
        yield UserText(item_id, text, final=False)

    def _user_completed(self, said: Said) -> Iterator[Action]:
        item_id, text = _text(said, "item_id"), _text(said, "transcript")
        self._texts.pop(item_id, None)
        yield UserText(item_id, text, final=True)

    def _user_failed(self, said: Said) -> Iterator[Action]:
        message = said["error"].get("message") or "the turn could not be transcribed"
        self._texts.pop(_text(said, "item_id"), None)
        yield Failed("transcription_failed", message)

    # The reply.
    def _created(self, said: Said) -> Iterator[Action]:
        response_id = _text(said["response"], "id")
        self._open.setdefault(response_id, Reply(response_id))
        if self.phase in ("listening", "thinking"):
            yield from self._enter("thinking")

    def _part_added(self, said: Said) -> Iterator[Action]:
        response_id, item_id, content_index = _text(said, "response_id"), _text(said, "item_id"), said["content_index"]
        audible = said["part"].get("type") == "audio"
        self._announced = (response_id, item_id, int(content_index))
        if audible and response_id in self._open:  # stopped before its first sample, it is truncated to nothing
            self._open[response_id].part(item_id, int(content_index))
        yield from ()

    def _audio_delta(self, said: Said) -> Iterator[Action]:
        pcm = base64.b64decode(said["delta"], validate=True)
        yield from self._audio(_text(said, "response_id"), _text(said, "item_id"), int(said["content_index"]), pcm)

    def _frame(self, pcm: bytes) -> Iterator[Action]:
        if self._announced is None:
            yield Failed("malformed_event", "the server sent audio before it announced a content part")
        else:
            yield from self._audio(*self._announced, pcm)

    def _audio(self, response_id: str, item_id: str, content_index: int, pcm: bytes) -> Iterator[Action]:
        if len(pcm) % 2:
            raise ValueError("audio with half a sample")
        reply = self._open.get(response_id)
        if reply is None or reply.status is not None or not pcm:
            return
        self._playback.queue(reply.part(item_id, content_index), len(pcm) // 2)
        yield Play(pcm)
        yield from self._enter("speaking")

    def _audio_done(self, said: Said) -> Iterator[Action]:
        reply = self._open.get(said["response_id"])
        if reply is not None:
            reply.part(said["item_id"], said["content_index"]).complete = True
        yield from ()

    def _agent_delta(self, said: Said) -> Iterator[Action]:
        item_id, delta = _text(said, "item_id"), _text(said, "delta")
        if said["response_id"] in self._open:
            self._texts[item_id] = self._texts.get(item_id, "") + delta
            yield AgentText(item_id, self._texts[item_id], final=False)

    def _agent_done(self, said: Said) -> Iterator[Action]:
        item_id, text = _text(said, "item_id"), _text(said, "transcript" if "transcript" in said else "text")
        self._texts.pop(item_id, None)
        if said["response_id"] in self._open:
            yield AgentText(item_id, text, final=True)

    def _done(self, said: Said) -> Iterator[Action]:
        response = said["response"]
        reply, status = self._open.get(response["id"]), str(response["status"])
        if reply is None:
            return
        error = (response.get("status_details") or {}).get("error") or {}
        reply.message = error.get("message") or error.get("code") or ""
        reply.status = status
        if status == "cancelled":  # by somebody else: what is queued of it was not meant to be heard
            yield from self._stop(cancel=True)
            yield from self._fall_silent()
        yield from self._end_what_is_over()

    # Ending replies.
    def _stop(self, *, cancel: bool) -> Iterator[Action]:
        """Stops whatever is being made or played; with `cancel` the server is told to."""
        for reply in self._open.values():
            if cancel and reply.status is None:
                yield Send({"type": "response.cancel", "response_id": reply.response_id})
        self._stopping.extend(self._open.values())
        self._open.clear()
        if len(self._playback):
            yield Flush()
        else:
            yield from self._end_stopped()

    def _flushed(self, total: int) -> Iterator[Action]:
        self._playback.played(total)
        self._playback.drop(self._stopping)
        yield from self._end_stopped()
        yield from self._end_what_is_over()

    def _end_stopped(self) -> Iterator[Action]:
        stopped, self._stopping = self._stopping, []
        for reply in stopped:
            if not reply.forgotten:
                yield from (Send(_truncate(part, heard_ms)) for part, heard_ms in reply.unheard())
            yield ReplyEnded(reply.response_id, "interrupted", reply.heard_ms, reply.message)

    def _end_what_is_over(self) -> Iterator[Action]:
        for reply in [reply for reply in self._open.values() if reply.over]:
            del self._open[reply.response_id]
            yield ReplyEnded(reply.response_id, reply.status or "", reply.heard_ms, reply.message)
            yield from self._fall_silent()

    def _fall_silent(self) -> Iterator[Action]:
        if not self._open and self.phase in ("thinking", "speaking"):
            yield from self._enter("listening")

    def _enter(self, phase: Phase) -> Iterator[Action]:
        if phase != self.phase:
            self.phase = phase
            yield PhaseChanged(phase)

    # What the exchange was like, and what went wrong.
    def _user_prosody(self, said: Said) -> Iterator[Action]:
        if said["final"]:
            self._notes += [f"you: {flag}" for flag in said.get("flags") or ()]
        yield from ()

    def _realised(self, said: Said) -> Iterator[Action]:
        self._notes += [f"voice: {limit}" for limit in said.get("limits") or ()]
        yield from ()

    def _entrainment(self, said: Said) -> Iterator[Action]:
        event = EntrainmentEvent.model_validate(said)
        notes, self._notes = tuple(self._notes), []
        yield Exchange(event, notes)

    def _latency(self, said: Said) -> Iterator[Action]:
        yield Latency({str(stage): float(ms) for stage, ms in said["stages_ms"].items()})

    def _error(self, said: Said) -> Iterator[Action]:
        error = said["error"]
        code = str(error.get("code") or error["type"])
        # The reply was over before our cancellation arrived: what we wanted is so.
        if code != "response_cancel_not_active":
            yield Failed(code, str(error["message"]), fatal=error.get("event_id") == UPDATE_ID)


def _text(said: Said, name: str) -> str:
    """A field that must be text; raises KeyError or TypeError."""
    value = said[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value


def _truncate(part: Part, heard_ms: int) -> Wire:
    """What tells the server how much of a part was heard, so that it forgets the rest."""
    return {
        "type": "conversation.item.truncate",
        "item_id": part.item_id,
        "content_index": part.content_index,
        "audio_end_ms": heard_ms,
    }


_HANDLERS: Final[Mapping[str, Callable[[Dialogue, Said], Iterator[Action]]]] = {
    "session.created": Dialogue._session_created,
    "session.updated": Dialogue._session_updated,
    "input_audio_buffer.speech_started": Dialogue._speech_started,
    "input_audio_buffer.speech_stopped": Dialogue._turn_over,
    "input_audio_buffer.committed": Dialogue._turn_over,
    "input_audio_buffer.cleared": Dialogue._cleared,
    "conversation.item.input_audio_transcription.delta": Dialogue._user_delta,
    "conversation.item.input_audio_transcription.completed": Dialogue._user_completed,
    "conversation.item.input_audio_transcription.failed": Dialogue._user_failed,
    "response.created": Dialogue._created,
    "response.content_part.added": Dialogue._part_added,
    "response.output_audio.delta": Dialogue._audio_delta,
    "response.output_audio.done": Dialogue._audio_done,
    "response.output_audio_transcript.delta": Dialogue._agent_delta,
    "response.output_audio_transcript.done": Dialogue._agent_done,
    "response.output_text.delta": Dialogue._agent_delta,
    "response.output_text.done": Dialogue._agent_done,
    "response.done": Dialogue._done,
    "tandem.user.prosody": Dialogue._user_prosody,
    "tandem.agent.realised": Dialogue._realised,
    "tandem.entrainment": Dialogue._entrainment,
    "tandem.latency": Dialogue._latency,
    "error": Dialogue._error,
}
"""Every event that means something to us; all others are ignored."""

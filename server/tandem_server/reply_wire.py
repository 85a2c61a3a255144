"""The protocol's events of one response, in the order that clients accept. Audio itself goes as `SendAudio`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from openai.types.realtime import (
    RateLimitsUpdatedEvent,
    RealtimeResponse,
    RealtimeResponseStatus,
    RealtimeResponseUsage,
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
    realtime_response,
)
from openai.types.realtime import rate_limits_updated_event as rate_limits
from openai.types.realtime import realtime_response_status as response_status
from openai.types.realtime import response_content_part_added_event as part_added
from openai.types.realtime import response_content_part_done_event as part_done

from tandem_server.conversation_events import Send
from tandem_server.items import AnyItem, CallItem, Item
from tandem_server.reply import CancelReason, Status
from tandem_server.settings import FORMATS, Settings
from tandem_server.shared_state import SharedState


class _Output(TypedDict):
    response_id: str
    item_id: str
    output_index: int


class _Content(_Output):
    content_index: int


@dataclass(frozen=True, slots=True)
class ReplyWire:
    """Builds the events of one response; every event gets its own id."""

    shared: SharedState
    response_id: str
    settings: Settings
    """Of this response: the session's, with what the client overrode"""
    metadata: Mapping[str, str] | None = None
    in_conversation: bool = True
    """Its items become items of the conversation"""

    def created(self) -> Send:
        """`response.created`."""
        response = self._response("in_progress", None, [], None)
        return Send(ResponseCreatedEvent(type="response.created", event_id=self.shared.event_id(), response=response))

    def limits(self, most: int, left: int) -> Send:
        """`rate_limits.updated`. Nothing is limited by the hour here; what is, is how many responses may be in progress
        at once, and a place is free again as soon as one is done."""
        places = rate_limits.RateLimit(name="requests", limit=most, remaining=left, reset_seconds=0.0)
        event_id = self.shared.event_id()
        return Send(RateLimitsUpdatedEvent(type="rate_limits.updated", event_id=event_id, rate_limits=[places]))

    def message_opened(self, item: Item) -> list[Send]:
        """The message, which is always the first output, and its one content part are announced."""
        part = (
            part_added.Part(type="text", text="")
            if self.settings.text_only
            else part_added.Part(type="audio", transcript="")
        )
        content = ResponseContentPartAddedEvent(
            type="response.content_part.added", event_id=self.shared.event_id(), part=part, **_content(self, item)
        )
        return [*self._item_added(item, 0), Send(content)]

    def text(self, item: Item, delta: str) -> Send:
        """A piece of text, or of the transcript of the audio."""
        event_id, where = self.shared.event_id(), _content(self, item)
        if self.settings.text_only:
            return Send(
                ResponseTextDeltaEvent(type="response.output_text.delta", event_id=event_id, delta=delta, **where)
            )
        return Send(
            ResponseAudioTranscriptDeltaEvent(
                type="response.output_audio_transcript.delta", event_id=event_id, delta=delta, **where
            )
        )

    def message_closed(self, item: Item, text: str) -> list[Send]:
        """Content part and message are complete."""
        shared, where = self.shared, _content(self, item)
        if self.settings.text_only:
            part = part_done.Part(type="text", text=text)
            sent = [
                Send(
                    ResponseTextDoneEvent(
                        type="response.output_text.done", event_id=shared.event_id(), text=text, **where
                    )
                )
            ]
        else:
            part = part_done.Part(type="audio", transcript=text)
            sent = [
                Send(ResponseAudioDoneEvent(type="response.output_audio.done", event_id=shared.event_id(), **where)),
                Send(
                    ResponseAudioTranscriptDoneEvent(
                        type="response.output_audio_transcript.done",
                        event_id=shared.event_id(),
                        transcript=text,
                        **where,
                    )
                ),
            ]
        done = ResponseContentPartDoneEvent(
            type="response.content_part.done", event_id=shared.event_id(), part=part, **where
        )
        return [*sent, Send(done), *self._item_done(item, 0)]

    def called(self, item: CallItem, index: int) -> list[Send]:
        """A function call, from its announcement to its end."""
        shared, call = self.shared, item.call
        where: _Output = {"response_id": self.response_id, "item_id": item.id, "output_index": index}
        item.status = "in_progress"
        sent = self._item_added(item, index)
        item.status = "completed"
        delta = ResponseFunctionCallArgumentsDeltaEvent(
            type="response.function_call_arguments.delta",
            event_id=shared.event_id(),
            call_id=call.call_id,
            delta=call.arguments,
            **where,
        )
        done = ResponseFunctionCallArgumentsDoneEvent(
            type="response.function_call_arguments.done",
            event_id=shared.event_id(),
            call_id=call.call_id,
            name=call.name,
            arguments=call.arguments,
            **where,
        )
        return [*sent, Send(delta), Send(done), *self._item_done(item, index)]

    def done(
        self,
        output: Sequence[AnyItem],
        status: Status,
        usage: RealtimeResponseUsage,
        reason: CancelReason | None = None,
        error: str | None = None,
    ) -> Send:
        """`response.done`: the terminal."""
        details = RealtimeResponseStatus(type=status)
        if status == "cancelled":
            details = RealtimeResponseStatus(type=status, reason=reason or "client_cancelled")
        elif status == "incomplete":
            details = RealtimeResponseStatus(type=status, reason="max_output_tokens")
        elif status == "failed":
            message = error or "the reply failed"
            failed = response_status.Error(type="server_error", code="reply_failed", message=message)
            details = RealtimeResponseStatus(type=status, error=failed)
        response = self._response(status, details, output, usage)
        return Send(ResponseDoneEvent(type="response.done", event_id=self.shared.event_id(), response=response))

    def _item_added(self, item: AnyItem, index: int) -> list[Send]:
        added = ResponseOutputItemAddedEvent(
            type="response.output_item.added",
            event_id=self.shared.event_id(),
            response_id=self.response_id,
            output_index=index,
            item=item.wire(),
        )
        return [Send(added), *([self.shared.add(item)[1]] if self.in_conversation else [])]

    def _item_done(self, item: AnyItem, index: int) -> list[Send]:
        shared = self.shared
        there = shared.items.find(item.id) is not None  # it never was, or the client has deleted it
        done = ResponseOutputItemDoneEvent(
            type="response.output_item.done",
            event_id=shared.event_id(),
            response_id=self.response_id,
            output_index=index,
            item=item.wire(),
        )
        return [*([shared.done(item, shared.items.before(item.id))] if there else []), Send(done)]

    def _response(
        self,
        status: Status | Literal["in_progress"],
        details: RealtimeResponseStatus | None,
        output: Sequence[AnyItem],
        usage: RealtimeResponseUsage | None,
    ) -> RealtimeResponse:
        voice = self.shared.session["audio"]["output"]["voice"]
        sound = {"output": {"format": FORMATS[self.settings.output_format], "voice": voice}}
        return RealtimeResponse(
            id=self.response_id,
            object="realtime.response",
            status=status,
            status_details=details,
            output=[item.wire() for item in output],
            output_modalities=["text"] if self.settings.text_only else ["audio"],
            audio=None if self.settings.text_only else realtime_response.Audio.model_validate(sound),
            max_output_tokens=self.settings.max_output_tokens or "inf",
            conversation_id=self.shared.session_id if self.in_conversation else None,
            metadata=dict(self.metadata) if self.metadata is not None else None,
            usage=usage,
        )


def _content(wire: ReplyWire, item: Item) -> _Content:
    return {"response_id": wire.response_id, "item_id": item.id, "output_index": 0, "content_index": 0}

"""The wire events of one reply, in the order that clients accept. Audio itself goes as `SendAudio`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from openai.types.realtime import (
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
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)
from openai.types.realtime import realtime_response_status as response_status
from openai.types.realtime import response_content_part_added_event as part_added
from openai.types.realtime import response_content_part_done_event as part_done

from tandem_models.extract import TurnProsody
from tandem_models.prosody import NAMES, Prosody
from tandem_server.contract import (
    AgentRealisedEvent,
    AgentTargetEvent,
    EntrainmentEvent,
    FeatureMeasure,
    LatencyEvent,
    PitchTrack,
    StrategyName,
)
from tandem_server.conversation_events import Send
from tandem_server.items import Item
from tandem_server.reply import CancelReason, Status
from tandem_server.shared_state import SharedState, by_name
from tandem_server.stages.entrain import Scores


class _Where(TypedDict):
    response_id: str
    item_id: str
    output_index: int
    content_index: int


@dataclass(frozen=True, slots=True)
class ReplyWire:
    """Builds the events of one reply; every event gets its own id."""

    shared: SharedState
    response_id: str
    item_id: str
    text_only: bool
    strategy: StrategyName
    metadata: Mapping[str, str] | None

    def created(self) -> Send:
        """`response.created`."""
        response = self._response("in_progress", None, [])
        return Send(ResponseCreatedEvent(type="response.created", event_id=self.shared.event_id(), response=response))

    def opened(self, item: Item) -> list[Send]:
        """The item and its one content part are announced, in the order that clients need."""
        shared = self.shared
        announced = ResponseOutputItemAddedEvent(
            type="response.output_item.added",
            event_id=shared.event_id(),
            response_id=self.response_id,
            output_index=0,
            item=item.wire(),
        )
        _, added = shared.add(item)
        part = part_added.Part(type="text", text="") if self.text_only else part_added.Part(type="audio", transcript="")
        content = ResponseContentPartAddedEvent(
            type="response.content_part.added",
            event_id=shared.event_id(),
            response_id=self.response_id,
            item_id=self.item_id,
            output_index=0,
            content_index=0,
            part=part,
        )
        return [Send(announced), added, Send(content)]

    def target(self, scores: Scores, features: Prosody) -> Send:
        """`tandem.agent.target`."""
        return Send(
            AgentTargetEvent(
                event_id=self.shared.event_id(),
                response_id=self.response_id,
                item_id=self.item_id,
                strategy=self.strategy,
                features=by_name(features.values),
                z=by_name(scores),
            )
        )

    def text(self, delta: str) -> Send:
        """A piece of text, or of the transcript of the audio."""
        event_id, where = self.shared.event_id(), self._where()
        if self.text_only:
            return Send(
                ResponseTextDeltaEvent(type="response.output_text.delta", event_id=event_id, delta=delta, **where)
            )
        return Send(
            ResponseAudioTranscriptDeltaEvent(
                type="response.output_audio_transcript.delta", event_id=event_id, delta=delta, **where
            )
        )

    def realised(self, measured: TurnProsody, scores: Scores, limits: tuple[str, ...]) -> Send:
        """`tandem.agent.realised`."""
        pitch = [None if value is None else round(value, 2) for value in measured.track]
        return Send(
            AgentRealisedEvent(
                event_id=self.shared.event_id(),
                response_id=self.response_id,
                item_id=self.item_id,
                features=by_name(measured.prosody.values),
                z=by_name(scores),
                track=PitchTrack(start_ms=0, hop_ms=10, pitch=pitch),
                limits=list(limits),
            )
        )

    def closed(self, item: Item, text: str) -> list[Send]:
        """Content part and item are complete."""
        shared, where = self.shared, self._where()
        sent: list[Send] = []
        if self.text_only:
            sent.append(
                Send(
                    ResponseTextDoneEvent(
                        type="response.output_text.done", event_id=shared.event_id(), text=text, **where
                    )
                )
            )
        else:
            sent += [
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
        part = (
            part_done.Part(type="text", text=text) if self.text_only else part_done.Part(type="audio", transcript=text)
        )
        sent.append(
            Send(
                ResponseContentPartDoneEvent(
                    type="response.content_part.done", event_id=shared.event_id(), part=part, **where
                )
            )
        )
        if shared.items.find(item.id) is not None:
            sent.append(shared.done(item, shared.items.before(item.id)))
        sent.append(
            Send(
                ResponseOutputItemDoneEvent(
                    type="response.output_item.done",
                    event_id=shared.event_id(),
                    response_id=self.response_id,
                    output_index=0,
                    item=item.wire(),
                )
            )
        )
        return sent

    def latency(self, stages_ms: Mapping[str, float]) -> Send:
        """`tandem.latency`."""
        stages = {stage: round(value, 1) for stage, value in stages_ms.items()}
        return Send(LatencyEvent(event_id=self.shared.event_id(), response_id=self.response_id, stages_ms=stages))

    def entrainment(self, exchange: int, target: Scores, realised: Scores) -> Send:
        """`tandem.entrainment`: where the user stood, where the agent was to stand, and where it stood."""
        history = self.shared.history
        user = history.user[-1].level if history.user else (None,) * len(NAMES)
        rows = zip(NAMES, user, target, realised, strict=True)
        measures = {name: _measure(theirs, wanted, ours) for name, theirs, wanted, ours in rows}
        return Send(
            EntrainmentEvent(
                event_id=self.shared.event_id(),
                exchange=exchange,
                strategy=self.strategy,
                features=measures,
            )
        )

    def done(self, item: Item, status: Status, reason: CancelReason | None, error: str | None) -> Send:
        """`response.done`: the terminal."""
        details = RealtimeResponseStatus(type=status)
        if status == "cancelled":
            details = RealtimeResponseStatus(type=status, reason=reason or "client_cancelled")
        elif status == "failed":
            details = RealtimeResponseStatus(
                type=status,
                error=response_status.Error(
                    type="server_error", code="reply_failed", message=error or "the reply failed"
                ),
            )
        response = self._response(status, details, [item])
        return Send(ResponseDoneEvent(type="response.done", event_id=self.shared.event_id(), response=response))

    def _where(self) -> _Where:
        return {
            "response_id": self.response_id,
            "item_id": self.item_id,
            "output_index": 0,
            "content_index": 0,
        }

    def _response(
        self, status: Status | Literal["in_progress"], details: RealtimeResponseStatus | None, output: list[Item]
    ) -> RealtimeResponse:
        usage = RealtimeResponseUsage(total_tokens=0, input_tokens=0, output_tokens=0) if output else None
        return RealtimeResponse(
            id=self.response_id,
            object="realtime.response",
            status=status,
            status_details=details,
            output=[item.wire() for item in output],
            output_modalities=["text"] if self.text_only else ["audio"],
            conversation_id=self.shared.session_id,
            metadata=dict(self.metadata) if self.metadata is not None else None,
            usage=usage,
        )


def _measure(user: float | None, target: float | None, realised: float | None) -> FeatureMeasure:
    distance = None if user is None or realised is None else round(abs(user - realised), 4)
    values = (None if value is None else round(value, 4) for value in (user, target, realised))
    theirs, wanted, ours = values
    return FeatureMeasure(user=theirs, target=wanted, realised=ours, distance=distance)

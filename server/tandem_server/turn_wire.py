"""The wire events of one turn of the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openai.types.realtime import (
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    ConversationItemInputAudioTranscriptionFailedEvent,
    InputAudioBufferCommittedEvent,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    InputAudioBufferTimeoutTriggered,
)
from openai.types.realtime import conversation_item_input_audio_transcription_completed_event as completed
from openai.types.realtime import conversation_item_input_audio_transcription_failed_event as failed

from tandem_models.extract import TurnProsody
from tandem_server.contract import PitchTrack, UserProsodyEvent
from tandem_server.conversation_events import Send
from tandem_server.shared_state import SharedState, by_name
from tandem_server.stages.entrain import UserScores


@dataclass(frozen=True, slots=True)
class TurnWire:
    """Builds the events of one turn; every event gets its own id."""

    shared: SharedState
    item_id: str

    def started(self, audio_start_ms: int) -> Send:
        """`input_audio_buffer.speech_started`."""
        return Send(
            InputAudioBufferSpeechStartedEvent(
                type="input_audio_buffer.speech_started",
                event_id=self.shared.event_id(),
                item_id=self.item_id,
                audio_start_ms=audio_start_ms,
            )
        )

    def stopped(self, audio_end_ms: int) -> Send:
        """`input_audio_buffer.speech_stopped`."""
        return Send(
            InputAudioBufferSpeechStoppedEvent(
                type="input_audio_buffer.speech_stopped",
                event_id=self.shared.event_id(),
                item_id=self.item_id,
                audio_end_ms=audio_end_ms,
            )
        )

    def timed_out(self, audio_start_ms: int, audio_end_ms: int) -> Send:
        """`input_audio_buffer.timeout_triggered`: the user said nothing from start to end."""
        return Send(
            InputAudioBufferTimeoutTriggered(
                type="input_audio_buffer.timeout_triggered",
                event_id=self.shared.event_id(),
                item_id=self.item_id,
                audio_start_ms=audio_start_ms,
                audio_end_ms=audio_end_ms,
            )
        )

    def committed(self, before: str | None) -> Send:
        """`input_audio_buffer.committed`; `before` is the item that it follows."""
        return Send(
            InputAudioBufferCommittedEvent(
                type="input_audio_buffer.committed",
                event_id=self.shared.event_id(),
                item_id=self.item_id,
                previous_item_id=before,
            )
        )

    def delta(self, text: str) -> Send:
        """More of the transcript."""
        return Send(
            ConversationItemInputAudioTranscriptionDeltaEvent(
                type="conversation.item.input_audio_transcription.delta",
                event_id=self.shared.event_id(),
                item_id=self.item_id,
                content_index=0,
                delta=text,
            )
        )

    def transcribed(self, text: str, seconds: float) -> Send:
        """The transcript of so many seconds of audio."""
        return Send(
            ConversationItemInputAudioTranscriptionCompletedEvent(
                type="conversation.item.input_audio_transcription.completed",
                event_id=self.shared.event_id(),
                item_id=self.item_id,
                content_index=0,
                transcript=text,
                usage=completed.UsageTranscriptTextUsageDuration(type="duration", seconds=round(seconds, 3)),
            )
        )

    def not_transcribed(self, message: str) -> Send:
        """There will be no transcript."""
        details = failed.Error(type="server_error", code="transcription_failed", message=message)
        return Send(
            ConversationItemInputAudioTranscriptionFailedEvent(
                type="conversation.item.input_audio_transcription.failed",
                event_id=self.shared.event_id(),
                item_id=self.item_id,
                content_index=0,
                error=details,
            )
        )

    def track(self, start_ms: int, pitch: Sequence[float | None]) -> Send:
        """Pitch while it is being spoken."""
        return Send(
            UserProsodyEvent(
                event_id=self.shared.event_id(), item_id=self.item_id, final=False, track=_track(start_ms, pitch)
            )
        )

    def prosody(self, start_ms: int, measured: TurnProsody, scores: UserScores) -> Send:
        """How the turn was spoken."""
        return Send(
            UserProsodyEvent(
                event_id=self.shared.event_id(),
                item_id=self.item_id,
                final=True,
                track=_track(start_ms, measured.track),
                features=by_name(measured.prosody.values),
                z=by_name(scores.z),
                level=by_name(scores.level),
                duration_s=round(measured.duration, 3),
                voiced_s=round(measured.voiced, 3),
                flags=list(measured.flags),
            )
        )


def _track(start_ms: int, pitch: Sequence[float | None]) -> PitchTrack:
    shown = [None if value is None else round(value, 2) for value in pitch]
    return PitchTrack(start_ms=start_ms, hop_ms=10, pitch=shown)

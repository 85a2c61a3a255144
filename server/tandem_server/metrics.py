"""What the server counts, for Prometheus. One object with a registry of its own; nothing is global."""

from __future__ import annotations

from typing import Final

from openai.types.realtime import (
    InputAudioBufferCommittedEvent,
    InputAudioBufferTimeoutTriggered,
    RealtimeErrorEvent,
    RealtimeResponse,
    ResponseDoneEvent,
)
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from tandem_models.signal import SAMPLE_RATE, WIRE_RATE
from tandem_server.contract import LatencyEvent
from tandem_server.conversation_events import Effect, Send, SendAudio

_STAGES_S: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Bounds around what people notice in a conversation: gaps between speakers are 0.2 s, a second is long."""
_LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """A Meter that can be scraped. Label values are the server's own words, so their number is bounded."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._open = Gauge("tandem_sessions_open", "Sessions that are in now", registry=registry)
        self._begun = Counter("tandem_sessions_begun", "Sessions that were let in", registry=registry)
        self._resumed = Counter("tandem_sessions_resumed", "Sessions that went on after a lost link", registry=registry)
        self._refused = Counter(
            "tandem_sessions_refused", "Callers that were not let in, by HTTP status", ["status"], registry=registry
        )
        self._ended = Counter("tandem_sessions_ended", "Sessions by WebSocket close code", ["code"], registry=registry)
        self._turns = Counter("tandem_turns", "Spoken turns of users", registry=registry)
        self._replies = Counter("tandem_replies", "Replies by how they ended", ["status"], registry=registry)
        self._barge_ins = Counter("tandem_barge_ins", "Replies that the user cut off by speaking", registry=registry)
        self._errors = Counter("tandem_errors", "`error` events by code", ["code"], registry=registry)
        self._stages = Histogram(
            "tandem_stage_seconds",
            "From the end of a turn to the first audio of its reply, by stage; total is all of it",
            ["stage"],
            buckets=_STAGES_S,
            registry=registry,
        )
        self._silence = ""
        """Item of the last user who said nothing for too long: it is committed next, and is no turn"""
        self._lag = Histogram(
            "tandem_event_loop_lag_seconds", "How late the event loop wakes", buckets=_LAG_S, registry=registry
        )
        self._tasks = Gauge("tandem_event_loop_tasks", "Tasks that are under way", registry=registry)
        self._heard = Counter("tandem_audio_heard_seconds", "Audio of users", registry=registry)
        self._spoken = Counter("tandem_audio_spoken_seconds", "Audio sent to users", registry=registry)

    def exposition(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self._registry)

    # Doors -------------------------------------------------------------------------------------------------------
    def began(self) -> None:
        """A caller was let in."""
        self._begun.inc()
        self._open.inc()

    def resumed(self) -> None:
        """A caller came back to its session."""
        self._resumed.inc()

    def refused(self, status: int) -> None:
        """A caller was not let in."""
        self._refused.labels(str(status)).inc()

    def ended(self, code: int) -> None:
        """A caller has left or was sent away."""
        self._open.dec()
        self._ended.labels(str(code)).inc()

    def lagged(self, seconds: float) -> None:
        """The event loop woke so late."""
        self._lag.observe(seconds)

    def under_way(self, tasks: int) -> None:
        """The event loop has so many tasks: more from day to day, with as many sessions, is a leak."""
        self._tasks.set(tasks)

    # Sessions ----------------------------------------------------------------------------------------------------
    def heard(self, samples: int) -> None:
        """Audio at SAMPLE_RATE."""
        self._heard.inc(samples / SAMPLE_RATE)

    def performed(self, effect: Effect) -> None:
        """Count what it stands for, if anything."""
        match effect:
            case SendAudio():
                self._spoken.inc(len(effect.pcm) / 2 / WIRE_RATE)
            case Send(InputAudioBufferTimeoutTriggered() as event):
                self._silence = event.item_id
            case Send(InputAudioBufferCommittedEvent() as event):
                self._turns.inc(event.item_id != self._silence)
            case Send(ResponseDoneEvent() as event):
                self._replied(event.response)
            case Send(RealtimeErrorEvent() as event):
                self._errors.labels(event.error.code or "unknown").inc()
            case Send(LatencyEvent() as event):
                for stage, milliseconds in event.stages_ms.items():
                    self._stages.labels(stage).observe(milliseconds / 1000.0)
            case _:
                pass

    def _replied(self, response: RealtimeResponse) -> None:
        self._replies.labels(response.status or "unknown").inc()
        if response.status_details is not None and response.status_details.reason == "turn_detected":
            self._barge_ins.inc()

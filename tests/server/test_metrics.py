"""What is counted, and under which names."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import (
    InputAudioBufferCommittedEvent,
    RealtimeError,
    RealtimeErrorEvent,
    RealtimeResponse,
    RealtimeResponseStatus,
    ResponseDoneEvent,
)
from prometheus_client.parser import text_string_to_metric_families

from tandem_server.contract import LatencyEvent
from tandem_server.conversation_events import Disarm, Effect, Send, SendAudio
from tandem_server.metrics import Metrics

from .driver import SILENCE, Driver


def read(metrics: Metrics) -> dict[str, float]:
    """Every sample as Prometheus reads it, but those of the process."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    samples = [sample for family in families for sample in family.samples if sample.name.startswith("tandem_")]
    return {
        sample.name + "".join(f"{{{key}={value}}}" for key, value in sample.labels.items()): sample.value
        for sample in samples
        if not sample.name.endswith("_created")
    }


def done(status: Any, reason: Any = None) -> Send:
    details = RealtimeResponseStatus(type=status, reason=reason)
    response = RealtimeResponse(id="r", status=status, status_details=details)
    return Send(ResponseDoneEvent(type="response.done", event_id="e", response=response))


def after(*effects: Effect) -> dict[str, float]:
    metrics = Metrics()
    for effect in effects:
        metrics.performed(effect)
    return read(metrics)


def test_audio_is_counted_in_seconds_of_either_side() -> None:
    metrics = Metrics()
    metrics.heard(8_000)
    metrics.heard(512)
    metrics.performed(SendAudio("r", "i", 0, bytes(48_000), binary=False))
    metrics.performed(SendAudio("r", "i", 0, bytes(4_800), binary=True, format="audio/pcmu"))
    seen = read(metrics)
    assert seen["tandem_audio_heard_seconds_total"] == pytest.approx(0.532)
    assert seen["tandem_audio_spoken_seconds_total"] == pytest.approx(1.1)


def test_turns_and_errors_are_counted() -> None:
    committed = Send(InputAudioBufferCommittedEvent(type="input_audio_buffer.committed", event_id="e", item_id="i"))
    details = RealtimeError(type="invalid_request_error", message="the user said hush", code="invalid_value")
    error = Send(RealtimeErrorEvent(type="error", event_id="e", error=details))
    seen = after(committed, committed, error, Disarm("turn:1"))
    assert seen["tandem_turns_total"] == 2
    assert seen["tandem_errors_total{code=invalid_value}"] == 1


def test_silence_that_is_answered_is_no_turn() -> None:
    driver = Driver()
    driver.detect(idle_timeout_ms=5_000)
    driver.speak_turn()
    driver.settle()
    driver.hear(SILENCE, 400)  # at 32 ms
    assert len(driver.events("input_audio_buffer.timeout_triggered")) == 1
    assert len(driver.events("input_audio_buffer.committed")) == 2
    assert after(*driver.effects)["tandem_turns_total"] == 1


def test_replies_are_counted_by_their_end_and_those_that_were_cut_off_by_voice() -> None:
    seen = after(
        done("completed"), done("completed"), done("cancelled", "turn_detected"), done("cancelled", "client_cancelled"),
        done("failed"),
    )  # fmt: skip
    assert seen["tandem_replies_total{status=completed}"] == 2
    assert seen["tandem_replies_total{status=cancelled}"] == 2
    assert seen["tandem_replies_total{status=failed}"] == 1
    assert seen["tandem_barge_ins_total"] == 1


def test_waits_are_histograms_by_stage() -> None:
    seen = after(
        Send(LatencyEvent(event_id="e", response_id="r", stages_ms={"endpoint": 450.0, "total": 650.0})),
        Send(LatencyEvent(event_id="e", response_id="r", stages_ms={"total": 1200.0})),
    )
    assert seen["tandem_stage_seconds_count{stage=endpoint}"] == 1
    assert seen["tandem_stage_seconds_count{stage=total}"] == 2
    assert seen["tandem_stage_seconds_sum{stage=total}"] == pytest.approx(1.85)
    for bound, count in ((0.5, 0), (0.7, 1), (1.0, 1), (1.5, 2)):
        assert seen[f"tandem_stage_seconds_bucket{{le={bound}}}{{stage=total}}"] == count


def test_callers_are_counted_at_the_door() -> None:
    metrics = Metrics()
    metrics.began()
    metrics.began()
    metrics.ended(1000)
    metrics.refused(503)
    metrics.resumed()
    metrics.lagged(0.003)
    metrics.under_way(7)
    seen = read(metrics)
    assert seen["tandem_sessions_open"] == 1
    assert seen["tandem_sessions_begun_total"] == 2
    assert seen["tandem_sessions_ended_total{code=1000}"] == 1
    assert seen["tandem_sessions_refused_total{status=503}"] == 1
    assert seen["tandem_sessions_resumed_total"] == 1
    assert seen["tandem_event_loop_lag_seconds_bucket{le=0.0025}"] == 0
    assert seen["tandem_event_loop_lag_seconds_bucket{le=0.005}"] == 1
    assert seen["tandem_event_loop_tasks"] == 7


def test_two_servers_in_one_process_count_for_themselves() -> None:
    one, other = Metrics(), Metrics()
    one.began()
    assert read(other)["tandem_sessions_open"] == 0


def test_no_word_that_was_said_is_a_label() -> None:
    details = RealtimeError(type="invalid_request_error", message="the user said hush", code="invalid_value")
    metrics = Metrics()
    metrics.performed(Send(RealtimeErrorEvent(type="error", event_id="e", error=details)))
    assert "hush" not in metrics.exposition().decode()

"""Logs: what happened is there, what was said is not, unless it was asked for."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from openai.types.realtime import (
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ResponseAudioTranscriptDoneEvent,
)
from openai.types.realtime import conversation_item_input_audio_transcription_completed_event as completed

from tandem_server.conversation_events import Send
from tandem_server.errors import EngineError, StoreError
from tandem_server.metering import SpeechLog, Unmetered
from tandem_server.telemetry import configure_logging, others_as_json
from tandem_server.turn_log import TurnLog

from .driver import Driver, typed

SECRET = "the launch code is seven"


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """structlog has one configuration for all."""
    yield
    structlog.reset_defaults()


def crashed(log: Any) -> None:
    """A bug that meets the user's words, and another on the way out."""
    try:
        try:
            int(SECRET)
        except ValueError as error:
            raise KeyError(SECRET) from error
    except KeyError as error:
        log.exception("session_crashed", session="sess_1", error=error)


def test_an_error_of_somebody_elses_is_logged_in_our_words(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logging("info")
    log.warning("responder_failed", error=EngineError("the endpoint refused", stage="response", quoted=SECRET))
    log.error("turn_not_recorded", error=StoreError(f"database x: a row is wrong\nDETAIL: {SECRET}"))
    said = capsys.readouterr().err
    assert "the endpoint refused" in said
    assert "database x: a row is wrong" in said
    assert SECRET not in said


def test_a_crash_is_logged_with_its_places_and_without_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    crashed(configure_logging("info"))
    said = capsys.readouterr().err
    assert "session_crashed" in said and "sess_1" in said
    assert said.count("Traceback") == 2
    assert said.index("ValueError") < said.index("KeyError", said.index("ValueError"))
    assert "test_telemetry.py" in said and "in crashed" in said
    assert SECRET not in said


def test_who_asks_for_speech_gets_errors_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logging("info", speech=True)
    crashed(log)
    log.warning("responder_failed", error=EngineError("the endpoint refused", stage="response", quoted=SECRET))
    said = capsys.readouterr().err
    assert said.count(SECRET) >= 3
    assert f"the endpoint refused ({SECRET})" in said


def test_speech_is_logged_for_those_who_ask(capsys: pytest.CaptureFixture[str]) -> None:
    meter = SpeechLog(configure_logging("info", speech=True), Unmetered())
    usage = completed.UsageTranscriptTextUsageDuration(type="duration", seconds=1.0)
    meter.performed(
        Send(
            ConversationItemInputAudioTranscriptionCompletedEvent(
                type="conversation.item.input_audio_transcription.completed",
                event_id="e", item_id="item_1", content_index=0, transcript="hello there", usage=usage,
            )
        )
    )  # fmt: skip
    meter.performed(
        Send(
            ResponseAudioTranscriptDoneEvent(
                type="response.output_audio_transcript.done", event_id="e", response_id="r", item_id="item_2",
                output_index=0, content_index=0, transcript="good day",
            )
        )
    )  # fmt: skip
    said = capsys.readouterr().err
    assert "user_said" in said and "hello there" in said and "item_1" in said
    assert "agent_said" in said and "good day" in said


def test_the_message_of_an_engine_error_has_the_quotation_and_its_plain_words_have_not() -> None:
    error = EngineError("it failed", stage="asr", quoted="because")
    assert (str(error), error.plain, error.stage) == ("it failed (because)", "it failed", "asr")
    assert EngineError("it failed", stage="asr").plain == str(EngineError("it failed", stage="asr")) == "it failed"


# Lines for programs --------------------------------------------------------------------------------------------------
def lines(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def test_every_line_is_an_object_for_who_asked_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    log = configure_logging("info", form="json")
    log.info("session_began", session="sess_1")
    log.warning("responder_failed", error=EngineError("the endpoint refused", stage="response", quoted=SECRET))
    crashed(log)
    said = capsys.readouterr().err
    began, failed, crash = lines(said)

    assert (began["event"], began["level"], began["session"]) == ("session_began", "info", "sess_1")
    assert failed["error"] == "the endpoint refused"
    assert crash["exception"].count("Traceback") == 2
    assert SECRET not in said


def test_what_libraries_log_is_an_object_too_and_tells_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.Logger("somebody.else")
    library.addHandler(others_as_json())
    try:
        int(SECRET)
    except ValueError:
        library.error("it %s", "failed", exc_info=True)
    said = capsys.readouterr().err
    (line,) = lines(said)

    assert (line["event"], line["level"], line["logger"]) == ("it failed", "error", "somebody.else")
    assert "Traceback" in line["exception"]
    assert SECRET not in said


def talked() -> Driver:
    """A spoken turn and its reply, a typed one, and a reply that was cancelled."""
    driver = Driver()
    driver.speak_turn(SECRET)
    driver.settle()
    driver.client("conversation.item.create", item=typed(SECRET))
    driver.client("response.create")
    driver.client("response.cancel")
    driver.settle()
    return driver


def test_every_turn_and_reply_has_a_line_with_ids_status_and_stages(capsys: pytest.CaptureFixture[str]) -> None:
    log = TurnLog(configure_logging("info", form="json"), Unmetered())
    for effect in talked().effects:
        log.performed(effect)
    said = capsys.readouterr().err
    spoken, first, written, second = lines(said)

    assert (spoken["event"], spoken["session"], spoken["item"]) == ("turn", "sess_t", "item_t_1")
    assert (spoken["status"], spoken["closed_by"]) == ("completed", "silence")
    assert spoken["stages_ms"].keys() >= {"endpoint", "transcript", "recogniser"}
    assert (first["event"], first["session"], first["response"]) == ("reply", "sess_t", "resp_t_1")
    assert (first["turn"], first["item"], first["duration_ms"]) == ("turn_item_t_2", "item_t_2", 2000)
    assert first["stages_ms"].keys() >= {"endpoint", "response", "total"}
    assert (written["event"], written["closed_by"]) == ("turn", "typed")
    assert (second["status"], second["reason"]) == ("cancelled", "client_cancelled")
    assert SECRET not in said
    assert "nice to hear" not in said

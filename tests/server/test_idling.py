"""The user who says nothing is spoken to after a while, which is counted in samples heard."""

from __future__ import annotations

import pytest

from tandem_server.conversation_events import Finalise, Listen, Record, Think
from tandem_server.live_reply import ReplyRequest
from tandem_server.stages.protocols import CallPiece

from .driver import SILENCE, SPEECH, Driver, errors, kinds, spoke

TIMEOUT_MS = 6_000
FRAMES = 188
"""6016 ms: the first whole frame that is not before the time-out"""
PLAYING = 63
"""2016 ms: the two seconds of a reply"""


def answered(**detection: object) -> Driver:
    """A turn has been answered; the reply is still being played, for two seconds."""
    driver = Driver()
    driver.detect(idle_timeout_ms=TIMEOUT_MS, **detection)
    driver.speak_turn()
    driver.settle()
    return driver


def triggered(driver: Driver) -> int:
    return len(driver.events("input_audio_buffer.timeout_triggered"))


def test_the_time_counts_from_the_end_of_the_reply_as_it_is_heard() -> None:
    driver = answered()
    ended = driver.heard + 2 * 16_000
    driver.hear(SILENCE, (ended + TIMEOUT_MS * 16 - driver.heard) // 512 - 1)
    assert triggered(driver) == 0
    driver.hear(SILENCE, 2)

    (event,) = driver.events("input_audio_buffer.timeout_triggered")
    assert event["audio_start_ms"] == ended // 16
    assert TIMEOUT_MS <= event["audio_end_ms"] - event["audio_start_ms"] < TIMEOUT_MS + 32


def test_the_silence_becomes_an_empty_item_that_is_answered() -> None:
    driver = answered()
    begun = len(driver.effects)
    driver.hear(SILENCE, PLAYING + FRAMES)

    told = kinds(driver.effects[begun:])
    assert told == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "rate_limits.updated",
    ]
    item = driver.events("conversation.item.done")[-1]["item"]
    assert item["content"] == [{"type": "input_audio", "transcript": ""}]
    assert driver.events("input_audio_buffer.timeout_triggered")[0]["item_id"] == item["id"]
    messages = driver.last(Think).messages
    assert (messages[-2].role, messages[-2].text) == ("user", "")
    assert messages[-1].role == "system" and "6 seconds" in messages[-1].text
    driver.settle()
    assert driver.events("response.done")[-1]["response"]["status"] == "completed"
    record = driver.records()["item_t_4"]
    assert record.flags["idle_timeout"] is True
    assert [turn.role for turn in driver.records().values()] == ["user", "agent", "agent"]


def test_a_reply_that_is_hinted_at_for_another_reason_is_not_recorded_as_one_to_silence() -> None:
    driver = Driver()
    speaking = driver.conversation._speaking
    driver.perform(speaking.begin(ReplyRequest(hint="The user has come in.")))
    driver.settle()
    assert "idle_timeout" not in driver.records()["item_t_1"].flags


def test_who_still_says_nothing_is_spoken_to_again_after_the_same_time() -> None:
    driver = answered()
    for count in (1, 2):
        driver.hear(SILENCE, PLAYING + FRAMES)
        driver.settle()
        assert triggered(driver) == count


def test_what_is_said_in_time_is_answered_as_ever_and_the_time_starts_anew() -> None:
    driver = answered()
    driver.hear(SILENCE, PLAYING + FRAMES - 20)
    driver.speak_turn("I was thinking")
    driver.settle()
    driver.hear(SILENCE, PLAYING + FRAMES - 20)
    assert triggered(driver) == 0


def test_a_cough_is_no_answer_and_starts_the_time_anew() -> None:
    driver = answered()
    driver.hear(SILENCE, PLAYING + FRAMES - 20)
    driver.measured = spoke(voiced=0.1)
    driver.speak_turn("", frames=3)
    driver.settle()
    driver.hear(SILENCE, FRAMES - 5)
    assert triggered(driver) == 0
    driver.hear(SILENCE, 10)
    assert triggered(driver) == 1


def test_who_has_spoken_is_not_waited_for_while_the_words_are_being_found() -> None:
    driver = answered()
    driver.speak_turn("I was thinking")
    driver.hear(SILENCE, 2 * FRAMES)
    assert triggered(driver) == 0


def test_nobody_is_waited_for_while_a_reply_is_made() -> None:
    driver = answered()
    driver.speak_turn("I was thinking")
    driver.answer(Finalise, Record)
    driver.hear(SILENCE, 2 * FRAMES)
    assert triggered(driver) == 0


def test_nobody_is_waited_for_before_the_first_reply() -> None:
    driver = Driver()
    driver.detect(idle_timeout_ms=TIMEOUT_MS)
    driver.hear(SILENCE, 2 * FRAMES)
    assert triggered(driver) == 0


def test_nobody_is_waited_for_while_a_function_runs() -> None:
    driver = Driver()
    driver.detect(idle_timeout_ms=TIMEOUT_MS)
    driver.update(tools=[{"type": "function", "name": "look"}])
    driver.reply, driver.calls = "", (CallPiece(0, "look", "{}"),)
    driver.speak_turn()
    driver.settle()
    driver.hear(SILENCE, 2 * FRAMES)
    assert triggered(driver) == 0

    output = {"type": "function_call_output", "call_id": "call_t_1", "output": "a lamp"}
    driver.client("conversation.item.create", item=output)
    driver.reply, driver.calls = "I see a lamp.", ()
    driver.client("response.create")
    driver.settle()
    driver.hear(SILENCE, PLAYING + FRAMES)
    assert triggered(driver) == 1


@pytest.mark.parametrize("detection", [{"create_response": False}, {"idle_timeout_ms": None}])
def test_a_client_that_decides_itself_or_sets_no_time_is_left_alone(detection: dict[str, object]) -> None:
    driver = Driver()
    driver.detect(**{"idle_timeout_ms": TIMEOUT_MS, **detection})
    driver.client("response.create")
    driver.settle()
    driver.hear(SILENCE, 3 * FRAMES)
    assert triggered(driver) == 0


def test_a_reply_that_was_cut_off_is_over_at_once() -> None:
    driver = Driver()
    driver.detect(idle_timeout_ms=TIMEOUT_MS)
    driver.speak_turn()
    driver.answer(Finalise, Record, Think)
    driver.client("response.cancel")
    driver.settle()
    driver.hear(SILENCE, FRAMES)
    assert triggered(driver) == 1


def test_the_silence_is_used_up_and_belongs_to_no_turn() -> None:
    driver = answered()
    driver.hear(SILENCE, PLAYING + FRAMES)
    used = driver.events("input_audio_buffer.timeout_triggered")[0]["audio_end_ms"] * 16
    driver.settle()
    driver.hear(SPEECH, 20)
    assert driver.last(Listen).start == used  # less than the usual 300 ms before the voice


@pytest.mark.parametrize(("timeout_ms", "allowed"), [(999, False), (1_000, True), (60_000, True), (60_001, False)])
def test_the_time_has_bounds(timeout_ms: int, allowed: bool) -> None:
    assert errors(Driver().detect(idle_timeout_ms=timeout_ms)) == ([] if allowed else ["invalid_value"])

"""The user's half: deltas, pauses that are finalised and resumed, deadlines, and what is kept of a turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tandem_models.extract import TurnProsody
from tandem_models.signal import VAD_FRAME
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import (
    Arm,
    Disarm,
    Expired,
    Finalise,
    Finalised,
    Forget,
    FrameHeard,
    JudgeTurn,
    Listen,
    ListenOn,
    PartialHeard,
    Record,
    Speak,
    Stalled,
    TrackGrew,
    TurnJudged,
)
from tandem_server.listening import AUDIO_DEADLINE, FINALISE_DEADLINE, RECORD_DEADLINE
from tandem_server.stages.protocols import Transcript

from .driver import SILENCE, SPEECH, Driver, errors, high, kinds, spoke

FALLEN = replace(spoke(), track=(6.0,) * 40 + (2.0,) * 20)
"""A turn whose pitch falls by four semitones at its end"""
DELTA = "conversation.item.input_audio_transcription.delta"


def deltas(driver: Driver) -> list[str]:
    return [event["delta"] for event in driver.events(DELTA)]


def speaking(detection: str = "server_vad") -> Driver:
    """The user has spoken for 640 ms. Both kinds of detection wait 500 ms without evidence."""
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": {"type": detection}}})
    driver.hear(SPEECH, 20)
    return driver


# Words while they are spoken ----------------------------------------------------------------------------------------
def test_words_are_shown_once_two_hypotheses_agree_but_for_the_last() -> None:
    driver = speaking()
    for text in ("what", "what is", "what is the", "what is the"):
        driver.tell(PartialHeard(0, text))

    assert deltas(driver) == ["what", " is"]
    driver.speak_turn("what is the time")
    driver.settle()
    assert "".join(deltas(driver)) == "what is the time"


def test_a_final_that_contradicts_what_was_shown_takes_nothing_back() -> None:
    driver = speaking()
    driver.tell(PartialHeard(0, "recognise speech"))
    driver.tell(PartialHeard(0, "recognise speech"))
    driver.speak_turn("wreck a nice beach")
    driver.settle()

    assert deltas(driver) == ["recognise"]
    (completed,) = driver.events("conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == "wreck a nice beach"


def test_partials_after_a_pause_go_on_where_the_first_segment_ended() -> None:
    driver = speaking()
    driver.hear(SILENCE, 4)
    driver.line = "what is"
    driver.answer(Finalise)
    driver.hear(SPEECH, 10)
    driver.tell(PartialHeard(0, "the time"))
    driver.tell(PartialHeard(0, "the time"))

    assert deltas(driver) == ["what is", " the"]


def test_partials_of_turns_that_are_not_open_are_late() -> None:
    driver = speaking()
    assert driver.tell(PartialHeard(7, "a b")) == []
    driver.hear(SILENCE, 4)  # settled: the final is on its way
    assert driver.tell(PartialHeard(0, "a b")) == []
    driver.settle()
    assert driver.tell(TrackGrew(3, 0, (1.0,))) == []


def test_pitch_is_shown_as_it_is_spoken() -> None:
    driver = speaking()
    driver.tell(TrackGrew(0, 500, (1.23456, None)))

    (event,) = driver.events("tandem.user.prosody")
    assert event["track"] == {"start_ms": 500, "hop_ms": 10, "pitch": [1.23, None]}
    assert (event["final"], event["features"], event["item_id"]) == (False, None, "item_t_1")


# Pauses -------------------------------------------------------------------------------------------------------------
def test_a_short_pause_is_finalised_early_and_the_close_asks_nothing_more() -> None:
    driver = speaking()
    driver.hear(SILENCE, 2)
    assert driver.all(Finalise) == []
    driver.hear(SILENCE, 1)  # 96 ms
    assert driver.all(Finalise) == [Finalise(0, 1)]
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    assert driver.all(Finalise) == [Finalise(0, 1)]
    assert driver.last(Arm) == Arm("turn:0", FINALISE_DEADLINE)


def test_who_goes_on_is_heard_from_a_little_before_and_finalised_again() -> None:
    driver = speaking()
    driver.hear(SILENCE, 5)
    driver.hear(SPEECH, 10)
    assert driver.all(ListenOn) == [ListenOn(0, 25 * VAD_FRAME - 2560)]  # 160 ms before the 26th frame
    driver.hear(SILENCE, 3)
    assert driver.all(Finalise) == [Finalise(0, 1), Finalise(0, 2)]


def test_the_answer_to_an_earlier_pause_is_late() -> None:
    driver = speaking()
    driver.hear(SILENCE, 5)
    first = driver.take(Finalise)
    driver.hear(SPEECH, 10)
    driver.speak_turn("all of it")
    assert driver.tell(Finalised(0, 1, Transcript("half of it"), spoke())) == []
    driver.answer(Finalise)
    assert first.generation == 1
    assert driver.records()["item_t_1"].text == "all of it"


@pytest.mark.parametrize(
    ("partial", "line", "measured", "frames"),
    [
        # 500 ms of patience, and what is known after 96 ms of silence; 16 frames are 512 ms, the nearest.
        ("", "", spoke(), 16),
        # 38.1 % of pauses are longer; with evidence as many times more or fewer may be.
        ("i like tea", "i like tea", FALLEN, 8),  # 1.654 (melody) * 1.142 (words): 72.0 % are longer than 260 ms
        ("i like", "i like tea", FALLEN, 8),  # the guess lags behind
        ("i like tee", "i like tea", FALLEN, 10),  # the last word is still changing: 63.1 %, 313 ms
        ("i like the", "i like the", spoke(), 21),  # a word that hangs, .643: 24.5 %, 665 ms
    ],
)
def test_what_was_said_decides_how_long_to_wait(partial: str, line: str, measured: TurnProsody, frames: int) -> None:
    assert waits("semantic_vad", partial, line, measured) == frames
    assert waits("server_vad", partial, line, measured) == min(frames, 16)  # silence_duration_ms is the most


def waits(detection: str, partial: str, line: str, measured: TurnProsody) -> int:
    """Frames of silence until the turn is over."""
    driver = speaking(detection)
    driver.tell(PartialHeard(0, partial))
    driver.line, driver.measured = line, measured
    driver.hear(SILENCE, 3)
    driver.answer(Finalise)
    silent = 3
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
        silent += 1
    return silent


def test_what_is_understood_of_a_pause_when_the_user_has_gone_on_is_neither_shown_nor_evidence() -> None:
    driver = speaking()
    driver.line, driver.measured = "i like tea", FALLEN
    driver.hear(SILENCE, 3)
    late = driver.take(Finalise)
    driver.hear(SPEECH, 3)
    assert driver.answer_one(late) == []
    driver.hear(SILENCE, 15)
    assert driver.conversation.user_speaking
    assert deltas(driver) == []


def test_evidence_is_of_its_own_pause_only() -> None:
    driver = speaking()
    driver.line, driver.measured = "i like tea", FALLEN
    driver.hear(SILENCE, 3)
    driver.answer(Finalise)
    driver.hear(SPEECH, 3)
    driver.hear(SILENCE, 15)  # 480 ms: longer than the evidence of the first pause would have waited
    assert driver.conversation.user_speaking
    driver.hear(SILENCE)
    assert not driver.conversation.user_speaking


# The turn model -----------------------------------------------------------------------------------------------------
def test_the_turn_model_is_asked_at_the_first_silent_frame_of_every_pause() -> None:
    driver = speaking()
    driver.hear(SILENCE, 2)
    driver.hear(SPEECH, 1)  # gone on before it was even finalised
    driver.hear(SILENCE, 5)
    assert driver.all(JudgeTurn) == [JudgeTurn(0, 1, 0), JudgeTurn(0, 2, 0)]


def test_who_ends_turns_by_hand_is_not_judged() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 20)
    driver.hear(SILENCE, 5)
    assert driver.all(JudgeTurn) == []


@pytest.mark.parametrize(
    ("complete", "frames"),
    [
        (0.99, 6),  # taken for .92, 11.5 times .381: every pause is an end, and 200 of 500 ms always pass
        (0.8, 6),  # four times .381 is more than 1
        (0.6, 11),  # 57.1 % of pauses are longer: .180 deviations of .738 below 400 ms, 350 ms; the nearest is 352
        (0.5, 16),  # it cannot tell: 500 ms
        (0.4, 20),  # 25.4 %: 653 ms
        (0.1, 45),  # 4.24 %: 1.724 deviations, 1428 ms
    ],
)
def test_what_the_turn_model_says_decides_how_long_to_wait(complete: float, frames: int) -> None:
    assert silent_frames(TurnJudged(0, 1, complete)) == frames


@pytest.mark.parametrize("late", [TurnJudged(0, 0, 0.99), TurnJudged(0, 2, 0.99), TurnJudged(1, 1, 0.99)])
def test_what_it_says_of_another_pause_or_turn_is_ignored(late: TurnJudged) -> None:
    assert silent_frames(late) == 16


def test_its_word_is_forgotten_when_the_user_goes_on() -> None:
    driver = speaking()
    driver.hear(SILENCE)
    driver.hear(SPEECH)
    driver.tell(TurnJudged(0, 1, 0.99))  # while the user speaks
    driver.hear(SILENCE, 15)
    assert driver.conversation.user_speaking


@pytest.mark.parametrize("first", ["words", "turn model"])
def test_its_word_and_the_words_count_together_in_whichever_order_they_come(first: str) -> None:
    driver = speaking()
    driver.tell(PartialHeard(0, "i like the"))
    driver.line = "i like the"
    driver.hear(SILENCE, 3)
    if first == "turn model":
        driver.tell(TurnJudged(0, 1, 0.6))
    driver.answer(Finalise)
    if first == "words":
        driver.tell(TurnJudged(0, 1, 0.6))
    silent = 3
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
        silent += 1
    assert silent == 16  # 1.5 times .643 (a word that hangs) is .965 times .381: 36.8 %, 513 ms


def silent_frames(news: TurnJudged) -> int:
    """How many pass before the turn is closed when this is told in the first and nothing else is known."""
    driver = speaking("semantic_vad")
    driver.hear(SILENCE)
    driver.tell(news)
    silent = 1
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
        silent += 1
    return silent


def paused(driver: Driver, frames: int) -> int:
    """A silence of so many frames in which nothing is known for or against its being the end: how many passed before
    the turn was closed."""
    driver.line, driver.measured = "", None
    for passed in range(1, frames + 1):
        driver.hear(SILENCE)
        if passed == 3:
            driver.answer(Finalise)
        if not driver.conversation.user_speaking:
            return passed
    return frames


def test_a_speaker_who_pauses_long_is_waited_for_longer_the_next_time() -> None:
    slow, quick = speaking("semantic_vad"), speaking("semantic_vad")
    for driver, frames in ((slow, 15), (quick, 4)):
        for _ in range(4):
            assert paused(driver, frames) == frames
            driver.hear(SPEECH, 5)
    # Four pauses of 480 or 128 ms, and 400 ms counted 3.449 times: medians of 441 and 217 ms with deviation .692, where
    # an unknown speaker has 400 ms and .738. For that one 500 ms are .302 deviations; here they make 544 or 267 ms.
    assert (paused(slow, 50), paused(quick, 50)) == (17, 8)


def test_who_is_cut_off_and_goes_on_at_once_is_waited_for_longer() -> None:
    driver = speaking("semantic_vad")
    assert paused(driver, 50) == 16
    driver.hear(SILENCE, 14)
    driver.hear(SPEECH, 20)
    # 960 ms and 3.449 times 400 ms: median 487 ms, deviation .719. At .302 deviations that is 605 ms.
    assert paused(driver, 50) == 19


def test_who_speaks_again_much_later_has_not_paused() -> None:
    driver = speaking()
    assert paused(driver, 50) == 16
    driver.hear(SILENCE, 40)  # 1.8 s in all
    driver.hear(SPEECH, 20)
    assert paused(driver, 50) == 16


# Turns follow one another -------------------------------------------------------------------------------------------
def test_the_padding_of_a_turn_ends_where_the_last_turn_did() -> None:
    driver = Driver()
    driver.hear(SPEECH, 20)
    driver.hear(SILENCE, 16)  # closed at frame 36
    driver.hear(SPEECH, 5)
    assert [listen.start for listen in driver.all(Listen)] == [0, 36 * VAD_FRAME]


def test_a_turn_that_never_ends_is_closed_and_the_next_begins_where_it_ended() -> None:
    driver = Driver()
    driver.hear(SPEECH, 1875 + 5)  # 60 s are 1875 frames
    assert len(driver.events("input_audio_buffer.committed")) == 1
    assert [listen.start for listen in driver.all(Listen)] == [0, 1875 * VAD_FRAME]
    assert driver.events("input_audio_buffer.speech_started")[1]["audio_start_ms"] == 60_000


def test_a_turn_that_the_client_ends_itself_may_last_ten_minutes() -> None:
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": None}})
    driver.hear(SPEECH, 18_749)  # 600 s are 18 750 frames
    assert driver.events("input_audio_buffer.committed") == []
    driver.hear(SPEECH, 1)
    assert len(driver.events("input_audio_buffer.committed")) == 1


def test_the_times_of_speech_are_of_the_session_with_padding_and_silence() -> None:
    driver = Driver()
    driver.hear(SILENCE, 20)
    driver.hear(SPEECH, 20)
    driver.hear(SILENCE, 16)

    # Voice begins at sample 10240; 300 ms before it is 5440, and the frame that holds that begins at 5120: 320 ms.
    assert driver.all(Listen)[0].start == 5120
    assert driver.events("input_audio_buffer.speech_started")[0]["audio_start_ms"] == 320
    # 500 ms of silence are over at the end of its 16th frame: 56 frames of 32 ms.
    assert driver.events("input_audio_buffer.speech_stopped")[0]["audio_end_ms"] == 1792


def test_what_is_kept_of_a_turn() -> None:
    driver = Driver(TandemSettings(user_id="anna"))
    driver.hear(SILENCE, 20)
    driver.speak_turn("good morning")
    closed = driver.heard // 16
    driver.answer(Finalise)
    turn = driver.records()["item_t_1"]

    assert (turn.id, turn.conversation_id, turn.index, turn.role) == ("turn_item_t_1", "sess_t", 0, "user")
    assert (turn.started_ms, turn.ended_ms) == (320, 1280)  # speech ended with frame 40
    assert [word.text for word in turn.words] == ["good", "morning"]
    assert [word.start for word in turn.words] == pytest.approx([0.32, 0.82])
    assert (turn.text, turn.status) == ("good morning", "completed")
    assert turn.features["pitch_mean"] == 6.0
    assert turn.flags["closed_by"] == "silence"
    assert turn.latencies["endpoint"] == closed - 1280
    assert turn.latencies["recogniser"] == 9
    speaker = driver.all(Record)[0].speaker
    assert speaker is not None and speaker.user_id == "anna"


def test_a_turn_is_judged_before_it_is_learnt_from() -> None:
    driver = Driver()
    for _ in range(2):
        driver.measured = spoke(high(12.0))
        driver.speak_turn()
        driver.settle()
    first, second = driver.records()["item_t_1"], driver.records()["item_t_3"]

    assert first.z["pitch_mean"] == first.flags["level"]["pitch_mean"]  # nothing was known but the population
    assert second.flags["level"] == first.flags["level"]
    assert 0 < second.z["pitch_mean"] < first.z["pitch_mean"]  # no surprise any more


def test_a_finished_turn_is_forgotten_and_its_deadline_is_met() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.answer(Finalise)
    assert driver.all(Forget) == [Forget(0)]
    assert driver.armed["turn:0"] == RECORD_DEADLINE
    driver.answer(Record)
    assert Disarm("turn:0") in driver.effects and "turn:0" not in driver.armed


# When an engine fails -----------------------------------------------------------------------------------------------
def test_a_recogniser_that_stays_silent_is_not_waited_for() -> None:
    driver = Driver()
    driver.speak_turn()
    expired = driver.expire("turn:0")

    assert errors(expired) == []
    assert driver.last(Speak).text == "Could you say that again?"
    driver.settle()
    (failed,) = driver.events("conversation.item.input_audio_transcription.failed")
    assert failed["error"]["message"] == "the recogniser did not answer in time"
    assert driver.records()["item_t_1"].status == "failed"
    assert driver.tell(Finalised(0, 1, Transcript("too late"), spoke())) == []


def test_prosody_that_is_known_is_kept_though_the_words_never_come() -> None:
    driver = speaking()
    driver.hear(SILENCE, 5)
    driver.answer(Finalise)
    driver.hear(SPEECH, 10)
    driver.client("input_audio_buffer.commit")
    driver.expire("turn:0")
    assert driver.records()["item_t_1"].features["pitch_mean"] == 6.0


def test_an_error_of_a_string_is_never_null() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.take(Finalise)
    driver.tell(Finalised(0, 1, None, None, None))
    driver.settle()
    (failed,) = driver.events("conversation.item.input_audio_transcription.failed")
    assert failed["error"]["message"] == ""


def test_the_end_of_speech_is_told_in_parts_of_a_frame() -> None:
    driver = Driver()
    driver.hear(SPEECH, 20)
    driver.heard += VAD_FRAME
    driver.tell(FrameHeard(driver.heard, SPEECH, (0.0, 0.0, -90.0, -90.0)))
    while driver.conversation.user_speaking:
        driver.heard += VAD_FRAME
        driver.tell(FrameHeard(driver.heard, SILENCE, (-90.0,) * 4))
    driver.settle()

    assert driver.records()["item_t_1"].ended_ms == 20 * 32 + 16


def test_a_client_that_leaves_its_turn_open_without_audio_is_told_once_and_keeps_it() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 5)
    assert driver.tell(Stalled()) == [Arm("audio:0", AUDIO_DEADLINE)]
    assert driver.tell(Stalled()) == []

    assert errors(driver.expire("audio:0")) == ["input_audio_stalled"]
    assert driver.tell(Stalled()) == []
    assert driver.conversation.user_speaking
    assert "input_audio_buffer.committed" in kinds(driver.client("input_audio_buffer.commit"))


@pytest.mark.parametrize("ends", ["audio", "commit", "clear"])
def test_a_client_that_goes_on_in_time_is_told_nothing(ends: str) -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 5)
    driver.tell(Stalled())
    told = driver.hear(SPEECH) if ends == "audio" else driver.client(f"input_audio_buffer.{ends}")

    assert Disarm("audio:0") in told
    assert driver.tell(Expired("audio:0")) == []  # on its way already

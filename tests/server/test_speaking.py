"""The agent's half: what it says and how, barge-in, and what happens when an engine fails."""

from __future__ import annotations

import math

import pytest

from tandem_models.prosody import INDEX
from tandem_models.signal import WIRE_RATE
from tandem_models.surrogates import MINIMUM
from tandem_server import recorded_replies
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import (
    Arm,
    EndSpeech,
    Finalise,
    Hush,
    PhraseSpoken,
    Record,
    ReplyMeasured,
    SendAudio,
    Speak,
    StopReply,
    StoreReported,
    TextCame,
    TextEnded,
    TextFailed,
    Think,
    VoiceFailed,
)
from tandem_server.speaking import REPLY_DEADLINE
from tandem_server.stages.protocols import Message, Word
from tandem_server.voicing import LOST_THREAD

from .driver import PHRASE, SILENCE, SPEECH, Driver, errors, high, kinds, spoke, wire

FRAMES = 31.25
"""VAD frames a second"""


def thinking() -> Driver:
    """A turn was understood and is safe; the responder has been asked."""
    driver = Driver()
    driver.speak_turn()
    driver.answer(Finalise, Record)
    return driver


def statuses(driver: Driver) -> list[str]:
    return [event["response"]["status"] for event in driver.events("response.done")]


def heard_by_responder(driver: Driver) -> list[str]:
    """What the assistant is told it has said."""
    return [message.text for message in driver.last(Think).messages if message.role == "assistant"]


# What is said -------------------------------------------------------------------------------------------------------
def test_each_phrase_is_spoken_as_soon_as_it_is_whole() -> None:
    driver = thinking()
    think = driver.take(Think)

    assert driver.tell(TextCame(think.reply, "One. ")) == [Arm("reply:0", REPLY_DEADLINE)]
    driver.tell(TextCame(think.reply, "Two"))
    assert [speak.text for speak in driver.all(Speak)] == ["One."]
    driver.tell(TextEnded(think.reply))
    assert [(speak.phrase, speak.text) for speak in driver.all(Speak)] == [(0, "One."), (1, "Two")]
    assert isinstance(driver.waiting[-1], EndSpeech)


def test_text_is_shown_when_its_audio_is_there_and_not_before() -> None:
    driver = thinking()
    driver.answer(Think)
    assert driver.events("response.output_audio_transcript.delta") == []
    first = driver.answer(Speak)
    assert kinds(first) == [
        "tandem.latency",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
    ]
    driver.settle()
    shown = [event["delta"] for event in driver.events("response.output_audio_transcript.delta")]
    assert shown == ["It is nice to hear you.", " Tell me more."]
    assert driver.events("response.output_audio_transcript.done")[0]["transcript"] == "".join(shown)


def test_audio_says_where_in_the_item_it_belongs_and_words_follow() -> None:
    driver = thinking()
    driver.settle()

    assert [(a.position, len(a.pcm) // 2, a.binary) for a in driver.all(SendAudio)] == [
        (0, PHRASE, False),
        (PHRASE, PHRASE, False),
    ]
    record = driver.records()["item_t_2"]
    # Six words in the first second, three in the second; the reply began at the driver's present sample.
    began = record.started_ms / 1000
    assert [round(word.start - began, 3) for word in record.words[5:8]] == [0.833, 1.0, 1.333]
    assert record.ended_ms - record.started_ms == 2000


def test_a_piece_of_a_phrase_shows_the_phrase_once() -> None:
    driver = thinking()
    driver.answer(Think)
    half = bytes(WIRE_RATE)
    driver.tell(PhraseSpoken(0, 0, half, (Word("It", 0.0, 0.5),)))
    driver.tell(PhraseSpoken(0, 0, half, (Word("is", 0.0, 0.5),)))
    driver.tell(PhraseSpoken(0, 1, half, (Word("Tell", 0.0, 0.5),)))

    assert [e["delta"] for e in driver.events("response.output_audio_transcript.delta")] == [
        "It is nice to hear you.",
        " Tell me more.",
    ]
    assert [audio.position for audio in driver.all(SendAudio)] == [0, WIRE_RATE // 2, WIRE_RATE]


def test_a_client_that_asked_for_frames_gets_its_audio_binary() -> None:
    driver = Driver(TandemSettings(audio_frames="binary"))
    driver.speak_turn()
    driver.settle()
    assert {audio.binary for audio in driver.all(SendAudio)} == {True}


def test_the_responder_is_told_the_instructions_and_what_was_said() -> None:
    driver = Driver()
    driver.update(instructions="Be brief.")
    for line in ("hello there", "how are you"):
        driver.speak_turn(line)
        driver.settle()
        driver.hear(SILENCE, 80)  # let the agent finish: two seconds of audio

    assert driver.last(Think).messages == (
        Message("system", "Be brief."),
        Message("user", "hello there"),
        Message("assistant", driver.reply),
        Message("user", "how are you"),
    )


def test_a_response_may_have_instructions_of_its_own_or_none() -> None:
    driver = Driver()
    driver.client("response.create", response={"instructions": "Sing."})
    assert driver.last(Think).messages == (Message("system", "Sing."),)
    driver.settle()
    driver.client("response.create", response={"instructions": ""})
    assert [message.role for message in driver.last(Think).messages] == ["assistant"]


# How it is said -----------------------------------------------------------------------------------------------------
def test_the_target_is_chosen_once_and_every_phrase_gets_it() -> None:
    driver = Driver()
    driver.measured = spoke(high(12.0))
    driver.speak_turn()
    driver.settle()

    (target,) = driver.events("tandem.agent.target")
    assert len({speak.target for speak in driver.all(Speak)}) == 1
    asked = driver.all(Speak)[0].target
    assert target["features"]["pitch_mean"] == pytest.approx(asked["pitch_mean"], abs=1e-4)
    assert target["z"]["pitch_mean"] > 0  # the user's voice is high among people
    record = driver.records()["item_t_2"]
    assert record.target == target["features"] and record.target_z == target["z"]


def test_speed_moves_the_rate_and_nothing_else() -> None:
    usual, fast = Driver(TandemSettings(strategy="neutral")), Driver(TandemSettings(strategy="neutral"))
    fast.update(audio={"output": {"speed": 1.25}})
    for driver in (usual, fast):
        driver.speak_turn()
        driver.settle()

    slow, quick = (driver.all(Speak)[0].target.values for driver in (usual, fast))
    change = [b - a for a, b in zip(slow, quick, strict=True) if a is not None and b is not None]
    assert change.pop(INDEX["rate"]) == pytest.approx(math.log(1.25))
    assert change == [0.0] * 7


def test_what_was_spoken_and_not_what_was_asked_enters_the_history() -> None:
    driver = thinking()
    driver.answer(Think, Speak, Speak)
    driver.take(EndSpeech)
    driver.tell(ReplyMeasured(0, spoke(high(9.0)), ("pitch_mean was asked to be 20 and could be 9",)))

    (realised,) = driver.events("tandem.agent.realised")
    assert realised["features"]["pitch_mean"] == 9.0
    assert realised["limits"] == ["pitch_mean was asked to be 20 and could be 9"]
    record = driver.records()["item_t_2"]
    assert record.realised["pitch_mean"] == 9.0
    assert record.z["pitch_mean"] == realised["z"]["pitch_mean"]
    measures = driver.events("tandem.entrainment")[0]["features"]["pitch_mean"]
    assert measures["realised"] == realised["z"]["pitch_mean"]
    assert measures["distance"] == pytest.approx(abs(measures["user"] - measures["realised"]), abs=2e-4)


def test_exchanges_are_counted_and_missing_stays_missing() -> None:
    driver = Driver()
    driver.client("response.create")
    driver.settle()
    driver.client("response.create")
    driver.settle()

    events = driver.events("tandem.entrainment")
    assert [event["exchange"] for event in events] == [1, 2]
    assert events[0]["features"]["rate"]["user"] is None
    assert events[0]["features"]["rate"]["distance"] is None


def test_the_measures_so_far_come_with_every_exchange_and_are_tested_once_there_are_enough() -> None:
    driver = Driver()
    for turn in range(MINIMUM):
        driver.measured = spoke(high(4.0 + turn % 3))
        driver.speak_turn()
        driver.answer(Finalise, Record, Think, Speak, Speak)
        driver.take(EndSpeech)
        driver.tell(ReplyMeasured(turn, spoke(high(8.0 + turn % 3))))
        driver.settle()
    *early, last = driver.events("tandem.entrainment")

    assert [event["measures"][0]["n"] for event in (*early, last)] == list(range(1, MINIMUM + 1))
    assert all(one["effect"] is None and one["p_adjusted"] is None for event in early for one in event["measures"])
    found = {(one["measure"], one["responder"], one["feature"]): one for one in last["measures"]}
    followed = found["synchrony", "agent", "pitch_mean"]
    assert followed["effect"] > 0.99 and followed["p_adjusted"] is not None
    assert found["synchrony", "agent", "rate"]["effect"] is None  # it was always the same
    assert last["needed"] == MINIMUM


def test_the_latency_of_a_reply_adds_up() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.now += 0.2
    driver.answer(Finalise)
    driver.now += 0.3
    driver.answer(Think)
    driver.now += 0.1
    driver.answer(Speak)

    (latency,) = driver.events("tandem.latency")
    stages = latency["stages_ms"]
    # The evidence of a finished sentence ends the turn; from the end of speech to the decision is `endpoint`.
    assert stages["transcript"] == pytest.approx(200.0, abs=0.1)
    assert stages["response"] == pytest.approx(300.0, abs=0.1)
    assert stages["voice"] == pytest.approx(100.0, abs=0.1)
    assert stages["total"] == pytest.approx(stages["endpoint"] + 600.0, abs=0.1)


# Barge-in -----------------------------------------------------------------------------------------------------------
def test_who_speaks_cuts_the_agent_off_and_what_was_heard_is_kept_by_the_sample_clock() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.hear(SILENCE, 10)  # 320 ms of the reply are heard
    driver.hear(SPEECH, 4)  # 128 ms more, until it is clear that somebody speaks

    stop = driver.last(StopReply)
    assert stop.heard == 448 * 24
    assert driver.last(Arm).seconds > 0
    assert driver.events("response.done") == []
    driver.answer(StopReply)
    record = driver.records()["item_t_2"]
    # "It is nice to hear you." is six words in one second; 480 ms reach into the third.
    assert (record.status, record.heard_text) == ("interrupted", "It is nice")
    assert record.ended_ms - record.started_ms == 448
    driver.take(Record)
    driver.tell(StoreReported("item_t_2"))
    details = driver.events("response.done")[0]["response"]["status_details"]
    assert details == {"type": "cancelled", "reason": "turn_detected"}
    item = driver.events("response.output_item.done")[0]["item"]
    assert (item["status"], item["content"][0]["transcript"]) == ("incomplete", "It is nice")


def test_the_responder_is_told_only_what_was_heard() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.hear(SILENCE, 10)
    driver.speak_turn("wait")
    driver.settle()

    assert heard_by_responder(driver) == ["It is nice"]


def test_a_reply_of_which_nothing_was_heard_was_never_said() -> None:
    driver = thinking()
    driver.speak_turn("wait")
    driver.settle()

    assert heard_by_responder(driver) == []
    assert statuses(driver) == ["cancelled", "completed"]
    assert driver.records()["item_t_2"].heard_text == ""


def test_short_sounds_do_not_cut_the_agent_off_and_do_while_it_is_silent() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.hear(SPEECH, 3)  # 96 ms: not yet the 128 ms of a barge-in
    driver.hear(SILENCE, 3)
    assert not driver.all(StopReply)
    assert len(driver.events("input_audio_buffer.speech_started")) == 1

    driver.hear(SILENCE, 60)  # the agent has finished
    driver.hear(SPEECH, 2)
    assert len(driver.events("input_audio_buffer.speech_started")) == 2


def test_a_reply_that_is_done_but_still_playing_is_cut_off_too() -> None:
    driver = thinking()
    driver.settle()  # two seconds of audio, sent at once
    assert statuses(driver) == ["completed"]
    driver.hear(SILENCE, 10)
    driver.speak_turn("wait")
    driver.settle()

    record = driver.records()["item_t_2"]
    assert (record.status, record.heard_text) == ("interrupted", "It is nice")
    assert record.ended_ms - record.started_ms == 448
    assert heard_by_responder(driver) == ["It is nice"]


def test_a_reply_that_has_been_heard_to_its_end_is_not_cut_off() -> None:
    driver = thinking()
    driver.settle()
    driver.hear(SILENCE, 63)  # 2016 ms
    driver.speak_turn("go on")
    driver.settle()

    assert driver.records()["item_t_2"].status == "completed"
    assert heard_by_responder(driver) == [driver.reply]


def test_without_interrupt_response_the_agent_speaks_on_and_the_turn_is_heard_and_not_answered() -> None:
    driver = Driver()
    driver.detect(interrupt_response=False)
    driver.until_replying()
    driver.speak_turn("but")
    driver.answer(Finalise)

    assert not driver.all(StopReply)
    driver.settle()
    assert statuses(driver) == ["completed"]
    assert len(driver.events("conversation.item.input_audio_transcription.completed")) == 2


def test_the_client_knows_better_how_much_was_heard() -> None:
    driver = thinking()
    driver.settle()
    truncated = driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=1100)

    assert wire(truncated)[0]["audio_end_ms"] == 1100
    record = driver.records()["item_t_2"]
    # One second of six words, one of three: 1100 ms reach into "Tell".
    assert (record.status, record.heard_text) == ("interrupted", "It is nice to hear you. Tell")
    assert record.ended_ms - record.started_ms == 1100
    driver.settle()
    driver.client("conversation.item.retrieve", item_id="item_t_2")
    shown = driver.events("conversation.item.retrieved")[0]["item"]["content"][0]["transcript"]
    assert shown == "It is nice to hear you. Tell"


def test_a_client_that_heard_more_than_there_was_is_corrected() -> None:
    driver = thinking()
    driver.settle()
    truncated = driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=10**9)

    assert wire(truncated)[0]["audio_end_ms"] == 2000
    record = driver.records()["item_t_2"]
    assert (record.status, record.heard_text) == ("completed", None)  # all of it was heard: nothing was interrupted


def test_a_second_truncation_may_take_more_away_and_brings_nothing_back() -> None:
    driver = thinking()
    driver.settle()
    for told, kept in ((1100, 1100), (1500, 1100), (10**9, 1100), (200, 200), (1100, 200)):
        truncated = driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=told)
        assert wire(truncated)[0]["audio_end_ms"] == kept
        record = driver.records()["item_t_2"]
        assert record.ended_ms - record.started_ms == kept
    driver.speak_turn("go on")
    driver.answer(Finalise)
    assert heard_by_responder(driver) == ["It is"]


def test_a_client_that_says_what_was_heard_before_it_cancels_is_believed() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.hear(SILENCE, 20)  # 640 ms by our clock
    driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=200)
    driver.client("response.cancel", response_id="resp_t_1")

    assert driver.last(StopReply).heard == 200 * 24
    driver.settle()
    record = driver.records()["item_t_2"]
    assert (record.status, record.heard_text, record.ended_ms - record.started_ms) == ("interrupted", "It is", 200)


def test_a_guess_of_ours_is_corrected_upwards_once() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.hear(SILENCE, 10)
    driver.client("response.cancel")  # 320 ms by our clock
    driver.settle()
    assert driver.records()["item_t_2"].heard_text == "It is"
    driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=600)
    assert driver.records()["item_t_2"].heard_text == "It is nice to"
    driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=900)
    assert driver.records()["item_t_2"].heard_text == "It is nice to"


def test_a_written_reply_that_is_cancelled_keeps_what_was_read() -> None:
    driver = Driver()
    driver.client("response.create", response={"output_modalities": ["text"]})
    think = driver.take(Think)
    driver.tell(TextCame(think.reply, "One. Two"))
    driver.client("response.cancel")
    driver.settle()

    assert driver.events("response.done")[0]["response"]["output"][0]["content"] == [
        {"type": "output_text", "text": "One."}
    ]
    driver.client("response.create")
    assert heard_by_responder(driver) == ["One."]


def test_a_truncation_after_a_barge_in_moves_what_was_heard() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.hear(SILENCE, 10)
    driver.hear(SPEECH, 5)
    driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=200)
    driver.settle()

    assert driver.records()["item_t_2"].heard_text == "It is"
    assert len(driver.events("response.done")) == 1


def two_replies() -> Driver:
    """The first reply is over and recorded; the second is being heard."""
    driver = thinking()
    driver.settle()
    driver.hear(SILENCE, 80)
    driver.until_replying("go on")
    driver.hear(SILENCE, 5)
    return driver


def test_less_of_an_older_reply_was_heard_and_its_record_says_so() -> None:
    driver = two_replies()
    driver.settle()
    told = driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=200)

    assert [effect.turn.item_id for effect in told if isinstance(effect, Record)] == ["item_t_2"]
    record = driver.records()["item_t_2"]
    assert (record.status, record.heard_text, record.ended_ms - record.started_ms) == ("interrupted", "It is", 200)
    assert driver.records()["item_t_4"].status == "completed"


def test_truncating_an_older_reply_does_not_silence_the_one_that_is_heard() -> None:
    driver = two_replies()
    older = driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=200)
    live = driver.client("conversation.item.truncate", item_id="item_t_4", content_index=0, audio_end_ms=100)

    assert (Hush() in older, Hush() in live) == (False, True)


def test_truncating_the_last_reply_silences_what_is_played_of_it_while_the_next_is_thought_of() -> None:
    driver = thinking()
    driver.settle()
    driver.client("response.create")

    assert Hush() in driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=9)


def test_only_so_many_records_are_kept_for_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_replies, "MOST", 1)
    driver = two_replies()
    driver.settle()
    for item, recorded in (("item_t_2", False), ("item_t_4", True)):
        told = driver.client("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=100)
        assert any(isinstance(effect, Record) for effect in told) is recorded


def test_a_reply_that_was_cancelled_while_it_waited_is_over_as_soon_as_it_begins() -> None:
    driver = Driver()
    for event in ("create", "cancel", "create", "cancel"):
        assert errors(driver.client(f"response.{event}")) == []
    assert errors(driver.client("response.cancel")) == ["response_cancel_not_active"]
    driver.settle()

    assert statuses(driver) == ["cancelled", "cancelled"]
    assert [event["response"]["id"] for event in driver.events("response.created")] == ["resp_t_1", "resp_t_2"]
    assert driver.conversation.idle


def test_cancelling_a_reply_by_its_id_leaves_the_one_that_waits_alone() -> None:
    driver = Driver()
    for event in ("create", "cancel", "create"):
        driver.client(f"response.{event}")
    assert errors(driver.client("response.cancel", response_id="resp_t_1")) == ["response_cancel_not_active"]
    driver.settle()

    assert statuses(driver) == ["cancelled", "completed"]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"item_id": "item_t_1"}, "item_id"),
        ({"content_index": 1}, "content_index"),
        ({"audio_end_ms": -1}, "audio_end_ms"),
        ({"item_id": "nobody"}, "item_id"),
    ],
)
def test_a_truncation_that_makes_no_sense_changes_nothing(wrong: dict[str, object], param: str) -> None:
    driver = thinking()
    driver.settle()
    event = {"item_id": "item_t_2", "content_index": 0, "audio_end_ms": 100} | wrong
    refused = driver.client("conversation.item.truncate", **event)

    assert [event["error"]["param"] for event in wire(refused)] == [param]
    assert driver.records()["item_t_2"].status == "completed"


def test_an_answer_that_waits_for_the_end_of_the_last_is_dropped_when_the_user_speaks_again() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.speak_turn("no wait", frames=10)
    stop = driver.take(StopReply)
    driver.answer(Finalise)  # understood while the first reply is still being measured: its answer waits
    assert len(driver.events("response.created")) == 1
    driver.hear(SPEECH, 10)
    driver.answer_one(stop)
    driver.settle()

    assert statuses(driver) == ["cancelled"]
    driver.speak_turn("I mean")
    driver.settle()
    assert statuses(driver) == ["cancelled", "completed"]
    assert [m.text for m in driver.last(Think).messages if m.role == "user"][-2:] == ["no wait", "I mean"]


def test_the_later_of_two_turns_that_wait_is_answered() -> None:
    driver = thinking()
    driver.detect(interrupt_response=False)
    driver.answer(Think, Speak)
    driver.client("response.cancel")
    for line in ("one", "two"):
        driver.speak_turn(line, frames=10)
        driver.answer(Finalise)
    driver.settle()

    assert statuses(driver) == ["cancelled", "completed"]
    assert [m.text for m in driver.last(Think).messages if m.role == "user"][-2:] == ["one", "two"]


def test_a_question_before_a_cough_is_answered() -> None:
    driver = Driver()
    driver.speak_turn("what time is it")
    first = driver.take(Finalise)
    driver.hear(SPEECH, 10)
    driver.line = "what time is it"
    driver.answer_one(first)  # the user seems to go on: not answered yet
    assert driver.events("response.created") == []
    driver.measured = spoke(voiced=0.1)
    driver.speak_turn("", frames=1)
    driver.answer(Finalise)

    assert len(driver.events("response.created")) == 1
    assert driver.last(Think).messages[1].text == "what time is it"


# When an engine fails -----------------------------------------------------------------------------------------------
def test_a_responder_that_fails_before_its_first_phrase_apologises() -> None:
    driver = thinking()
    think = driver.take(Think)
    driver.tell(TextCame(think.reply, "It"))
    failed = driver.tell(TextFailed(think.reply, "no network"))

    assert errors(failed) == ["response_failed"]
    driver.settle()
    assert statuses(driver) == ["completed"]
    assert driver.records()["item_t_2"].text == "It"


def test_a_responder_that_says_nothing_at_all_apologises() -> None:
    for news in (TextEnded(0), TextFailed(0, "no network")):
        driver = thinking()
        driver.take(Think)
        driver.tell(news)
        driver.settle()

        assert driver.records()["item_t_2"].text == LOST_THREAD
        assert statuses(driver) == ["completed"]


def test_a_responder_that_fails_later_is_spoken_as_far_as_it_came() -> None:
    driver = thinking()
    think = driver.take(Think)
    driver.tell(TextCame(think.reply, "One. Two. Thr"))
    driver.tell(TextFailed(think.reply, "cut off"))
    driver.settle()

    record = driver.records()["item_t_2"]
    assert (record.text, record.status, record.flags["error"]) == ("One. Two. Thr", "completed", "cut off")


def test_a_reply_in_text_apologises_in_text() -> None:
    driver = Driver()
    driver.client("response.create", response={"output_modalities": ["text"]})
    driver.take(Think)
    driver.tell(TextFailed(0, "no network"))
    driver.settle()
    assert driver.events("response.output_text.done")[0]["text"] == LOST_THREAD
    assert statuses(driver) == ["completed"]


def test_a_voice_that_fails_ends_its_reply_and_what_was_sent_is_still_heard() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    failed = driver.tell(VoiceFailed(0, "hoarse"))

    assert errors(failed) == ["voice_failed"]
    assert driver.last(StopReply).heard == PHRASE  # the client plays all that it has
    driver.settle()
    done = driver.events("response.done")[0]["response"]
    assert done["status"] == "failed"
    assert done["status_details"]["error"] == {"type": "server_error", "code": "reply_failed", "message": "hoarse"}
    record = driver.records()["item_t_2"]
    assert (record.status, record.text, record.heard_text) == ("failed", "It is nice to hear you.", None)
    assert driver.conversation.idle and driver.armed == {}


def test_a_reply_that_could_not_be_measured_is_told_without_numbers() -> None:
    driver = thinking()
    driver.answer(Think, Speak, Speak)
    driver.take(EndSpeech)
    driver.tell(ReplyMeasured(0, None, ("jitter could not be moved (short)",)))
    driver.settle()

    assert statuses(driver) == ["completed"]
    assert driver.events("tandem.agent.realised") == driver.events("tandem.entrainment") == []
    record = driver.records()["item_t_2"]
    assert (record.realised, record.z) == ({}, {})
    assert record.flags == {"limits": ["jitter could not be moved (short)"], "drafted": False}


@pytest.mark.parametrize("answered", [(), (Think,), (Think, Speak)])
def test_a_reply_of_which_nothing_is_heard_any_more_is_given_up(answered: tuple[type, ...]) -> None:
    driver = thinking()
    driver.answer(*answered)
    expired = driver.expire("reply:0")

    assert errors(expired) == ["reply_timeout"]
    driver.expire("reply:0")  # nor is what was spoken measured
    driver.expire("reply:0")  # nor recorded
    assert statuses(driver) == ["failed"]
    assert errors(driver.effects) == ["reply_timeout", "turn_not_recorded"]
    assert driver.conversation.idle and driver.armed == {}


def test_news_of_a_reply_that_was_stopped_is_late() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.client("response.cancel")
    for news in (TextCame(0, "More. "), TextEnded(0), TextFailed(0, "x"), VoiceFailed(0, "x")):
        assert driver.tell(news) == []
    assert driver.tell(PhraseSpoken(0, 1, bytes(2), ())) == []
    driver.settle()
    assert statuses(driver) == ["cancelled"]


def test_a_reply_is_reported_when_it_is_safe_and_not_before() -> None:
    driver = thinking()
    driver.answer(Think, Speak, Speak, EndSpeech)
    assert statuses(driver) == []
    assert not driver.conversation.idle
    driver.answer(Record)
    assert statuses(driver) == ["completed"]


def test_time_heard_is_the_frames_and_not_the_wall() -> None:
    driver = thinking()
    driver.answer(Think, Speak)
    driver.now += 3600.0
    driver.hear(SPEECH, 4)
    assert driver.last(StopReply).heard == round(4 / FRAMES * WIRE_RATE)


def test_a_turn_during_which_the_client_has_asked_for_a_reply_is_answered_after_it() -> None:
    """As when a tool has come to its end while the user speaks: nobody interrupts that reply, and nobody is ignored."""
    driver = Driver()
    driver.hear(SPEECH, 20)
    driver.client("response.create")
    driver.answer(Think, Speak)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.answer(Finalise, Record)
    assert len(driver.events("response.created")) == 1
    driver.settle()

    done = [event["response"]["status"] for event in driver.events("response.done")]
    assert done == ["completed", "completed"]
    asked = [effect.messages[-1].text for effect in driver.all(Think)]
    assert asked[-1] == "hello there"

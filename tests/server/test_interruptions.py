"""Coughs and "mhm" cost the agent a pause; whoever means it is obeyed at once."""

from __future__ import annotations

import pytest

from tandem_models.signal import SAMPLES_PER_MS
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import (
    CallCame,
    Finalise,
    Record,
    Speak,
    StopReply,
    TextCame,
    TextEnded,
    Think,
)
from tandem_server.interruptions import HINT, listens
from tandem_server.listening import BARGE_IN
from tandem_server.stages.protocols import CallPiece, Message
from tandem_server.user_turn import UserFinished

from .driver import SILENCE, SPEECH, Driver, spoke

REPLY = "It is nice to hear you. Tell me more."


def interrupted(driver: Driver | None = None, *, after: int = 10, line: str = "mhm", voiced: float = 1.0) -> Driver:
    """The agent has spoken for so many frames when the user makes a sound; all is answered."""
    driver = driver or Driver()
    driver.until_replying()
    driver.hear(SILENCE, after)
    driver.line, driver.measured = line, spoke(voiced=voiced)
    driver.hear(SPEECH, 8)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.measured = spoke(voiced=voiced)
    driver.settle()
    return driver


def said(driver: Driver) -> list[str]:
    """The transcript of every reply."""
    return [event["transcript"] for event in driver.events("response.output_audio_transcript.done")]


def test_after_a_backchannel_the_agent_goes_on_from_the_word_it_was_cut_in() -> None:
    # Ten frames and the four that make a barge-in: 448 ms, in the third word of 166 ms each.
    driver = interrupted()

    assert said(driver)[1] == "nice to hear you. Tell me more."
    assert [event["response"]["status"] for event in driver.events("response.done")] == ["cancelled", "completed"]
    assert len(driver.all(Think)) == 1
    assert driver.records()["item_t_4"].flags["resumes"] == "item_t_2"


@pytest.mark.parametrize(("line", "voiced"), [("", 0.2), ("uh-huh", 0.4), ("yeah", 1.0), ("oh okay", 1.0)])
def test_a_cough_and_every_sign_of_listening_count_as_nothing(line: str, voiced: float) -> None:
    assert said(interrupted(line=line, voiced=voiced))[1] == "nice to hear you. Tell me more."


@pytest.mark.parametrize("line", ["stop", "no", "wait a moment", "okay what is that", "yes yes yes yes"])
def test_words_that_mean_something_are_answered(line: str) -> None:
    driver = interrupted(line=line)

    assert said(driver)[1] == REPLY
    assert len(driver.all(Think)) == 2


def test_a_sound_without_words_that_lasts_is_a_turn() -> None:
    driver = interrupted(line="", voiced=1.0)
    assert len(driver.all(Think)) == 2


def test_the_agent_falls_silent_within_200_ms_of_the_first_voice() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)
    began = driver.heard
    while not driver.all(StopReply):
        driver.hear(SPEECH)

    assert (driver.heard - began) / SAMPLES_PER_MS == 128 == BARGE_IN / SAMPLES_PER_MS
    assert driver.events("input_audio_buffer.speech_started")[-1]["audio_start_ms"] <= began / SAMPLES_PER_MS


def test_a_reply_whose_end_was_being_heard_goes_on_too() -> None:
    """All of it is sent and reported long before it is played."""
    driver = Driver()
    driver.reply = "It is nice to hear you. Tell me more of it now please."
    driver.speak_turn()
    driver.settle()
    driver.line = "mhm"
    driver.hear(SILENCE, 41)  # cut at 1440 ms: the second phrase began at 1000 ms, its fourth word at 1429 ms
    driver.hear(SPEECH, 8)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()

    assert said(driver) == [driver.reply, "of it now please."]


def test_what_the_client_says_it_played_counts_more_than_the_clock() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)
    driver.line = "mhm"
    driver.hear(SPEECH, 8)
    driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=100)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()

    assert said(driver)[1] == REPLY


def test_a_noise_before_the_end_is_known_lets_the_responder_go_on() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.answer(Finalise, Record)
    think = driver.take(Think)
    driver.tell(TextCame(think.reply, "It is nice to hear you. And"))
    driver.answer(Speak)
    driver.line, driver.measured = "", spoke(voiced=0.2)
    driver.hear(SPEECH, 8)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()

    assert driver.last(Think).messages[-1] == Message("system", HINT)
    assert len(driver.events("response.done")) == 2


def test_the_user_who_coughs_and_then_speaks_is_answered() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)
    driver.hear(SPEECH, 8)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.hear(SPEECH, 8)  # before anything is known of the cough
    driver.line, driver.measured = "", spoke(voiced=0.2)
    driver.answer(Finalise)
    assert len(driver.all(Think)) == 1, "the cough alone is answered by nothing while the user speaks"
    driver.line, driver.measured = "what do you mean", spoke()
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()

    assert said(driver)[-1] == REPLY
    assert driver.last(Think).messages[-1].text == "what do you mean"


def test_it_can_be_switched_off_and_then_a_noise_is_not_answered() -> None:
    driver = interrupted(Driver(TandemSettings(resume_interrupted=False)), line="", voiced=0.2)
    assert len(driver.events("response.done")) == 1


def test_a_client_that_decides_itself_when_to_reply_is_left_alone() -> None:
    driver = Driver()
    driver.until_replying()
    driver.detect(create_response=False)
    driver.hear(SILENCE, 10)
    driver.line = "mhm"
    driver.hear(SPEECH, 8)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()
    assert len(driver.events("response.created")) == 1


def test_an_agent_that_has_not_been_heard_yet_was_not_interrupted() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.answer(Finalise, Record)
    driver.line = "mhm"
    driver.hear(SPEECH, 8)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()
    assert "resumes" not in driver.records()[list(driver.records())[-1]].flags


def test_what_could_not_be_understood_may_have_meant_something() -> None:
    assert not listens(UserFinished("yeah", understood=False, substantial=True, ended=0.0, stages_ms={}))


def cough(driver: Driver) -> None:
    """A noise, and all that comes of it."""
    driver.hear(SPEECH, 6)
    driver.line, driver.measured = "", spoke(voiced=0.2)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()
    driver.measured = spoke()


def test_a_cough_while_the_agent_thinks_costs_no_answer() -> None:
    driver = Driver()
    driver.speak_turn("what is that")
    driver.answer(Finalise, Record)
    cough(driver)

    assert [event["response"]["status"] for event in driver.events("response.done")] == ["cancelled", "completed"]
    assert said(driver)[-1] == REPLY


def test_a_cough_while_a_typed_question_is_thought_about_costs_no_answer() -> None:
    driver = Driver()
    content = [{"type": "input_text", "text": "what is that"}]
    driver.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    driver.client("response.create", response={"metadata": {"asked": "once"}})
    cough(driver)

    done = driver.events("response.done")
    assert [event["response"]["status"] for event in done] == ["cancelled", "completed"]
    assert done[1]["response"]["metadata"] == {"asked": "once"}


def test_a_reply_that_was_to_call_a_function_is_thought_of_again() -> None:
    driver = Driver()
    driver.update(tools=[{"type": "function", "name": "look", "parameters": {"type": "object"}}])
    driver.speak_turn()
    driver.answer(Finalise, Record)
    think = driver.take(Think)
    driver.tell(TextCame(think.reply, "Let me look that up. One moment please."))
    driver.tell(CallCame(think.reply, CallPiece(0, "look", "{}")))
    driver.tell(TextEnded(think.reply))
    driver.answer(Speak)
    cough(driver)

    assert len(driver.all(Think)) == 2
    assert driver.last(Think).messages[-1] == Message("system", HINT)


def test_what_was_cut_off_is_forgotten_with_the_turn_that_the_client_takes_back() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)
    driver.hear(SPEECH, 8)
    driver.client("input_audio_buffer.clear")
    driver.settle()
    driver.hear(SILENCE, 100)
    cough(driver)

    assert len(driver.events("response.created")) == 1


def test_what_was_cut_off_is_forgotten_when_another_reply_begins() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)
    driver.hear(SPEECH, 8)
    driver.client("input_audio_buffer.commit")
    driver.client("response.create")
    driver.settle()
    driver.hear(SILENCE, 200)
    cough(driver)

    assert len(driver.events("response.created")) == 2


def test_okay_after_stop_does_not_bring_the_reply_back() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)
    driver.hear(SPEECH, 8)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.hear(SPEECH, 8)  # before the words of the first are known
    driver.line = "stop talking please"
    driver.answer(Finalise)
    driver.line = "okay"
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()

    assert [one.text for one in driver.last(Think).messages[-2:]] == ["stop talking please", "okay"]
    assert said(driver)[-1] == REPLY


def test_an_answer_that_is_owed_is_forgotten_when_the_client_asks_for_a_reply() -> None:
    driver = Driver()
    driver.hear(SPEECH, 8)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.hear(SPEECH, 8)
    driver.answer(Finalise)  # the first is known, and the user speaks: its answer is owed
    driver.client("input_audio_buffer.commit")
    driver.client("response.create")
    driver.settle()
    driver.hear(SILENCE, 200)
    cough(driver)

    assert len(driver.events("response.created")) == 1


@pytest.mark.parametrize(
    ("reply", "after"),
    [("Would you like me to book it?", 20), ("Shall I book it? I can do so now.", 34), ("It is nice to hear you.", 24)],
    ids=["while it is asked", "just after", "near the end"],
)
def test_yes_to_a_question_or_near_the_end_is_an_answer(reply: str, after: int) -> None:
    driver = Driver()
    driver.reply = reply
    driver.speak_turn()
    driver.settle()
    driver.line = "yes"
    driver.hear(SILENCE, after)
    driver.hear(SPEECH, 6)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()

    assert len(driver.all(Think)) == 2
    assert driver.last(Think).messages[-1] == Message("user", "yes")


def test_a_response_outside_the_conversation_goes_on_outside_it() -> None:
    driver = Driver()
    outside = {"conversation": "none", "output_modalities": ["audio"], "metadata": {"side": "yes"}}
    driver.client("response.create", response=outside)
    driver.answer(Think, Speak)
    driver.hear(SILENCE, 5)
    cough(driver)

    done = [event["response"] for event in driver.events("response.done")]
    assert [(one["status"], one.get("conversation_id"), one["metadata"]) for one in done] == [
        ("cancelled", None, {"side": "yes"}),
        ("completed", None, {"side": "yes"}),
    ]


def test_the_silence_of_an_idle_user_counts_from_where_the_agent_was_cut_off() -> None:
    driver = Driver(TandemSettings(resume_interrupted=False))
    driver.detect(idle_timeout_ms=5000)
    driver.reply = " ".join(["It is nice to hear you."] * 20)
    driver.speak_turn()
    driver.settle()
    driver.hear(SILENCE, 30)
    cough(driver)
    driver.hear(SILENCE, 200)

    assert len(driver.events("input_audio_buffer.timeout_triggered")) == 1


def test_what_was_cut_off_is_forgotten_when_the_client_asks_for_a_reply_while_the_user_speaks() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)
    driver.hear(SPEECH, 8)
    driver.settle()
    driver.client("response.create")
    driver.settle()
    driver.line, driver.measured = "", spoke(voiced=0.2)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()

    assert len(driver.events("response.created")) == 2
    assert said(driver)[-1] == REPLY


def test_a_cough_while_an_answer_waits_for_the_end_of_the_last_reply_costs_no_answer() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)
    driver.speak_turn("what do you mean", frames=8)
    driver.answer(Finalise, Record)  # understood, while what was spoken is still being measured
    driver.hear(SPEECH, 6)
    driver.line, driver.measured = "", spoke(voiced=0.2)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()

    assert [event["response"]["status"] for event in driver.events("response.done")] == ["cancelled", "completed"]
    assert said(driver)[-1] == REPLY

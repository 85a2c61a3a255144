"""Replies that are prepared while the user pauses: ready when the turn is over, unheard of when it is not."""

from __future__ import annotations

from typing import Any

import pytest

from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import (
    DropReply,
    EndSpeech,
    Finalise,
    PhraseSpoken,
    Record,
    Speak,
    TextEnded,
    TextFailed,
    Think,
    VoiceFailed,
)
from tandem_server.stages.protocols import Message
from tandem_server.voicing import LOST_THREAD

from .driver import SILENCE, SPEECH, Driver, kinds, wire

PAUSE = 5
"""Silent frames: settled (96 ms), and far from over (500 ms)."""


def paused(driver: Driver | None = None) -> Driver:
    """The user has fallen silent, and what was said is known."""
    driver = driver or Driver()
    driver.hear(SPEECH, 20)
    driver.hear(SILENCE, PAUSE)
    driver.answer(Finalise)
    return driver


def until_over(driver: Driver) -> list[str]:
    """Silence until the turn is closed, and its record is safe."""
    begun = len(driver.effects)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.answer(Record)
    return kinds(driver.effects[begun:])


def anonymous(driver: Driver) -> list[dict[str, Any]]:
    """What the client was told, without ids of events and what the clock says."""
    told = [event for event in driver.sent if event["type"] != "tandem.latency"]
    return [{key: value for key, value in event.items() if key != "event_id"} for event in told]


def agents(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those about the agent."""
    return [
        event
        for event in events
        if event["type"].startswith(("response.", "tandem.agent")) or event.get("item", {}).get("role") == "assistant"
    ]


def test_in_a_pause_the_responder_is_asked_and_nobody_is_told() -> None:
    driver = paused()

    assert driver.take(Think).messages[1:] == (Message("user", "hello there"),)
    assert not [kind for kind in driver.kinds() if kind.startswith("response.")]


def test_only_the_first_phrase_is_spoken_in_advance() -> None:
    driver = paused()
    driver.answer(Think)

    assert [effect.text for effect in driver.waiting if isinstance(effect, Speak)] == ["It is nice to hear you."]
    assert driver.all(EndSpeech) == []


def test_when_the_turn_is_over_the_reply_is_heard_at_once_and_nothing_is_asked_twice() -> None:
    driver = paused()
    driver.answer(Think, Speak)
    told = until_over(driver)

    assert told[told.index("response.created") :][:9] == [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "tandem.agent.target",
        "tandem.latency",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
    ]
    assert len(driver.all(Think)) == 1
    assert [effect.text for effect in driver.all(Speak)] == ["It is nice to hear you.", "Tell me more."]
    stages = driver.events("tandem.latency")[0]["stages_ms"]
    assert (stages["response"], stages["voice"], stages["total"]) == (0.0, 0.0, stages["endpoint"])


def test_the_client_cannot_tell_a_drafted_reply_from_another() -> None:
    drafted, usual = Driver(), Driver(TandemSettings(speculate=False))
    for driver in (drafted, usual):
        for _ in range(2):
            paused(driver)
            if driver is drafted:
                driver.answer(Think, Speak)
            until_over(driver)
            driver.settle()
            driver.hear(SILENCE, 100)
    told, expected = anonymous(drafted), anonymous(usual)
    for event in (told[0], expected[0]):
        del event["session"]  # it says whether replies are drafted

    # The words of the user are reported when they are safe, which the audio need not wait for.
    assert agents(told) == agents(expected)
    assert [event for event in told if event not in agents(told)] == [
        event for event in expected if event not in agents(expected)
    ]
    assert [record.flags.get("drafted") for record in drafted.records().values()] == [None, True, None, True]


def test_a_draft_whose_work_is_not_done_yet_goes_on_as_the_reply() -> None:
    driver = paused()
    until_over(driver)
    driver.settle()

    assert driver.events("response.done")[0]["response"]["status"] == "completed"
    assert len(driver.all(Think)) == 1


def test_a_user_who_goes_on_has_heard_nothing_and_is_answered_to_all_of_it() -> None:
    driver = paused()
    think = driver.take(Think)
    driver.hear(SPEECH, 10)
    assert driver.last(DropReply).reply == think.reply
    driver.tell(TextEnded(think.reply))
    driver.tell(PhraseSpoken(think.reply, 0, bytes(480), ()))
    assert not [kind for kind in driver.kinds() if kind.startswith("response.")]

    driver.line = "and how are you"
    driver.speak_turn("hello there and how are you", frames=5)
    driver.settle()
    assert driver.last(Think).messages[-1] == Message("user", "hello there and how are you")
    assert driver.last(Think).reply != think.reply
    assert len(driver.events("response.done")) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda driver: driver.update(tandem={"strategy": "anti"}),
        lambda driver: driver.update(instructions="Be brief."),
        lambda driver: driver.update(output_modalities=["text"]),
        lambda driver: driver.client(
            "conversation.item.create",
            item={"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]},
        ),
    ],
    ids=["strategy", "instructions", "modality", "item"],
)
def test_a_draft_that_would_now_be_another_is_made_anew(change: Any) -> None:
    driver = paused()
    driver.answer(Think)
    change(driver)
    until_over(driver)

    assert len(driver.all(DropReply)) == 1
    first, second = driver.all(Think)
    assert first.reply != second.reply
    driver.settle()
    assert len(driver.events("response.done")) == 1


def test_nothing_is_prepared_when_the_client_decides_or_the_user_wants_no_guessing() -> None:
    for driver in (Driver(TandemSettings(speculate=False)), Driver(), Driver()):
        if driver.conversation.session["tandem"]["speculate"]:
            driver.detect(create_response=False)
        paused(driver)
        assert driver.all(Think) == []


def test_a_turn_taken_back_takes_its_draft_along() -> None:
    driver = paused()
    driver.client("input_audio_buffer.clear")

    assert len(driver.all(DropReply)) == 1
    assert driver.conversation.idle


def test_a_caller_who_leaves_in_a_pause_leaves_no_draft_behind() -> None:
    driver = paused()
    driver.perform(driver.conversation.leave(driver.now))

    assert len(driver.all(DropReply)) == 1


def test_a_client_that_asks_for_a_reply_itself_gets_one_and_not_the_draft() -> None:
    driver = paused()
    driver.client("response.create", response={"instructions": "Say hello."})

    assert len(driver.all(DropReply)) == 1
    assert driver.last(Think).messages[0] == Message("system", "Say hello.")


def test_a_responder_that_fails_in_advance_fails_when_it_is_its_turn() -> None:
    driver = paused()
    think = driver.take(Think)
    assert wire(driver.tell(TextFailed(think.reply, "no answer"))) == []
    until_over(driver)

    assert [event["error"]["code"] for event in driver.events("error")] == ["response_failed"]
    assert driver.last(Speak).text == LOST_THREAD


def test_a_voice_that_fails_in_advance_fails_when_it_is_its_turn() -> None:
    driver = paused()
    driver.answer(Think)
    speak = driver.take(Speak)
    assert wire(driver.tell(VoiceFailed(speak.reply, "hoarse"))) == []
    until_over(driver)
    driver.settle()

    assert [event["response"]["status"] for event in driver.events("response.done")] == ["failed"]


def test_no_draft_is_made_while_a_reply_is_under_way() -> None:
    driver = Driver()
    driver.detect(interrupt_response=False)
    driver.until_replying()
    driver.hear(SPEECH, 10)
    driver.hear(SILENCE, PAUSE)
    driver.answer(Finalise)

    assert len(driver.all(Think)) == 1
    assert driver.events("error") == []


def test_a_prepared_first_phrase_is_aimed_by_its_words_and_not_spoken_again() -> None:
    """`neural` reads the words; the driver's is higher for each of them."""
    driver = Driver(TandemSettings(strategy="neural"))
    driver.settle()
    driver = paused(driver)
    driver.answer(Think)
    ahead = driver.last(Speak)
    driver.answer(Speak)
    until_over(driver)
    driver.settle()

    first, second = driver.all(Speak)
    assert first == ahead
    assert second.target == first.target  # one target for one reply
    target = driver.events("tandem.agent.target")[0]
    assert target["features"]["rate"] == pytest.approx(first.target["rate"], abs=1e-4)
    assert {len(one.text.split()) for one in (first, second)} == {6, 3}

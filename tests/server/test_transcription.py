"""Sessions that only listen."""

from __future__ import annotations

from typing import Any

from tandem_server.conversation_events import Finalise, Speak, Think

from .driver import SILENCE, SPEECH, Driver, errors, wire


def transcribing(**session: object) -> Driver:
    """A session of type transcription."""
    driver = Driver()
    driver.client("session.update", session={"type": "transcription", **session})
    return driver


def shown(driver: Driver) -> dict[str, Any]:
    """The session as last told."""
    session: dict[str, Any] = driver.events("session.updated")[-1]["session"]
    return session


def test_the_session_is_shown_with_its_own_fields_and_no_others() -> None:
    driver = transcribing(include=["item.input_audio_transcription.logprobs"])

    session = shown(driver)
    assert set(session) == {"type", "object", "id", "audio", "include", "tandem"}
    assert (session["type"], session["object"], session["id"]) == (
        "transcription",
        "realtime.transcription_session",
        "sess_t",
    )
    assert session["include"] is None  # there are no logprobs to include
    assert session["audio"] == {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "fake ears"},
            "noise_reduction": None,
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 500,
            },
        }
    }


def test_a_turn_is_told_as_items_and_words_and_never_answered() -> None:
    driver = transcribing()
    driver.speak_turn("good morning")
    driver.settle()

    told = [kind for kind in driver.kinds()[2:] if not kind.startswith("tandem.")]
    assert told == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert not driver.all(Think) and not driver.all(Speak)
    assert driver.records()["item_t_1"].text == "good morning"


def test_nothing_is_prepared_in_a_pause() -> None:
    driver = transcribing()
    driver.hear(SPEECH, 20)
    driver.hear(SILENCE, 5)
    driver.answer(Finalise)
    assert not driver.all(Think)


def test_a_response_is_refused_whatever_it_is() -> None:
    driver = transcribing()
    for response in ({}, {"conversation": "none", "output_modalities": ["text"]}):
        refused = driver.client("response.create", response=response)
        assert errors(refused) == ["unsupported_event"]
        assert "transcription" in wire(refused)[0]["error"]["message"]
    assert driver.conversation.idle


def test_turn_detection_is_the_clients_to_set() -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 200, "create_response": True, "idle_timeout_ms": 1000}
    driver = transcribing(audio={"input": {"turn_detection": detection}})
    driver.speak_turn()
    driver.settle()
    driver.hear(SILENCE, 100)

    assert shown(driver)["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200
    assert driver.events("response.created") == driver.events("input_audio_buffer.timeout_triggered") == []
    manual = transcribing(audio={"input": {"turn_detection": None}})
    manual.hear(SPEECH, 20)
    manual.client("input_audio_buffer.commit")
    manual.settle()
    assert len(manual.events("conversation.item.input_audio_transcription.completed")) == 1
    assert shown(manual)["audio"]["input"]["turn_detection"] is None


def test_a_session_may_become_one_of_conversation_again() -> None:
    driver = transcribing()
    driver.update(instructions="Sing.")
    assert shown(driver)["type"] == "realtime"
    assert shown(driver)["audio"]["input"]["turn_detection"]["create_response"] is True
    driver.speak_turn()
    driver.settle()
    assert len(driver.events("response.done")) == 1


def test_a_reply_that_is_under_way_comes_to_its_end() -> None:
    driver = Driver()
    driver.until_replying()
    driver.client("session.update", session={"type": "transcription"})
    driver.settle()
    assert [event["response"]["status"] for event in driver.events("response.done")] == ["completed"]

"""The whole conversation: the order of events, where the two halves meet, and what the client may ask for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tandem_server import item_events
from tandem_server.client_items import LONGEST_TEXT
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import (
    EndSpeech,
    Finalise,
    Finalised,
    KeepSettings,
    Listen,
    LoadSpeaker,
    Record,
    ReplyMeasured,
    Send,
    SendAudio,
    Speak,
    SpeakerLoaded,
    Stalled,
    StopReply,
    StoreReported,
    Think,
)
from tandem_server.errors import ClientError
from tandem_server.live_reply import NOT_UNDERSTOOD
from tandem_server.record.records import SpeakerRecord
from tandem_server.stages.protocols import Message, Transcript

from .driver import SILENCE, SPEECH, Driver, errors, high, kinds, spoke, typed, wire

COMPLETED = "conversation.item.input_audio_transcription.completed"


# The order of events ------------------------------------------------------------------------------------------------
def test_one_exchange_is_told_in_the_order_that_clients_accept() -> None:
    driver = Driver()

    driver.speak_turn()
    driver.settle()

    assert [kind for kind in driver.kinds() if not kind.startswith("tandem.") and "transcription" not in kind] == [
        "session.created",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]


def test_the_transcription_comes_after_its_item_and_when_the_turn_is_safe() -> None:
    driver = Driver()
    driver.speak_turn("good morning")
    driver.answer(Finalise)

    assert driver.events(COMPLETED) == []
    driver.answer(Record)

    (completed,) = driver.events(COMPLETED)
    assert (completed["transcript"], completed["content_index"]) == ("good morning", 0)
    assert completed["usage"]["type"] == "duration"
    assert driver.kinds().index("conversation.item.done") < driver.kinds().index(COMPLETED)


def test_all_events_of_an_exchange_carry_the_same_ids() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.settle()

    user, agent = "item_t_1", "item_t_2"
    assert [e["item_id"] for e in driver.sent if e["type"].startswith("input_audio_buffer.")] == [user] * 3
    assert {e["response_id"] for e in driver.sent if "response_id" in e} == {"resp_t_1"}
    assert {e["item_id"] for e in driver.sent if "response_id" in e and "item_id" in e} == {agent}
    assert driver.events("response.done")[0]["response"]["id"] == "resp_t_1"
    assert [e["previous_item_id"] for e in driver.events("conversation.item.added")] == [None, user]
    assert [e["previous_item_id"] for e in driver.events("conversation.item.done")] == [None, user]
    assert driver.events("input_audio_buffer.committed")[0]["previous_item_id"] is None


def test_the_items_look_as_clients_want_them_at_every_stage() -> None:
    driver = Driver()
    driver.speak_turn("good morning")
    driver.settle()

    user, agent = (event["item"] for event in driver.events("conversation.item.added"))
    assert user["content"] == [{"type": "input_audio", "transcript": None}]
    assert (user["role"], user["status"]) == ("user", "completed")
    assert (agent["role"], agent["status"], agent["content"]) == ("assistant", "in_progress", [])
    done = driver.events("response.output_item.done")[0]["item"]
    assert done["status"] == "completed"
    assert done["content"] == [{"type": "output_audio", "transcript": driver.reply}]
    assert driver.events("response.done")[0]["response"]["output"] == [done]
    driver.client("conversation.item.retrieve", item_id="item_t_1")
    (retrieved,) = driver.events("conversation.item.retrieved")
    assert retrieved["item"]["content"] == [{"type": "input_audio", "transcript": "good morning"}]


def test_content_parts_hold_strings_and_never_null_and_indices_are_numbers() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.settle()
    driver.client("response.create", response={"output_modalities": ["text"]})
    driver.settle()

    assert [event["part"] for event in driver.sent if "part" in event] == [
        {"type": "audio", "transcript": ""},
        {"type": "audio", "transcript": driver.reply},
        {"type": "text", "text": ""},
        {"type": "text", "text": driver.reply},
    ]
    with_place = [event for event in driver.sent if "item_id" in event and "response_id" in event]
    content = [event for event in with_place if not event["type"].startswith("tandem.") and "delta" in event]
    assert content
    assert all((event["output_index"], event["content_index"]) == (0, 0) for event in content)


def test_a_reply_in_text_has_text_events_and_no_audio() -> None:
    driver = Driver()
    driver.client("conversation.item.create", item=typed("how are you"))
    begun = driver.client("response.create", response={"output_modalities": ["text"], "metadata": {"a": "b"}})
    driver.settle()

    assert kinds(begun) == ["response.created", "rate_limits.updated"]
    assert driver.kinds()[-10:] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    done = driver.events("response.done")[0]["response"]
    assert (done["output_modalities"], done["metadata"], done["status"]) == (["text"], {"a": "b"}, "completed")
    assert "".join(event["delta"] for event in driver.events("response.output_text.delta")) == driver.reply
    assert not driver.all(Speak)


def test_the_session_is_complete_and_says_that_it_interrupts() -> None:
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}}, tracing="auto")

    shown = [*driver.events("session.created"), *driver.events("session.updated")]
    assert len(shown) == 2
    for event in shown:
        assert event["session"]["audio"]["input"]["turn_detection"]["interrupt_response"] is True
        assert event["session"]["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
        assert (event["session"]["id"], event["session"]["type"]) == ("sess_t", "realtime")
        assert "tracing" not in event["session"]


# What is answered ---------------------------------------------------------------------------------------------------
def test_a_cough_is_heard_and_not_answered() -> None:
    driver = Driver()
    driver.measured = spoke(voiced=0.39)
    driver.speak_turn("")
    driver.settle()

    assert driver.events("response.created") == []
    assert [turn.text for turn in driver.records().values()] == [""]
    assert driver.conversation.idle


def test_enough_voice_without_words_is_answered() -> None:
    driver = Driver()
    driver.measured = spoke(voiced=0.4)
    driver.speak_turn("")
    driver.settle()

    assert len(driver.events("response.created")) == 1


def test_words_are_answered_even_when_nothing_could_be_measured() -> None:
    driver = Driver()
    driver.measured = None
    driver.speak_turn("hello")
    driver.settle()

    assert len(driver.events("response.done")) == 1
    assert [event["final"] for event in driver.events("tandem.user.prosody")] == []
    assert driver.records()["item_t_1"].features == {}


def test_a_turn_that_could_not_be_recognised_is_answered_with_an_apology() -> None:
    driver = Driver()
    driver.speak_turn()
    asked = driver.take(Finalise)
    driver.tell(Finalised(asked.turn, asked.generation, None, spoke(), "it broke"))

    assert driver.last(Speak).text == "Could you say that again?"
    assert not driver.all(Think)
    driver.settle()
    (failed,) = driver.events("conversation.item.input_audio_transcription.failed")
    assert failed["error"] == {"type": "server_error", "code": "transcription_failed", "message": "it broke"}
    assert driver.records()["item_t_1"].status == "failed"
    assert driver.records()["item_t_2"].text == NOT_UNDERSTOOD


def test_who_goes_on_before_the_answer_is_answered_once_for_both_halves() -> None:
    driver = Driver()
    driver.speak_turn("I was wondering")
    first = driver.take(Finalise)
    driver.hear(SPEECH, 10)  # the second turn is open before the words of the first are there
    driver.line = "I was wondering"
    driver.answer_one(first)
    assert driver.events("response.created") == []

    driver.speak_turn("if you like tea")
    driver.answer(Finalise)

    assert len(driver.events("response.created")) == 1
    assert [message.text for message in driver.last(Think).messages[1:]] == ["I was wondering", "if you like tea"]


def test_without_create_response_the_client_decides() -> None:
    driver = Driver()
    driver.detect(create_response=False)
    driver.speak_turn()
    driver.settle()
    assert driver.events("response.created") == []

    driver.client("response.create")
    assert len(driver.events("response.created")) == 1


def test_a_response_asked_for_right_after_the_commit_waits_for_the_words() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 20)
    driver.client("input_audio_buffer.commit")
    driver.client("response.create", response={"instructions": "Be brief.", "metadata": {"n": "1"}})
    assert not driver.all(Think)
    driver.line = "what time is it"
    driver.answer(Finalise)

    assert driver.last(Think).messages == (Message("system", "Be brief."), Message("user", "what time is it"))
    driver.settle()
    (done,) = driver.events("response.done")
    assert (done["response"]["status"], done["response"]["metadata"]) == ("completed", {"n": "1"})


def test_a_response_asked_for_within_a_turn_does_not_wait_and_is_thought_of_once() -> None:
    driver = Driver()
    driver.hear(SPEECH, 20)
    driver.client("response.create")
    assert len(driver.all(Think)) == 1
    driver.speak_turn()
    driver.answer(Finalise)
    assert len(driver.all(Think)) == 1


def test_a_response_that_waits_for_the_words_comes_though_they_are_never_understood() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 20)
    driver.client("input_audio_buffer.commit")
    driver.client("response.create")
    driver.expire("turn:0")

    assert len(driver.events("response.created")) == 1
    assert driver.last(Speak).text == "Could you say that again?"


def test_a_response_that_waits_for_the_words_can_be_cancelled_and_is_a_conflict_for_the_next() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 20)
    driver.client("input_audio_buffer.commit")
    driver.client("response.create")

    assert errors(driver.client("response.create")) == ["conversation_already_has_active_response"]
    assert errors(driver.client("response.cancel")) == []
    driver.settle()
    assert [event["response"]["status"] for event in driver.events("response.done")] == ["cancelled"]
    assert not driver.all(Think)


def test_in_manual_mode_nothing_is_said_about_speech() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 20)
    driver.hear(SILENCE, 200)
    driver.client("input_audio_buffer.commit")
    driver.settle()

    assert [kind for kind in driver.kinds() if kind.startswith("input_audio_buffer.")] == [
        "input_audio_buffer.committed"
    ]
    assert driver.events("response.created") == []


def test_a_mode_changed_within_a_turn_does_not_leave_its_speech_started_for_ever() -> None:
    driver = Driver()
    driver.hear(SPEECH, 20)
    driver.manual()
    driver.client("input_audio_buffer.commit")
    assert len(driver.events("input_audio_buffer.speech_stopped")) == 1

    driver.hear(SPEECH, 20)
    driver.detect()
    driver.hear(SILENCE, 20)
    assert len(driver.events("input_audio_buffer.committed")) == 2
    assert len(driver.events("input_audio_buffer.speech_stopped")) == 1


def test_the_client_may_commit_within_a_turn_and_not_outside() -> None:
    driver = Driver()
    assert errors(driver.client("input_audio_buffer.commit", event_id="mine")) == ["input_audio_buffer_commit_empty"]
    assert driver.events("error")[0]["error"]["event_id"] == "mine"
    driver.hear(SPEECH, 20)
    assert kinds(driver.client("input_audio_buffer.commit")) == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]


def test_what_was_cleared_is_not_heard_again() -> None:
    driver = Driver()
    driver.hear(SPEECH, 20)
    assert kinds(driver.client("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    driver.hear(SPEECH, 20)

    assert [listen.start for listen in driver.all(Listen)] == [0, 20 * 512]
    assert driver.events("input_audio_buffer.committed") == []


def test_a_client_that_falls_silent_without_audio_has_ended_its_turn() -> None:
    driver = Driver()
    driver.hear(SPEECH, 20)
    assert "input_audio_buffer.committed" in kinds(driver.tell(Stalled()))
    assert driver.tell(Stalled()) == []


# The client's wishes ------------------------------------------------------------------------------------------------
def test_a_second_response_is_refused_while_one_is_under_way() -> None:
    driver = Driver()
    driver.until_replying()

    assert errors(driver.client("response.create", event_id="e7")) == ["conversation_already_has_active_response"]
    assert driver.events("error")[-1]["error"]["event_id"] == "e7"
    driver.settle()
    assert len(driver.events("response.done")) == 1


def test_a_response_asked_for_while_the_last_is_ending_comes_after_its_end() -> None:
    driver = Driver()
    driver.until_replying()
    driver.client("response.cancel")
    assert driver.client("response.create") == []
    assert errors(driver.client("response.create")) == ["conversation_already_has_active_response"]
    driver.settle()

    order = [kind for kind in driver.kinds() if kind in ("response.created", "response.done")]
    assert order == ["response.created", "response.done"] * 2
    assert [e["response"]["status"] for e in driver.events("response.done")] == ["cancelled", "completed"]


def test_cancelling_needs_a_response_and_the_right_one() -> None:
    driver = Driver()
    assert errors(driver.client("response.cancel", event_id="e1")) == ["response_cancel_not_active"]
    assert driver.events("error")[0]["error"]["event_id"] == "e1"
    driver.until_replying()
    assert errors(driver.client("response.cancel", response_id="resp_t_9")) == ["response_cancel_not_active"]
    assert errors(driver.client("response.cancel", response_id="resp_t_1")) == []
    assert errors(driver.client("response.cancel")) == ["response_cancel_not_active"]
    driver.settle()

    (done,) = driver.events("response.done")
    assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}


def test_an_event_of_webrtc_is_an_error() -> None:
    assert errors(Driver().client("output_audio_buffer.clear")) == ["unsupported_event"]


def test_typed_items_are_told_recorded_and_answered() -> None:
    driver = Driver()
    told = driver.client("conversation.item.create", item=typed("be kind", "system"))
    driver.client("conversation.item.create", item=typed("hello", "user", id="mine"))
    driver.client("conversation.item.create", item=typed("hi", "assistant"))
    driver.update(instructions="")
    driver.client("response.create")

    assert kinds(told) == ["conversation.item.added", "conversation.item.done"]
    assert driver.last(Think).messages == (
        Message("system", "be kind"),
        Message("user", "hello"),
        Message("assistant", "hi"),
    )
    assert [(turn.role, turn.text, turn.flags) for turn in driver.records().values()] == [
        ("user", "hello", {"typed": True})
    ]


def test_what_was_spoken_elsewhere_is_taken_with_its_transcript() -> None:
    driver = Driver()
    heard = {"type": "input_audio", "audio": "AAAA", "transcript": "good morning"}
    said = {"type": "output_audio", "transcript": "hello"}
    for role, part in (("user", heard), ("assistant", said)):
        item = {"type": "message", "role": role, "content": [part]}
        assert errors(driver.client("conversation.item.create", item=item)) == []
    shown = [event["item"]["content"] for event in driver.events("conversation.item.done")]
    assert shown == [
        [{"type": "input_audio", "transcript": "good morning"}],
        [{"type": "output_audio", "transcript": "hello"}],
    ]
    driver.client("response.create")
    assert driver.last(Think).messages[1:] == (Message("user", "good morning"), Message("assistant", "hello"))
    silent = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}
    refused = driver.client("conversation.item.create", item=silent)
    assert errors(refused) == ["unsupported_value"]
    assert "input_audio_buffer.append" in wire(refused)[0]["error"]["message"]


def test_items_go_where_the_client_wants_them() -> None:
    driver = Driver()
    for name, after in (("b", None), ("a", "root"), ("c", "a")):
        place = {} if after is None else {"previous_item_id": after}
        driver.client("conversation.item.create", item=typed(name, id=name), **place)

    assert [e["previous_item_id"] for e in driver.events("conversation.item.added")] == [None, None, "a"]
    nowhere = driver.client("conversation.item.create", item=typed("x"), previous_item_id="nobody")
    assert errors(nowhere) == ["item_not_found"]
    assert wire(nowhere)[0]["error"]["param"] == "previous_item_id"


def test_an_item_must_be_new_text_of_a_size() -> None:
    driver = Driver()
    driver.client("conversation.item.create", item=typed("a", id="a"))
    wrong: list[tuple[dict[str, object], str]] = [
        (typed("b", id="a"), "item_id_exists"),
        (typed("x" * (LONGEST_TEXT + 1)), "too_long"),
        ({"type": "message", "role": "user", "content": [{"type": "input_image"}]}, "unsupported_value"),
    ]
    for item, code in wrong:
        assert errors(driver.client("conversation.item.create", item=item)) == [code]
    assert errors(driver.client("conversation.item.create", item=typed("x" * LONGEST_TEXT))) == []


def test_a_client_cannot_take_the_ids_that_the_server_gives() -> None:
    driver = Driver()
    assert errors(driver.client("conversation.item.create", item=typed("a", id="item_t_1"))) == ["item_id_exists"]
    driver.speak_turn()
    driver.settle()

    assert len(driver.events("response.done")) == 1


def test_a_client_may_create_so_many_items_and_no_more_even_if_it_deletes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_events, "MOST_ITEMS", 3)
    driver = Driver()
    for _ in range(3):
        assert errors(driver.client("conversation.item.create", item=typed("x", id="mine"))) == []
        driver.client("conversation.item.delete", item_id="mine")

    assert errors(driver.client("conversation.item.create", item=typed("one more"))) == ["too_many_items"]


def test_an_item_that_is_created_again_is_another_turn_in_the_record() -> None:
    driver = Driver()
    for text in ("first", "second"):
        driver.client("conversation.item.create", item=typed(text, id="mine"))
        driver.client("conversation.item.delete", item_id="mine")

    assert [(effect.turn.id, effect.turn.text) for effect in driver.all(Record)] == [
        ("turn_sess_t_0", "first"),
        ("turn_sess_t_1", "second"),
    ]


def test_what_a_client_names_has_a_length() -> None:
    driver = Driver()
    assert errors(driver.client("conversation.item.create", item=typed("a", id="x" * 64))) == []
    assert errors(driver.client("conversation.item.create", item=typed("a", id="x" * 65))) == ["too_long"]
    for metadata in ({"k" * 65: "v"}, {"k": "v" * 513}, {str(n): "" for n in range(17)}):
        assert errors(driver.client("response.create", response={"metadata": metadata})) == ["too_long"]
    assert errors(driver.client("response.create", response={"metadata": {"k" * 64: "v" * 512}})) == []


def test_changed_settings_are_kept() -> None:
    driver = Driver()
    driver.update(tandem={"strategy": "anti"})
    assert len(driver.all(KeepSettings)) == 1


def test_a_deleted_item_is_gone_for_everybody() -> None:
    driver = Driver()
    driver.client("conversation.item.create", item=typed("secret", id="s"))
    assert kinds(driver.client("conversation.item.delete", item_id="s")) == ["conversation.item.deleted"]
    assert errors(driver.client("conversation.item.delete", item_id="s")) == ["item_not_found"]
    assert errors(driver.client("conversation.item.retrieve", item_id="s")) == ["item_not_found"]
    driver.client("response.create")
    assert [message.role for message in driver.last(Think).messages] == ["system"]


def test_items_may_be_deleted_while_they_are_being_made() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.client("conversation.item.delete", item_id="item_t_1")
    driver.answer(Finalise, Think)
    assert errors(driver.client("conversation.item.delete", item_id="item_t_2")) == []
    driver.settle()

    (done,) = driver.events("response.done")
    assert done["response"]["status"] == "completed"
    assert len(driver.events("conversation.item.done")) == 1
    assert errors(driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=1))


# Settings -----------------------------------------------------------------------------------------------------------
def test_an_update_that_is_wrong_changes_nothing_and_says_where() -> None:
    driver = Driver()
    before = driver.conversation.session
    wrong = driver.update(tandem={"strategy": "anti", "strength": 9.0}, instructions="new")

    assert errors(wrong) == ["invalid_value"]
    assert wire(wrong)[0]["error"]["param"] == "session.tandem.strength"
    assert driver.conversation.session == before


def test_the_voice_is_locked_once_it_was_heard() -> None:
    driver = Driver()
    assert errors(driver.update(audio={"output": {"voice": "cedar"}})) == []
    assert errors(driver.update(audio={"output": {"voice": {"id": "ash"}}})) == []
    driver.client("response.create", response={"output_modalities": ["text"]})
    driver.settle()
    assert errors(driver.update(audio={"output": {"voice": "cedar"}})) == []  # nothing was heard yet
    driver.client("response.create")
    driver.settle()

    for same in ("cedar", "fake voice", None):
        assert errors(driver.update(audio={"output": {"voice": same}})) == []
    other = driver.update(audio={"output": {"voice": "marin"}}, instructions="Sing.")
    assert [(e["error"]["code"], e["error"]["param"]) for e in wire(other)] == [
        ("cannot_update_voice", "session.audio.output.voice")
    ]
    assert driver.conversation.session["instructions"] != "Sing."
    assert {e["session"]["audio"]["output"]["voice"] for e in driver.events("session.updated")} == {"fake voice"}


def test_a_reply_keeps_the_settings_it_began_with() -> None:
    driver = Driver(TandemSettings(strategy="match", strength=0.5))
    driver.speak_turn()
    driver.answer(Finalise, Record, Think, Speak)
    driver.update(tandem={"strategy": "anti", "strength": 1.0, "audio_frames": "binary"})
    driver.settle()

    record = driver.records()["item_t_2"]
    assert (record.strategy, record.strategy_settings["strength"]) == ("match", 0.5)
    assert driver.events("tandem.agent.target")[0]["strategy"] == "match"
    assert driver.events("tandem.entrainment")[0]["strategy"] == "match"
    assert {audio.binary for audio in driver.all(SendAudio)} == {False}
    driver.speak_turn()
    driver.settle()
    assert driver.records()["item_t_4"].strategy == "anti"
    assert driver.last(SendAudio).binary


# Who is speaking ----------------------------------------------------------------------------------------------------
def remembered() -> SpeakerRecord:
    """What a first conversation leaves of a user."""
    first = Driver(TandemSettings(user_id="anna"))
    first.measured = spoke(high(12.0))
    first.speak_turn()
    first.settle()
    known = next(record.speaker for record in first.all(Record) if record.speaker is not None)
    return SpeakerRecord(known.user_id, known.normaliser, known.pitch_range, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_user_with_a_name_is_looked_up_and_remembered() -> None:
    driver = Driver(TandemSettings(user_id="anna"))
    assert driver.all(LoadSpeaker) == [LoadSpeaker("anna")]
    driver.tell(SpeakerLoaded("anna", remembered()))

    driver.measured = spoke(high(12.0))
    driver.speak_turn()
    driver.settle()
    stranger = Driver()
    stranger.measured = spoke(high(12.0))
    stranger.speak_turn()
    stranger.settle()
    # The same voice is less of a surprise from somebody who is known.
    known, unknown = (d.records()["item_t_1"].z["pitch_mean"] for d in (driver, stranger))
    assert abs(known) < abs(unknown)
    assert [record.speaker for record in stranger.all(Record)] == [None, None]


def test_what_is_known_of_another_or_comes_too_late_is_not_used() -> None:
    record = remembered()
    for setup in ("another", "late"):
        driver = Driver(TandemSettings(user_id="bob" if setup == "another" else "anna"))
        before = driver.conversation.pitch_range
        if setup == "late":
            driver.speak_turn()
            driver.settle()
            before = driver.conversation.pitch_range
        assert driver.tell(SpeakerLoaded("anna", record)) == []
        assert driver.conversation.pitch_range == before


def test_a_damaged_memory_is_reported_and_not_used() -> None:
    driver = Driver(TandemSettings(user_id="anna"))
    record = remembered()
    for damaged in (
        SpeakerRecord("anna", {"version": "old"}, record.pitch_range, record.updated_at),
        SpeakerRecord("anna", record.normaliser, {"q25": "low"}, record.updated_at),
    ):
        assert errors(driver.tell(SpeakerLoaded("anna", damaged))) == ["speaker_not_loaded"]
    driver.measured = spoke(high(12.0))
    driver.speak_turn()
    driver.answer(Finalise)
    stranger = Driver()
    stranger.measured = spoke(high(12.0))
    stranger.speak_turn()
    stranger.answer(Finalise)
    assert driver.records()["item_t_1"].z == stranger.records()["item_t_1"].z


def test_a_memory_that_cannot_be_read_is_reported_and_the_user_is_somebody_new() -> None:
    driver = Driver(TandemSettings(user_id="anna"))
    told = driver.tell(SpeakerLoaded("anna", None, error="'anna' in the table speakers is damaged"))

    assert errors(told) == ["speaker_not_loaded"]
    assert "begins as with somebody new" in driver.events("error")[0]["error"]["message"]
    assert driver.tell(SpeakerLoaded("bob", None, error="damaged")) == []
    driver.speak_turn()
    driver.settle()
    assert driver.events("response.done")[0]["response"]["status"] == "completed"


def test_one_voice_is_not_remembered_under_two_names() -> None:
    driver = Driver(TandemSettings(user_id="anna"))
    driver.speak_turn()
    driver.settle()

    assert errors(driver.update(tandem={"user_id": "bob"})) == ["invalid_value"]
    assert not [load for load in driver.all(LoadSpeaker) if load.user_id == "bob"]
    assert errors(driver.update(tandem={"user_id": "anna", "strength": 0.5})) == []


@pytest.mark.parametrize("user_id", ["bob", None])
def test_what_is_known_of_one_user_is_not_taken_for_another(user_id: str | None) -> None:
    driver, stranger = Driver(TandemSettings(user_id="anna")), Driver(TandemSettings(user_id=user_id))
    driver.tell(SpeakerLoaded("anna", remembered()))
    assert driver.conversation.pitch_range != stranger.conversation.pitch_range
    driver.update(tandem={"user_id": user_id})
    assert driver.conversation.pitch_range == stranger.conversation.pitch_range

    for one in (driver, stranger):
        one.measured = spoke(high(12.0))
        one.speak_turn()
        one.settle()
    turns = [one.records()["item_t_1"] for one in (driver, stranger)]
    assert turns[0].z == turns[1].z
    kept = [[record.speaker for record in one.all(Record) if record.speaker] for one in (driver, stranger)]
    assert kept[0] == kept[1]


def test_a_name_given_before_the_first_word_is_looked_up() -> None:
    driver = Driver()
    driver.update(tandem={"user_id": "anna"})
    assert driver.all(LoadSpeaker) == [LoadSpeaker("anna")]


# Leaving ------------------------------------------------------------------------------------------------------------
def leaves(driver: Driver) -> None:
    """The client goes; everything under way is answered."""
    driver.perform(driver.conversation.leave(driver.now))
    driver.settle()
    assert driver.conversation.idle
    assert driver.armed == {}
    assert driver.audit.created == driver.audit.done


def test_who_leaves_in_the_middle_of_a_turn_has_it_recorded_and_gets_no_answer() -> None:
    driver = Driver()
    driver.hear(SPEECH, 20)
    leaves(driver)

    assert [turn.text for turn in driver.records().values()] == ["hello there"]
    assert driver.events("response.created") == []


def test_who_leaves_while_the_agent_speaks_leaves_an_interrupted_turn() -> None:
    driver = Driver()
    driver.until_replying()
    driver.hear(SILENCE, 10)  # 320 ms
    leaves(driver)

    record = driver.records()["item_t_2"]
    # Of "It is nice to hear you." in one second, six words: those that begin before 320 ms.
    assert (record.status, record.heard_text) == ("interrupted", "It is")


def test_nothing_begins_after_the_client_has_left() -> None:
    driver = Driver()
    driver.until_replying()
    driver.client("response.cancel")
    driver.client("response.create")  # waits for the end of the first
    leaves(driver)
    assert len(driver.events("response.created")) == 1

    manual = Driver()
    manual.manual()
    manual.hear(SPEECH, 20)
    manual.client("input_audio_buffer.commit")
    manual.client("response.create")  # waits for the words
    leaves(manual)
    assert (
        manual.events("response.done") == [] or manual.events("response.done")[0]["response"]["status"] != "completed"
    )
    assert not manual.all(Think)


def test_leaving_twice_or_from_silence_does_nothing() -> None:
    driver = Driver()
    assert driver.conversation.idle
    assert driver.conversation.leave(0.0) == []
    assert driver.conversation.leave(0.0) == []


def test_a_store_that_never_answers_keeps_nobody_waiting() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.answer(Finalise)
    lost = driver.expire("turn:0")

    assert "turn_not_recorded" in errors(lost)
    assert COMPLETED in kinds(lost)
    assert driver.tell(StoreReported("item_t_1")) == []  # it did answer, much later


def test_a_turn_that_could_not_be_kept_is_reported_all_the_same() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.answer(Finalise)
    driver.take(Record)
    lost = driver.tell(StoreReported("item_t_1", "the disk is full"))
    assert (COMPLETED in kinds(lost), errors(lost)) == (True, ["turn_not_recorded"])

    driver.answer(Think, Speak, Speak, EndSpeech)
    driver.take(Record)
    lost = driver.tell(StoreReported("item_t_2", "the disk is full"))
    assert (kinds(lost)[-1], errors(lost)) == ("response.done", ["turn_not_recorded"])


def test_a_message_that_could_not_be_parsed_is_refused_with_its_event_id() -> None:
    driver = Driver()
    error = ClientError("no", code="invalid_json", param="x")
    error.event_id = "theirs"
    (refused,) = driver.perform(driver.conversation.refuse(error))

    assert isinstance(refused, Send)
    assert wire([refused])[0]["error"] == {
        "type": "invalid_request_error",
        "message": "no",
        "code": "invalid_json",
        "param": "x",
        "event_id": "theirs",
    }


@pytest.mark.parametrize(
    "late",
    [
        Finalised(5, 1, Transcript("x"), None),
        ReplyMeasured(5, None),
        StoreReported("item_t_99"),
        SpeakerLoaded("nobody", None),
    ],
)
def test_late_news_changes_nothing(late: object) -> None:
    driver = Driver()
    driver.until_replying()
    assert driver.tell(late) == []  # type: ignore[arg-type]
    assert driver.tell(StoreReported("item_t_1")) == []


def test_stop_is_answered_before_the_reply_is_over() -> None:
    driver = Driver()
    driver.until_replying()
    driver.client("response.cancel")
    assert isinstance(driver.take(StopReply), StopReply)
    assert driver.events("response.done") == []


def test_a_typed_turn_has_no_voice_to_be_compared_with() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.settle()
    driver.client("conversation.item.create", item=typed("and now in writing"))
    driver.client("response.create")
    driver.settle()

    spoken, written = (event["features"]["pitch_mean"] for event in driver.events("tandem.entrainment"))
    assert spoken["user"] is not None
    assert written["user"] is written["distance"] is None
    assert written["target"] == pytest.approx(0.9 * spoken["target"], abs=1e-3)  # leaks towards its own normal

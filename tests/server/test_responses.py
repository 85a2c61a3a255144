"""What a client may want to be otherwise in one response, and responses that are not part of the conversation."""

from __future__ import annotations

from typing import Any

import pytest

from tandem_server.conversation_events import (
    DropReply,
    Finalise,
    Record,
    SendAudio,
    Speak,
    StopReply,
    TextCame,
    TextEnded,
    TextFailed,
    Think,
)
from tandem_server.stages.protocols import CallPiece, Message

from .driver import PHRASE, SPEECH, Driver, errors, kinds, typed, wire

NONE: dict[str, Any] = {"conversation": "none", "output_modalities": ["text"]}


def responses(driver: Driver) -> list[dict[str, Any]]:
    """As their terminals show them."""
    return [event["response"] for event in driver.events("response.done")]


def create(driver: Driver, **response: object) -> list[Any]:
    """response.create; the effects."""
    return list(driver.client("response.create", response=response))


# One response otherwise ---------------------------------------------------------------------------------------------
def test_a_response_with_a_context_of_its_own_reads_nothing_else() -> None:
    driver = Driver()
    driver.client("conversation.item.create", item=typed("the real question", id="q"))
    driver.client("conversation.item.create", item=typed("a secret"))
    create(driver, input=[typed("be kind", "system"), {"type": "item_reference", "id": "q"}], instructions="Sing.")

    assert driver.last(Think).messages == (
        Message("system", "Sing."),
        Message("system", "be kind"),
        Message("user", "the real question"),
    )
    driver.settle()
    driver.client("response.create")
    assert "a secret" in [message.text for message in driver.last(Think).messages]


def test_an_empty_context_is_none_at_all() -> None:
    driver = Driver()
    driver.client("conversation.item.create", item=typed("hello"))
    create(driver, input=[], instructions="")
    assert driver.last(Think).messages == ()


def test_what_is_given_as_context_does_not_become_part_of_the_conversation() -> None:
    driver = Driver()
    create(driver, input=[typed("a", id="x"), {"type": "function_call", "name": "f", "arguments": "{}", "id": "y"}])
    for name in ("x", "y"):
        assert errors(driver.client("conversation.item.retrieve", item_id=name)) == ["item_not_found"]
    assert [event["item"]["role"] for event in driver.events("conversation.item.added")] == []


def test_a_turn_that_is_referred_to_before_its_words_are_known_is_waited_for() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 20)
    driver.client("input_audio_buffer.commit")
    driver.line = "what time is it"
    create(driver, input=[{"type": "item_reference", "id": "item_t_1"}], instructions="")
    assert not driver.all(Think)
    driver.answer(Finalise)

    assert driver.last(Think).messages == (Message("user", "what time is it"),)


def test_a_context_of_its_own_need_not_wait_for_the_words_of_a_turn() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 20)
    driver.client("input_audio_buffer.commit")
    create(driver, input=[typed("hello")], instructions="")
    assert driver.last(Think).messages == (Message("user", "hello"),)


@pytest.mark.parametrize(
    ("wish", "code", "param"),
    [
        ({"conversation": "another"}, "invalid_value", "response.conversation"),
        ({"prompt": {"id": "p"}}, "unsupported_value", "response.prompt"),
        ({"input": [{"type": "item_reference", "id": "nobody"}]}, "item_not_found", "response.input"),
        ({"input": [{"type": "message", "role": "user", "content": [{"type": "input_image"}]}]},
         "unsupported_value", "response.input.content"),
        ({"output_modalities": ["text", "audio"]}, "unsupported_value", "response.output_modalities"),
        ({"max_output_tokens": 0}, "invalid_value", "response.max_output_tokens"),
        ({"max_output_tokens": 4097}, "invalid_value", "response.max_output_tokens"),
        ({"audio": {"output": {"voice": "cedar"}}}, "unsupported_value", "response.audio.output.voice"),
        ({"audio": {"output": {"voice": {"id": "v"}}}}, "unsupported_value", "response.audio.output.voice"),
        ({"tools": [{"type": "mcp", "server_label": "m", "server_url": "u"}]}, "unsupported_value", "response.tools"),
    ],
)  # fmt: skip
def test_what_a_response_cannot_be_is_refused_by_its_field(wish: dict[str, Any], code: str, param: str) -> None:
    driver = Driver()
    refused = create(driver, **wish)

    assert [(event["error"]["code"], event["error"]["param"]) for event in wire(refused)] == [(code, param)]
    assert driver.conversation.idle


def test_one_response_may_have_a_format_of_its_own_and_the_session_keeps_its() -> None:
    driver = Driver()
    for wish, expected in (
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, "audio/pcmu"),
        ({}, "audio/pcm"),
    ):
        before = len(driver.effects)
        create(driver, **wish)
        driver.settle()
        spoken = {effect.format for effect in driver.effects[before:] if isinstance(effect, SendAudio)}
        assert spoken == {expected}
        assert responses(driver)[-1]["audio"]["output"]["format"]["type"] == expected


def test_the_voice_that_there_is_may_be_named() -> None:
    driver = Driver()
    for voice in ("fake voice", None):
        assert errors(create(driver, audio={"output": {"voice": voice, "format": {"type": "audio/pcm"}}})) == []
        driver.settle()
    driver = Driver()
    driver.update(audio={"output": {"voice": "cedar"}})
    assert errors(create(driver, audio={"output": {"voice": "cedar"}})) == []


def test_a_response_says_what_it_was_to_be() -> None:
    driver = Driver()
    create(driver, max_output_tokens=1000, metadata={"a": "b"})
    driver.settle()

    (response,) = responses(driver)
    assert (response["max_output_tokens"], response["metadata"]) == (1000, {"a": "b"})
    assert response["audio"]["output"] == {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "fake voice"}
    assert response["conversation_id"] == "sess_t"
    driver.client("response.create")
    driver.settle()
    assert responses(driver)[1]["max_output_tokens"] == "inf"


# How long it may be -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("limit", "text", "status"), [
    (8, "It is nice to hear you. Tell me", "incomplete"),  # 8 tokens of 4 characters; the text has 37, so 10
    (9, "It is nice to hear you. Tell me more.", "incomplete"),
    (10, "It is nice to hear you. Tell me more.", "completed"),
])  # fmt: skip
def test_a_written_reply_ends_where_its_tokens_do(limit: int, text: str, status: str) -> None:
    driver = Driver()
    create(driver, output_modalities=["text"], max_output_tokens=limit)
    driver.settle()

    (response,) = responses(driver)
    shown = response["output"][0]["content"][0]["text"]
    assert (shown, response["status"]) == (text[: 4 * limit].strip(), status)
    assert "".join(event["delta"] for event in driver.events("response.output_text.delta")).strip() == shown
    assert response["usage"]["output_tokens"] <= limit
    if status == "incomplete":
        assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        assert response["output"][0]["status"] == "incomplete"


def test_a_spoken_reply_ends_where_its_tokens_do_and_what_was_sent_is_what_was_said() -> None:
    driver = Driver()
    # "It is nice to hear you." has 23 characters, 6 tokens; 10 tokens more are half a second of its one second.
    create(driver, max_output_tokens=16)
    driver.settle()

    (response,) = responses(driver)
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert [len(audio.pcm) for audio in driver.all(SendAudio)] == [PHRASE]  # two bytes a sample
    assert response["usage"]["output_token_details"] == {"text_tokens": 6, "audio_tokens": 10}
    # Six words in one second: three of them begin within the first half.
    assert response["output"][0]["content"][0]["transcript"] == "It is nice"
    assert driver.last(StopReply).heard == PHRASE // 2
    record = driver.records()["item_t_1"]
    assert (record.status, record.heard_text, record.flags["cut_at_tokens"]) == ("interrupted", "It is nice", 16)
    assert driver.conversation.idle and driver.armed == {}


def test_a_reply_that_has_no_room_for_sound_says_nothing() -> None:
    driver = Driver()
    create(driver, max_output_tokens=6)
    driver.settle()

    assert not driver.all(SendAudio)
    assert responses(driver)[0]["status"] == "incomplete"


def test_a_reply_of_just_so_many_tokens_is_complete() -> None:
    driver = Driver()
    driver.reply = "It is nice to hear you."
    create(driver, max_output_tokens=26)  # 6 of text, 20 of sound
    driver.settle()

    (response,) = responses(driver)
    assert (response["status"], response["usage"]["output_tokens"]) == ("completed", 26)


def test_a_call_counts_and_one_that_is_too_long_is_not_made() -> None:
    for limit, status in ((3, "incomplete"), (4, "completed")):
        driver = Driver()
        driver.update(tools=[{"type": "function", "name": "look"}], max_output_tokens=limit)
        driver.reply, driver.calls = "", (CallPiece(0, "look", '{"a": 12345}'),)  # 4 and 12 characters
        driver.client("response.create")
        driver.settle()

        (response,) = responses(driver)
        assert (response["status"], len(response["output"])) == (status, status == "completed")


# Outside the conversation -------------------------------------------------------------------------------------------
def test_a_response_outside_the_conversation_leaves_no_trace_in_it() -> None:
    driver = Driver()
    driver.client("conversation.item.create", item=typed("hello"))
    begun = create(driver, **NONE, metadata={"topic": "mood"}, instructions="Classify.")
    driver.reply = '{"mood": "*glad*"}'
    driver.settle()

    assert kinds(begun) == ["response.created", "rate_limits.updated"]
    (response,) = responses(driver)
    assert (response["conversation_id"], response["metadata"]) == (None, {"topic": "mood"})
    assert response["output"][0]["content"] == [{"type": "output_text", "text": '{"mood": "*glad*"}'}]  # as it is
    assert driver.all(Think)[0].messages == (Message("system", "Classify."), Message("user", "hello"))
    assert len(driver.events("conversation.item.added")) == len(driver.events("conversation.item.done")) == 1
    assert [turn.role for turn in driver.records().values()] == ["user"]
    driver.client("response.create")
    assert [message.role for message in driver.last(Think).messages] == ["system", "user"]


def test_it_is_told_in_the_order_that_clients_accept() -> None:
    driver = Driver()
    create(driver, **NONE)
    driver.settle()
    assert driver.kinds()[1:] == [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]


def test_several_may_be_made_beside_the_reply_that_is_heard() -> None:
    driver = Driver()
    driver.until_replying()
    first, second = (wire(create(driver, **NONE, metadata={"n": n}))[0]["response"]["id"] for n in "12")
    driver.settle()

    ended = {response["id"]: response["status"] for response in responses(driver)}
    assert ended == {"resp_t_1": "completed", first: "completed", second: "completed"}
    assert driver.conversation.idle and driver.armed == {}


def test_every_response_says_how_many_more_there_may_be() -> None:
    driver = Driver()
    for _ in range(2):
        create(driver, **NONE)
    driver.speak_turn()
    driver.answer(Finalise)
    driver.settle()
    driver.client("response.create")

    left = [event["rate_limits"][0]["remaining"] for event in driver.events("rate_limits.updated")]
    assert left == [8, 7, 6, 8]
    assert driver.events("rate_limits.updated")[0]["rate_limits"] == [
        {"name": "requests", "limit": 9, "remaining": 8, "reset_seconds": 0.0}
    ]


def test_there_may_be_so_many_at_once_and_no_more() -> None:
    driver = Driver()
    for _ in range(8):
        assert errors(create(driver, **NONE)) == []
    assert errors(create(driver, **NONE)) == ["too_many_responses"]
    driver.answer(Think)
    assert errors(create(driver, **NONE)) == []


def test_the_user_who_speaks_neither_stops_it_nor_makes_it_begin_again() -> None:
    driver = Driver()
    driver.detect(create_response=False)
    create(driver, **NONE)
    for _ in range(2):
        driver.speak_turn()
        driver.answer(Finalise, Record)

    assert not driver.all(DropReply)
    assert len(driver.all(Think)) == 1


def test_it_is_cancelled_by_its_id_and_only_by_that() -> None:
    driver = Driver()
    name = wire(create(driver, **NONE))[0]["response"]["id"]
    assert errors(driver.client("response.cancel")) == ["response_cancel_not_active"]
    think = driver.last(Think)
    driver.tell(TextCame(think.reply, "Half"))
    driver.client("response.cancel", response_id=name)

    (response,) = responses(driver)
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["content"][0]["text"] == "Half"
    assert driver.last(DropReply).reply == think.reply
    assert driver.tell(TextCame(think.reply, " more")) == driver.tell(TextEnded(think.reply)) == []
    assert errors(driver.client("response.cancel", response_id=name)) == ["response_cancel_not_active"]


def test_it_fails_without_a_word_of_apology() -> None:
    for how in ("responder", "deadline"):
        driver = Driver()
        create(driver, **NONE)
        think = driver.take(Think)
        if how == "responder":
            driver.tell(TextFailed(think.reply, "no network"))
        else:
            driver.expire(f"aside:{think.reply}")
        (response,) = responses(driver)
        assert (response["status"], response["output"]) == ("failed", [])
        assert response["status_details"]["error"]["message"] == {
            "responder": "no network", "deadline": "the response took too long"
        }[how]  # fmt: skip
        assert driver.conversation.idle and driver.armed == {}


def test_it_may_call_functions_that_were_offered_and_be_cut_short() -> None:
    driver = Driver()
    create(driver, **NONE, tools=[{"type": "function", "name": "look"}])
    driver.reply, driver.calls = "", (CallPiece(0, "look", "{}"), CallPiece(1, "wave", "{}"))
    driver.settle()
    create(driver, **NONE, max_output_tokens=2)
    driver.reply = "It is nice"
    driver.settle()

    called, short = responses(driver)
    assert [item["name"] for item in called["output"]] == ["look"]
    assert (short["status"], short["output"][0]["content"][0]["text"]) == ("incomplete", "It is ni")


def test_it_waits_for_the_words_of_a_turn_that_it_is_to_read() -> None:
    driver = Driver()
    driver.manual()
    driver.hear(SPEECH, 20)
    driver.client("input_audio_buffer.commit")
    create(driver, **NONE, instructions="")
    assert not driver.all(Think)
    driver.line = "what time is it"
    driver.answer(Finalise)

    assert driver.last(Think).messages == (Message("user", "what time is it"),)
    driver.hear(SPEECH, 20)
    driver.client("input_audio_buffer.commit")
    driver.answer(Finalise)
    assert len(driver.all(Think)) == 1
    driver.settle()
    assert responses(driver)[0]["status"] == "completed"


def test_it_waits_for_the_words_of_all_turns() -> None:
    driver = Driver()
    driver.manual()
    for _ in range(2):
        driver.hear(SPEECH, 20)
        driver.client("input_audio_buffer.commit")
    create(driver, **NONE, instructions="")
    driver.line = "one"
    driver.answer(Finalise)
    assert not driver.all(Think)
    driver.line = "two"
    driver.answer(Finalise)

    assert [message.text for message in driver.last(Think).messages] == ["one", "two"]


def test_who_leaves_leaves_none_behind() -> None:
    driver = Driver()
    create(driver, **NONE)
    driver.perform(driver.conversation.leave(driver.now))
    assert driver.conversation.idle and driver.armed == {}
    assert [response["status"] for response in responses(driver)] == ["cancelled"]


def test_one_that_is_spoken_is_the_live_reply_and_is_heard_but_not_remembered() -> None:
    driver = Driver()
    create(driver, conversation="none", input=[typed("say hello")])
    assert errors(driver.client("response.create")) == ["conversation_already_has_active_response"]
    driver.answer(Think, Speak)
    item = driver.events("response.output_item.added")[0]["item"]["id"]
    assert errors(driver.client("conversation.item.retrieve", item_id=item)) == ["item_not_found"]
    driver.hear(SPEECH, 5)
    truncated = driver.client("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=100)
    driver.settle()

    assert errors(truncated) == []
    assert driver.events("conversation.item.added") == []
    assert responses(driver)[0]["status"] == "cancelled"
    assert driver.records()[item].flags["out_of_band"] is True
    driver.speak_turn()
    driver.answer(Finalise)
    assert [message.role for message in driver.last(Think).messages] == ["system", "user"]


def test_a_call_of_the_reply_that_is_heard_does_not_disturb_one_outside() -> None:
    driver = Driver()
    create(driver, **NONE)
    driver.speak_turn()
    driver.answer(Finalise, Record)
    driver.settle()
    assert [response["status"] for response in responses(driver)] == ["completed", "completed"]

"""Functions that the agent has called: what the client is told, what the responder sees, and what is never called."""

from __future__ import annotations

from typing import Any

import pytest

from tandem_server.awaited_calls import CALL_DEADLINE
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import (
    CallCame,
    DropReply,
    EndSpeech,
    Finalise,
    Record,
    Speak,
    TextCame,
    TextEnded,
    TextFailed,
    Think,
)
from tandem_server.stages.protocols import CallPiece, Message, Tool, ToolCall, Tools
from tandem_server.voicing import LOST_THREAD

from .driver import SILENCE, SPEECH, Driver, errors, kinds, typed, wire

LOOK: dict[str, Any] = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}
WAVE: dict[str, Any] = {"type": "function", "name": "wave"}
CALL = (CallPiece(0, "look", '{"where": '), CallPiece(0, "look", '"up"}'))


def offering(*tools: dict[str, Any], **session: object) -> Driver:
    """A session with tools, whose responder calls `look` and says nothing."""
    driver = Driver()
    driver.update(tools=list(tools or (LOOK,)), **session)
    driver.reply, driver.calls = "", CALL
    return driver


def called(driver: Driver) -> list[dict[str, Any]]:
    """The function calls that the last response tells of."""
    output: list[dict[str, Any]] = driver.events("response.done")[-1]["response"]["output"]
    return [item for item in output if item["type"] == "function_call"]


# What the client is told --------------------------------------------------------------------------------------------
def test_a_call_is_told_in_the_order_that_clients_accept_and_ends_the_response() -> None:
    driver = offering()
    begun = len(driver.kinds())
    driver.speak_turn()
    driver.settle()

    told = [kind for kind in driver.kinds()[begun:] if kind.startswith("response.")]
    assert told == [
        "response.created",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
    ]
    (done,) = driver.events("response.function_call_arguments.done")
    assert (done["name"], done["arguments"], done["output_index"]) == ("look", '{"where": "up"}', 0)
    (call,) = called(driver)
    assert call == {
        "id": done["item_id"],
        "object": "realtime.item",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_t_1",
        "name": "look",
        "arguments": '{"where": "up"}',
    }
    assert driver.events("response.output_item.done")[0]["item"] == call
    assert driver.events("response.output_item.added")[0]["item"]["arguments"] == ""
    assert not driver.all(Speak) and not driver.events("tandem.agent.target")


def test_a_call_is_an_item_of_the_conversation() -> None:
    driver = offering()
    driver.speak_turn()
    driver.settle()

    (call,) = called(driver)
    added, done = ([e["item"] for e in driver.events(f"conversation.item.{end}")][-1] for end in ("added", "done"))
    assert (added["status"], done) == ("in_progress", call)
    driver.client("conversation.item.retrieve", item_id=call["id"])
    assert driver.events("conversation.item.retrieved")[0]["item"] == call


def test_what_is_said_before_a_call_is_the_first_output_and_the_call_waits_for_its_end() -> None:
    driver = offering()
    driver.reply = "Let me look."
    driver.speak_turn()
    driver.answer(Finalise, Record, Think)
    assert driver.events("response.function_call_arguments.done") == []

    driver.settle()
    output = driver.events("response.done")[0]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]
    assert [event["output_index"] for event in driver.events("response.output_item.done")] == [0, 1]
    assert output[0]["content"] == [{"type": "output_audio", "transcript": "Let me look."}]


def test_several_calls_are_told_one_after_the_other_whatever_order_their_pieces_came_in() -> None:
    driver = offering(LOOK, WAVE)
    driver.calls = (CallPiece(0, "look", "{"), CallPiece(1, "wave", ""), CallPiece(0, "", "}"))
    driver.speak_turn()
    driver.settle()

    told = [(call["name"], call["arguments"], call["call_id"]) for call in called(driver)]
    assert told == [("look", "{}", "call_t_1"), ("wave", "{}", "call_t_2")]


def test_a_written_reply_may_call_too() -> None:
    driver = offering()
    driver.reply = "Let me look."
    driver.client("response.create", response={"output_modalities": ["text"]})
    driver.settle()

    output = driver.events("response.done")[0]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]
    assert [dropped.reply for dropped in driver.all(DropReply)] == [0]  # nothing of it is held


def test_a_call_is_kept_in_the_record_of_the_turn() -> None:
    driver = offering()
    driver.speak_turn()
    driver.settle()

    (turn,) = [turn for turn in driver.records().values() if turn.role == "agent"]
    assert (turn.text, turn.flags["calls"]) == ("", [{"name": "look", "arguments": '{"where": "up"}'}])


# What the responder sees --------------------------------------------------------------------------------------------
def test_the_responder_is_offered_the_sessions_tools() -> None:
    driver = offering(LOOK, WAVE, tool_choice="required", parallel_tool_calls=False)
    driver.speak_turn()
    driver.answer(Finalise)

    assert driver.last(Think).tools == Tools(
        (Tool("look", "Look.", {"type": "object"}), Tool("wave")), required=True, parallel=False
    )


def test_the_result_of_a_call_reaches_the_responder_with_the_call() -> None:
    driver = offering()
    driver.speak_turn("what is up there")
    driver.settle()
    told = driver.client(
        "conversation.item.create",
        item={"type": "function_call_output", "call_id": "call_t_1", "output": "a lamp"},
    )
    assert kinds(told) == ["conversation.item.added", "conversation.item.done"]
    assert driver.events("response.created")[1:] == []  # the client says when

    driver.reply, driver.calls = "I see a lamp.", ()
    driver.client("response.create")
    assert driver.last(Think).messages[1:] == (
        Message("user", "what is up there"),
        Message("assistant", "", ToolCall("call_t_1", "look", '{"where": "up"}')),
        Message("tool", "a lamp", call_id="call_t_1"),
    )
    driver.settle()
    assert driver.records()["item_t_5"].text == "I see a lamp."


def test_a_client_may_bring_calls_of_an_earlier_conversation() -> None:
    driver = Driver()
    call = {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "old", "id": "c"}
    driver.client("conversation.item.create", item=call)
    driver.client(
        "conversation.item.create", item={"type": "function_call_output", "call_id": "old", "output": "a cat"}
    )
    driver.client("response.create")

    assert driver.last(Think).messages[1:] == (
        Message("assistant", "", ToolCall("old", "look", "{}")),
        Message("tool", "a cat", call_id="old"),
    )
    assert [turn.role for turn in driver.records().values()] == []


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({"type": "function_call_output", "call_id": "nobody", "output": ""}, "call_not_found", "item.call_id"),
        ({"type": "function_call", "name": "f", "arguments": "", "call_id": "old"}, "call_id_exists", "item.call_id"),
        ({"type": "function_call", "name": "f" * 65, "arguments": ""}, "too_long", "item"),
        ({"type": "function_call", "name": "f", "arguments": " " * 32_769}, "too_long", "item.arguments"),
        ({"type": "function_call_output", "call_id": "old", "output": " " * 32_769}, "too_long", "item.output"),
        ({"type": "mcp_approval_response", "id": "i", "approval_request_id": "a", "approve": True},
         "unsupported_value", "item.type"),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_is_refused_by_its_field(item: dict[str, object], code: str, param: str) -> None:
    driver = Driver()
    call = {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "old", "id": "c"}
    driver.client("conversation.item.create", item=call)
    refused = driver.client("conversation.item.create", item=item)

    assert [(e["error"]["code"], e["error"]["param"]) for e in wire(refused)] == [(code, param)]


def test_a_response_may_have_tools_and_a_choice_of_its_own() -> None:
    driver = offering(LOOK, WAVE)
    driver.client("response.create", response={"tool_choice": {"type": "function", "name": "wave"}})
    assert driver.last(Think).tools == Tools((Tool("wave"),), required=True)
    driver.settle()
    driver.client("response.create", response={"tools": []})
    assert driver.last(Think).tools == Tools()
    driver.settle()
    driver.client("response.create", response={"tools": [{"name": "jump"}], "parallel_tool_calls": False})
    assert driver.last(Think).tools == Tools((Tool("jump"),), parallel=False)
    driver.settle()
    driver.client("response.create", response={"tool_choice": "none"})
    assert driver.last(Think).tools == Tools()
    refused = driver.client("response.create", response={"tool_choice": {"type": "function", "name": "jump"}})
    assert wire(refused)[0]["error"]["param"] == "response.tool_choice"


# What is never called -----------------------------------------------------------------------------------------------
def test_a_reply_that_is_cut_off_calls_nothing() -> None:
    driver = offering()
    driver.reply = "Let me look. It takes a moment."
    driver.speak_turn()
    driver.answer(Finalise, Record, Think, Speak)
    driver.hear(SPEECH, 5)
    driver.settle()

    (done,) = driver.events("response.done")
    assert done["response"]["status"] == "cancelled"
    assert [item["type"] for item in done["response"]["output"]] == ["message"]
    assert done["response"]["usage"]["output_token_details"]["text_tokens"] == 3  # "Let me look."
    assert driver.events("response.function_call_arguments.done") == []


def test_a_call_of_which_only_a_part_came_is_not_made() -> None:
    driver = offering()
    driver.speak_turn()
    driver.answer(Finalise, Record)
    think = driver.take(Think)
    driver.tell(CallCame(think.reply, CALL[0]))
    driver.tell(TextFailed(think.reply, "cut off"))
    driver.settle()

    assert called(driver) == []
    assert driver.records()["item_t_2"].text == LOST_THREAD


def test_a_function_that_was_not_offered_is_not_called() -> None:
    driver = offering(WAVE)
    driver.speak_turn()
    driver.settle()

    assert called(driver) == []
    assert driver.records()["item_t_2"].text == LOST_THREAD


def test_where_one_call_is_allowed_the_first_is_made() -> None:
    driver = offering(LOOK, WAVE, parallel_tool_calls=False)
    driver.calls = (CallPiece(0, "look", "{}"), CallPiece(1, "wave", "{}"))
    driver.speak_turn()
    driver.settle()

    assert [call["name"] for call in called(driver)] == ["look"]


# Prepared in a pause ------------------------------------------------------------------------------------------------
def in_a_pause(driver: Driver) -> Driver:
    """The user has fallen silent; what was said is known, and the answer to it is prepared."""
    driver.hear(SPEECH, 20)
    driver.hear(SILENCE, 5)
    driver.answer(Finalise)
    return driver


def test_a_call_that_was_prepared_is_told_when_the_turn_is_over_and_not_before() -> None:
    driver = in_a_pause(offering())
    driver.answer(Think)
    assert not [kind for kind in driver.kinds() if kind.startswith("response.")]

    while driver.conversation.user_speaking:
        driver.hear(SILENCE)
    driver.settle()
    assert [call["arguments"] for call in called(driver)] == ['{"where": "up"}']
    assert len(driver.all(Think)) == 1


def test_a_call_that_was_prepared_in_vain_is_never_made() -> None:
    driver = in_a_pause(offering())
    driver.answer(Think)
    driver.calls, driver.reply = (), "Fine."
    driver.speak_turn("and another thing", frames=10)
    driver.settle()

    assert len(driver.all(DropReply)) == 1
    assert driver.events("response.function_call_arguments.done") == []
    assert [event["response"]["status"] for event in driver.events("response.done")] == ["completed"]


@pytest.mark.parametrize("change", [{"tools": [WAVE]}, {"tool_choice": "none"}, {"parallel_tool_calls": False}])
def test_other_tools_make_another_answer(change: dict[str, object]) -> None:
    driver = in_a_pause(offering())
    driver.answer(Think)
    driver.update(**change)
    while driver.conversation.user_speaking:
        driver.hear(SILENCE)

    first, second = driver.all(Think)
    assert first.tools != second.tools
    assert len(driver.all(DropReply)) == 1


# Ends ---------------------------------------------------------------------------------------------------------------
def test_a_reply_that_only_calls_needs_no_voice_and_leaves_nothing_behind() -> None:
    driver = offering()
    driver.speak_turn()
    driver.settle()

    assert driver.all(EndSpeech) == []
    assert driver.conversation.idle and set(driver.armed) == {"calls:0"}
    assert [event["exchange"] for event in driver.events("tandem.entrainment")] == []


def test_a_reply_that_only_calls_does_not_move_the_target() -> None:
    called_first, straight = offering(), Driver(TandemSettings())
    called_first.speak_turn()
    called_first.settle()
    called_first.update(tools=[])
    called_first.reply = straight.reply
    called_first.client("response.create")
    straight.speak_turn()
    for driver in (called_first, straight):
        driver.settle()

    (told,), (expected,) = (driver.events("tandem.agent.target") for driver in (called_first, straight))
    assert told["z"] == expected["z"]


def test_the_next_response_is_not_refused_when_the_client_waits_for_the_end_of_the_call() -> None:
    driver = offering()
    driver.client("conversation.item.create", item=typed("look up"))
    driver.client("response.create")
    think = driver.take(Think)
    driver.tell(CallCame(think.reply, CALL[0]))
    assert errors(driver.client("response.create")) == ["conversation_already_has_active_response"]
    driver.tell(CallCame(think.reply, CALL[1]))
    driver.tell(TextEnded(think.reply))
    driver.settle()
    assert errors(driver.client("response.create")) == []


def test_news_of_a_call_is_a_sign_of_life() -> None:
    driver = offering()
    driver.speak_turn()
    driver.answer(Finalise)
    del driver.armed["reply:0"]
    driver.tell(CallCame(0, CALL[0]))
    assert "reply:0" in driver.armed
    assert driver.tell(CallCame(5, CALL[0])) == driver.tell(TextCame(5, "x")) == []


# A result that does not come -----------------------------------------------------------------------------------------
def test_a_result_that_does_not_come_is_asked_for_and_the_user_is_waited_for_again() -> None:
    driver = offering()
    driver.detect(idle_timeout_ms=6_000)
    driver.speak_turn()
    driver.settle()
    assert driver.armed == {"calls:0": CALL_DEADLINE}
    told = driver.expire("calls:0")

    assert errors(told) == ["function_result_timeout"]
    assert "'look'" in wire(told)[0]["error"]["message"]
    driver.reply, driver.calls = "Are you still there?", ()
    driver.hear(SILENCE, 188)
    assert "response.created" in kinds(driver.effects[-8:])


def test_a_result_in_time_is_not_asked_for_and_the_reply_to_it_ends_the_wait() -> None:
    driver = offering()
    driver.speak_turn()
    driver.settle()
    output = {"type": "function_call_output", "call_id": "call_t_1", "output": "a lamp"}
    driver.client("conversation.item.create", item=output)
    assert driver.armed == {"calls:0": CALL_DEADLINE}  # for the reply
    driver.calls, driver.reply = (), "A lamp."
    driver.client("response.create")

    assert "calls:0" not in driver.armed
    driver.settle()
    assert driver.armed == {}


def test_a_result_that_is_not_asked_about_keeps_nobody_silent() -> None:
    driver = offering()
    driver.detect(idle_timeout_ms=6_000)
    driver.speak_turn()
    driver.settle()
    output = {"type": "function_call_output", "call_id": "call_t_1", "output": "a lamp"}
    driver.client("conversation.item.create", item=output)
    assert driver.expire("calls:0") == []
    driver.hear(SILENCE, 188)

    assert len(driver.events("input_audio_buffer.timeout_triggered")) == 1


def test_the_result_of_a_call_that_the_client_has_deleted_is_not_asked_for() -> None:
    driver = offering()
    driver.speak_turn()
    driver.settle()
    (call,) = called(driver)
    driver.client("conversation.item.delete", item_id=call["id"])

    assert driver.expire("calls:0") == []

"""What a chat endpoint is asked: calls with their results, tools, and whose turn it is."""

from __future__ import annotations

from typing import Any

from tandem_server.engines.chat_messages import PENDING, SAYS_NOTHING, chat_messages, chat_tools
from tandem_server.stages.protocols import NO_TOOLS, Message, Tool, ToolCall, Tools


def call(name: str, arguments: str = "{}") -> Message:
    return Message("assistant", "", ToolCall(name, "look", arguments))


def result(name: str, text: str) -> Message:
    return Message("tool", text, call_id=name)


def asked(*messages: Message, most: int = 40, characters: int = 16_000) -> list[dict[str, Any]]:
    return chat_messages(messages, most, characters)


def shape(found: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """Role, and text or the id of the call."""
    return [
        (one["role"], one["tool_calls"][0]["id"] if "tool_calls" in one else one.get("tool_call_id", one["content"]))
        for one in found
    ]


def test_a_call_is_followed_by_its_result() -> None:
    assert asked(Message("user", "what is up"), call("a", '{"x": 1}'), result("a", "a lamp")) == [
        {"role": "user", "content": "what is up"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x": 1}'}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "a lamp"},
    ]


def test_a_result_is_put_to_its_call_however_late_it_came() -> None:
    found = asked(Message("user", "1"), call("a"), call("b"), Message("user", "2"), result("b", "B"), result("a", "A"))
    assert shape(found) == [
        ("user", "1"), ("assistant", "a"), ("tool", "a"), ("assistant", "b"), ("tool", "b"), ("user", "2"),
    ]  # fmt: skip
    assert [one["content"] for one in found if one["role"] == "tool"] == ["A", "B"]


def test_a_call_without_a_result_says_so_and_a_result_without_its_call_is_left_out() -> None:
    found = asked(Message("user", "1"), call("a"), result("gone", "x"), Message("user", "2"))
    assert shape(found) == [("user", "1"), ("assistant", "a"), ("tool", "a"), ("user", "2")]
    assert found[2]["content"] == PENDING


def test_what_was_said_before_a_call_is_one_message_with_it() -> None:
    found = asked(Message("user", "1"), Message("assistant", "Let me look."), call("a"), result("a", "A"))
    assert [one["role"] for one in found] == ["user", "assistant", "tool"]
    assert (found[1]["content"], found[1]["tool_calls"][0]["id"]) == ("Let me look.", "a")


def test_what_is_said_after_a_result_is_a_message_of_its_own() -> None:
    found = asked(Message("user", "1"), call("a"), result("a", "A"), Message("assistant", "A lamp."))
    assert shape(found)[-2:] == [("tool", "a"), ("assistant", "A lamp.")]


def test_calls_and_results_count_towards_the_bounds_together() -> None:
    talk = [Message("user", "1"), call("a"), result("a", "x" * 50), Message("user", "2")]
    assert shape(asked(*talk, characters=53)) == [("assistant", "a"), ("tool", "a"), ("user", "2")]
    assert shape(asked(*talk, characters=52)) == [("user", "2")]
    assert shape(asked(*talk, most=2)) == [("assistant", "a"), ("tool", "a"), ("user", "2")]


def test_a_silence_that_is_answered_is_told_and_an_older_one_is_not() -> None:
    found = asked(Message("user", ""), Message("user", "1"), Message("assistant", "2"), Message("user", ""))
    assert shape(found) == [("user", "1"), ("assistant", "2"), ("user", SAYS_NOTHING)]


def test_tools_are_offered_as_the_endpoint_takes_them() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "number"}}}
    assert chat_tools(Tools((Tool("look", "Look.", schema), Tool("wave")))) == {
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": schema}},
            {
                "type": "function",
                "function": {"name": "wave", "description": "", "parameters": {"type": "object", "properties": {}}},
            },
        ]
    }
    must = chat_tools(Tools((Tool("wave"),), required=True, parallel=False))
    assert (must["tool_choice"], must["parallel_tool_calls"]) == ("required", False)
    assert chat_tools(NO_TOOLS) == {}

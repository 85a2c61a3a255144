"""The stock `openai-realtime-api` for JavaScript, unmodified, talks with the server in the dialect of before GA."""

from __future__ import annotations

from pathlib import Path

import pytest

from .javascript import converse, needs_node
from .serving import Served
from .stories import HEARD_MS, check_heard, check_story

pytestmark = needs_node

ASKING = {"by_a_header": "--no-experimental-websocket", "by_a_subprotocol": "--experimental-websocket"}
"""How it asks for the dialect: in a browser, and wherever there is a WebSocket of the platform, by a subprotocol."""


@pytest.mark.parametrize("option", ASKING.values(), ids=ASKING)
def test_conversation_with_an_interruption(talkative_server: Served, speech: Path, option: str) -> None:
    told = converse("openai_realtime_api.mjs", "talk", talkative_server, speech, options=[option])

    assert told["native"] == (option == "--experimental-websocket")
    check_story(told)
    check_heard(told)
    # It cancels what the server has cancelled already; nothing else is amiss.
    assert {error["code"] for error in told["errors"]} <= {"response_cancel_not_active"}
    assert len(told["stops"]) == 3, "one for each time that the user begins to speak"
    told_items = [(item["type"], item["role"]) for item in told["items"]]
    assert told_items[:5] == [("message", role) for role in ("user", "assistant", "user", "assistant", "user")]
    first, _, _, interrupted = told["items"][:4]
    assert first["transcript"] == "hello there"
    assert interrupted["samples"] == 24 * HEARD_MS


@pytest.mark.parametrize("option", ASKING.values(), ids=ASKING)
def test_function_is_run_and_its_result_is_spoken(calling_server: Served, speech: Path, option: str) -> None:
    told = converse("openai_realtime_api.mjs", "tool", calling_server, speech, options=[option])

    assert told["asked"] == ["Paris"]
    assert told["answer"]["output"][0]["content"][0]["transcript"] == 'The tool said: "it rains in Paris"'
    assert told["played"] > 0
    assert told["errors"] == []
    assert [item["type"] for item in told["items"]] == ["message", "function_call", "function_call_output", "message"]

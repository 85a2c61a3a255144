"""The stock `openai-realtime-api` for JavaScript, unmodified, talks with the server in the dialect of before GA."""

from __future__ import annotations

from pathlib import Path

import pytest

from .javascript import ASKING, converse, needs_node
from .serving import Served
from .stories import HEARD_MS, check_heard, check_story

pytestmark = needs_node


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

"""What a conversation with a talkative or a calling server must come to, whichever client holds it."""

from __future__ import annotations

import json
from typing import Any, Final

from tandem_models.signal import WIRE_RATE

from .conftest import STORY

HEARD_MS: Final = 1000
"""Where the clients that truncate by themselves say that they were interrupted"""


def check_story(told: dict[str, Any]) -> None:
    """One story whole; one interrupted, truncated and retrieved; then the conversation goes on."""
    whole, interrupted, kept = told["whole"], told["interrupted"], told["retrieved"]
    assert whole["status"] == "completed"
    assert transcript(whole["output"][0]) == STORY
    assert 0.15 < told["bytes"] / 2 / WIRE_RATE / len(STORY.split()) < 0.9, "seconds a word"

    assert (interrupted["status"], interrupted["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert told["truncated"]["item_id"] == kept["id"] == interrupted["output"][0]["id"]
    assert STORY.startswith(transcript(kept))
    assert len(transcript(kept)) < len(STORY) / 2
    assert told["goes_on"] not in (whole["id"], interrupted["id"])


def check_heard(told: dict[str, Any]) -> None:
    """The interrupted story was truncated where the client said, and keeps the words until there."""
    assert told["truncated"]["audio_end_ms"] == HEARD_MS
    assert 1 <= len(transcript(told["retrieved"]).split()) <= 6, "a second's worth of words"


def check_call(told: dict[str, Any]) -> None:
    """One call of the tool, and its result spoken."""
    [call] = told["call"]["output"]
    assert (call["type"], call["status"], call["name"]) == ("function_call", "completed", "weather")
    assert json.loads(call["arguments"]) == {"city": "Paris"}
    assert transcript(told["answer"]["output"][0]) == "The tool said: it rains in Paris"
    assert told["played"] > 0


def transcript(item: dict[str, Any]) -> str:
    """The words of a spoken item."""
    [part] = item["content"]
    words: str = part["transcript"]
    return words

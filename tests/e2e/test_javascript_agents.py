"""The stock `@openai/agents-realtime` for JavaScript, unmodified, talks with the server."""

from __future__ import annotations

from pathlib import Path

from .javascript import converse, needs_node
from .serving import Served
from .stories import check_story

pytestmark = needs_node


def test_conversation_with_an_interruption(talkative_server: Served, speech: Path) -> None:
    told = converse("agents_realtime.mjs", "talk", talkative_server, speech)

    check_story(told)
    assert told["errors"] == []
    assert told["mistakes"] == []
    # What does not pass the package's schemas it drops without a word; of ours it knows nothing.
    assert [kind for kind in told["misunderstood"] if not kind.startswith("tandem.")] == []
    # Each story is still being played when the user speaks: by the package's clock, 48 seconds are not over yet.
    assert len(told["stops"]) == 2
    assert told["truncated"]["audio_end_ms"] < 20_000
    assert [item["role"] for item in told["history"]][:4] == ["user", "assistant", "user", "assistant"]

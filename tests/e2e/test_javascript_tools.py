"""The stock `@openai/agents-realtime` for JavaScript runs the functions that the server asks for."""

from __future__ import annotations

from pathlib import Path

from .javascript import converse, needs_node
from .serving import Served
from .stories import check_call

pytestmark = needs_node


def test_function_is_run_and_its_result_is_spoken(calling_server: Served, speech: Path) -> None:
    told = converse("agents_realtime.mjs", "tool", calling_server, speech)

    check_call(told)
    assert told["asked"] == ["Paris"]
    assert told["errors"] == []
    assert told["mistakes"] == []
    assert [kind for kind in told["misunderstood"] if not kind.startswith("tandem.")] == []
    [call] = [item for item in told["history"] if item["type"] == "function_call"]
    assert (call["name"], call["output"]) == ("weather", "it rains in Paris")

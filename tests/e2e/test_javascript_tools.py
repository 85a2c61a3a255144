"""The stock JavaScript packages run the functions that the server asks for, each in its own way."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Certificate
from .javascript import ASKING, converse, needs_node
from .serving import Served
from .stories import check_call

pytestmark = needs_node


def test_agent_runs_the_function(calling_server: Served, speech: Path) -> None:
    told = converse("agents_realtime.mjs", "tool", calling_server, speech)

    check_call(told)
    assert told["asked"] == ["Paris"]
    assert told["errors"] == []
    assert told["mistakes"] == []
    assert [kind for kind in told["misunderstood"] if not kind.startswith("tandem.")] == []
    [call] = [item for item in told["history"] if item["type"] == "function_call"]
    assert (call["name"], call["output"]) == ("weather", "it rains in Paris")


def test_function_is_asked_for_over_tls(calling_tls_server: Served, certificate: Certificate, speech: Path) -> None:
    told = converse("openai_npm.mjs", "tool", calling_tls_server, speech, authority=certificate.authority)

    check_call(told)
    assert told["errors"] == []
    assert told["mistakes"] == []


@pytest.mark.parametrize("option", ASKING.values(), ids=ASKING)
def test_function_is_run_in_the_dialect_of_before_ga(calling_server: Served, speech: Path, option: str) -> None:
    told = converse("openai_realtime_api.mjs", "tool", calling_server, speech, options=[option])

    assert told["asked"] == ["Paris"]
    assert told["answer"]["output"][0]["content"][0]["transcript"] == 'The tool said: "it rains in Paris"'
    assert told["played"] > 0
    assert told["errors"] == []
    assert [item["type"] for item in told["items"]] == ["message", "function_call", "function_call_output", "message"]

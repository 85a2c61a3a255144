"""From a setting to a responder."""

from __future__ import annotations

import pytest

from tandem_server.engines.fakes import FakeResponder
from tandem_server.engines.openai_chat import OpenAIChat
from tandem_server.engines.responders import CHOICES, RESPONDERS, make_responder
from tandem_server.errors import ConfigurationError
from tandem_server.stages.protocols import CallPiece, Message, Tool, Tools


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("listener", "listener (built in, offline)"),
        ("fake", "fake"),
        ("openai:gpt-5-mini", "openai (gpt-5-mini at api.openai.com)"),
        ("openai:qwen3:4b@http://127.0.0.1:11434/v1", "openai (qwen3:4b at 127.0.0.1)"),
        ("openai:team@model@https://example.org/v1", "openai (team@model at example.org)"),
        ("openai:m@http://ada:lovelace@127.0.0.1:11434/v1", "openai (m at 127.0.0.1)"),
        ("openai:team@model", "openai (team@model at api.openai.com)"),
    ],
)
async def test_a_setting_names_a_responder(setting: str, name: str) -> None:
    responder = make_responder(setting, api_key="sk-1")

    assert responder.name == name
    await responder.close()


@pytest.mark.parametrize("setting", ["", "Listener", "gpt", "os.system:x"])
def test_an_unknown_setting_is_told_the_choices(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="choose one of: listener, openai:MODEL@URL, fake, fake:TEXT"):
        make_responder(setting)


def test_a_password_in_a_misspelt_setting_is_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="no responder 'opnai'") as refused:
        make_responder("opnai:m@http://ada:lovelace@127.0.0.1/v1")
    assert "lovelace" not in str(refused.value)


@pytest.mark.parametrize(("setting", "told"), [
    ("listener:loud", "takes no argument"), ("openai", "no name"),
    ("openai:@http://x/v1", "no name"),
    ("openai:gpt", "wants a key: set TANDEM_API_KEY"), ("openai:m@ftp://x", "must begin with http"),
])  # fmt: skip
def test_a_setting_that_cannot_work_is_refused(setting: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        make_responder(setting)


@pytest.mark.parametrize(
    ("setting", "arguments"), [("fake:call look", "{}"), ('fake:call look {"where": "up"}', '{"where": "up"}')]
)
async def test_a_fake_may_call_a_tool(setting: str, arguments: str) -> None:
    responder = make_responder(setting)
    offered = Tools((Tool("look"),))
    hello, result = Message("user", "hello"), Message("tool", "a lamp", call_id="c")

    assert [piece async for piece in responder.respond([hello], offered)] == [CallPiece(0, "look", arguments)]
    said = [piece async for piece in responder.respond([hello, result], offered)]
    assert "".join(map(str, said)) == "The tool said: a lamp"
    unable = [piece async for piece in responder.respond([hello], Tools((Tool("wave"),)))]
    assert "".join(map(str, unable)) == "You said: hello"


def test_a_call_without_json_is_refused_and_a_word_is_not_a_call() -> None:
    for wrong in ("fake:call look up", "fake:call look [1]"):
        with pytest.raises(ConfigurationError, match="must be a JSON object"):
            make_responder(wrong)
    assert isinstance(make_responder("fake:call"), FakeResponder)
    assert isinstance(make_responder("fake:caller"), FakeResponder)


def test_every_choice_is_in_the_dictionary() -> None:
    assert {choice.split(":")[0] for choice in CHOICES} == set(RESPONDERS)
    assert OpenAIChat.__doc__

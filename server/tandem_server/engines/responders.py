"""From a setting to the Responder: 'listener', 'openai:MODEL@URL', 'fake', 'fake:TEXT' or 'fake:call NAME {...}'."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from tandem_server.engines.fakes import FakeCaller, FakeResponder
from tandem_server.engines.listener import Listener
from tandem_server.engines.openai_chat import ChatSettings, OpenAIChat
from tandem_server.errors import ConfigurationError
from tandem_server.stages.protocols import Responder

_MODEL_AT_URL: Final = re.compile(r"(?P<model>.*?)@(?P<url>[A-Za-z][A-Za-z0-9+.-]*://.*)")


def make_responder(setting: str, *, api_key: str | None = None) -> Responder:
    """The responder a setting names, before its first use. Raises ConfigurationError that lists the choices."""
    kind, _, argument = setting.partition(":")
    if kind not in RESPONDERS:  # what follows may hold a password
        raise ConfigurationError(f"there is no responder {kind!r}; choose one of: {', '.join(CHOICES)}")
    return RESPONDERS[kind](argument, api_key)


def make_listener(argument: str) -> Responder:
    """The listener needs nothing."""
    if argument:
        raise ConfigurationError(f"the responder 'listener' takes no argument, but was given {argument!r}")
    return Listener()


def make_fake(argument: str) -> Responder:
    """Says its text every time, or back what it hears when it is given none, or calls a tool. Raises
    ConfigurationError."""
    if not argument.startswith("call ") or not argument[5:].strip():
        return FakeResponder((argument,) if argument else ())
    _, name, arguments = [*argument.split(maxsplit=2), "{}"][:3]
    try:
        known = isinstance(json.loads(arguments), dict)
    except ValueError:
        known = False
    if not known:
        raise ConfigurationError(f"the arguments of 'fake:call {name}' must be a JSON object, not {arguments!r}")
    return FakeCaller(name, arguments)


def chat_settings(argument: str, api_key: str | None) -> ChatSettings:
    """Of MODEL or MODEL@URL; a model's name may itself hold an @, and so may the URL (USER:PASSWORD@HOST). Raises
    ConfigurationError."""
    if found := _MODEL_AT_URL.fullmatch(argument):
        return ChatSettings(found["model"], found["url"], api_key)
    if argument and not api_key:
        raise ConfigurationError(
            "OpenAI's own endpoint wants a key: set TANDEM_API_KEY, or name another as openai:MODEL@URL"
        )
    return ChatSettings(argument, api_key=api_key)


RESPONDERS: Final[Mapping[str, Callable[[str, str | None], Responder]]] = {
    "listener": lambda argument, _key: make_listener(argument),
    "openai": lambda argument, key: OpenAIChat(chat_settings(argument, key)),
    "fake": lambda argument, _key: make_fake(argument),
}
CHOICES: Final = ("listener", "openai:MODEL@URL", "fake", "fake:TEXT", "fake:call NAME {...}")
"""As they are written in a setting."""

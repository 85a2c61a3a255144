"""From a setting to the Responder: 'listener', 'openai:MODEL@URL', 'fake' or 'fake:TEXT'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tandem_server.engines.fakes import FakeResponder
from tandem_server.engines.listener import Listener
from tandem_server.engines.openai_chat import ChatSettings, OpenAIChat
from tandem_server.errors import ConfigurationError
from tandem_server.stages.protocols import Responder


def make_responder(setting: str, *, api_key: str | None = None) -> Responder:
    """The responder a setting names, before its first use. Raises ConfigurationError that lists the choices."""
    kind, _, argument = setting.partition(":")
    if kind not in RESPONDERS:
        raise ConfigurationError(f"there is no responder {setting!r}; choose one of: {', '.join(CHOICES)}")
    return RESPONDERS[kind](argument, api_key)


def make_listener(argument: str) -> Responder:
    """The listener needs nothing."""
    if argument:
        raise ConfigurationError(f"the responder 'listener' takes no argument, but was given {argument!r}")
    return Listener()


def chat_settings(argument: str, api_key: str | None) -> ChatSettings:
    """Of MODEL or MODEL@URL; a model's name may itself hold an @. Raises ConfigurationError."""
    model, at, url = argument.rpartition("@")
    if at and "://" in url:
        return ChatSettings(model, url, api_key)
    if argument and not api_key:
        raise ConfigurationError(
            "OpenAI's own endpoint wants a key: set TANDEM_API_KEY, or name another as openai:MODEL@URL"
        )
    return ChatSettings(argument, api_key=api_key)


RESPONDERS: Final[Mapping[str, Callable[[str, str | None], Responder]]] = {
    "listener": lambda argument, _key: make_listener(argument),
    "openai": lambda argument, key: OpenAIChat(chat_settings(argument, key)),
    # Says its text every time, or back what it hears when it is given none.
    "fake": lambda argument, _key: FakeResponder((argument,) if argument else ()),
}
CHOICES: Final = ("listener", "openai:MODEL@URL", "fake", "fake:TEXT")
"""As they are written in a setting."""

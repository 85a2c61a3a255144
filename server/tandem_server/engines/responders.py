"""From a setting to the Responder: 'listener', 'openai:MODEL@URL', 'fake' or 'fake:TEXT'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from tandem_server.engines.fakes import FakeResponder
from tandem_server.engines.listener import Listener
from tandem_server.engines.openai_chat import ChatSettings, OpenAIChat
from tandem_server.errors import ConfigurationError
from tandem_server.stages.protocols import Responder


def make_responder(setting: str, *, api_key: str | None = None, instructions: str | None = None) -> Responder:
    """The responder a setting names, before its first use. Raises ConfigurationError that lists the choices."""
    kind, _, argument = setting.partition(":")
    make = RESPONDERS.get(kind)
    if make is None:
        raise ConfigurationError(f"there is no responder {setting!r}; choose one of: {', '.join(CHOICES)}")
    return make(argument, api_key, instructions)


def make_listener(argument: str, api_key: str | None, instructions: str | None) -> Responder:  # noqa: ARG001
    """The listener needs nothing."""
    refuse("listener", argument)
    return Listener()


def make_fake(argument: str, api_key: str | None, instructions: str | None) -> Responder:  # noqa: ARG001
    """Says its text every time, or back what it hears when it is given none."""
    return FakeResponder((argument,) if argument else ())


def make_openai(argument: str, api_key: str | None, instructions: str | None) -> Responder:
    """MODEL or MODEL@URL; a model's name may itself hold an @."""
    model, at, url = argument.rpartition("@")
    settings = ChatSettings(model, url) if at and "://" in url else ChatSettings(argument)
    return OpenAIChat(replace(settings, api_key=api_key, instructions=instructions or settings.instructions))


def refuse(kind: str, argument: str) -> None:
    """Raises ConfigurationError when a responder is told more than it can use."""
    if argument:
        raise ConfigurationError(f"the responder {kind!r} takes no argument, but was given {argument!r}")


RESPONDERS: Final[Mapping[str, Callable[[str, str | None, str | None], Responder]]] = MappingProxyType(
    {"listener": make_listener, "openai": make_openai, "fake": make_fake}
)
CHOICES: Final = ("listener", "openai:MODEL@URL", "fake", "fake:TEXT")
"""As they are written in a setting."""

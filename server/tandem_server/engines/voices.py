"""Voices by the name in the settings. None of these imports its library before it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tandem_server.engines.fakes import FakeVoice
from tandem_server.errors import ConfigurationError
from tandem_server.stages.protocols import Voice


def make_voice(setting: str) -> Voice:
    """`setting`: espeak, espeak:VOICE, or fake. Raises ConfigurationError."""
    kind, _, argument = setting.partition(":")
    if kind not in _FACTORIES:
        raise ConfigurationError(f"no voice is called {setting!r}; choose one of: espeak, espeak:VOICE, fake")
    return _FACTORIES[kind](argument)


def _espeak(voice: str) -> Voice:
    from tandem_server.engines.espeak import DEFAULT_VOICE, EspeakVoice

    return EspeakVoice(voice or DEFAULT_VOICE)


_FACTORIES: Final[dict[str, Callable[[str], Voice]]] = {
    "espeak": _espeak,
    "fake": lambda _argument: FakeVoice(),
}

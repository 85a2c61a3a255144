"""Voices by the name in the settings. None of these imports its library before it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tandem_models.voice_folders import shipped
from tandem_server.engines.fakes import FakeVoice
from tandem_server.errors import ConfigurationError
from tandem_server.stages.protocols import Voice


def make_voice(setting: str) -> Voice:
    """`setting`: tandem, tandem:NAME, tandem:FOLDER, espeak, espeak:VOICE, or fake. Raises ConfigurationError."""
    kind, _, argument = setting.partition(":")
    if kind not in _FACTORIES:
        known = "tandem, tandem:NAME, tandem:FOLDER, espeak, espeak:VOICE, fake"
        raise ConfigurationError(f"no voice is called {setting!r}; choose one of: {known}")
    return _FACTORIES[kind](argument)


def _tandem(argument: str) -> Voice:
    from tandem_server.engines.tandem_voice import DEFAULT_VOICE, TandemVoice

    here = shipped()
    name = argument or DEFAULT_VOICE
    if name in here:
        return TandemVoice(here[name])
    if not argument or not Path(argument).is_dir():
        known = ", ".join(here) or "none"
        raise ConfigurationError(
            f"no voice of Tandem's is called {name!r} (there are: {known}), and there is no such folder"
        )
    return TandemVoice(Path(argument))


def _espeak(voice: str) -> Voice:
    from tandem_server.engines.espeak import DEFAULT_VOICE, EspeakVoice

    return EspeakVoice(voice or DEFAULT_VOICE)


_FACTORIES: Final[dict[str, Callable[[str], Voice]]] = {
    "tandem": _tandem,
    "espeak": _espeak,
    "fake": lambda _argument: FakeVoice(),
}

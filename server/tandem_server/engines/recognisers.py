"""Recognisers by the name in the settings. None of these imports its library before it is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tandem_server.engines.fakes import FakeRecogniser
from tandem_server.engines.pocketsphinx import PocketSphinx
from tandem_server.engines.vosk import Vosk
from tandem_server.engines.vosk_models import DEFAULT, MODELS
from tandem_server.errors import ConfigurationError
from tandem_server.stages.protocols import Recogniser

DEMO_SCRIPT: Final = ("hello there", "what are you doing today", "that sounds nice", "tell me more about it")
"""What the fake hears, over and over."""


def make_recogniser(setting: str, models_dir: Path) -> Recogniser:
    """`setting`: auto, pocketsphinx, vosk:FOLDER, vosk:NAME of a fetched model, or fake. Raises ConfigurationError."""
    kind, _, argument = setting.partition(":")
    if kind not in _FACTORIES or bool(argument) != (kind == "vosk"):
        choices = "auto, pocketsphinx, vosk:FOLDER, vosk:NAME, fake"
        raise ConfigurationError(f"no recogniser is called {setting!r}; choose one of: {choices}")
    return _FACTORIES[kind](argument, models_dir)


def _auto(_: str, models_dir: Path) -> Recogniser:
    """The small English Vosk model if it has been fetched; else the one that always runs."""
    return Vosk(models_dir / DEFAULT) if (models_dir / DEFAULT).is_dir() else PocketSphinx()


def _vosk(model: str, models_dir: Path) -> Recogniser:
    fetched = models_dir / model
    if model in MODELS and not fetched.is_dir():
        raise ConfigurationError(f"{model} is not in {models_dir}; fetch it first: tandem models fetch {model}")
    return Vosk(fetched if fetched.is_dir() else Path(model).expanduser())


_FACTORIES: Final[dict[str, Callable[[str, Path], Recogniser]]] = {
    "auto": _auto,
    "pocketsphinx": lambda _argument, _models_dir: PocketSphinx(),
    "vosk": _vosk,
    "fake": lambda _argument, _models_dir: FakeRecogniser(DEMO_SCRIPT, repeat=True),
}

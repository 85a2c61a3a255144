"""The turn model by the name in the settings, and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tandem_server.engines.smart_turn import SmartTurn
from tandem_server.errors import ConfigurationError
from tandem_server.stages.protocols import TurnModel

NAME: Final = "smart-turn"
"""As `tandem models fetch` knows it"""
FOLDER: Final = "smart-turn-v3.2"
FILE: Final = "smart-turn-v3.2-cpu.onnx"
SHA256: Final = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
WHEEL: Final = "pipecat-ai==1.14.0"
"""The package that carries the file"""
MEGABYTES: Final = 12
"""Of the wheel; 9 of them are kept."""


def make_turn_model(setting: str, models_dir: Path) -> TurnModel | None:
    """`setting`: auto, off, or the path of an ONNX file. None: do without. Raises ConfigurationError."""
    if setting == "off":
        return None
    fetched = models_dir / FOLDER / FILE
    path = fetched if setting == "auto" else Path(setting).expanduser()
    if path.is_file():
        return SmartTurn(path)
    if setting == "auto":
        return None
    raise ConfigurationError(f"no turn model is in {setting!r}; set TANDEM_TURN_MODEL to auto, off or an ONNX file")

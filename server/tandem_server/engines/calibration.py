"""How a voice speaks when nothing is asked of it: measured by `calibrate.py`, shipped as JSON beside the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tandem_models.prosody import EXTRACTOR_VERSION, MISSING, Prosody
from tandem_server.errors import EngineUnavailable
from tandem_server.stages.protocols import Calibration

NONE_YET = Calibration(MISSING, MISSING)
"""What a voice has while it is being calibrated."""


def load(path: Path, voice: str) -> Calibration:
    """The calibration of one voice. Raises EngineUnavailable when there is none, or of another extractor."""
    again = f"run: python -m tandem_server.engines.calibrate espeak --voice {voice}"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version, entry = content["extractor"], content["voices"].get(voice)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineUnavailable(f"{path.name} cannot be read ({error!r}); {again}", stage="voice") from error
    if version != EXTRACTOR_VERSION:
        raise EngineUnavailable(
            f"{path.name} was measured by {version}, this is {EXTRACTOR_VERSION}; {again}", stage="voice"
        )
    if entry is None:
        known = ", ".join(sorted(content["voices"]))
        raise EngineUnavailable(f"voice {voice!r} is not calibrated (known: {known}); {again}", stage="voice")
    try:
        return Calibration(Prosody.from_dict(entry["mean"]), Prosody.from_dict(entry["sd"]))
    except (KeyError, TypeError, ValueError) as error:
        raise EngineUnavailable(f"{path.name} is damaged ({error!r}); {again}", stage="voice") from error

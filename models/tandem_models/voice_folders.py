"""A voice as a folder: two checkpoints, `acoustic` and `vocoder`, and `voice.json`. Needs no torch.

voice.json says what the voice is called and how it speaks when nothing is asked of it, measured of these very networks:
it holds the sha256 of their manifests, which hold those of their files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tandem_models import checkpoint
from tandem_models.checkpoint import CheckpointError
from tandem_models.prosody import EXTRACTOR_VERSION, Prosody

VOICES: Final = Path(__file__).with_name("voices")
"""Of those that come with the package"""
ABOUT: Final = "voice.json"


@dataclass(frozen=True, slots=True)
class VoiceAbout:
    """voice.json."""

    name: str
    summary: str
    mean: Prosody
    """How the voice speaks when nothing is asked of it, over the calibration sentences ..."""
    sd: Prosody
    """... and how that varies"""
    acoustic: str
    """sha256 of the acoustic model's manifest: what was measured"""
    vocoder: str

    def to_json(self) -> str:
        """As `read` takes it."""
        fields = {"name": self.name, "summary": self.summary, "extractor": EXTRACTOR_VERSION}
        measured = {"mean": self.mean.as_dict(), "sd": self.sd.as_dict()}
        return json.dumps({**fields, **measured, "acoustic": self.acoustic, "vocoder": self.vocoder}, indent=2) + "\n"


def read(folder: Path) -> VoiceAbout:
    """What voice.json says. Raises CheckpointError if it is not there, damaged, or of other networks."""
    path = folder / ABOUT
    try:
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = VoiceAbout(
            str(content["name"]),
            str(content["summary"]),
            Prosody.from_dict(content["mean"], content["extractor"]),
            Prosody.from_dict(content["sd"], content["extractor"]),
            str(content["acoustic"]),
            str(content["vocoder"]),
        )
    except FileNotFoundError:
        raise CheckpointError(f"{folder} is no voice: it has no {ABOUT}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} cannot be read ({error!r}): copy the folder again, or train it again") from error
    if found.mean.version != EXTRACTOR_VERSION:
        raise CheckpointError(
            f"{path} was measured by {found.mean.version}, this is {EXTRACTOR_VERSION}: train it again"
        )
    if (found.acoustic, found.vocoder) != fingerprints(folder):
        raise CheckpointError(f"{path} was measured of other networks than those beside it: calibrate the voice again")
    return found


def fingerprints(folder: Path) -> tuple[str, str]:
    """sha256 of both manifests; empty for a vocoder that is not there."""
    paths = (folder / "acoustic" / checkpoint.MANIFEST, folder / "vocoder" / checkpoint.MANIFEST)
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in paths)
    return first, second


def shipped() -> dict[str, Path]:
    """Name -> folder of the voices that come with the package."""
    return {path.parent.name: path.parent for path in sorted(VOICES.glob(f"*/{ABOUT}"))}

"""Every teacher by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tandem_training.voice_corpus.festival import SLT
from tandem_training.voice_corpus.flite import RMS
from tandem_training.voice_corpus.teacher import Teacher

TEACHERS: Final[Mapping[str, Teacher]] = {"slt": SLT, "rms": RMS}

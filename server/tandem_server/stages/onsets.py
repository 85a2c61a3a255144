"""Where sounds begin, by their level: the first consonant of "sunday" lasts 0.2 s, and is no voice to detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tandem_models.signal import VAD_FRAME

ABOVE: Final = 15.0
"""dB over the quietest frame of late, from which on a frame is a sound"""
FAINTEST: Final = -65.0
"""dB re full scale below which no room is: a microphone that cuts out silence would make a sound of every breath."""
_RISE: Final = 0.1
"""dB a frame (3 dB a second) by which the quietest frame is forgotten"""


class Onsets:
    """One caller's."""

    def __init__(self) -> None:
        self._quietest = 0.0
        """dB"""
        self._since: int | None = None

    def heard(self, end: int, levels: Sequence[float]) -> int | None:
        """The sample with which the frame began, from which on every frame was a sound; None when the newest, which
        ends at sample `end`, is none. `levels`: of its equal parts, in dB re full scale."""
        level = 10.0 * float(np.log10(np.mean(10.0 ** (np.asarray(levels) / 10.0))))
        self._quietest = max(min(self._quietest + _RISE, level), FAINTEST)
        if level < self._quietest + ABOVE:
            self._since = None
        elif self._since is None:
            self._since = end - VAD_FRAME
        return self._since

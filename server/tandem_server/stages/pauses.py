"""How long this speaker pauses before going on: a log-normal that starts as everybody's and becomes the speaker's own.

Durations of pauses are log-normal (Kirsner et al. 2002; Campione & Véronis 2002). The speaker's mean log duration has a
normal prior, the spread about it is known, so the posterior and the prediction of the next pause are normal too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy.special import ndtr, ndtri

_SHORTEST: Final = 1.0
"""Milliseconds; keeps the logarithm finite."""


@dataclass(frozen=True, slots=True)
class PausePrior:
    """Pauses of 0.1 s and more of speakers in general. Raises ValueError for numbers that are no distribution.

    The shipped ones (median 400 ms, .65, .35) are round numbers that agree with published summaries, and come from no
    recording: Campione & Véronis (2002; 6000 pauses, five languages) find three groups, below 200 ms, 200-1000 ms and,
    in spontaneous speech only, above 1 s; here they hold 17, 72 and 11 %. Lundholm Fors (2015) calls a quarter to half
    a second typical.
    """

    median_ms: float
    within: float
    """Standard deviation of one speaker's log durations"""
    between: float
    """Standard deviation of speakers' mean log durations"""

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value > 0.0 for value in (self.median_ms, self.within, self.between)):
            raise ValueError(f"no distribution of pauses: {self}")


@dataclass(frozen=True, slots=True)
class SpeakerPauses:
    """The pauses after which a speaker went on, as far as they have been heard."""

    prior: PausePrior
    count: int = 0
    total: float = 0.0
    """Sum of log milliseconds"""

    def heard(self, milliseconds: float) -> SpeakerPauses:
        """With one more."""
        return SpeakerPauses(self.prior, self.count + 1, self.total + math.log(max(milliseconds, _SHORTEST)))

    def longer_than(self, milliseconds: float) -> float:
        """Probability that the speaker's next pause, if it is one, lasts longer than that."""
        mean, deviation = self._prediction()
        return float(ndtr((mean - math.log(max(milliseconds, _SHORTEST))) / deviation))

    def quantile(self, exceeded: float) -> float:
        """Milliseconds that the next pause exceeds with a probability in (0, 1)."""
        mean, deviation = self._prediction()
        return math.exp(mean - deviation * float(ndtri(exceeded)))

    def _prediction(self) -> tuple[float, float]:
        """Mean and standard deviation of the next log duration."""
        strength = (self.prior.within / self.prior.between) ** 2
        known = strength + self.count
        mean = (strength * math.log(self.prior.median_ms) + self.total) / known
        return mean, self.prior.within * math.sqrt(1.0 + 1.0 / known)

"""The meter: what the conversation so far shows of entrainment, from what was heard and what was really spoken.

Computed anew from the history after every reply: O(features · n²) for n exchanges, of which the newest MOST count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tandem_models.measures import Dialogue, Finding, Measure, exchanges, measured
from tandem_models.prosody import NAMES
from tandem_models.surrogates import benjamini_hochberg
from tandem_server.stages.entrain import Scores, Side

MOST: Final = 100
"""Exchanges of one responder that are looked at while the conversation goes on; its report looks at all"""
SIDES: Final[tuple[Side, Side]] = ("user", "agent")
"""Speakers 0 and 1"""
SHOWN: Final[tuple[tuple[Measure, Side], ...]] = (
    ("synchrony", "agent"),
    ("proximity", "agent"),
    ("convergence", "agent"),
    ("synchrony", "user"),
)
"""(measure, who responds)"""


@dataclass(frozen=True, slots=True)
class Reading:
    """One measure of one feature."""

    feature: str
    responder: Side
    finding: Finding
    p_adjusted: float | None = None


def readings(turns: Sequence[tuple[Side, Scores]]) -> list[Reading]:
    """All that is shown, adjusted for one another; where exchanges are too few there is no test."""
    if not turns:
        return []
    dialogue = Dialogue.of([(SIDES.index(side), scores) for side, scores in turns])
    pairs = {side: exchanges(dialogue, SIDES.index(side)).last(MOST) for side in SIDES}
    found = [
        Reading(feature, side, measured(measure, pairs[side], at))
        for measure, side in SHOWN
        for at, feature in enumerate(NAMES)
    ]
    adjusted = benjamini_hochberg([np.nan if one.finding.p is None else one.finding.p for one in found])
    return [
        one if np.isnan(p) else Reading(one.feature, one.responder, one.finding, float(p))
        for one, p in zip(found, adjusted, strict=True)
    ]

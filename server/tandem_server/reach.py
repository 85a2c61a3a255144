"""How far the realiser can move a voice, in the z of its own scale: what the guards keep targets within."""

from __future__ import annotations

import math
from typing import Final

from tandem_models.normaliser import Normaliser
from tandem_models.prosody import NAMES, Prosody
from tandem_models.realise import REACH
from tandem_server.stages.entrain import Reach

_RATIOS: Final = frozenset({"pitch_range", "intensity_range"})
"""Features whose reach is given as the logarithm of a ratio."""


def reach_of(scale: Normaliser, normal: Prosody) -> Reach:
    """The realiser's limits around how the voice speaks unmoved; 0 both ways for a feature that it lacks."""
    low, high = [], []
    for name in NAMES:
        own, (least, most) = normal[name], REACH[name]
        low.append(0.0 if own is None else _z(scale, name, _moved(name, own, least)))
        high.append(0.0 if own is None else _z(scale, name, _moved(name, own, most)))
    return Reach(tuple(low), tuple(high))


def _moved(name: str, own: float, move: float) -> float:
    return own * math.exp(move) if name in _RATIOS else own + move


def _z(scale: Normaliser, name: str, value: float) -> float:
    score = scale.z(Prosody.from_dict({name: value}))[NAMES.index(name)]
    assert score is not None
    return score

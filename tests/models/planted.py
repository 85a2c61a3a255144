"""Dialogues in which it is known who follows whom, for the tests of the measures."""

from __future__ import annotations

import numpy as np

from tandem_models.measures import Dialogue


def planted(
    turns: int,
    dice: np.random.Generator,
    *,
    level: float = 0.0,
    change: float = 0.0,
    momentum: float = 0.35,
    features: int = 8,
    who: int = 1,
) -> Dialogue:
    """Speaker `who` follows the other: `level` of the way to where they are, `change` of how they depart from their
    normal. Each keeps `momentum` of the last departure; the turns alternate."""
    normal = dice.normal(0.0, 0.8, (2, features))
    hidden, values = normal.copy(), []
    for turn in range(turns):
        mine, other = turn % 2, 1 - turn % 2
        pull = level * (hidden[other] - hidden[mine]) + change * (hidden[other] - normal[other])
        hidden[mine] = normal[mine] + momentum * (hidden[mine] - normal[mine]) + (pull if mine == who else 0.0)
        hidden[mine] += dice.normal(0.0, 0.55, features)
        values.append(hidden[mine] + dice.normal(0.0, 0.45, features))
    return Dialogue(np.array(values), np.arange(turns) % 2, np.arange(turns, dtype=np.float64))

"""Where the agent's prosody should go: strategies behind one signature, and the guards that every one of them passes.

A strategy reads the history and says where each feature should be, in z: units of the agent's own voice, 0 being its
normal. z of the user comes in two kinds. `level` is against the population ("a high voice"), `z` against the speaker's
own past ("high, for her"). The guards (Levitan et al. 2016 and the closed-loop analysis in the design's references)
keep a loop of two adapting partners stable whatever the strategy asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from tandem_models.prosody import NAMES

Scores = tuple[float | None, ...]
"""One z per feature in registry order; None is missing."""
NEUTRAL: Final[Scores] = (0.0,) * len(NAMES)


@dataclass(frozen=True, slots=True)
class UserScores:
    """How one turn of the user stood out."""

    z: Scores
    """Against the speaker's own posterior before the turn."""
    level: Scores
    """Against the population."""


UNHEARD: Final = UserScores((None,) * len(NAMES), (None,) * len(NAMES))
"""A turn that was typed."""
Side = Literal["user", "agent"]


@dataclass(frozen=True, slots=True)
class History:
    """What a strategy may know: both sides, oldest first, and what was last asked of the voice."""

    user: tuple[UserScores, ...] = ()
    agent: tuple[Scores, ...] = ()
    """Realised, not requested."""
    target: Scores | None = None
    order: tuple[Side, ...] = ()
    """Whose turn it was, oldest first"""

    def heard(self, scores: UserScores) -> History:
        """A turn of the user more."""
        return replace(self, user=(*self.user, scores), order=(*self.order, "user"))

    def said(self, scores: Scores) -> History:
        """A turn of the agent more, as it was spoken."""
        return replace(self, agent=(*self.agent, scores), order=(*self.order, "agent"))

    @property
    def turns(self) -> tuple[tuple[Side, Scores], ...]:
        """Both sides in order; the user's level, the agent's z: each is 0 where its kind usually is."""
        user, agent = iter(self.user), iter(self.agent)
        return tuple((side, next(user).level if side == "user" else next(agent)) for side in self.order)


Strategy = Callable[[History, str], Scores]
"""(history, text about to be spoken) -> where each feature should be; None where there is no opinion."""


def neutral(_: History, __: str) -> Scores:
    """The voice's own normal, through the same signal processing as every other condition."""
    return NEUTRAL


def match(history: History, _: str) -> Scores:
    """Stand in the voice's range where the user's last turn stands in the population's."""
    return history.user[-1].level if history.user else NEUTRAL


def anti(history: History, text: str) -> Scores:
    """The mirror image of `match`: as far below as the user is above."""
    return tuple(None if score is None else -score for score in match(history, text))


GLOBAL_WEIGHT: Final = 0.6
LOCAL_WEIGHT: Final = 0.4
"""Where the user has been on the whole, and how the last turn departed from it: global and local entrainment
(De Looze et al. 2014). Set by hand."""


def rule(history: History, _: str) -> Scores:
    """Global + local: the user's mean level, and the last turn's departure from the user's own normal."""
    if not history.user:
        return NEUTRAL
    last = history.user[-1].z
    means = (_mean([turn.level[position] for turn in history.user]) for position in range(len(NAMES)))
    return tuple(_weighted(mean, local) for mean, local in zip(means, last, strict=True))


def _mean(scores: list[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def _weighted(level: float | None, local: float | None) -> float | None:
    if level is None and local is None:
        return None
    return GLOBAL_WEIGHT * (level or 0.0) + LOCAL_WEIGHT * (local or 0.0)


STRATEGIES: Final[Mapping[str, tuple[Strategy, str]]] = {
    "neutral": (neutral, "Speaks at the voice's own normal, whatever the user does: the control condition."),
    "match": (match, "Moves in its own range to where the user's last turn stands among speakers."),
    "rule": (rule, "Follows the user's mean level (global, 0.6) and the last turn's departure from it (local, 0.4)."),
    "anti": (anti, "Moves away: as far below its normal as the user is above."),
}
"""Name -> (strategy, what it does). Neural and yoked strategies will be two more lines."""


@dataclass(frozen=True, slots=True)
class Guards:
    """What no strategy may exceed, per feature and turn."""

    leak: float = 0.9
    """Share of the last target kept when nothing is known about the user: the agent relaxes to its own normal."""
    slew: float = 0.75
    """Largest change from one turn to the next, in z."""
    zmax: float = 2.5
    """Targets approach it (tanh) and never pass it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a voice can go from its normal, per feature in z."""

    low: tuple[float, ...]
    high: tuple[float, ...]


UNLIMITED: Final = Reach((-math.inf,) * len(NAMES), (math.inf,) * len(NAMES))


def aim(
    strategy: Strategy,
    history: History,
    text: str,
    *,
    strength: float = 1.0,
    features: frozenset[str] = frozenset(NAMES),
    guards: Guards = Guards(),
    reach: Reach = UNLIMITED,
) -> Scores:
    """The agent's next target: the strategy's wish, weighted, masked and guarded. A voice that has not spoken yet is at
    its normal, and a masked feature goes back there; both step by step."""
    wishes = strategy(history, text)
    previous = history.target or NEUTRAL
    scores = []
    for position, name in enumerate(NAMES):
        last, wish = previous[position] or 0.0, wishes[position]
        wanted = guards.leak * last if wish is None else strength * wish
        if name not in features:
            wanted = 0.0
        limit = min(guards.zmax, max(reach.high[position] if wanted > 0 else -reach.low[position], 0.0))
        bounded = limit * math.tanh(wanted / limit) if limit else 0.0
        scores.append(min(max(bounded, last - guards.slew), last + guards.slew))
    return tuple(scores)

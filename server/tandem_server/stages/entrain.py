"""Where the agent's prosody should go: what a strategy is, and the guards that every one of them passes.

A strategy reads the history and says where each feature should be, in z: units of the agent's own voice, 0 being its
normal. z of the user comes in two kinds. `level` is against the population ("a high voice"), `z` against the speaker's
own past ("high, for her"). The guards (Levitan et al. 2016 and the closed-loop analysis in the design's references)
keep a loop of two adapting partners stable whatever the strategy asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from tandem_models.normaliser import Normaliser
from tandem_models.prosody import MISSING, NAMES, Prosody

Scores = tuple[float | None, ...]
"""One z per feature in registry order; None is missing."""
NEUTRAL: Final[Scores] = (0.0,) * len(NAMES)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One turn as it was measured: what a learned strategy reads, which scores and learns in its own way."""

    prosody: Prosody = MISSING
    text: str = ""
    weight: float = 0.0
    """How much it teaches about its speaker, from 0 to 1 (a second of voice)"""


SILENT: Final = Spoken()


@dataclass(frozen=True, slots=True)
class UserScores:
    """How one turn of the user stood out."""

    z: Scores
    """Against the speaker's own posterior before the turn."""
    level: Scores
    """Against the population."""
    spoken: Spoken = SILENT


UNKNOWN: Final[Scores] = (None,) * len(NAMES)
UNHEARD: Final = UserScores(UNKNOWN, UNKNOWN)
"""A turn that was typed."""
Side = Literal["user", "agent"]


@dataclass(frozen=True, slots=True)
class History:
    """What a strategy may know: both sides, oldest first, and what was last asked of the voice."""

    user: tuple[UserScores, ...] = ()
    agent: tuple[Scores, ...] = ()
    """Realised, not requested."""
    target: Scores | None = None
    donor: tuple[Scores, ...] = ()
    """Targets of another conversation, for `yoked`"""
    order: tuple[Side, ...] = ()
    """Whose turn it was, oldest first"""
    replies: tuple[Spoken, ...] = ()
    """The agent's turns as they were measured"""
    speaker: Normaliser = field(default_factory=Normaliser.new)
    """What was known of the user before the first turn"""

    def heard(self, scores: UserScores) -> History:
        """A turn of the user more."""
        return replace(self, user=(*self.user, scores), order=(*self.order, "user"))

    def said(self, scores: Scores, spoken: Spoken = SILENT) -> History:
        """A turn of the agent more, as it was spoken."""
        return replace(self, agent=(*self.agent, scores), order=(*self.order, "agent"), replies=(*self.replies, spoken))

    @property
    def turns(self) -> tuple[tuple[Side, Scores], ...]:
        """Both sides in order; the user's level, the agent's z: each is 0 where its kind usually is."""
        user, agent = iter(self.user), iter(self.agent)
        return tuple((side, next(user).level if side == "user" else next(agent)) for side in self.order)

    @property
    def dialogue(self) -> tuple[tuple[Side, Spoken], ...]:
        """Both sides in order, as they were measured."""
        user, agent = iter(self.user), iter(self.replies)
        return tuple((side, next(user).spoken if side == "user" else next(agent)) for side in self.order)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where a strategy wants each feature, in z; None where it has no opinion."""

    z: Scores
    spread: Scores = UNKNOWN
    """Standard deviation of what it does not know about that (z), where it can tell: the guards trust it less"""
    settled: bool = False
    """It is a target that has passed the guards before: neither strength nor bending towards a limit is due again"""


@dataclass(frozen=True, slots=True)
class Aimed:
    """How a reply is to be spoken."""

    target: Scores
    asked: Prosody
    """The target in physical units"""
    spread: Scores = UNKNOWN
    """How unsure the strategy is of what it wanted (z)"""


Strategy = Callable[[History, str], Prediction]
"""(history, text about to be spoken) -> where each feature should be. A pure function: replies are prepared in advance
from what may turn out not to have been said."""


@dataclass(frozen=True, slots=True)
class Guards:
    """What no strategy may exceed, per feature and turn."""

    leak: float = 0.9
    """Share of the last target kept when nothing is known about the user: the agent relaxes to its own normal."""
    slew: float = 0.75
    """Largest change from one turn to the next, in z."""
    zmax: float = 2.5
    """Targets approach it (tanh) and never pass it."""
    doubt: float = 1.0
    """Spread at which a prediction counts half: the variance between turns over that and the prediction's own"""


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
    strengths: Mapping[str, float] = MappingProxyType({}),
    features: frozenset[str] = frozenset(NAMES),
    guards: Guards = Guards(),
    reach: Reach = UNLIMITED,
) -> Scores:
    """The agent's next target: the strategy's wish, weighted, masked and guarded. `strengths` hold for single features
    in place of `strength`. A voice that has not spoken yet is at its normal, and a masked feature goes back there; both
    step by step."""
    wish = strategy(history, text)
    previous = history.target or NEUTRAL
    scores = []
    for position, name in enumerate(NAMES):
        last, wanted = previous[position] or 0.0, wish.z[position]
        if wanted is None:
            wanted = guards.leak * last
        elif not wish.settled:
            wanted *= strengths.get(name, strength) * trust(wish.spread[position], guards)
        if name not in features:
            wanted = 0.0
        limit = min(guards.zmax, max(reach.high[position] if wanted > 0 else -reach.low[position], 0.0))
        if wish.settled:
            bounded = min(max(wanted, -limit), limit)
        else:
            bounded = limit * math.tanh(wanted / limit) if limit else 0.0
        scores.append(min(max(bounded, last - guards.slew), last + guards.slew))
    return tuple(scores)


def trust(spread: float | None, guards: Guards) -> float:
    """How much of a wish counts, from 1 (certain, or it cannot tell) down to 0: the shrinkage of a noisy estimate."""
    return 1.0 if spread is None else 1.0 / (1.0 + (spread / guards.doubt) ** 2)

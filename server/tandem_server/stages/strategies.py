"""The strategies by name: from the history of both sides to where the agent's next turn should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tandem_models.prosody import NAMES
from tandem_server.stages.entrain import NEUTRAL, UNKNOWN, History, Prediction, Strategy


def neutral(_: History, __: str) -> Prediction:
    """The voice's own normal, through the same signal processing as every other condition."""
    return Prediction(NEUTRAL)


def match(history: History, _: str) -> Prediction:
    """Stand in the voice's range where the user's last turn stands in the population's."""
    return Prediction(history.user[-1].level if history.user else NEUTRAL)


def anti(history: History, text: str) -> Prediction:
    """The mirror image of `match`: as far below as the user is above."""
    return Prediction(tuple(None if score is None else -score for score in match(history, text).z))


GLOBAL_WEIGHT: Final = 0.6
LOCAL_WEIGHT: Final = 0.4
"""Where the user has been on the whole, and how the last turn departed from it: global and local entrainment
(De Looze et al. 2014). Set by hand."""


def rule(history: History, _: str) -> Prediction:
    """Global + local: the user's mean level, and the last turn's departure from the user's own normal."""
    if not history.user:
        return Prediction(NEUTRAL)
    last = history.user[-1].z
    means = (_mean([turn.level[position] for turn in history.user]) for position in range(len(NAMES)))
    return Prediction(tuple(_weighted(mean, local) for mean, local in zip(means, last, strict=True)))


def yoked(history: History, _: str) -> Prediction:
    """The targets of another conversation, turn by turn: moves as much, and not because of this user. After its last
    one they begin anew; without a donor the voice goes to its normal."""
    donor = history.donor
    if not donor:
        return Prediction(UNKNOWN)
    return Prediction(donor[len(history.agent) % len(donor)], settled=True)


def untaught(_: History, __: str) -> Prediction:
    """Stands for the learned strategy until its model is loaded: no opinion, so that the voice goes to its normal."""
    return Prediction(UNKNOWN)


def _mean(scores: list[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def _weighted(level: float | None, local: float | None) -> float | None:
    if level is None and local is None:
        return None
    return GLOBAL_WEIGHT * (level or 0.0) + LOCAL_WEIGHT * (local or 0.0)


CONTINGENT: Final = frozenset({"match", "rule", "neural", "anti"})
"""Those that follow this user: a conversation under one of them can be a donor"""

STRATEGIES: Final[Mapping[str, tuple[Strategy, str]]] = {
    "neutral": (neutral, "Speaks at the voice's own normal, whatever the user does: the control condition."),
    "match": (match, "Moves in its own range to where the user's last turn stands among speakers."),
    "rule": (rule, "Follows the user's mean level (global, 0.6) and the last turn's departure from it (local, 0.4)."),
    "neural": (untaught, "Speaks as a trained model expects a person to, from both voices so far and the next words."),
    "anti": (anti, "Moves away: as far below its normal as the user is above."),
    "yoked": (yoked, "Repeats the targets of another conversation: moves as much, but not with this user."),
}
"""Name -> (strategy, what it does). A learned one is handed to the conversation when it is loaded."""

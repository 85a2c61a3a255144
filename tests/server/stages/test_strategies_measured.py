"""What the meter says of each strategy when a user who does not listen talks with it: through the guards, with a voice
that misses its targets. 20 conversations of 40 exchanges and 8 features each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tandem_models.prosody import NAMES
from tandem_server.stages.entrain import History, Scores, UserScores, aim
from tandem_server.stages.meter import Reading, readings
from tandem_server.stages.strategies import STRATEGIES

CONVERSATIONS, EXCHANGES = 20, 40


def conversation(name: str, dice: np.random.Generator, donor: tuple[Scores, ...] = ()) -> History:
    """The user keeps 0.4 of the last departure from a normal of their own; the voice misses by 0.4 z."""
    strategy, _ = STRATEGIES[name]
    normal = dice.normal(0.0, 0.8, len(NAMES))
    level, history = normal, History(donor=donor)
    for _ in range(EXCHANGES):
        level = normal + 0.4 * (level - normal) + dice.normal(0.0, 0.8, len(NAMES))
        history = history.heard(UserScores(tuple((level - normal).tolist()), tuple(level.tolist())))
        history = replace(history, target=aim(strategy, history, ""))
        target = np.array(history.target, dtype=np.float64)
        history = history.said(tuple((target + dice.normal(0.0, 0.4, len(NAMES))).tolist()))
    return history


def targets(history: History) -> tuple[Scores, ...]:
    """What a donor of these realised values might have been asked for."""
    return tuple(history.agent)


@cache
def found(name: str) -> tuple[Reading, ...]:
    """How the agent answers its user, in every conversation and feature."""
    dice = np.random.default_rng(17)
    result: list[Reading] = []
    for _ in range(CONVERSATIONS):
        donor = targets(conversation("match", dice)) if name == "yoked" else ()
        shown = readings(conversation(name, dice, donor).turns)
        result += [one for one in shown if one.finding.measure == "synchrony" and one.responder == "agent"]
    return tuple(result)


def share(name: str) -> float:
    """Of tests that hold after adjustment."""
    return float(np.mean([one.p_adjusted is not None and one.p_adjusted < 0.05 for one in found(name)]))


def mean(name: str) -> float:
    return float(np.mean([one.finding.effect for one in found(name) if one.finding.effect is not None]))


@pytest.mark.parametrize("name", ["match", "rule"])
def test_those_that_follow_are_seen_to(name: str) -> None:
    assert mean(name) > 0.4
    assert share(name) > 0.6


@pytest.mark.parametrize("name", ["neutral", "yoked"])
def test_those_that_do_not_are_not_though_yoked_moves_as_much(name: str) -> None:
    assert abs(mean(name)) < 0.05
    assert share(name) <= 0.02


def test_anti_is_seen_to_move_away() -> None:
    assert mean("anti") < -0.4
    assert share("anti") > 0.6

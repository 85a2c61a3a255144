"""The live meter: the measures of the history in order, tested as one family, and silent while there is too little."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tandem_models.prosody import NAMES
from tandem_models.surrogates import MINIMUM
from tandem_server.stages.entrain import UNHEARD, History, Scores, UserScores
from tandem_server.stages.meter import MOST, SHOWN, readings


def scores(values: np.ndarray) -> Scores:
    return tuple(float(value) for value in values)


def talked(turns: int, follows: float, seed: int = 1) -> History:
    """The user wanders; the agent answers with `follows` times the user's level and noise of its own."""
    dice, history = np.random.default_rng(seed), History()
    for _ in range(turns):
        user = dice.normal(size=len(NAMES))
        history = history.heard(UserScores(scores(np.zeros(len(NAMES))), scores(user)))
        history = history.said(scores(follows * user + 0.3 * dice.normal(size=len(NAMES))))
    return history


def test_the_history_keeps_the_order_of_both_sides() -> None:
    one, two = (UserScores((None,) * 8, (level,) * 8) for level in (1.0, 2.0))
    history = History().heard(one).heard(two).said((3.0,) * 8).heard(UNHEARD)
    assert [(side, values[0]) for side, values in history.turns] == [
        ("user", 1.0),
        ("user", 2.0),
        ("agent", 3.0),
        ("user", None),
    ]


def test_nothing_is_claimed_before_there_are_enough_exchanges() -> None:
    assert readings(()) == []
    early = readings(talked(MINIMUM - 1, follows=1.0).turns)
    assert len(early) == len(SHOWN) * len(NAMES)
    assert {one.finding.n for one in early} == {MINIMUM - 1, MINIMUM - 2}
    assert all(one.finding.effect is one.p_adjusted is None for one in early)


def test_an_agent_that_follows_is_seen_to_and_its_user_is_not() -> None:
    found = readings(talked(30, follows=0.8).turns)
    agent = [one for one in found if one.finding.measure == "synchrony" and one.responder == "agent"]
    user = [one for one in found if one.finding.measure == "synchrony" and one.responder == "user"]
    assert all(one.finding.effect is not None and one.finding.effect > 0.7 for one in agent)
    assert all(one.p_adjusted is not None and one.p_adjusted < 0.05 for one in agent)
    assert all(one.p_adjusted is not None and one.p_adjusted > 0.05 for one in user)


def test_every_test_that_is_shown_is_adjusted_for_all_others() -> None:
    found = readings(talked(30, follows=0.3).turns)
    p = [one.finding.p for one in found]
    assert all(one is not None for one in p)
    assert [one.p_adjusted for one in found] == pytest.approx(stats.false_discovery_control(p))


def test_an_agent_that_does_not_listen_is_seen_to_entrain_in_few_conversations() -> None:
    false = [
        any(one.p_adjusted is not None and one.p_adjusted < 0.05 for one in readings(talked(30, 0.0, seed).turns))
        for seed in range(60)
    ]
    # One in twenty at most: of 60 conversations 7 or more would come once in a hundred.
    assert sum(false) <= 7


def test_only_the_newest_exchanges_count_in_a_long_conversation() -> None:
    found = readings(talked(MOST + 30, follows=0.5).turns)
    assert {one.finding.n for one in found} == {MOST}

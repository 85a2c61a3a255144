"""Errors, intervals and tests by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tandem_training.scores import Bootstrap, Errors, holm


def test_missing_values_and_uncounted_turns_are_left_out() -> None:
    values = np.array([[[1.0, np.nan], [5.0, 2.0]]])
    predicted = np.array([[[0.5, 0.0], [0.0, 4.0]]])
    both = Errors.of(predicted, values, np.array([[True, True]]))
    late = Errors.of(predicted, values, np.array([[False, True]]))

    assert both.total.tolist() == [[5.5, 2.0]]
    assert both.count.tolist() == [[2.0, 1.0]]
    assert both.l1 == pytest.approx(2.5)
    assert late.l1 == pytest.approx(3.5)
    assert both.by_feature.tolist() == [2.75, 2.0]
    assert Errors.mean([both, both]).l1 == both.l1


def test_an_interval_has_the_width_of_the_standard_error() -> None:
    """400 dialogues of one value each, sd of |N(0, 1)| = sqrt(1 - 2/pi): 1.96 standard errors to both sides."""
    drawn = np.abs(np.random.default_rng(1).normal(size=(400, 1)))
    found = Bootstrap.draw(400, 2000, 2).l1(Errors(drawn, np.ones_like(drawn)))
    width = 2.0 * 1.96 * np.sqrt((1.0 - 2.0 / np.pi) / 400)

    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(width, rel=0.12)


def test_differences_are_paired() -> None:
    """A predictor that is worse by 0.01 on every dialogue is surely worse, however much dialogues differ."""
    errors = np.random.default_rng(1).uniform(0.0, 10.0, size=(50, 2))
    one, other = Errors(errors + 0.01, np.ones_like(errors)), Errors(errors, np.ones_like(errors))
    chance = Bootstrap.draw(50, 200, 3)

    assert chance.difference(one, other).as_list() == pytest.approx([0.01] * 3)
    assert all(p == pytest.approx(1.0 / 201.0) for _, p in chance.difference_by_feature(one, other))


def test_a_share_is_the_way_gone() -> None:
    ones = np.ones((20, 1))
    chance = Bootstrap.draw(20, 100, 4)

    assert chance.share(*(Errors(l1 * ones, ones) for l1 in (0.6, 0.57, 0.5))).as_list() == pytest.approx([0.3] * 3)


def test_holm_is_as_worked_by_hand() -> None:
    """0.01 * 3; 0.02 * 2 = 0.04; 0.04 * 1, but never below the one before."""
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])

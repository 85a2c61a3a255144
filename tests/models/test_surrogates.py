"""Surrogates and their p: against scipy, against all orders there are, and under the null hypothesis."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tandem_models.surrogates import (
    benjamini_hochberg,
    correlation_matrix,
    pairing_test,
    permutation_p,
    shifts,
    shuffles,
    two_sided,
    two_sided_normal,
)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40))
def test_benjamini_hochberg_is_that_of_scipy(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


def test_what_was_not_tested_is_no_test_of_the_family() -> None:
    # .01 and .04 are two tests: 2 * .01 / 1 and 2 * .04 / 2.
    assert benjamini_hochberg([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert np.isnan(benjamini_hochberg([np.nan])).all()


def test_tails_are_those_of_scipy() -> None:
    assert two_sided(-2.1, 9) == pytest.approx(2 * stats.t.sf(2.1, 9))
    assert two_sided_normal(1.7) == pytest.approx(2 * stats.norm.sf(1.7))


def test_the_diagonal_of_the_correlation_matrix_is_pearsons_r() -> None:
    dice = np.random.default_rng(3)
    a, b = dice.normal(size=(2, 17))
    scores = correlation_matrix(a, b)
    assert scores is not None
    assert np.diagonal(scores).mean() == pytest.approx(stats.pearsonr(a, b).statistic)
    assert correlation_matrix(np.full(9, 0.1), b[:9]) is None


def test_the_moments_of_all_shuffles_give_pearsons_p() -> None:
    dice = np.random.default_rng(4)
    a = dice.normal(size=30)
    b = 0.4 * a + dice.normal(size=30)
    scores = correlation_matrix(a, b)
    assert scores is not None
    assert pairing_test(scores).p_shuffled == pytest.approx(stats.pearsonr(a, b).pvalue)


def test_all_720_orders_of_six_have_the_moments_that_are_used_and_the_draws_their_p() -> None:
    dice = np.random.default_rng(5)
    scores = -np.abs(dice.normal(size=6)[:, None] - dice.normal(size=6)[None, :])
    every = np.array([scores[np.arange(6), list(order)].mean() for order in permutations(range(6))])
    effect = np.diagonal(scores).mean() - scores.mean()
    assert every.mean() == pytest.approx(scores.mean())
    r = min(abs(effect) / every.std() / np.sqrt(5), 1.0 - 1e-12)
    expected = two_sided(r * np.sqrt(4 / (1 - r * r)), 4)
    assert pairing_test(scores).p_shuffled == pytest.approx(expected)
    exact = np.mean(np.abs(every - scores.mean()) >= abs(effect) - 1e-12)
    assert pairing_test(scores, draws=20_000).p_shuffled == pytest.approx(exact, abs=0.015)


def test_a_p_is_never_zero_and_counts_both_tails() -> None:
    # |-3| and |4| reach 3: (1 + 2) / (1 + 4).
    assert permutation_p(3.0, [0.0, -3.0, 4.0, 1.0]) == pytest.approx(0.6)
    assert permutation_p(9.0, np.zeros(99)) == pytest.approx(0.01)


def test_shuffles_are_orders_and_the_same_for_the_same_seed() -> None:
    drawn = shuffles(12, 50, 1)
    assert (np.sort(drawn, axis=1) == np.arange(12)).all()
    assert (drawn == shuffles(12, 50, 1)).all() and not (drawn == shuffles(12, 50, 2)).all()


@pytest.mark.parametrize("step", [1, 2])
def test_shifts_keep_the_order_round_a_circle_and_no_forward_one_stays_near(step: int) -> None:
    n = 10
    for row in shifts(n, step):
        assert sorted(row) == list(range(n))
        assert {int(by) for by in np.diff(row) % n} in ({1}, {n - 1})
    # Forwards by 3..7 and backwards from 0..9; of every second, by 4 and 6, and from 0, 2, 4, 6, 8.
    assert len(shifts(n, step)) == (15 if step == 1 else 7)


def test_momentum_alone_makes_shuffles_cry_entrainment_and_shifts_not() -> None:
    """Two voices that drift by themselves (AR(1), 0.9), 50 exchanges, 400 dialogues."""
    dice = np.random.default_rng(6)
    noise = dice.normal(size=(400, 2, 50))
    voices = np.zeros_like(noise)
    for at in range(1, 50):
        voices[..., at] = 0.9 * voices[..., at - 1] + noise[..., at]
    found = [pairing_test(scores) for a, b in voices if (scores := correlation_matrix(a, b)) is not None]
    assert np.mean([one.p_shuffled < 0.05 for one in found]) > 0.25
    assert np.mean([one.p_shifted < 0.05 for one in found]) < 0.08
    assert np.mean([one.p < 0.05 for one in found]) < 0.08

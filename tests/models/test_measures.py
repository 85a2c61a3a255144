"""The measures: worked out by hand, by scipy, on dialogues that are known to entrain and on such that do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tandem_models.measures import (
    MEASURES,
    Dialogue,
    Finding,
    Measure,
    asymmetry,
    exchanges,
    global_convergence,
    measured,
    proximity_paired,
)
from tandem_models.surrogates import MINIMUM

from .planted import planted

# User (0) and agent (1) take turns, one feature; the user speaks twice in between, and once cannot be measured.
HAND = Dialogue.of([(0, [1.0]), (1, [2.0]), (0, [3.0]), (0, [0.0]), (1, [1.0]), (0, [None]), (1, [5.0])])


def test_exchanges_are_neighbours_of_different_speakers() -> None:
    pairs = exchanges(HAND)
    assert pairs.first[:, 0] == pytest.approx([1.0, 3.0, 0.0, np.nan, np.nan], nan_ok=True)
    assert pairs.second[:, 0] == pytest.approx([2.0, 2.0, 1.0, 1.0, 5.0])
    assert list(pairs.times) == [1, 2, 4, 5, 6]


def test_those_of_one_responder_are_where_it_answers() -> None:
    assert list(exchanges(HAND, 1).times) == [1, 4, 6]
    assert list(exchanges(HAND, 0).times) == [2, 5]
    assert exchanges(HAND, 0).first[:, 0] == pytest.approx([3.0, np.nan], nan_ok=True)


def test_a_dialogue_has_two_speakers_and_shapes_that_fit() -> None:
    with pytest.raises(ValueError, match="0 and 1"):
        Dialogue.of([(0, [1.0]), (2, [1.0])])
    with pytest.raises(ValueError, match="do not fit"):
        Dialogue(np.zeros((3, 1)), np.zeros(2, np.int64), np.zeros(3))


def alternating(user: list[float], agent: list[float]) -> Dialogue:
    turns = [(who, [value]) for pair in zip(user, agent, strict=True) for who, value in enumerate(pair)]
    return Dialogue.of(turns)


USER = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0, 1.0, 3.0, 6.0, 2.0]
AGENT = [2.0, 3.0, 2.5, 6.0, 6.5, 5.0, 0.0, 4.0, 5.5, 3.0]


def test_synchrony_is_pearsons_r_of_the_answers() -> None:
    found = measured("synchrony", exchanges(alternating(USER, AGENT), 1), 0)
    assert (found.n, found.effect) == pytest.approx((10, stats.pearsonr(USER, AGENT).statistic))
    back = measured("synchrony", exchanges(alternating(USER, AGENT), 0), 0)
    assert (back.n, back.effect) == pytest.approx((9, stats.pearsonr(AGENT[:-1], USER[1:]).statistic))
    both = measured("synchrony", exchanges(alternating(USER, AGENT)), 0)
    sides = [*zip(USER, AGENT, strict=True), *zip(USER[1:], AGENT[:-1], strict=True)]
    assert (both.n, both.effect) == pytest.approx((19, stats.pearsonr(*zip(*sides, strict=True)).statistic))


def test_convergence_is_the_correlation_of_similarity_with_time() -> None:
    found = measured("convergence", exchanges(alternating(USER, AGENT), 1), 0)
    similar = [-abs(a - b) for a, b in zip(USER, AGENT, strict=True)]
    assert found.effect == pytest.approx(stats.pearsonr(range(10), similar).statistic)


def test_proximity_is_how_much_more_alike_neighbours_are_than_all_pairs() -> None:
    found = measured("proximity", exchanges(alternating(USER, AGENT), 1), 0)
    every = np.mean([-abs(a - b) for a in USER for b in AGENT])
    near = np.mean([-abs(a - b) for a, b in zip(USER, AGENT, strict=True)])
    assert found.effect == pytest.approx(near - every)


def test_the_paired_test_of_proximity_worked_by_hand_and_by_scipy() -> None:
    # User 0, 2, 4 answered by 1, 2, 5: adjacent -1, 0, -1. Others of 1: 2 and 4 -> -1, -3; of 2: -2, -2; of 5: -5, -3.
    paired = proximity_paired(exchanges(alternating([0.0, 2.0, 4.0], [1.0, 2.0, 5.0]), 1), 0)
    assert paired is not None
    assert (paired.adjacent, paired.others) == pytest.approx((-2 / 3, -8 / 3))
    assert paired.index == pytest.approx(-0.25)
    assert paired.t == pytest.approx(stats.ttest_rel([-1, 0, -1], [-2, -2, -4]).statistic)
    assert paired.d == pytest.approx(paired.t / np.sqrt(3))


def test_few_exchanges_are_counted_and_not_tested() -> None:
    few = exchanges(alternating(USER[: MINIMUM - 1], AGENT[: MINIMUM - 1]), 1)
    assert [measured(one, few, 0) for one in MEASURES] == [Finding(one, MINIMUM - 1) for one in MEASURES]
    assert measured("synchrony", few, 0).p is None


def test_a_voice_that_never_moves_has_no_synchrony_and_no_error() -> None:
    still = exchanges(alternating(USER, [0.3] * 10), 1)
    assert measured("synchrony", still, 0) == Finding("synchrony", 10)
    # Its similarity is the user's doing, and no pairing would change it.
    proximity = measured("proximity", still, 0)
    assert (proximity.effect, proximity.p) == (0.0, 1.0)


def test_missing_values_take_out_their_exchange_only() -> None:
    holes = [*USER]
    holes[3] = np.nan
    found = measured("synchrony", exchanges(alternating(holes, AGENT), 1), 0)
    kept = [(u, a) for u, a in zip(holes, AGENT, strict=True) if np.isfinite(u)]
    assert (found.n, found.effect) == pytest.approx((9, stats.pearsonr(*zip(*kept, strict=True)).statistic))


def test_global_convergence_says_who_moved() -> None:
    # The user goes from 0 to 3, the agent from 6 to 5: the distance from 6 to 2, three quarters of it the user's doing.
    moved = global_convergence(alternating([0.0, 0.0, 3.0, 3.0], [6.0, 6.0, 5.0, 5.0]), 0)
    assert moved is not None
    assert (moved.before, moved.after, moved.change) == (6.0, 2.0, 4.0)
    assert moved.shift == (3.0, -1.0)
    assert moved.shares == (3.0, 1.0)
    assert global_convergence(Dialogue.of([(0, [1.0]), (1, [None]), (0, [1.0]), (1, [2.0])]), 0) is None


def test_asymmetry_is_the_difference_of_fishers_z() -> None:
    one, zero = Finding("synchrony", 28, 0.5), Finding("synchrony", 53, 0.1)
    found = asymmetry(one, zero)
    assert found is not None
    assert found.z == pytest.approx(0.549306 - 0.100335, abs=1e-5)
    assert found.error == pytest.approx(np.sqrt(1 / 25 + 1 / 50))
    assert asymmetry(one, Finding("synchrony", 2)) is None


def rate(measure: Measure, turns: int, responder: int | None, seed: int, **coupling: float) -> float:
    """Share of 480 tests (60 dialogues of 8 features) with p < .05."""
    dice = np.random.default_rng(seed)
    pairs = [exchanges(planted(turns, dice, **coupling), responder) for _ in range(60)]  # type: ignore[arg-type]
    found = [measured(measure, one, feature).p for one in pairs for feature in range(8)]
    return float(np.mean([p is not None and p < 0.05 for p in found]))


@pytest.mark.parametrize("responder", [1, None])
@pytest.mark.parametrize("turns", [24, 80])
@pytest.mark.parametrize("measure", MEASURES)
def test_two_who_do_not_listen_are_found_to_entrain_no_more_often_than_one_in_twenty(
    measure: Measure, turns: int, responder: int | None
) -> None:
    # 480 tests at 5 %: a binomial stays below 7.7 % but for one time in two hundred.
    assert rate(measure, turns, responder, seed=11, momentum=0.35) <= 0.077


@pytest.mark.parametrize("coupling", [{"level": 0.3, "change": 0.25}, {"change": 0.5}])
def test_a_planted_follower_is_found_and_the_other_is_not(coupling: dict[str, float]) -> None:
    assert rate("synchrony", 120, 1, seed=12, **coupling) > 0.5
    assert rate("synchrony", 120, 0, seed=12, **coupling) < rate("synchrony", 120, 1, seed=12, **coupling) / 2
    assert rate("proximity", 120, 1, seed=12, **coupling) > 0.2


def test_one_who_moves_away_has_the_opposite_sign() -> None:
    dice = np.random.default_rng(13)
    pairs = [exchanges(planted(120, dice, change=-0.5), 1) for _ in range(10)]
    effects = [measured("synchrony", one, feature).effect for one in pairs for feature in range(8)]
    assert np.mean([effect is not None and effect < 0.0 for effect in effects]) > 0.9

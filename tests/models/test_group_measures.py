"""Many dialogues: the t tests of scipy, partners against strangers by hand, and other sessions as surrogates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tandem_models.group_measures import fisher_mean, global_similarity, other_sessions, speaker_means, t_test
from tandem_models.measures import Dialogue, Measure

from .planted import planted


def test_the_t_test_is_that_of_scipy() -> None:
    values = [0.3, -0.1, 0.4, 0.25, np.nan, 0.1]
    found, expected = t_test(values), stats.ttest_1samp([0.3, -0.1, 0.4, 0.25, 0.1], 0.0)
    assert found is not None
    assert (found.t, found.p, found.n) == pytest.approx((expected.statistic, expected.pvalue, 5))
    assert found.d == pytest.approx(found.t / np.sqrt(5))
    assert t_test([0.2]) is None
    assert t_test([0.2, 0.2]) is None


def test_correlations_are_averaged_as_fishers_z() -> None:
    found = fisher_mean([0.1, 0.5, 0.3])
    expected = np.arctanh([0.1, 0.5, 0.3])
    assert found is not None
    assert found.mean == pytest.approx(np.tanh(expected.mean()))
    assert found.t == pytest.approx(stats.ttest_1samp(expected, 0.0).statistic)


def test_global_similarity_worked_by_hand() -> None:
    # Users at 0, 4, 9 with agents at 1, 4, 7: own distances 1, 0, 2.
    # Users against strangers: (4 + 7) / 2, (3 + 3) / 2, (8 + 5) / 2; agents: (3 + 8) / 2, (4 + 5) / 2, (7 + 3) / 2.
    found = global_similarity(np.array([[0.0, 1.0], [4.0, 4.0], [9.0, 7.0]]))
    differences = [5.5 - 1, 3 - 0, 6.5 - 2, 5.5 - 1, 4.5 - 0, 5 - 2]
    assert found is not None
    assert found.mean == pytest.approx(np.mean(differences))
    assert found.t == pytest.approx(stats.ttest_1samp(differences, 0.0).statistic)
    assert global_similarity(np.array([[0.0, 1.0], [4.0, np.nan], [9.0, 7.0]])) is None


def test_speaker_means_leave_out_what_is_missing() -> None:
    dialogue = Dialogue.of([(0, [1.0, None]), (1, [4.0, 2.0]), (0, [3.0, None]), (1, [None, 4.0])])
    assert speaker_means(dialogue) == pytest.approx(np.array([[2.0, np.nan], [4.0, 3.0]]), nan_ok=True)


def test_partners_stand_out_from_those_of_other_sessions_when_one_follows_the_other() -> None:
    dice = np.random.default_rng(21)
    coupled = [planted(60, dice, level=0.3, change=0.25, features=1) for _ in range(60)]
    strangers = [planted(60, dice, features=1) for _ in range(60)]
    measures: tuple[Measure, ...] = ("synchrony", "proximity")
    for measure in measures:
        found = other_sessions(coupled, measure, 0, 1)
        assert found is not None and found.z > 3.0 and found.p < 0.01
    none = other_sessions(strangers, "synchrony", 0, 1)
    assert none is not None and abs(none.z) < 3.0
    assert other_sessions(coupled[:3], "synchrony", 0, 1) is None


def test_other_sessions_cry_entrainment_at_the_nominal_rate() -> None:
    dice = np.random.default_rng(22)
    found = [
        other_sessions([planted(40, dice, features=1) for _ in range(12)], "synchrony", 0, 1, draws=99, seed=seed)
        for seed in range(100)
    ]
    # 100 tests at 5 %: at most 11 but for one time in a hundred.
    assert sum(one is not None and one.p < 0.05 for one in found) <= 11

"""Many speakers at once give the numbers of one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from tandem_models.normaliser import NormalInverseGamma, shipped_prior
from tandem_models.normaliser_batch import NormaliserBatch


def test_it_is_the_normaliser_turn_by_turn() -> None:
    random = np.random.default_rng(1)
    prior = shipped_prior()
    values = random.normal([belief.m for belief in prior], 3.0, size=(12, 3, 8))
    values[random.random(values.shape) < 0.2] = np.nan
    weights = random.random((12, 3, 1))
    batch = NormaliserBatch.new(prior, (3,))
    singles: list[list[NormalInverseGamma]] = [list(prior) for _ in range(3)]
    for x, weight in zip(values, weights, strict=True):
        z = batch.z(x)
        batch = batch.updated(x, weight)
        for speaker, beliefs in enumerate(singles):
            for feature, belief in enumerate(beliefs):
                value = float(x[speaker, feature])
                if np.isnan(value):
                    assert np.isnan(z[speaker, feature])
                    continue
                assert z[speaker, feature] == pytest.approx(belief.z(value), abs=1e-12)
                beliefs[feature] = belief.update(value, float(weight[speaker, 0]))

    expected = [[(belief.m, belief.k, belief.a, belief.b) for belief in beliefs] for beliefs in singles]
    np.testing.assert_allclose(np.stack([batch.m, batch.k, batch.a, batch.b], -1), expected, rtol=1e-12)


def test_learning_changes_nothing_in_place() -> None:
    before = NormaliserBatch.new(shipped_prior(), (2,))
    level = before.m.copy()
    rows = (np.array([0]),)
    before.updated(np.full((2, 8), 5.0), np.ones((2, 1)))
    changed = before.replaced(rows, before[rows].updated(np.full((1, 8), 5.0), np.ones((1, 1))))

    np.testing.assert_array_equal(before.m, level)
    np.testing.assert_array_equal(changed.m[1], level[1])
    assert (changed.k[0] == before.k[0] + 1.0).all()

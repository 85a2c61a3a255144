"""The exact predictors: what they find, and that nothing beats them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tandem_training.baselines import SIMPLE, Population, Ridge
from tandem_training.oracle import bank, informed, kalman, pooled, recover, without_entrainment
from tandem_training.simulate import Array, Dialogues, SpeakerType, World, simulate


def score(dialogues: Dialogues, predicted: Array) -> float:
    """L1 from turn 4 on, in simulator units."""
    return float(np.nanmean(np.abs(dialogues.values - predicted)[:, 4:]))


@pytest.fixture(scope="module")
def dialogues() -> Dialogues:
    return simulate(World(), 400, 7)


@pytest.fixture(scope="module")
def training() -> Dialogues:
    return simulate(World(), 800, 1)


def test_the_table_of_the_reference_is_reproduced(dialogues: Dialogues, training: Dialogues) -> None:
    """Within 3 %: lengths, vocabulary and random numbers differ from the simulation the figures are from."""
    population = Population.fit(training)
    found = {name: score(dialogues, predict(dialogues, population)) for name, predict in SIMPLE.items()}
    for name, partner, text in (("own", False, False), ("own+text", False, True), ("VAR", True, True)):
        found[name] = score(dialogues, Ridge.fit(training, partner, text).predict(dialogues))
    for name, predictor in (("uncoupled", without_entrainment), ("pooled", pooled), ("bank", bank)):
        found[name] = score(dialogues, predictor(dialogues).mean)
    found["informed"] = score(dialogues, informed(dialogues).mean)

    expected = {
        "global mean": 0.8716, "persistence": 0.8076, "partner copy": 1.0983, "own shrunk mean": 0.6624, "own": 0.6531,
        "own+text": 0.6122, "VAR": 0.6064, "uncoupled": 0.6042, "pooled": 0.5972, "bank": 0.5888, "informed": 0.5852,
    }  # fmt: skip
    assert found == pytest.approx(expected, rel=0.03)
    assert found["informed"] < found["bank"] < found["pooled"] < found["uncoupled"] < found["VAR"] < found["own+text"]


def test_the_informed_filter_is_calibrated(dialogues: Dialogues) -> None:
    found = informed(dialogues)
    z = (dialogues.values - found.mean) / np.sqrt(found.variance)

    assert np.nanstd(z) == pytest.approx(1.0, abs=0.01)
    assert np.mean(np.abs(z[np.isfinite(z)]) < 1.6449) == pytest.approx(0.9, abs=0.01)


def test_half_the_mean_absolute_error_is_what_the_variance_says(dialogues: Dialogues) -> None:
    """E|error| = sqrt(2/pi) sd for a normal error."""
    found = informed(dialogues)
    seen = np.isfinite(dialogues.values)

    assert np.abs(dialogues.values - found.mean)[seen].mean() == pytest.approx(
        np.sqrt(2.0 / np.pi) * np.sqrt(found.variance)[seen].mean(), rel=0.01
    )


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (0.3, 0.25), (-0.15, -0.10)])
def test_planted_couplings_are_recovered(alpha: float, beta: float) -> None:
    world = World(types=(SpeakerType("only", alpha, beta, 1.0),), convergence=0.0)
    near = np.array([-0.05, 0.0, 0.05])
    found = recover(simulate(world, 60, 3), np.round(alpha, 2) + near, np.round(beta, 2) + near)

    assert found == pytest.approx((alpha, beta), abs=0.03)


def test_the_bank_finds_out_who_is_who(dialogues: Dialogues) -> None:
    """With the types unknown it is between the pooled filter and the informed one, and nearer the latter by the end."""
    late = slice(30, 40)
    errors = [
        float(np.nanmean(np.abs(dialogues.values - predict(dialogues).mean)[:, late]))
        for predict in (informed, bank, pooled)
    ]

    assert errors[1] - errors[0] < 0.5 * (errors[2] - errors[0])


def test_the_first_prediction_is_the_population_and_the_text(dialogues: Dialogues) -> None:
    found = kalman(dialogues, np.zeros(2), np.zeros(2))

    np.testing.assert_allclose(found.mean[:, 0], (dialogues.embedding @ dialogues.world.lexicon[2].T)[:, 0])
    assert found.variance[0, 0, 0] == pytest.approx(
        0.8**2 + 0.35**2 * 0.30 / (1 - 0.35**2) + 0.30 + 0.4 / dialogues.length[0, 0]
    )


@pytest.mark.parametrize("name", ["bank", "VAR", *SIMPLE])
def test_a_later_turn_changes_no_earlier_prediction(name: str, dialogues: Dialogues, training: Dialogues) -> None:
    changed = dialogues.values.copy()
    changed[:, 20:] += 3.0
    other = replace(dialogues, values=changed)
    population = Population.fit(training)

    def predict(given: Dialogues) -> Array:
        if name == "bank":
            return bank(given).mean
        return Ridge.fit(training).predict(given) if name == "VAR" else SIMPLE[name](given, population)

    np.testing.assert_array_equal(predict(dialogues)[:, :21], predict(other)[:, :21])


def test_a_ridge_that_speaks_for_an_agent_never_sees_what_the_agent_said(
    dialogues: Dialogues, training: Dialogues
) -> None:
    ridge = Ridge.fit(training)
    hidden = np.where((dialogues.speaker == 1)[..., None], 99.0, dialogues.values)
    other = replace(dialogues, values=hidden)
    free = ridge.predict(dialogues, agent=1)

    np.testing.assert_array_equal(free, ridge.predict(other, agent=1))
    assert score(dialogues, free) > score(dialogues, ridge.predict(dialogues)) + 0.05

"""Simulated dialogues have the properties that were planted in them."""

from __future__ import annotations

import numpy as np
import pytest

from tandem_models.prosody import INDEX
from tandem_training.simulate import ACTS, VOCABULARY, SpeakerType, World, simulate


def always(alpha: float, beta: float, **options: float | bool) -> World:
    """A world in which everybody is alike."""
    return World(types=(SpeakerType("only", alpha, beta, 1.0),), convergence=0.0, **options)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_dialogues_and_another_seed_others() -> None:
    first, again, other = (simulate(World(), 5, seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first.values, again.values)
    np.testing.assert_array_equal(first.words, again.words)
    assert not np.array_equal(first.usual, other.usual)


def test_speakers_alternate_and_every_turn_has_its_words() -> None:
    found = simulate(World(), 20, 3, turns=7)

    assert found.speaker[0].tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert ((found.words >= 0).sum(-1) == found.length).all()
    assert set(np.unique(found.length)) <= {1, 2, 4, 8}
    assert found.text(0, 0).rstrip(".?").split() == [VOCABULARY[word] for word in found.words[0, 0] if word >= 0]


def test_short_turns_are_missing_more_often() -> None:
    found = simulate(World(), 300, 4)
    missing = np.isnan(found.values)

    assert missing[found.length == 1].mean() == pytest.approx(0.15 * 2.5, abs=0.01)
    assert missing[found.length > 1].mean() == pytest.approx(0.15 * 0.6, abs=0.005)


def test_speakers_differ_as_planted_and_types_have_their_shares() -> None:
    found = simulate(World(), 3000, 5, turns=2)

    assert found.usual.std() == pytest.approx(0.8, abs=0.01)
    assert np.bincount(found.kinds.ravel()) / found.kinds.size == pytest.approx([0.45, 0.40, 0.15], abs=0.02)


def test_the_text_explains_the_planted_variance_of_every_feature() -> None:
    found = simulate(World(), 500, 6)
    lexical = found.embedding @ found.world.lexicon[2].T

    assert lexical.var(axis=(0, 1)) == pytest.approx(np.full(8, 0.096), rel=0.1)


def test_a_question_widens_the_pitch_range() -> None:
    found = simulate(World(), 500, 7)
    asked = found.words[..., 0] < len(ACTS["question"].split())
    pitch_range = found.values[..., INDEX["pitch_range"]]

    assert np.nanmean(pitch_range[asked]) > np.nanmean(pitch_range[~asked]) + 0.2


@pytest.mark.parametrize(("alpha", "beta", "sign"), [(0.3, 0.25, 1), (0.0, 0.25, 1), (-0.15, -0.1, -1), (0.0, 0.0, 0)])
def test_departures_follow_the_partner_as_the_coupling_says(alpha: float, beta: float, sign: int) -> None:
    found = simulate(always(alpha, beta, missing=0.0, lexical_variance=1e-9), 400, 8)
    own = found.values[:, 1:] - found.usual[np.arange(400)[:, None], found.speaker[:, 1:]]
    partner = found.values[:, :-1] - found.usual[np.arange(400)[:, None], found.speaker[:, :-1]]
    r = float(np.corrcoef(own.ravel(), partner.ravel())[0, 1])

    assert abs(r) < 0.02 if sign == 0 else sign * r > 0.05


def test_features_can_vary_together() -> None:
    world = always(0.0, 0.0, correlated=True)
    covariance = world.innovations @ world.innovations.T

    assert covariance[INDEX["jitter"], INDEX["shimmer"]] == pytest.approx(0.5 * world.q)
    assert covariance[INDEX["rate"], INDEX["hnr"]] == pytest.approx(0.0)


def test_a_world_that_would_run_away_is_refused() -> None:
    with pytest.raises(ValueError, match="type 'only' would run away"):
        always(0.3, 0.8)

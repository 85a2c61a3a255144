"""The posterior: by hand, under its own model, and against what a session does to it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tandem_models.normaliser import Z_LIMIT, NormalInverseGamma, Normaliser, read_prior, shipped_prior
from tandem_models.prosody import FEATURES, MISSING, NAMES, Prosody

SOMEBODY = Prosody((9.0, 7.0, 70.0, 22.0, -3.7, -2.2, 11.0, 1.7))
beliefs = st.builds(
    NormalInverseGamma,
    st.floats(-100.0, 100.0),
    st.floats(0.05, 100.0),
    st.floats(0.6, 200.0),
    st.floats(1e-3, 1e3),
)
values = st.floats(-200.0, 200.0)
weights = st.floats(0.0, 1.0)


def test_an_update_worked_by_hand() -> None:
    """k 1 -> 2, m 0 -> 1, a 2 -> 2.5, b 3 -> 3 + 1 * 2^2 / (2 * 2) = 4."""
    assert NormalInverseGamma(0.0, 1.0, 2.0, 3.0).update(2.0) == NormalInverseGamma(1.0, 2.0, 2.5, 4.0)


def test_half_a_turn_worked_by_hand() -> None:
    """k 1 -> 1.5, m 0 -> 0.5 * 3 / 1.5 = 1, a 2 -> 2.25, b 3 -> 3 + 0.5 * 9 / (2 * 1.5) = 4.5."""
    assert NormalInverseGamma(0.0, 1.0, 2.0, 3.0).update(3.0, 0.5) == NormalInverseGamma(1.0, 1.5, 2.25, 4.5)


def test_the_predictive_worked_by_hand() -> None:
    """nu 2a = 4, scale sqrt(b (k + 1) / (a k)) = sqrt(6 * 3 / (2 * 2)) = sqrt(4.5)."""
    assert NormalInverseGamma(5.0, 2.0, 2.0, 6.0).predictive() == (4.0, 5.0, math.sqrt(4.5))


def test_a_score_from_the_tables() -> None:
    """t(4) = 2.776 leaves 2.5 % above, as z = 1.960 does."""
    belief = NormalInverseGamma(0.0, 1.0, 2.0, 1.0)  # scale 1

    assert belief.z(2.776) == pytest.approx(1.960, abs=1e-3)
    assert belief.inverse(-1.960) == pytest.approx(-2.776, abs=1e-3)


@given(beliefs, values)
def test_the_score_is_scipys_by_the_long_way(belief: NormalInverseGamma, x: float) -> None:
    nu, loc, scale = belief.predictive()
    expected = float(stats.norm.ppf(stats.t.cdf(x, nu, loc, scale)))
    assume(abs(expected) < 5.0)

    assert belief.z(x) == pytest.approx(expected, abs=1e-6)


@given(beliefs, st.floats(-Z_LIMIT, Z_LIMIT))
def test_the_inverse_undoes_the_score(belief: NormalInverseGamma, z: float) -> None:
    assert belief.z(belief.inverse(z)) == pytest.approx(z, abs=1e-6)


@given(beliefs, values)
def test_the_score_undoes_the_inverse_within_the_limit(belief: NormalInverseGamma, x: float) -> None:
    assume(abs(belief.z(x)) < Z_LIMIT)

    assert belief.inverse(belief.z(x)) == pytest.approx(x, rel=1e-6, abs=1e-6)


@given(beliefs, st.sampled_from([1e6, 1e100, 1e300, -1e300]))
def test_the_absurd_is_finite(belief: NormalInverseGamma, x: float) -> None:
    assert math.isfinite(belief.z(x))
    assert abs(belief.z(x)) <= Z_LIMIT
    assert math.isfinite(belief.inverse(x))


@given(beliefs, values, values)
def test_more_is_more(belief: NormalInverseGamma, x: float, y: float) -> None:
    assume(x < y)

    assert belief.z(x) <= belief.z(y)


@given(beliefs, st.lists(st.tuples(values, weights), max_size=6), st.randoms())
def test_the_order_of_turns_does_not_matter(
    belief: NormalInverseGamma, turns: list[tuple[float, float]], random: object
) -> None:
    forth = back = belief
    for x, weight in turns:
        forth = forth.update(x, weight)
    for x, weight in reversed(turns):
        back = back.update(x, weight)

    np.testing.assert_allclose(
        (forth.m, forth.k, forth.a, forth.b), (back.m, back.k, back.a, back.b), rtol=1e-9, atol=1e-9
    )


@given(beliefs, values)
def test_no_weight_teaches_nothing(belief: NormalInverseGamma, x: float) -> None:
    learnt = belief.update(x, 0.0)

    assert (learnt.k, learnt.a, learnt.b) == (belief.k, belief.a, belief.b)
    assert learnt.m == pytest.approx(belief.m)


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan])
def test_a_weight_is_a_share_of_a_turn(weight: float) -> None:
    with pytest.raises(ValueError, match="a weight is from 0 to 1"):
        NormalInverseGamma(0.0, 1.0, 1.0, 1.0).update(0.0, weight)


@pytest.mark.parametrize(
    "bad", [(0.0, 0.0, 1.0, 1.0), (0.0, 1.0, -1.0, 1.0), (0.0, 1.0, 1.0, math.inf), (math.nan, 1, 1, 1)]
)
def test_what_is_no_distribution_is_refused(bad: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="not a Normal-Inverse-Gamma"):
        NormalInverseGamma(*bad)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_standard_normal_at_every_turn_under_the_model(name: str) -> None:
    """4,000 speakers from the prior: mean, sd and both tails of z at turns 1, 2, 3 and 10, within 4 standard errors."""
    prior = shipped_prior()[NAMES.index(name)]
    random = np.random.default_rng(1)
    scores = np.empty((4000, 10))
    for speaker in range(len(scores)):
        sd = math.sqrt(1.0 / random.gamma(prior.a, 1.0 / prior.b))
        level = random.normal(prior.m, sd / math.sqrt(prior.k))
        belief = prior
        for turn, x in enumerate(random.normal(level, sd, 10)):
            scores[speaker, turn] = belief.z(float(x))
            belief = belief.update(float(x))

    for turn in (0, 1, 2, 9):
        z = scores[:, turn]
        assert abs(z.mean()) < 4.0 / math.sqrt(len(z))
        assert abs(z.std() - 1.0) < 4.0 / math.sqrt(2.0 * len(z))
        assert abs(np.mean(np.abs(z) > 1.96) - 0.05) < 4.0 * math.sqrt(0.05 * 0.95 / len(z))
    assert abs(np.corrcoef(scores[:, 8], scores[:, 9])[0, 1]) < 4.0 / math.sqrt(len(scores))


def test_the_first_turn_of_a_stranger_is_scored() -> None:
    scores = Normaliser.new().z(SOMEBODY)

    assert all(score is not None and abs(score) < 2.0 for score in scores)


def test_what_is_missing_is_neither_scored_nor_learnt() -> None:
    start = Normaliser.new()
    only_pitch = Prosody.from_dict({"pitch_mean": 9.0})
    learnt = start.updated(only_pitch)

    assert start.z(only_pitch)[1:] == (None,) * 7
    assert learnt.posterior[1:] == start.posterior[1:]
    assert learnt.posterior[0] != start.posterior[0]
    assert start.updated(MISSING) == start


def test_learning_leaves_the_snapshot_that_a_reply_holds_alone() -> None:
    snapshot = Normaliser.new()
    before = snapshot.z(SOMEBODY)
    snapshot.updated(SOMEBODY)

    assert snapshot.z(SOMEBODY) == before


def test_hearing_the_same_makes_it_usual_but_not_for_the_population() -> None:
    heard = Normaliser.new()
    for _ in range(10):
        heard = heard.updated(SOMEBODY)

    assert heard.population_z(SOMEBODY) == Normaliser.new().z(SOMEBODY)
    for now, first in zip(heard.z(SOMEBODY), heard.population_z(SOMEBODY), strict=True):
        assert now is not None
        assert first is not None
        assert abs(now) < 0.5 * abs(first)


def test_a_vector_comes_back_from_its_scores() -> None:
    heard = Normaliser.new().updated(SOMEBODY)
    back = heard.inverse(heard.z(SOMEBODY))

    assert back.values == pytest.approx(SOMEBODY.values)
    assert heard.inverse((None,) * len(FEATURES)) == MISSING


def test_scores_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Normaliser.new().inverse((0.0,))


def test_certainty_is_the_logarithm_of_the_turns_that_are_known() -> None:
    heard = Normaliser.new([NormalInverseGamma(0.0, 1.0, 2.0, 3.0)] * len(FEATURES)).updated(SOMEBODY, 0.5)

    assert heard.certainty == pytest.approx((math.log(1.5),) * len(FEATURES))


def test_a_measured_voice_is_as_usual_as_it_was_measured() -> None:
    """After k = 20 turns the predictive is nearly normal: one sd above the mean is about one."""
    sd = Prosody((2.0,) * 7 + (None,))
    agent = Normaliser.from_calibration(SOMEBODY, sd)
    above = Prosody(
        tuple(None if m is None or s is None else m + s for m, s in zip(SOMEBODY.values, sd.values, strict=True))
    )

    assert agent.inverse((0.0,) * 8).values[:7] == SOMEBODY.values[:7]
    assert agent.z(above)[:7] == pytest.approx((1.0,) * 7, abs=0.01)
    assert agent.certainty[0] == pytest.approx(math.log(20.0))
    assert agent.posterior[7] == shipped_prior()[7]
    assert agent.prior == shipped_prior()


def test_the_next_session_knows_the_level_but_is_half_as_sure() -> None:
    heard = Normaliser.new()
    for _ in range(20):
        heard = heard.updated(SOMEBODY)
    carried = heard.carried_over()
    now, then, prior = carried.posterior[0], heard.posterior[0], heard.prior[0]

    assert now.m == then.m
    assert now.k == pytest.approx(then.k / 2.0)
    assert now.a - prior.a == pytest.approx((then.a - prior.a) / 2.0)
    assert now.b / now.a == pytest.approx(then.b / then.a)
    assert carried.prior == heard.prior


def test_nobody_is_less_known_than_a_stranger() -> None:
    start = Normaliser.new()

    assert start.carried_over() == start
    assert (
        min(
            now.k - prior.k
            for now, prior in zip(start.updated(SOMEBODY, 0.1).carried_over().posterior, start.prior, strict=True)
        )
        >= 0.0
    )


def test_a_normaliser_survives_json() -> None:
    heard = Normaliser.new().updated(SOMEBODY, 0.7)

    assert Normaliser.from_dict(json.loads(json.dumps(heard.to_dict()))) == heard


@pytest.mark.parametrize("version", [None, "tandem-prosody-0"])
def test_another_extractors_normaliser_is_refused(version: str | None) -> None:
    stored = Normaliser.new().to_dict() | {"version": version}

    with pytest.raises(ValueError, match="this normaliser is of"):
        Normaliser.from_dict(stored)


def test_another_extractors_prosody_is_refused() -> None:
    old = Prosody(SOMEBODY.values, "tandem-prosody-0")

    for use in (Normaliser.new().z, Normaliser.new().population_z, Normaliser.new().updated):
        with pytest.raises(ValueError, match="cannot take prosody of tandem-prosody-0"):
            use(old)
    with pytest.raises(ValueError, match="cannot take prosody"):
        Normaliser.from_calibration(old, SOMEBODY)


@pytest.mark.parametrize(
    "damage",
    [{"posterior": {}}, {"posterior": None}, {"prior": {name: {"m": 0, "k": 1, "a": 1} for name in NAMES}}],
)
def test_a_damaged_normaliser_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is damaged"):
        Normaliser.from_dict(Normaliser.new().to_dict() | damage)


def test_a_normaliser_of_too_few_features_is_refused() -> None:
    with pytest.raises(ValueError, match="8 features"):
        Normaliser(shipped_prior()[:3], shipped_prior())


def test_the_shipped_prior_follows_from_the_population_values_beside_it() -> None:
    from importlib.resources import files

    stored = json.loads(files("tandem_models").joinpath("prior.json").read_text("utf-8"))

    assert read_prior(stored) == shipped_prior()
    assert "fitted to no recording" in stored["provenance"]
    for name, belief in zip(NAMES, shipped_prior(), strict=True):
        about = stored["population"][name]
        feature = FEATURES[NAMES.index(name)]
        assert math.sqrt(belief.b / (belief.a - 1.0)) == pytest.approx(about["within"], rel=0.01)
        assert about["within"] / math.sqrt(belief.k) == pytest.approx(about["between"], rel=0.01)
        assert feature.low < belief.m < feature.high
        assert about["source"]

"""The shipped entrainment model in a live conversation: the numbers that it had in training, and what it may be fed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tandem_models.checkpoint import load
from tandem_models.entrainment import EntrainmentConfig, EntrainmentModel
from tandem_models.entrainment_shipped import SHIPPED
from tandem_models.normaliser import Normaliser, shipped_prior
from tandem_models.normaliser_batch import NormaliserBatch
from tandem_models.prosody import MISSING, NAMES, Prosody
from tandem_server.engines.entrainment_model import EntrainmentPredictor, Talked
from tandem_server.engines.fakes import FakeVoice
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.entrain import Scores, Side, Spoken
from tandem_training.rollout import Realisation, Trace, run
from tandem_training.turns import VOICED, Talk, Units

VOICE = AgentVoice.of(FakeVoice.calibration).normaliser
UNITS = Units(shipped_prior())
EXACT = Realisation(slope=(1.0, 1.0), sd=0.0, uncontrolled=0.0)
"""A voice that does what it is asked"""
TURNS = 24
AGENT, USER = 0, 1


@pytest.fixture(scope="module")
def predictor() -> EntrainmentPredictor:
    return EntrainmentPredictor(load(SHIPPED), VOICE)


def in_units(known: Normaliser) -> NormaliserBatch:
    """One speaker's beliefs as training has them, (F,)."""
    m, k, a, b = np.array([(one.m, one.k, one.a, one.b) for one in known.posterior]).T
    return NormaliserBatch((m - UNITS.centre) / UNITS.within, k, a, b / UNITS.within**2)


def dialogue(vocabulary: int) -> Talk:
    """The user begins; values with gaps, sentences of 1 to 6 words, some of them unknown; the agent speaks itself."""
    random = np.random.default_rng(5)
    speaker = np.tile([USER, AGENT], TURNS // 2)[None]
    value = 0.5 + 0.8 * random.normal(size=(1, TURNS, len(NAMES)))  # people, not beyond FARTHEST
    value[random.random(value.shape) < 0.15] = math.nan
    value[speaker == AGENT] = math.nan
    length = random.integers(1, 7, size=(1, TURNS))
    words = random.integers(0, vocabulary + 1, size=(1, TURNS, 6))
    words[np.arange(6) >= length[..., None]] = 0
    beliefs = NormaliserBatch.new(UNITS.population(), (1, 2)).replaced(
        (np.array([0]), np.array([AGENT])), in_units(VOICE)
    )
    return Talk(
        torch.from_numpy(speaker),
        torch.from_numpy(value),
        torch.from_numpy(speaker == USER),
        torch.from_numpy(words),
        torch.from_numpy(length).float(),
        torch.zeros(1, TURNS, 0),
        beliefs,
    )


def stored(value: NDArray[np.float64]) -> Prosody:
    """Population units as the extractor's."""
    physical = UNITS.centre + UNITS.within * value
    return Prosody(tuple(None if math.isnan(one) else float(one) for one in physical))


def in_training(talk: Talk) -> Trace:
    checkpoint = load(SHIPPED)
    model = EntrainmentModel(checkpoint.config(EntrainmentConfig))
    model.load_state_dict(checkpoint.weights())
    with torch.inference_mode():
        return run(model.eval(), talk, np.random.default_rng(0), EXACT)


def test_it_predicts_live_what_it_predicts_in_training(predictor: EntrainmentPredictor) -> None:
    vocabulary = load(SHIPPED).config(EntrainmentConfig).vocabulary
    talk = dialogue(len(vocabulary))
    trace = in_training(talk)
    state, compared = predictor.begin(Normaliser.new()), 0
    for turn in range(TURNS):
        count = int(talk.length[0, turn])
        text = " ".join(("zzz", *vocabulary)[word] for word in talk.words[0, turn, :count].tolist())
        side: Side = "agent" if talk.speaker[0, turn] == AGENT else "user"
        if side == "agent":
            wanted = VOICE.z(stored(trace.median[0, turn].double().numpy()))
            heard = torch.isfinite(talk.value[0, :turn]).any(0).tolist()
            for found, expected, known in zip(predictor.predict(state, text).z, wanted, heard, strict=True):
                assert found == (pytest.approx(expected, abs=1e-4) if known else None)
                compared += known
        spoken = Spoken(stored(trace.fed[0, turn].numpy()), text, min(1.0, VOICED * count))
        state = predictor.learn(state, side, spoken)
    assert compared > 0.9 * len(NAMES) * TURNS / 2
    assert float(trace.median[0, 1::2].std()) > 0.05  # there was something to agree on


def told(predictor: EntrainmentPredictor, level: float | None, turns: int = 8) -> Talked:
    """The user always stands there (within-speaker sd), the agent at its normal."""
    state = predictor.begin(Normaliser.new())
    for _ in range(turns):
        user = MISSING if level is None else stored(np.full(len(NAMES), level))
        state = predictor.learn(state, "user", Spoken(user, "it was the river", 1.0))
        state = predictor.learn(state, "agent", Spoken(VOICE.inverse((0.0,) * len(NAMES)), "right", 1.0))
    return state


def differences(high: Scores, low: Scores) -> list[float]:
    return [one - other for one, other in zip(high, low, strict=True) if one is not None and other is not None]


def test_it_goes_where_the_user_is(predictor: EntrainmentPredictor) -> None:
    high, low = (predictor.predict(told(predictor, level), "it was").z for level in (2.0, -2.0))
    assert len(apart := differences(high, low)) == len(NAMES)
    assert min(apart) > 0.1


def test_it_has_no_opinion_on_what_was_not_heard_of_the_user(predictor: EntrainmentPredictor) -> None:
    """The guards take None for: relax to the voice's own normal."""
    nothing = (None,) * len(NAMES)
    assert predictor.predict(predictor.begin(Normaliser.new()), "hello").z == nothing
    assert predictor.predict(told(predictor, None), "it was").z == nothing
    heard = told(predictor, 2.0)
    creaky = Prosody((None, *stored(np.zeros(len(NAMES))).values[1:]))
    once = predictor.learn(predictor.begin(Normaliser.new()), "user", Spoken(creaky, "it was", 1.0))
    assert [one is None for one in predictor.predict(once, "it was").z] == [True] + [False] * 7
    missed = predictor.learn(heard, "user", Spoken(creaky, "it was", 1.0))
    assert None not in predictor.predict(missed, "it was").z
    typed = predictor.learn(heard, "user", Spoken(MISSING, "it was"))
    assert predictor.predict(typed, "it was").z == nothing


def test_a_user_who_is_far_out_in_everything_is_not_avoided(predictor: EntrainmentPredictor) -> None:
    """As synthetic sounds are; six within-speaker sd, where the model alone turns away."""
    high, low = (predictor.predict(told(predictor, level), "it was").z for level in (6.0, -6.0))
    assert min(differences(high, low)) > 0.0


def test_a_state_is_not_changed_by_going_on_from_it(predictor: EntrainmentPredictor) -> None:
    state = told(predictor, 1.0)
    before = predictor.predict(state, "it was")
    for level in (-3.0, 3.0):
        predictor.learn(state, "user", Spoken(stored(np.full(len(NAMES), level)), "no", 1.0))
    assert predictor.predict(state, "it was") == before


def test_it_is_less_sure_of_a_user_who_fits_nobody_it_knows(predictor: EntrainmentPredictor) -> None:
    steady = predictor.predict(told(predictor, 0.0), "it was").spread
    wild = predictor.predict(told(predictor, 6.0), "it was").spread
    assert all(one is not None and 0.0 < one < 1.0 for one in steady)
    assert sum(one or 0.0 for one in wild) > sum(one or 0.0 for one in steady)


def test_the_words_count(predictor: EntrainmentPredictor) -> None:
    state = told(predictor, 0.0)
    assert predictor.predict(state, "what would they do").z != predictor.predict(state, "").z


def test_a_user_who_is_known_from_before_is_not_taken_for_new(predictor: EntrainmentPredictor) -> None:
    high = stored(np.full(len(NAMES), 2.0))
    known = Normaliser.new()
    for _ in range(10):
        known = known.updated(high)
    first, again = (
        predictor.predict(predictor.learn(predictor.begin(who), "user", Spoken(high, "it was", 1.0)), "yes").z
        for who in (Normaliser.new(), known)
    )
    assert first != again

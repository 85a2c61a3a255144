"""The differentiable filters: exact where the truth is known, stable whatever is learnt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tandem_models.entrainment_core import GAIN_BOUND, Core, evidence, mixture
from tandem_training.oracle import bank
from tandem_training.simulate import TYPES, World, simulate

from .planted_core import plant

PLAIN = World(convergence=0.0)


def test_with_the_true_coefficients_it_is_the_bayes_bank() -> None:
    """Against `oracle.bank`, which is written in numpy with 4 x 4 matrices and shares no code with it."""
    dialogues = simulate(PLAIN, 6, 5, turns=30)
    expected = bank(dialogues)
    core = Core(8, 3).double()
    plant(core, PLAIN)
    one = torch.ones(6, 8, dtype=torch.float64)
    alpha, beta = core.coupling(one, one)
    state = core.start(torch.zeros(6, 2, 8, dtype=torch.float64), torch.zeros(6, 2, 8, dtype=torch.float64))
    lexical = torch.from_numpy(dialogues.embedding @ PLAIN.lexicon[2].T)
    for turn in range(30):
        speaker = torch.from_numpy(dialogues.speaker[:, turn].copy())
        length = torch.from_numpy(dialogues.length[:, turn]).double()
        state, forecast = core.predict(state, speaker, alpha, beta, lexical[:, turn], length)
        mean, sd = mixture(state, forecast)
        value = torch.from_numpy(dialogues.values[:, turn])
        np.testing.assert_allclose(mean.detach(), expected.mean[:, turn], atol=1e-6)
        np.testing.assert_allclose(sd.detach() ** 2, expected.variance[:, turn], atol=1e-6)
        seen = torch.isfinite(value).double()
        state = core.observe(state, forecast, speaker, torch.nan_to_num(value), seen, torch.zeros(6).double())


def test_the_planted_types_are_what_the_coefficients_say() -> None:
    core = Core(8, 3)
    plant(core, PLAIN)
    alpha, beta = core.coupling(torch.ones(1, 8), torch.ones(1, 8))

    assert alpha[0, :, 0].tolist() == pytest.approx([kind.alpha for kind in TYPES], abs=1e-6)
    assert beta[0, :, 7].tolist() == pytest.approx([kind.beta for kind in TYPES], abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_no_two_speakers_amplify_each_other_whatever_was_learnt(seed: int) -> None:
    """The levels after a turn of each are M times those before; the largest eigenvalue of M stays below 1."""
    torch.manual_seed(seed)
    core = Core(1, 4)
    with torch.no_grad():
        for parameter in (core.phi_logit, core.alpha_raw, core.beta_raw):
            parameter.copy_(torch.randn_like(parameter) * 10.0)
    gates = 2.0 * torch.rand(50, 2, 1)
    phi = float(core.phi().detach())
    alpha, beta = core.coupling(gates[:, 0], gates[:, 1])
    a, b = (part.detach().double().numpy().ravel() for part in (alpha, beta))
    for first in range(0, a.size, 7):
        for second in range(0, a.size, 11):
            one = np.array([[phi - a[first], a[first] + b[first]], [0.0, 1.0]])
            two = np.array([[1.0, 0.0], [a[second] + b[second], phi - a[second]]])
            assert np.abs(np.linalg.eigvals(two @ one)).max() < 1.0
    assert np.abs(a + b).max() <= GAIN_BOUND + 1e-6


def test_a_missing_turn_teaches_nothing_about_values_or_types() -> None:
    core = Core(8, 3)
    state = core.start(torch.zeros(2, 2, 8), torch.zeros(2, 2, 8))
    gates = torch.ones(2, 8)
    speaker = torch.tensor([0, 1])
    state, forecast = core.predict(state, speaker, *core.coupling(gates, gates), torch.zeros(2, 8), torch.ones(2))
    after = core.observe(state, forecast, speaker, torch.full((2, 8), 9.0), torch.zeros(2, 8), torch.zeros(2))

    assert torch.equal(after.mean, state.mean)
    assert torch.equal(after.covariance, state.covariance)
    assert torch.allclose(after.log_weight, state.log_weight, atol=1e-6)


def test_the_evidence_of_one_type_is_the_normal_density() -> None:
    """Checked against torch's own distribution."""
    core = Core(3, 1)
    state = core.start(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
    gates, value = torch.ones(1, 3), torch.tensor([[0.5, -1.0, 4.0]])
    state, forecast = core.predict(
        state, torch.tensor([1]), *core.coupling(gates, gates), torch.ones(1, 3), torch.tensor([2.0])
    )
    expected = torch.distributions.Normal(forecast.mean[0, 0, 0], forecast.variance[0, 0, 0].sqrt()).log_prob(value)[0]

    found = evidence(state, forecast, value, torch.tensor([[1.0, 1.0, 0.0]]))
    assert float(found.detach()) == pytest.approx(float(expected[:2].detach().sum()), abs=1e-5)


def test_an_uncoupled_core_hears_nothing_of_the_partner() -> None:
    core = Core(2, 3, coupled=False)
    gates = torch.ones(1, 2)
    means = []
    for value in (0.0, 5.0):
        state = core.start(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))
        for speaker in (0, 1):
            who = torch.tensor([speaker])
            state, forecast = core.predict(state, who, *core.coupling(gates, gates), torch.zeros(1, 2), torch.ones(1))
            means.append(mixture(state, forecast)[0])
            state = core.observe(state, forecast, who, torch.full((1, 2), value), torch.ones(1, 2), torch.zeros(1))

    assert torch.equal(means[1], means[3])

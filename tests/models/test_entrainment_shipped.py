"""The entrainment model that comes with the package: whole, usable, and stable in a loop with a user who follows it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from tandem_models.checkpoint import load
from tandem_models.entrainment import MEDIAN, EntrainmentConfig, EntrainmentModel, Spoken, Upcoming
from tandem_models.entrainment_shipped import SHIPPED
from tandem_models.entrainment_text import indices, numbered, tokens
from tandem_models.normaliser import Normaliser


def loaded() -> EntrainmentModel:
    checkpoint = load(SHIPPED)
    model = EntrainmentModel(checkpoint.config(EntrainmentConfig))
    model.load_state_dict(checkpoint.weights())
    return model.eval()


def loop(follow: float, turns: int, lexical: bool = False) -> NDArray[np.float32]:
    """(turns, F) what the model asks of the agent when the user's z is `follow` times the agent's last, plus noise."""
    model, random = loaded(), np.random.default_rng(1)
    certainty = torch.tensor([[Normaliser.new().certainty] * 2])
    usual, ones = torch.zeros(1, 8), torch.ones(1, 8)
    state = model.start(torch.zeros(1, 2, 8), certainty)
    asked: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for turn in range(turns):
            words, length = indices(
                [tokens("where is the house?" if turn % 4 else "yes")], numbered(model.config.vocabulary)
            )
            speaker = turn % 2
            upcoming = Upcoming(torch.tensor([speaker]), words, length, torch.zeros(1, 0), usual, certainty[:, speaker])
            prediction, state = model.predict(state, upcoming)
            median = prediction.quantiles[..., MEDIAN]
            value = median
            if speaker == 1:
                noise = torch.from_numpy(0.5 * random.normal(size=(1, 8))).float()
                value = torch.clamp(follow * torch.from_numpy(asked[-1])[None], -6.0, 6.0) + noise
            else:
                asked.append(median[0].numpy())
            state = model.observe(state, Spoken(value, ones, value, torch.tensor([1.0 - speaker])))
    return np.stack(asked)


def test_the_shipped_model_is_whole_and_runs_as_exported() -> None:
    checkpoint = load(SHIPPED)
    script, model = checkpoint.script(), loaded()
    usual = torch.zeros(1, 2, 8)
    words, length = indices([tokens("What should we do?")], numbered(model.config.vocabulary))
    upcoming = Upcoming(torch.tensor([0]), words, length, torch.zeros(1, 0), usual[:, 0], usual[:, 0])
    exported, eager = (one.predict(one.start(usual, usual), upcoming)[0] for one in (script, model))

    torch.testing.assert_close(exported.quantiles, eager.quantiles, rtol=1e-4, atol=1e-5)
    assert "simulated dialogues only" in checkpoint.card.summary
    assert "No recording of anybody" in checkpoint.card.data


def test_a_user_who_mirrors_or_exaggerates_does_not_drive_it_away() -> None:
    """400 turns: it stays within 3 within-speaker sd, and the second half spreads no wider than the first."""
    for follow in (1.0, 1.5):
        asked = loop(follow, 400)
        assert np.abs(asked).max() < 3.0
        assert asked[100:].std() < 1.5 * asked[:100].std() + 0.05


def test_it_is_higher_with_a_high_user_than_with_a_low_one() -> None:
    """The user begins, six turns each; what the agent is asked for next to a high and to a low user."""
    model, ones = loaded(), torch.ones(1, 8)
    certainty = torch.tensor([[Normaliser.new().certainty] * 2])
    words, length = indices([tokens("it was the river")], numbered(model.config.vocabulary))
    medians = []
    for level in (-1.5, 1.5):
        state = model.start(torch.zeros(1, 2, 8), certainty)
        with torch.inference_mode():
            for speaker in [1, 0] * 6:
                who = torch.tensor([speaker])
                upcoming = Upcoming(who, words, length, torch.zeros(1, 0), torch.zeros(1, 8), certainty[:, speaker])
                prediction, state = model.predict(state, upcoming)
                value = level * ones if speaker else prediction.quantiles[..., MEDIAN]
                state = model.observe(state, Spoken(value, ones, value, torch.tensor([1.0 - speaker])))
        medians.append(prediction.quantiles[..., MEDIAN])

    assert (medians[1] > medians[0] + 0.1).all()


def test_what_the_partner_said_moves_no_prediction_by_more_than_0_8_of_it() -> None:
    """Local gain over random histories, by autograd: the sum over outputs of |d median / d partner's value and z|."""
    model = loaded()
    for seed in range(5):
        torch.manual_seed(seed)
        certainty = torch.tensor([[Normaliser.new().certainty] * 2])
        state = model.start(torch.zeros(1, 2, 8), certainty)
        for turn in range(8):
            speaker = turn % 2
            upcoming = Upcoming(
                torch.tensor([speaker]),
                torch.randint(0, len(model.config.vocabulary), (1, 4)),
                torch.tensor([4.0]),
                torch.zeros(1, 0),
                torch.zeros(1, 8),
                certainty[:, speaker],
            )
            _, state = model.predict(state, upcoming)
            value = torch.randn(1, 8, requires_grad=True)
            state = model.observe(state, Spoken(value, torch.ones(1, 8), value, torch.zeros(1)))
        median = model.predict(state, upcoming._replace(speaker=torch.tensor([0])))[0].quantiles[0, :, MEDIAN]
        gradients = torch.stack(
            [torch.autograd.grad(median[feature], value, retain_graph=True)[0][0] for feature in range(8)]
        )
        assert float(gradients.abs().sum(0).max()) <= 0.8

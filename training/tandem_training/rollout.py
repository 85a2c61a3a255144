"""Run an entrainment model through dialogues: listening to two people, or speaking for one of them.

Where a turn is given the model learns what was said; where it is not, it learns what a voice would have made of its own
prediction. The normaliser is the live one and runs inside the loop, so nothing a model sees depends on a later turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tandem_models.entrainment import MEDIAN, EntrainmentModel, Spoken, Upcoming
from tandem_models.normaliser_batch import NormaliserBatch
from tandem_training.turns import VOICED, Talk, Targets


@dataclass(frozen=True, slots=True)
class Realisation:
    """What a voice makes of a wish w: u + slope (w - u) + N(0, sd^2), u being its usual level."""

    slope: tuple[float, float] = (0.7, 1.0)
    """Drawn per dialogue and feature"""
    sd: float = 0.2
    """In within-speaker sd"""
    uncontrolled: float = 0.2
    """Share of features, as jitter is for most voices, that stay usual whatever is wished"""

    def draw(self, talk: Talk, random: np.random.Generator) -> Tensor:
        """(B, F) slopes of one voice per dialogue."""
        shape = (len(talk), talk.value.shape[2])
        slope = random.uniform(*self.slope, size=shape) * (random.random(shape) >= self.uncontrolled)
        return torch.from_numpy(slope)


@dataclass(frozen=True, slots=True)
class Trace:
    """What was predicted, turn by turn, before each was spoken."""

    quantiles: Tensor
    """(B, T, F, 5)"""
    evidence: Tensor
    """(B, T) nats; 0 without targets"""
    fed: Tensor
    """(B, T, F) what the model learnt from, NaN where nothing"""
    alpha: Tensor
    """(B, T, F) expected coupling of whoever speaks"""
    beta: Tensor

    @property
    def median(self) -> Tensor:
        return self.quantiles[..., MEDIAN]


def run(
    model: EntrainmentModel,
    talk: Talk,
    random: np.random.Generator,
    voice: Realisation = Realisation(),
    score: Targets | None = None,
) -> Trace:
    """All turns. `score` only adds the evidence; nothing of it reaches the model."""
    normaliser, slope = talk.normaliser, voice.draw(talk, random)
    population = talk.normaliser
    rows = np.arange(len(talk))
    state = model.start(*_expected(model, normaliser, population))
    quantiles, evidence, fed, alpha, beta = [], [], [], [], []
    for turn in range(talk.speaker.shape[1]):
        speaker = talk.speaker[:, turn]
        place = (rows, speaker.numpy())
        mine = normaliser[place]
        usual, certainty = _expected(model, mine, population[place])
        upcoming = Upcoming(
            speaker, talk.words[:, turn], talk.length[:, turn], talk.sentence[:, turn], usual, certainty
        )
        prediction, state = model.predict(state, upcoming)
        if score is not None:
            evidence.append(model.evidence(state, score.value[:, turn], score.seen[:, turn]))
        wish = prediction.quantiles[..., MEDIAN].detach().double()
        level = torch.from_numpy(mine.m)
        noise = torch.from_numpy(voice.sd * random.normal(size=level.shape))
        spoken = torch.where(talk.given[:, turn, None], talk.value[:, turn], level + slope * (wish - level) + noise)
        state = model.observe(state, _spoken(model, spoken, mine, population[place], ~talk.given[:, turn]))
        weight = np.minimum(1.0, VOICED * talk.length[:, turn].numpy().astype(float))[:, None]
        normaliser = normaliser.replaced(place, mine.updated(spoken.numpy(), weight))
        quantiles.append(prediction.quantiles)
        fed.append(spoken)
        alpha.append(prediction.alpha)
        beta.append(prediction.beta)
    nothing = [torch.zeros(len(talk))] * talk.speaker.shape[1]
    return Trace(*(torch.stack(part, 1) for part in (quantiles, evidence or nothing, fed, alpha, beta)))


def _expected(model: EntrainmentModel, mine: NormaliserBatch, population: NormaliserBatch) -> tuple[Tensor, Tensor]:
    """(usual, log k) as the model's configuration wants them."""
    beliefs = mine if model.config.normaliser == "posterior" else _anonymous(population)
    return torch.from_numpy(beliefs.m).float(), torch.from_numpy(np.log(beliefs.k)).float()


def _spoken(
    model: EntrainmentModel, value: Tensor, mine: NormaliserBatch, population: NormaliserBatch, generated: Tensor
) -> Spoken:
    beliefs = mine if model.config.normaliser == "posterior" else _anonymous(population)
    z = torch.from_numpy(np.nan_to_num(beliefs.z(value.numpy())))
    return Spoken(torch.nan_to_num(value).float(), torch.isfinite(value).float(), z.float(), generated.float())


def _anonymous(population: NormaliserBatch) -> NormaliserBatch:
    """Beliefs about nobody in particular: a calibrated voice is not known either."""
    return replace(population, m=np.zeros_like(population.m), k=np.ones_like(population.k))

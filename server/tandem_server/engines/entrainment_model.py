"""The trained entrainment model as a predictor of live conversations: one step a turn, state carried, never changed.

It is fed as in training (tandem_training.rollout): values in population units, (stored - prior mean) / within-speaker
sd, z and certainty from normalisers that learn turn by turn, the agent's beginning at its calibration. What it wants is
the median; the voice's scale is linear near its normal, so that a spread is divided by that scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from tandem_models.checkpoint import Checkpoint
from tandem_models.entrainment import MEDIAN, EntrainmentConfig, State, Upcoming
from tandem_models.entrainment import Spoken as Observed
from tandem_models.entrainment_text import indices, numbered, tokens
from tandem_models.normaliser import Normaliser
from tandem_models.prosody import NAMES, Prosody
from tandem_server.errors import EngineUnavailable
from tandem_server.stages.entrain import UNKNOWN, Prediction, Side, Spoken

SPEAKERS: Final[tuple[Side, Side]] = ("agent", "user")
"""The model's speakers 0 and 1"""

FARTHEST: Final = 1.5
"""Root mean square of a user's population z over the features. One in fifty people of the prior's is further out; of
somebody far out in everything, as a tone or a broken microphone is, the model concludes that the agent avoids them."""


@dataclass(frozen=True, slots=True)
class Talked:
    """A conversation so far."""

    model: State
    known: tuple[Normaliser, Normaliser]
    """Of SPEAKERS"""
    heard: frozenset[int] = frozenset()
    """Features of the user that there is anything to answer to; none again after a turn without a voice"""


class EntrainmentPredictor:
    """Predictor[Talked]. Its calls take about a millisecond of one thread each. Raises EngineUnavailable for a model
    that needs what a live conversation has not, and CheckpointError for a damaged folder."""

    def __init__(self, checkpoint: Checkpoint, agent: Normaliser) -> None:
        config = checkpoint.config(EntrainmentConfig)
        if config.text == "given" or config.normaliser != "posterior":
            message = f"{checkpoint.folder} was trained on vectors of text, or without a normaliser per speaker: "
            raise EngineUnavailable(message + "it cannot be run live", stage="entrainment")
        self._model: Any = checkpoint.script()
        self._agent = agent
        self._numbers = numbered(config.vocabulary)
        self._spread_known = config.core
        prior = agent.prior
        self._population = Normaliser.new(prior)
        self._centre = torch.tensor([[belief.m for belief in prior]], dtype=torch.float64)
        within = [math.sqrt(belief.b / (belief.a - 1.0)) for belief in prior]
        self._within = torch.tensor([within], dtype=torch.float64)
        self._scale = [sd / belief.predictive()[2] for sd, belief in zip(within, agent.posterior, strict=True)]
        """z of the agent's voice per population unit"""
        self._warm()

    def begin(self, speaker: Normaliser) -> Talked:
        """As the protocol says."""
        known = self._agent, speaker
        usual = torch.stack([self._usual(one) for one in known], dim=1)
        certainty = torch.stack([_certainty(one) for one in known], dim=1)
        with torch.inference_mode():
            return Talked(self._model.start(usual, certainty), known)

    def learn(self, state: Talked, side: Side, spoken: Spoken) -> Talked:
        """As the protocol says."""
        speaker = SPEAKERS.index(side)
        if side == "user":
            spoken = replace(spoken, prosody=self._plausible(spoken.prosody))
        mine, values = state.known[speaker], spoken.prosody.values
        seen = torch.tensor([[float(value is not None) for value in values]])
        value = (_numbers(values).double() - self._centre) / self._within * seen
        z = _numbers(mine.z(spoken.prosody))
        observed = Observed(value.float(), seen, z, torch.tensor([float(side == "agent")]))
        with torch.inference_mode():
            _, expecting = self._model.predict(state.model, self._upcoming(state, speaker, spoken.text))
            model = self._model.observe(expecting, observed)
        learnt = mine.updated(spoken.prosody, spoken.weight)
        if side == "agent":
            return Talked(model, (learnt, state.known[1]), state.heard)
        measured = frozenset(at for at, one in enumerate(values) if one is not None)
        return Talked(model, (state.known[0], learnt), state.heard | measured if measured else measured)

    def predict(self, state: Talked, text: str) -> Prediction:
        """As the protocol says; the spread is of the expectation alone, without how turns vary anyway. It has no
        opinion on what was never heard of the user, though the model would expect an average person there."""
        upcoming = self._upcoming(state, 0, text)
        with torch.inference_mode():
            expected, _ = self._model.predict(state.model, upcoming)
            median = expected.quantiles[..., MEDIAN].double() * self._within + self._centre
            doubt = self._doubt(expected.sd, upcoming.length)[0].tolist()
        wanted = Prosody(tuple(one if at in state.heard else None for at, one in enumerate(median[0].tolist())))
        spread = tuple(one * scale for one, scale in zip(doubt, self._scale, strict=True))
        return Prediction(self._agent.z(wanted), spread if self._spread_known else UNKNOWN)

    def _plausible(self, prosody: Prosody) -> Prosody:
        """As it is, or as far out as FARTHEST in the same direction."""
        z = self._population.z(prosody)
        known = [one for one in z if one is not None]
        far = math.sqrt(sum(one * one for one in known) / len(known)) if known else 0.0
        if far <= FARTHEST:
            return prosody
        return self._population.inverse([None if one is None else one * FARTHEST / far for one in z])

    def _doubt(self, sd: Tensor, length: Tensor) -> Tensor:
        """(1, F) sd of the expected level: what is left of the prediction's variance without the turn's own."""
        core = self._model.core
        noise = torch.exp(core.log_r - core.length_power * torch.log(length)[:, None])
        return torch.sqrt(torch.clamp(sd * sd - noise - torch.exp(core.log_q), min=0.0))

    def _upcoming(self, state: Talked, speaker: int, text: str) -> Upcoming:
        words, length = indices([tokens(text)], self._numbers)
        mine = state.known[speaker]
        return Upcoming(torch.tensor([speaker]), words, length, torch.zeros(1, 0), self._usual(mine), _certainty(mine))

    def _usual(self, known: Normaliser) -> Tensor:
        level = torch.tensor([[belief.m for belief in known.posterior]], dtype=torch.float64)
        return ((level - self._centre) / self._within).float()

    def _warm(self) -> None:
        """TorchScript specialises itself in its first calls, which take a second."""
        state, usual = self.begin(Normaliser.new()), self._agent.inverse((0.0,) * len(NAMES))
        for turn in range(6):
            self.predict(state, "it was warm")
            state = self.learn(state, SPEAKERS[1 - turn % 2], Spoken(usual, "it was warm"))


def _certainty(known: Normaliser) -> Tensor:
    return torch.tensor([known.certainty])


def _numbers(values: Sequence[float | None]) -> Tensor:
    """(1, F), 0 where missing."""
    return torch.tensor([[0.0 if value is None else value for value in values]])

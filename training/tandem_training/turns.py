"""Dialogues as the entrainment model reads them, and the rule of what may be heard.

`Talk` holds what a model may know when it runs; `Targets` holds what it is compared with. A model that runs as an agent
gets a Talk from which the agent's own recorded turns were removed (`as_agent`), so it cannot be fed them by mistake.
Values are in population units: (value - prior m) / within-speaker sd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem_models.normaliser import NormalInverseGamma
from tandem_models.normaliser_batch import NormaliserBatch
from tandem_training.recipes.normaliser_prior import fit, statistics
from tandem_training.simulate import Array, Dialogues

CALIBRATION = 20.0
"""k of an agent's normaliser: its voice was measured."""
VOICED = 0.3
"""Seconds of voice in a word, about; a normaliser learns fully from a second."""


@dataclass(frozen=True)
class Talk:
    """B dialogues, T turns, F features: all that a model may know. Never changed in place."""

    speaker: Tensor
    """(B, T) int64"""
    value: Tensor
    """(B, T, F) float64, population units; NaN is missing or not to be known"""
    given: Tensor
    """(B, T) bool: a recorded turn; the others the model has to speak itself"""
    words: Tensor
    """(B, T, W) int64"""
    length: Tensor
    """(B, T) words"""
    sentence: Tensor
    """(B, T, D)"""
    normaliser: NormaliserBatch
    """(B, 2, F) before the first turn, in population units"""

    def __len__(self) -> int:
        return len(self.speaker)


@dataclass(frozen=True)
class Targets:
    """What was said: for losses and scores, never for a model."""

    value: Tensor
    """(B, T, F) zero where not seen"""
    seen: Tensor
    """(B, T, F) 1 or 0"""


@dataclass(frozen=True, slots=True)
class Units:
    """From simulator or stored units to population units, fitted to training speakers only."""

    prior: tuple[NormalInverseGamma, ...]

    @property
    def centre(self) -> Array:
        return np.array([belief.m for belief in self.prior])

    @property
    def within(self) -> Array:
        """Expected standard deviation of a speaker's turns."""
        return np.array([(belief.b / (belief.a - 1.0)) ** 0.5 for belief in self.prior])

    def population(self) -> tuple[NormalInverseGamma, ...]:
        """The same prior in population units."""
        return tuple(
            NormalInverseGamma(0.0, belief.k, belief.a, belief.b / scale**2)
            for belief, scale in zip(self.prior, self.within, strict=True)
        )


def fit_units(dialogues: Dialogues, speakers: int = 1000) -> Units:
    """The normaliser's prior by maximum likelihood, from the first speakers of the training dialogues."""
    prior = []
    for feature in range(dialogues.values.shape[2]):
        turns = []
        for row in range(min(len(dialogues), speakers // 2)):
            for speaker in (0, 1):
                heard = dialogues.values[row, dialogues.speaker[row] == speaker, feature]
                turns.append(heard[np.isfinite(heard)])
        prior.append(fit(statistics([one for one in turns if len(one)])))
    return Units(tuple(prior))


def collate(dialogues: Dialogues, units: Units) -> tuple[Talk, Targets]:
    """All turns given: the model listens to two people."""
    value = torch.from_numpy((dialogues.values - units.centre) / units.within)
    seen = torch.isfinite(value)
    talk = Talk(
        torch.from_numpy(dialogues.speaker.copy()),
        value,
        torch.ones(dialogues.speaker.shape, dtype=torch.bool),
        torch.from_numpy(dialogues.words + 1),
        torch.from_numpy(dialogues.length).float(),
        torch.from_numpy(dialogues.embedding).float(),
        NormaliserBatch.new(units.population(), (len(dialogues), 2)),
    )
    return talk, Targets(torch.nan_to_num(value).float(), seen.float())


def as_agent(talk: Talk, agent: Tensor) -> Talk:
    """The agent's (B,) recorded turns are gone: it has to speak them itself."""
    own = talk.speaker == agent[:, None]
    return replace(talk, value=talk.value.masked_fill(own[..., None], torch.nan), given=talk.given & ~own)


def calibrated(talk: Talk, agent: Tensor, usual: Array, units: Units, random: np.random.Generator) -> Talk:
    """The agent's normaliser was calibrated: its usual (B, 2, F) level in simulator units is known, with k = 20."""
    rows = np.arange(len(talk)), agent.numpy()
    level = (usual[rows] - units.centre) / units.within
    level = level + random.normal(size=level.shape) / np.sqrt(CALIBRATION)
    a = np.full_like(level, 1.0 + CALIBRATION / 2.0)
    belief = NormaliserBatch(level, np.full_like(level, CALIBRATION), a, a - 1.0)
    return replace(talk, normaliser=talk.normaliser.replaced(rows, belief))


def with_partner(talk: Talk, agent: Tensor, partners: Tensor) -> Talk:
    """Speaker `agent` (B,) hears another dialogue's partner: same position and role, no contingency.

    partners (B,) says whose; both dialogues have to have the same order of speakers.
    """
    other = talk.speaker != agent[:, None]
    return replace(talk, value=torch.where(other[..., None], talk.value[partners], talk.value))


def cut(dialogues: Dialogues, start: int) -> Dialogues:
    """The dialogues from an even turn on."""
    if start % 2:
        raise ValueError(f"dialogues start with speaker 0, so at an even turn, not {start}")
    parts = ("speaker", "values", "words", "length", "embedding")
    return replace(dialogues, **{name: getattr(dialogues, name)[:, start:] for name in parts})


def batches(count: int, size: int, random: np.random.Generator) -> Sequence[NDArray[np.int64]]:
    """All rows once, in random order."""
    order = random.permutation(count)
    return [order[start : start + size] for start in range(0, count, size)]

"""What differs from one pass over a dialogue to the next, so that a model relies on nothing that it will not have.

Only training uses it. Not covered: noise as a recogniser makes it (words are lost, never changed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from tandem_models.entrainment_text import UNKNOWN
from tandem_models.normaliser_batch import NormaliserBatch
from tandem_training.simulate import Dialogues
from tandem_training.turns import Talk, cut


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Chances, each per dialogue, word or value."""

    late_start: float = 0.1
    """Of a batch that begins in the middle of its dialogues"""
    prior: float = 0.2
    """Of a prior that is half to twice as sure of the level"""
    unknown: float = 0.02
    """Of a word that the vocabulary does not know"""
    missing: float = 0.02
    """Of a value that could not be measured"""

    def start(self, dialogues: Dialogues, random: np.random.Generator) -> Dialogues:
        """The dialogues, or their ends."""
        turns = dialogues.values.shape[1]
        if turns < 12 or random.random() >= self.late_start:
            return dialogues
        return cut(dialogues, 2 * int(random.integers(1, turns // 4)))

    def vary(self, talk: Talk, random: np.random.Generator) -> Talk:
        """A talk with less in it; the targets stay."""
        unknown = torch.from_numpy(random.random(talk.words.shape) < self.unknown)
        missing = torch.from_numpy(random.random(talk.value.shape) < self.missing)
        beliefs = talk.normaliser
        factor = np.exp2(random.uniform(-1.0, 1.0, size=(len(talk), 1, 1)))
        factor = np.where(random.random(factor.shape) < self.prior, factor, 1.0)
        return replace(
            talk,
            words=talk.words.masked_fill(unknown, UNKNOWN),
            value=talk.value.masked_fill(missing, torch.nan),
            normaliser=NormaliserBatch(beliefs.m, beliefs.k * factor, beliefs.a, beliefs.b),
        )

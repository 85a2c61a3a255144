"""What recipes of networks share besides the loop: AdamW with a warm-up, a running mean of weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Final

import torch
from torch import nn

from tandem_training.loop import Schedule
from tandem_training.specs import Run

_CLIP: Final = 1.0
"""Norm of a step's gradient"""
_KEEP: Final = 0.998
"""Of the mean of the weights, at each step: it looks back over 500"""


def schedule(run: Run) -> Schedule:
    """The loop's part of a spec."""
    return Schedule(
        run.steps,
        run.seed,
        validate_every=run.validate_every,
        save_every=run.save_every,
        patience=run.patience,
        tensorboard=run.tensorboard,
    )


class Descent:
    """AdamW whose rate rises for `warmup` steps and falls along a cosine to a tenth at the last."""

    def __init__(self, parameters: Iterable[nn.Parameter], run: Run) -> None:
        self._parameters, self._run = list(parameters), run
        self.optimiser = torch.optim.AdamW(self._parameters, run.learning_rate, betas=(0.9, 0.98), weight_decay=1e-3)

    def step(self, number: int, loss: torch.Tensor) -> float:
        """One update with step number `number`; the norm of its gradient."""
        rate = learning_rate(self._run, number)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._parameters, _CLIP)
        self.optimiser.step()
        return norm.item()


def learning_rate(run: Run, number: int) -> float:
    """Of step `number`, from 1."""
    if number <= run.warmup:
        return run.learning_rate * number / run.warmup
    share = (number - run.warmup) / max(run.steps - run.warmup, 1)
    return run.learning_rate * (0.55 + 0.45 * math.cos(math.pi * min(share, 1.0)))


class Average:
    """A running mean of a model's weights: it is better than any of them, and needs no low learning rate to be so."""

    def __init__(self, model: nn.Module) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, number: int) -> None:
        """After step `number`; the first steps count for less."""
        keep = min(_KEEP, number / (number + 10.0))
        for mean, now in zip(self.model.parameters(), model.parameters(), strict=True):
            mean.lerp_(now, 1.0 - keep)

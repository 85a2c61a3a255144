"""What an entrainment model is put through: listening, speaking for one side, and hearing the wrong partner.

All figures are in simulator units. The predictors of `oracle.py` know the simulator's coefficients, the ridges and
networks only training dialogues; everybody is scored on the same turns of the same held-out speakers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from tandem_models.entrainment import MEDIAN, EntrainmentModel
from tandem_training.baselines import SIMPLE, Population, Ridge
from tandem_training.oracle import Predicted, bank, informed, pooled, without_entrainment
from tandem_training.recipes.entrainment import SCORED, free_running, listening
from tandem_training.rollout import Trace
from tandem_training.scores import Errors
from tandem_training.simulate import Array, Dialogues, World, simulate
from tandem_training.turns import CALIBRATION, Talk, Units, as_agent, calibrated, collate, fit_units, with_partner
from tandem_training.withheld import TALKS, variants, without_speaker

_CHUNK: Final = 100
"""Dialogues that a network hears at a time"""


@dataclass(frozen=True)
class Examination:
    """Held-out dialogues, and training dialogues for what has to be fitted."""

    training: Dialogues
    test: Dialogues

    @classmethod
    def draw(cls, world: World, training: int, test: int, seeds: tuple[int, int], turns: int = 40) -> Examination:
        """Raises ValueError if both come from one seed: test speakers would be training speakers."""
        if seeds[0] == seeds[1]:
            raise ValueError("training and test dialogues need different seeds, or their speakers are the same")
        return cls(simulate(world, training, seeds[0], turns), simulate(world, test, seeds[1], turns))

    @cached_property
    def units(self) -> Units:
        return fit_units(self.training)

    @cached_property
    def ridge(self) -> Ridge:
        """VAR with the text"""
        return Ridge.fit(self.training)

    @cached_property
    def agent(self) -> NDArray[np.int64]:
        """(N,) the side that is spoken for."""
        return np.random.default_rng(1).integers(2, size=len(self.test))

    @property
    def own(self) -> NDArray[np.bool_]:
        """(N, T) the agent's turns."""
        return np.asarray(self.test.speaker == self.agent[:, None])

    @property
    def late(self) -> NDArray[np.bool_]:
        """(N, T) the turns that are scored."""
        return np.broadcast_to(np.arange(self.test.values.shape[1]) >= SCORED, self.test.speaker.shape)

    def errors(self, predicted: Array, counted: NDArray[np.bool_] | None = None) -> Errors:
        return Errors.of(predicted, self.test.values, self.late if counted is None else counted)

    def baselines(self) -> dict[str, Array]:
        """Name -> predictions (N, T, F) of what is fitted, not trained, each having heard both sides."""
        population = Population.fit(self.training)
        found = {name: predict(self.test, population) for name, predict in SIMPLE.items()}
        kinds = (("ridge own", False, False), ("ridge own + text", False, True), ("ridge VAR", True, False))
        for name, partner, text in kinds:
            found[name] = Ridge.fit(self.training, partner, text).predict(self.test)
        return found | {"ridge VAR + text": self.ridge.predict(self.test)}

    def oracles(self) -> dict[str, Predicted]:
        return {
            "Kalman, alpha = beta = 0": without_entrainment(self.test),
            "Kalman, pooled": pooled(self.test, self.ridge.lexical(self.test)),
            "Bayes bank": bank(self.test),
            "oracle, types known": informed(self.test),
        }

    def listen(self, model: EntrainmentModel) -> Trace:
        """The model hears both sides."""
        return _joined([listening(model, collate(part, self.units)[0]) for part, _ in self._parts()])

    def speak(self, model: EntrainmentModel) -> Trace:
        """The model speaks for the agent, in a voice that was calibrated; the partner goes on as recorded."""
        random, found = np.random.default_rng(2), []
        for part, agent in self._parts():
            side = torch.from_numpy(agent)
            talk = calibrated(collate(part, self.units)[0], side, part.usual, self.units, random)
            found.append(free_running(model, as_agent(talk, side)))
        return _joined(found)

    def misheard(self, model: EntrainmentModel) -> Array:
        """(N, T, F) each side's turns as predicted when its partner is another dialogue's."""
        return self._by_side(
            model,
            lambda talk, side: with_partner(talk, torch.full((len(talk),), side), torch.arange(len(talk)).roll(1)),
        )

    def withheld(self, model: EntrainmentModel) -> dict[str, Array]:
        """What is taken away at the test -> predictions (N, T, F)."""
        found = {"partner": self._by_side(model, lambda talk, side: without_speaker(talk, 1 - side))}
        for name, change in TALKS.items():
            found[name] = self._by_side(model, lambda talk, _, change=change: change(talk), sides=(0,))
        return found | {name: self.physical(self.listen(one)) for name, one in variants(model).items()}

    def _by_side(self, model: EntrainmentModel, change: Callable[..., Talk], sides: tuple[int, ...] = (0, 1)) -> Array:
        """Each speaker's turns, as predicted from the talk as changed for that side (once, if for both alike)."""
        found = []
        for part, _ in self._parts():
            talk = collate(part, self.units)[0]
            heard = [self.physical(listening(model, change(talk, side))) for side in sides]
            found.append(np.where((part.speaker == 0)[..., None], heard[0], heard[-1]))
        return np.concatenate(found)

    def speaking_baselines(self) -> dict[str, Array]:
        """The same task for predictors without a network: the agent's side is never heard, its usual level known."""
        usual = self.test.usual[np.arange(len(self.test)), self.agent]
        order = [self.ridge.predict(self.test, agent=side) for side in (0, 1)]
        spoken = np.where((self.agent == 0)[:, None, None], *order)
        heard = np.where(self.own[..., None], np.nan, self.test.values)
        level = np.broadcast_to(usual[:, None], self.test.values.shape)
        doubt = float(np.mean(self.units.within)) ** 2 / CALIBRATION
        bayes = [
            bank(self.test, heard=heard, usual=(self.test.usual[:, side], doubt), calibrated=side).mean
            for side in (0, 1)
        ]
        return {
            "own usual level": level,
            "own usual level + text": level + self.ridge.lexical(self.test),
            "ridge VAR + text": spoken,
            "Bayes bank, own side unheard": np.where((self.agent == 0)[:, None, None], *bayes),
        }

    def physical(self, trace: Trace) -> Array:
        """Medians in simulator units."""
        return self.scaled(trace)[..., MEDIAN]

    def scaled(self, trace: Trace) -> Array:
        """(N, T, F, 5) quantiles in simulator units."""
        quantiles = trace.quantiles.double().numpy()
        return np.asarray(quantiles * self.units.within[:, None] + self.units.centre[:, None])

    def _parts(self) -> list[tuple[Dialogues, NDArray[np.int64]]]:
        starts = range(0, len(self.test), _CHUNK)
        return [(self.test[start : start + _CHUNK], self.agent[start : start + _CHUNK]) for start in starts]


def coverage(quantiles: Array, values: Array, counted: NDArray[np.bool_]) -> Array:
    """(F,) share of scored values between the outermost quantiles (N, T, F, 5)."""
    scored = np.isfinite(values) & counted[..., None]
    inside = (values >= quantiles[..., 0]) & (values <= quantiles[..., -1]) & scored
    return np.asarray(inside.sum((0, 1)) / scored.sum((0, 1)))


def between(quantiles: Array, values: Array, counted: NDArray[np.bool_]) -> Array:
    """(6,) share of scored values below, between and above the quantiles: a coarse PIT histogram."""
    scored = np.isfinite(values) & counted[..., None]
    place = (values[..., None] > quantiles).sum(-1)[scored]
    return np.asarray(np.bincount(place, minlength=6) / place.size)


def followed(exam: Examination, trace: Trace) -> dict[str, list[float]]:
    """Mean expected alpha over the features at each turn, by the planted type of who speaks."""
    alpha = trace.alpha.mean(-1).double().numpy()
    rows = np.arange(len(exam.test))[:, None]
    kinds = exam.test.kinds[rows, exam.test.speaker]
    found = {}
    for place, kind in enumerate(exam.test.world.types):
        mine = kinds == place
        found[kind.name] = (np.where(mine, alpha, 0.0).sum(0) / np.maximum(mine.sum(0), 1)).tolist()
    return found


def _joined(traces: Sequence[Trace]) -> Trace:
    names = ("quantiles", "evidence", "fed", "alpha", "beta")
    return replace(traces[0], **{name: torch.cat([getattr(one, name) for one in traces]) for name in names})

"""Mean absolute errors with intervals: dialogues are resampled, since turns of one dialogue are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tandem_training.simulate import Array

LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its bootstrap interval."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float]:
        return [self.value, self.low, self.high]


@dataclass(frozen=True, slots=True)
class Errors:
    """Absolute errors of a predictor, summed per dialogue and feature."""

    total: Array
    """(N, F)"""
    count: Array
    """(N, F) scored values"""

    @classmethod
    def of(cls, predicted: Array, values: Array, counted: NDArray[np.bool_]) -> Errors:
        """predicted and values (N, T, F), NaN values are missing; counted (N, T) says which turns are scored."""
        scored = np.isfinite(values) & counted[..., None]
        error = np.where(scored, np.abs(np.nan_to_num(values) - predicted), 0.0)
        return cls(error.sum(1), scored.sum(1).astype(float))

    @classmethod
    def mean(cls, runs: Sequence[Errors]) -> Errors:
        """Of several seeds on the same rows."""
        return cls(np.mean([run.total for run in runs], 0), np.mean([run.count for run in runs], 0))

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.total + other.total, self.count + other.count)

    @property
    def l1(self) -> float:
        return float(self.total.sum() / self.count.sum())

    @property
    def by_feature(self) -> Array:
        """(F,)"""
        return np.asarray(self.total.sum(0) / self.count.sum(0))


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The same resampled dialogues for every figure, so that differences are paired."""

    rows: NDArray[np.int64]
    """(resamples, N)"""

    @classmethod
    def draw(cls, dialogues: int, resamples: int, seed: int) -> Bootstrap:
        return cls(np.random.default_rng(seed).integers(dialogues, size=(resamples, dialogues)))

    def l1(self, errors: Errors) -> Interval:
        return _interval(errors.l1, self._l1(errors))

    def difference(self, errors: Errors, other: Errors) -> Interval:
        """Of L1: positive where the first is worse."""
        return _interval(errors.l1 - other.l1, self._l1(errors) - self._l1(other))

    def difference_by_feature(self, errors: Errors, other: Errors) -> list[tuple[Interval, float]]:
        """As `difference`, with the one-sided bootstrap probability that it is not above 0."""
        found = []
        for feature in range(errors.total.shape[1]):
            one, two = (Errors(e.total[:, [feature]], e.count[:, [feature]]) for e in (errors, other))
            drawn = self._l1(one) - self._l1(two)
            p = (1.0 + float((drawn <= 0.0).sum())) / (1.0 + len(drawn))
            found.append((_interval(one.l1 - two.l1, drawn), p))
        return found

    def share(self, without: Errors, errors: Errors, best: Errors) -> Interval:
        """Of the way from `without` to `best`."""
        low, here, top = (self._l1(one) for one in (without, errors, best))
        return _interval((without.l1 - errors.l1) / (without.l1 - best.l1), (low - here) / (low - top))

    def _l1(self, errors: Errors) -> Array:
        total, count = errors.total.sum(1), errors.count.sum(1)
        return np.asarray(total[self.rows].sum(1) / count[self.rows].sum(1))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted for as many tests (Holm 1979), in the order given."""
    order = np.argsort(p)
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * float(p[place])))
        adjusted[place] = highest
    return adjusted


def _interval(value: float, drawn: Array) -> Interval:
    low, high = np.quantile(drawn, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return Interval(value, float(low), float(high))

"""The normaliser of many speakers at once, for training: the arithmetic is `normaliser.py`'s own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem_models.normaliser import NormalInverseGamma, learnt, score

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NormaliserBatch:
    """Normal-Inverse-Gamma beliefs as four arrays of one shape, by custom (..., F). Learning returns a new one."""

    m: Array
    k: Array
    a: Array
    b: Array

    @classmethod
    def new(cls, prior: Sequence[NormalInverseGamma], shape: tuple[int, ...]) -> NormaliserBatch:
        """Speakers not heard before: arrays of shape (*shape, F)."""
        table = np.array([(belief.m, belief.k, belief.a, belief.b) for belief in prior])
        parts = (np.broadcast_to(column, (*shape, len(prior))).copy() for column in table.T)
        return cls(*parts)

    def __getitem__(self, rows: tuple[NDArray[np.int64], ...]) -> NormaliserBatch:
        return NormaliserBatch(self.m[rows], self.k[rows], self.a[rows], self.b[rows])

    def replaced(self, rows: tuple[NDArray[np.int64], ...], beliefs: NormaliserBatch) -> NormaliserBatch:
        """With other beliefs in some rows."""
        parts = []
        for mine, other in zip(self._parts(), beliefs._parts(), strict=True):
            part = mine.copy()
            part[rows] = other
            parts.append(part)
        return NormaliserBatch(*parts)

    def z(self, x: Array) -> Array:
        """Normal scores of what comes next; NaN where x is."""
        distance = (x - self.m) / np.sqrt(self.b * (self.k + 1.0) / (self.a * self.k))
        return np.where(np.isnan(x), np.nan, score(2.0 * self.a, np.nan_to_num(distance)))

    def updated(self, x: Array, weight: Array) -> NormaliserBatch:
        """After x with weights 0 to 1; NaN teaches nothing."""
        heard = np.where(np.isnan(x), 0.0, weight)
        return NormaliserBatch(*learnt(self.m, self.k, self.a, self.b, np.where(np.isnan(x), self.m, x), heard))

    def _parts(self) -> tuple[Array, Array, Array, Array]:
        return self.m, self.k, self.a, self.b

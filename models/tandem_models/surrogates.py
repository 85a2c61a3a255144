"""What a measure is worth by chance: surrogates of a dialogue in which nobody answers anybody.

A measure is the mean of g(left i, right i) over the exchanges. Two kinds of surrogates pair the left sides with other
right sides. *Shuffled*: in any order, the exact null when turns are exchangeable; the mean and variance over all n!
orders are known in closed form (Hoeffding, 1951), so no draw is needed. *Shifted*: the right sides as a whole earlier,
later or backwards, round a circle, which keeps each speaker's own momentum (a voice that drifts is like itself a turn
later) and breaks the answer. A dialogue must stand out from both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr

Values = NDArray[np.float64]
MINIMUM: Final = 8
"""Exchanges for a test: below it there are hardly any shifts, and r is anything."""
_ROUNDING: Final = 1e-12
"""Share of the numbers below which a difference is none"""
_APART: Final = 3
"""Exchanges by which a shift moves at least: turns resemble their neighbours"""


@dataclass(frozen=True, slots=True)
class PairingTest:
    """A measure against its surrogates; p are two-sided."""

    effect: float
    """The measure less its mean over all pairings, which for a correlation is 0"""
    p_shuffled: float
    p_shifted: float

    @property
    def p(self) -> float:
        """The larger: neither chance nor momentum may explain it."""
        return max(self.p_shuffled, self.p_shifted)


def correlation_matrix(a: Values, b: Values) -> Values | None:
    """(n, n) whose diagonal's mean is Pearson's r of a and b (n,); None when one does not vary."""
    left, right = _standard(a), _standard(b)
    return None if left is None or right is None else np.outer(left, right)


def _standard(values: Values) -> Values | None:
    spread = float(values.std())
    # Rounding leaves a spread even of equal numbers.
    if spread <= _ROUNDING * max(1.0, float(np.abs(values).max(initial=0.0))):
        return None
    result: Values = (values - values.mean()) / spread
    return result


def pairing_test(scores: Values, *, draws: int = 0, seed: int = 0, step: int = 1) -> PairingTest:
    """Is the mean of the diagonal of `scores` (n, n) more than any pairing of rows and columns brings? O(n^2), and
    O(n draws) more when the shuffles are drawn. `step` 2 is for exchanges that share turns with the next."""
    mean = float(scores.mean())
    centred = scores - scores.mean(axis=0)[None, :] - scores.mean(axis=1)[:, None] + mean
    if float(np.abs(centred).max()) <= _ROUNDING * float(np.abs(scores).max()):
        return PairingTest(0.0, 1.0, 1.0)  # one side never moves: every pairing is the same
    effect = float(np.diagonal(centred).mean())
    shuffled = _drawn(scores, effect, draws, seed) if draws else _by_moments(centred, effect)
    return PairingTest(effect, shuffled, _by_shifts(scores, mean + effect, step))


def _by_moments(centred: Values, effect: float) -> float:
    n = len(centred)
    variance = float(np.square(centred).sum()) / (n - 1) / n**2
    # The effect as the correlation that would be as far out (exact for synchrony of normal values).
    r = min(abs(effect) / math.sqrt(variance) / math.sqrt(n - 1), 1.0 - 1e-12)
    return two_sided(r * math.sqrt((n - 2) / (1.0 - r * r)), n - 2)


def _drawn(scores: Values, effect: float, draws: int, seed: int) -> float:
    rows = np.arange(len(scores))
    found = scores[rows, shuffles(len(scores), draws, seed)].mean(axis=1) - scores.mean()
    return permutation_p(effect, found)


def _by_shifts(scores: Values, measure: float, step: int) -> float:
    """The measure is one more draw from where its shifted copies come from: Student's t of a prediction."""
    n = len(scores)
    found = scores[np.arange(n), shifts(n, step)].mean(axis=1)
    spread = float(found.std(ddof=1)) * math.sqrt(1.0 + 1.0 / len(found))
    return two_sided((measure - float(found.mean())) / spread, len(found) - 1) if spread > 0.0 else 1.0


@lru_cache(maxsize=64)
def shuffles(n: int, draws: int, seed: int) -> NDArray[np.intp]:
    """(draws, n) orders, each equally likely."""
    order = np.tile(np.arange(n), (draws, 1))
    return np.random.default_rng((seed, n)).permuted(order, axis=1).astype(np.intp)


@lru_cache(maxsize=256)
def shifts(n: int, step: int = 1) -> NDArray[np.intp]:
    """(k, n): forwards by every `step`th distance that leaves no exchange near its own place, and backwards."""
    rows = np.arange(n)
    forward = [(rows + by) % n for by in range(n) if by % step == 0 and _APART <= by <= n - _APART]
    backward = [(by - rows) % n for by in range(0, n, step)]
    return np.array(forward + backward, dtype=np.intp)


def permutation_p(observed: float, surrogates: ArrayLike) -> float:
    """Two-sided, of an effect whose surrogates are centred on 0; the observed one counts as one of them, so it is never
    0 (Phipson and Smyth, 2010)."""
    sizes = np.abs(np.asarray(surrogates, dtype=np.float64))
    return (1 + int((sizes >= abs(observed) - 1e-12).sum())) / (1 + sizes.size)


def two_sided(t: float, df: float) -> float:
    """p of Student's t."""
    return float(min(1.0, 2.0 * stdtr(df, -abs(t))))


def two_sided_normal(z: float) -> float:
    """p of a normal score."""
    return float(min(1.0, 2.0 * ndtr(-abs(z))))


def benjamini_hochberg(p: ArrayLike) -> Values:
    """Adjusted p (the smallest false discovery rate at which each would be reported); NaN is no test and stays NaN."""
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    ranks = np.arange(1, len(order) + 1)
    steps = values[order] * len(order) / ranks
    adjusted[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return adjusted

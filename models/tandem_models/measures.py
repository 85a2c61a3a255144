"""Do two speakers entrain? The classical measures of one dialogue, against what chance and momentum alone bring.

Definitions as in Levitan and Hirschberg (2011) and Weise: similarity is -|a - b|; proximity compares it between
adjacent and other turns, synchrony is the correlation of adjacent turns, convergence that of similarity with time.
The unit here is the turn. A measure is a sum over exchanges, so one test fits all three: `pairing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tandem_models.surrogates import MINIMUM, PairingTest, correlation_matrix, pairing_test

Values = NDArray[np.float64]
Measure = Literal["proximity", "synchrony", "convergence"]
MEASURES: Final[tuple[Measure, ...]] = ("proximity", "synchrony", "convergence")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns of two speakers in order. Raises ValueError for shapes that do not fit or another speaker than 0 and 1."""

    values: Values
    """(turns, features) on one scale for both speakers; NaN is missing"""
    speaker: NDArray[np.int64]
    """(turns,) 0 or 1"""
    times: Values
    """(turns,) seconds, or the number of the turn"""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not len(self.values) == len(self.speaker) == len(self.times):
            raise ValueError(f"{self.values.shape} values do not fit {len(self.speaker)} speakers")
        if not np.isin(self.speaker, (0, 1)).all():
            raise ValueError("the speakers of a dialogue are 0 and 1")

    @classmethod
    def of(cls, turns: Sequence[tuple[int, Sequence[float | None]]], times: Sequence[float] | None = None) -> Dialogue:
        """From (speaker, values with None for missing) of each turn."""
        values = np.array([[np.nan if x is None else x for x in row] for _, row in turns], dtype=np.float64)
        speaker = np.array([who for who, _ in turns], dtype=np.int64)
        width = values.shape[1] if values.ndim == 2 else 0
        when = np.arange(len(turns)) if times is None else times
        return cls(values.reshape(len(turns), width), speaker, np.asarray(when, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Turns that answer one another, in order: n pairs of adjacent turns of different speakers."""

    first: Values
    """(n, features) of speaker 0"""
    second: Values
    """(n, features) of speaker 1"""
    times: Values
    """(n,) of the answer"""
    both: bool = False
    """Either answers the other, so that most turns are in two exchanges"""

    def last(self, most: int) -> Exchanges:
        """The newest `most` of them."""
        return Exchanges(self.first[-most:], self.second[-most:], self.times[-most:], self.both)


def exchanges(dialogue: Dialogue, responder: int | None = None) -> Exchanges:
    """The adjacent pairs in which `responder` speaks second; None is either (the symmetric measures)."""
    change = dialogue.speaker[1:] != dialogue.speaker[:-1]
    if responder is not None:
        change &= dialogue.speaker[1:] == responder
    later = np.flatnonzero(change) + 1
    # Always speaker 0 against speaker 1: else the difference of their levels would look like a negative correlation.
    zero = np.where(dialogue.speaker[later] == 0, later, later - 1)
    one = np.where(dialogue.speaker[later] == 1, later, later - 1)
    return Exchanges(dialogue.values[zero], dialogue.values[one], dialogue.times[later], responder is None)


def similarity(a: Values, b: Values) -> Values:
    """-|a - b|: 0 is alike."""
    return -np.abs(a - b)


def matrix(measure: Measure, first: Values, second: Values, times: Values) -> Values | None:
    """(n, n): what pairing the left side of exchange i with the right side of exchange j adds to the measure, whose
    value is the mean of the diagonal. None when one side does not vary."""
    match measure:
        case "proximity":
            return similarity(first[:, None], second[None, :])
        case "synchrony":
            return correlation_matrix(first, second)
        case "convergence":
            return correlation_matrix(times, similarity(first, second))


@dataclass(frozen=True, slots=True)
class Finding:
    """One measure of one feature. `n` exchanges had both values; without enough of them there is no test."""

    measure: Measure
    n: int
    effect: float | None = None
    """Proximity: similarity of adjacent turns less that of other pairs, in the values' unit; the others: Pearson's r"""
    test: PairingTest | None = None

    @property
    def p(self) -> float | None:
        """Two-sided, against both kinds of surrogates: the larger."""
        return None if self.test is None else self.test.p


def measured(measure: Measure, pairs: Exchanges, feature: int, *, draws: int = 0, seed: int = 0) -> Finding:
    """One measure of one feature (its column). `draws` > 0 draws so many shuffles instead of using their moments."""
    first, second = pairs.first[:, feature], pairs.second[:, feature]
    known = np.isfinite(first) & np.isfinite(second)
    n = int(known.sum())
    if n < MINIMUM:
        return Finding(measure, n)
    scores = matrix(measure, first[known], second[known], pairs.times[known])
    if scores is None:
        return Finding(measure, n)
    test = pairing_test(scores, draws=draws, seed=seed, step=2 if pairs.both else 1)
    return Finding(measure, n, test.effect, test)


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Weise's test of proximity: each answer with the turn it answers, and with the partner's other turns."""

    adjacent: float
    """Mean similarity"""
    others: float
    t: float
    d: float
    """Mean difference in standard deviations of the differences"""
    n: int

    @property
    def index(self) -> float:
        """-adjacent / others: above -1 is entrainment."""
        return -self.adjacent / self.others if self.others else -1.0


def proximity_paired(pairs: Exchanges, feature: int) -> PairedTest | None:
    """Over all of the partner's other turns, not a random quarter: the same expectation, less noise."""
    first, second = pairs.first[:, feature], pairs.second[:, feature]
    known = np.isfinite(first) & np.isfinite(second)
    n = int(known.sum())
    if n < 3:
        return None
    scores = similarity(first[known, None], second[None, known])
    adjacent = np.diagonal(scores)
    others = (scores.sum(axis=0) - adjacent) / (n - 1)
    difference = adjacent - others
    spread = float(difference.std(ddof=1))
    d = float(difference.mean()) / spread if spread > 0.0 else 0.0
    return PairedTest(float(adjacent.mean()), float(others.mean()), d * float(np.sqrt(n)), d, n)


@dataclass(frozen=True, slots=True)
class Movement:
    """Global convergence of one feature: from the first half of the dialogue to the second."""

    before: float
    """|mean of speaker 0 - mean of speaker 1| in the first half"""
    after: float
    shift: tuple[float, float]
    """By how much the mean of each speaker changed"""
    counts: tuple[int, int, int, int]
    """Turns: speaker 0 before and after, speaker 1 before and after"""

    @property
    def change(self) -> float:
        """Above 0 they have come closer."""
        return self.before - self.after

    @property
    def shares(self) -> tuple[float, float]:
        """What each contributed to the change: who moved."""
        sizes = abs(self.shift[0]), abs(self.shift[1])
        whole = sum(sizes)
        return (0.0, 0.0) if whole == 0.0 else (sizes[0] / whole * self.change, sizes[1] / whole * self.change)


def global_convergence(dialogue: Dialogue, feature: int) -> Movement | None:
    """None when a speaker has no value in one half; the halves are of the number of turns."""
    column, half = dialogue.values[:, feature], len(dialogue.values) // 2
    late = np.arange(len(column)) >= half
    groups = [column[(dialogue.speaker == who) & (late == when) & np.isfinite(column)] for who, when in _GROUPS]
    if not all(len(group) for group in groups):
        return None
    before0, after0, before1, after1 = (float(group.mean()) for group in groups)
    counts = len(groups[0]), len(groups[1]), len(groups[2]), len(groups[3])
    return Movement(abs(before0 - before1), abs(after0 - after1), (after0 - before0, after1 - before1), counts)


_GROUPS: Final = ((0, False), (0, True), (1, False), (1, True))


@dataclass(frozen=True, slots=True)
class Asymmetry:
    """Who follows whom: Fisher's z of speaker 1 following speaker 0, less that of the reverse."""

    z: float
    error: float
    """Standard error of a difference of two correlations"""


def asymmetry(one: Finding, zero: Finding) -> Asymmetry | None:
    """`one`: synchrony where speaker 1 responds; `zero`: where speaker 0 does."""
    if one.effect is None or zero.effect is None:
        return None
    low, high = -1.0 + 1e-9, 1.0 - 1e-9
    difference = np.arctanh(np.clip(one.effect, low, high)) - np.arctanh(np.clip(zero.effect, low, high))
    return Asymmetry(float(difference), float(np.sqrt(1.0 / (one.n - 3) + 1.0 / (zero.n - 3))))

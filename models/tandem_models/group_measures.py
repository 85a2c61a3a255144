"""Entrainment over many dialogues: tests of a group of effects, partners against strangers, and other sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tandem_models.measures import Dialogue, Measure, exchanges, matrix
from tandem_models.surrogates import permutation_p, two_sided

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroupTest:
    """Student's t of a mean against 0."""

    mean: float
    t: float
    d: float
    """Mean in standard deviations"""
    p: float
    n: int


def t_test(values: ArrayLike) -> GroupTest | None:
    """One effect per dialogue, or the differences of a paired test; NaN is left out. None for fewer than two."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2 or (spread := float(known.std(ddof=1))) <= 0.0:
        return None
    mean, n = float(known.mean()), len(known)
    t = mean / spread * float(np.sqrt(n))
    return GroupTest(mean, t, mean / spread, two_sided(t, n - 1), n)


def fisher_mean(correlations: ArrayLike) -> GroupTest | None:
    """Correlations of several dialogues, tested as Fisher's z; the mean is a correlation again."""
    r = np.clip(np.asarray(correlations, dtype=np.float64), -1.0 + 1e-9, 1.0 - 1e-9)
    found = t_test(np.arctanh(r))
    return found and GroupTest(float(np.tanh(found.mean)), found.t, found.d, found.p, found.n)


def global_similarity(means: Values) -> GroupTest | None:
    """means (dialogues, 2 speakers) of one feature: is everybody more like their partner than like the partners of
    others in the same role? Positive is similar; both roles together, as Weise has it."""
    means = means[np.isfinite(means).all(axis=1)]
    if len(means) < 3:
        return None
    distance = np.abs(means[:, None, 0] - means[None, :, 1])
    own, n = np.diagonal(distance), len(means)
    strangers = np.concatenate([(distance.sum(axis=axis) - own) / (n - 1) for axis in (1, 0)])
    return t_test(strangers - np.concatenate([own, own]))


def speaker_means(dialogue: Dialogue) -> Values:
    """(2 speakers, features); NaN where nothing is known."""
    result = np.full((2, dialogue.values.shape[1]), np.nan)
    for who in (0, 1):
        rows = dialogue.values[dialogue.speaker == who]
        known = np.isfinite(rows)
        counts = known.sum(axis=0)
        np.divide(np.where(known, rows, 0.0).sum(axis=0), counts, out=result[who], where=counts > 0)
    return result


@dataclass(frozen=True, slots=True)
class SessionTest:
    """A measure, averaged over dialogues, and with each dialogue's speaker 1 taken from another."""

    effect: float
    surrogate: float
    """Mean of the surrogates"""
    z: float
    p: float
    dialogues: int


def other_sessions(
    dialogues: Sequence[Dialogue], measure: Measure, feature: int, responder: int, *, draws: int = 200, seed: int = 0
) -> SessionTest | None:
    """Partners against partners of other sessions, at the same place of the dialogue. None for fewer than four."""
    found = [exchanges(one, responder) for one in dialogues]
    sides = [(one.first[:, feature], one.second[:, feature], one.times) for one in found if len(one.times) >= 3]
    count = len(sides)
    if count < 4:
        return None
    grid = np.full((count, count), np.nan)
    for i, (first, _, times) in enumerate(sides):
        for j, (_, second, _) in enumerate(sides):
            value = _value(measure, first, second, times)
            grid[i, j] = np.nan if value is None else value
    own = float(np.nanmean(np.diagonal(grid)))
    dice = np.random.default_rng(seed)
    # Every dialogue gets a stranger: a shuffled order of the dialogues, each given the next one's speaker.
    orders = [dice.permutation(count) for _ in range(draws)]
    drawn = np.array([np.nanmean(grid[order, np.roll(order, 1)]) for order in orders])
    mean, spread = float(drawn.mean()), float(drawn.std(ddof=1))
    z = (own - mean) / spread if spread > 0.0 else 0.0
    return SessionTest(own, mean, z, permutation_p(own - mean, drawn - mean), count)


def _value(measure: Measure, first: Values, second: Values, times: Values) -> float | None:
    n = min(len(first), len(second))
    known = np.isfinite(first[:n]) & np.isfinite(second[:n])
    if known.sum() < 3:
        return None
    scores = matrix(measure, first[:n][known], second[:n][known], times[:n][known])
    return None if scores is None else float(np.diagonal(scores).mean())

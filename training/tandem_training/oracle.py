"""The best that can be done with simulated dialogues: exact Kalman filters, and the bank that has to infer the types.

The state of a feature is [l_0, l_1, mu_0, mu_1]; when s speaks its row of l_s becomes phi - alpha on l_s,
alpha + beta on l_p, 1 - phi on mu_s and -beta on mu_p. Written in numpy, apart from the trained filter of
`tandem_models.entrainment_core`, so that each checks the other. Not covered: correlated innovations (the filters are
then per feature and no longer exact).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from tandem_models.prosody import NAMES
from tandem_training.simulate import Array, Dialogues, World, stationary

GRID: Final = 0.05
STEPS: Final[Array] = np.arange(-6.0, 10.0, dtype=np.float64) * GRID
"""Couplings that are tried, -0.3 to 0.45"""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a filter thought of each turn before it was spoken, (N, T, F) in simulator units."""

    mean: Array
    variance: Array

    def log_likelihood(self, values: Array) -> Array:
        """(N, T) summed over the features; missing ones count nothing."""
        each = -0.5 * ((values - self.mean) ** 2 / self.variance + np.log(2.0 * np.pi * self.variance))
        return np.asarray(np.nansum(each, axis=-1))


def kalman(
    dialogues: Dialogues,
    alpha: Array,
    beta: Array,
    *,
    lexical: Array | None = None,
    heard: Array | None = None,
    usual: tuple[Array, float] | None = None,
    calibrated: int = 0,
) -> Predicted:
    """Filter with couplings (N, 2) or (2,) per speaker.

    lexical (N, T, F) is what the text adds: W e_t unless given. heard replaces what is learnt from (free-running,
    surrogates). usual gives the level (N, F) of speaker `calibrated`, whose voice was measured, and its variance.
    """
    world, values = dialogues.world, dialogues.values if heard is None else heard
    text = dialogues.embedding @ world.lexicon[2].T if lexical is None else lexical
    alpha, beta = (np.broadcast_to(one, (len(dialogues), 2)) for one in (alpha, beta))
    state, covariance = _prior(world, len(dialogues), usual, calibrated)
    noise = world.noise(dialogues.length)
    means, variances = np.empty_like(values), np.empty_like(values)
    for turn in range(values.shape[1]):
        own = turn % 2
        state, covariance = _predict(world, state, covariance, own, world.coupling(alpha[:, own], turn), beta[:, own])
        variances[:, turn] = covariance[..., own, own] + noise[:, turn, None]
        means[:, turn] = state[..., own] + text[:, turn]
        seen = np.isfinite(values[:, turn])
        surprise = np.where(seen, values[:, turn] - means[:, turn], 0.0)
        column = covariance[..., own] * seen[..., None]
        gain = column / variances[:, turn, :, None]
        state = state + gain * surprise[..., None]
        covariance = covariance - gain[..., :, None] * column[..., None, :]
    return Predicted(means, variances)


def bank(
    dialogues: Dialogues,
    *,
    lexical: Array | None = None,
    heard: Array | None = None,
    usual: tuple[Array, float] | None = None,
    calibrated: int = 0,
) -> Predicted:
    """The Bayes predictor when nobody says who is of which type: every pair's filter, weighted by how well it did."""
    world, values = dialogues.world, dialogues.values if heard is None else heard
    pairs = list(product(world.types, repeat=2))
    filters = [
        kalman(
            dialogues,
            np.array([a.alpha, b.alpha]),
            np.array([a.beta, b.beta]),
            lexical=lexical,
            heard=heard,
            usual=usual,
            calibrated=calibrated,
        )
        for a, b in pairs
    ]
    prior = np.log([a.share * b.share for a, b in pairs])
    evidence = np.stack([one.log_likelihood(values) for one in filters])
    # Shifted, not subtracted: a difference would let a turn's own value in by rounding.
    before = np.cumsum(np.concatenate([np.zeros_like(evidence[..., :1]), evidence[..., :-1]], -1), -1)
    before += prior[:, None, None]
    weights = np.exp(before - before.max(0))
    weights /= weights.sum(0)
    mean = sum(w[..., None] * one.mean for w, one in zip(weights, filters, strict=True))
    spread = sum(
        w[..., None] * (one.variance + (one.mean - mean) ** 2) for w, one in zip(weights, filters, strict=True)
    )
    return Predicted(np.asarray(mean), np.asarray(spread))


def informed(dialogues: Dialogues) -> Predicted:
    """The filter that is told both speakers' types: no predictor can be better."""
    alpha = np.array([kind.alpha for kind in dialogues.world.types])
    beta = np.array([kind.beta for kind in dialogues.world.types])
    return kalman(dialogues, alpha[dialogues.kinds], beta[dialogues.kinds])


def pooled(dialogues: Dialogues, lexical: Array | None = None) -> Predicted:
    """One coupling for everybody: the population's mean."""
    kinds = dialogues.world.types
    total = sum(kind.share for kind in kinds)
    alpha = sum(kind.share * kind.alpha for kind in kinds) / total
    beta = sum(kind.share * kind.beta for kind in kinds) / total
    return kalman(dialogues, np.full(2, alpha), np.full(2, beta), lexical=lexical)


def without_entrainment(dialogues: Dialogues, lexical: Array | None = None) -> Predicted:
    """All is known but that people follow one another."""
    return kalman(dialogues, np.zeros(2), np.zeros(2), lexical=lexical)


def recover(dialogues: Dialogues, alphas: Array = STEPS, betas: Array = STEPS) -> tuple[float, float]:
    """The likeliest (alpha, beta) if all speakers share one: a grid of 0.05, then a parabola through the top."""
    table = np.array([[_total(dialogues, a, b) for b in betas] for a in alphas])
    row, column = (int(one) for one in np.unravel_index(int(table.argmax()), table.shape))
    alpha = alphas[row] + GRID * _vertex(table[:, column], row)
    return float(alpha), float(betas[column] + GRID * _vertex(table[row], column))


def _total(dialogues: Dialogues, alpha: float, beta: float) -> float:
    """Log likelihood of everything, nats."""
    return float(kalman(dialogues, np.full(2, alpha), np.full(2, beta)).log_likelihood(dialogues.values).sum())


def _vertex(line: Array, top: int) -> float:
    """Where between its neighbours the parabola through a maximum has its own, in steps."""
    if not 0 < top < len(line) - 1:
        return 0.0
    before, here, after = line[top - 1 : top + 2]
    return float(0.5 * (before - after) / (before - 2.0 * here + after))


def _prior(world: World, count: int, usual: tuple[Array, float] | None, calibrated: int) -> tuple[Array, Array]:
    """State (N, F, 4) and covariance (N, F, 4, 4) before the first turn."""
    state = np.zeros((count, len(NAMES), 4))
    covariance = np.zeros((count, len(NAMES), 4, 4))
    for speaker in (0, 1):
        spread = np.square(world.tau)
        if speaker == calibrated and usual is not None:
            state[..., speaker] = state[..., 2 + speaker] = usual[0]
            spread = np.asarray(usual[1])
        level, mu = speaker, 2 + speaker
        covariance[..., level, level] = spread + stationary(world)
        covariance[..., mu, mu] = covariance[..., level, mu] = covariance[..., mu, level] = spread
    return state, covariance


def _predict(world: World, state: Array, covariance: Array, own: int, alpha: Array, beta: Array) -> tuple[Array, Array]:
    """One turn of `own` forward; alpha and beta (N,)."""
    count = len(state)
    transition = np.broadcast_to(np.eye(4), (count, 4, 4)).copy()
    transition[:, own, own] = world.phi - alpha
    transition[:, own, 1 - own] = alpha + beta
    transition[:, own, 2 + own] = 1.0 - world.phi
    transition[:, own, 3 - own] = -beta
    state = np.einsum("nij,nfj->nfi", transition, state)
    covariance = transition[:, None] @ covariance @ transition[:, None].swapaxes(-1, -2)
    covariance[..., own, own] += world.q
    return state, covariance

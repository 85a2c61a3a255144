"""What an entrainment model has to beat, each predicting every turn from the turns before it, (N, T, F).

The speaker's own shrunk mean is the one to beat without a model, the ridge regressions with one. Ridges are fitted per
feature to training dialogues and see, role-relative: the shrunk means of both sides, the departures of the last three
turns of each side from them, whether those were measured, and the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tandem_training.simulate import Array, Dialogues

LAGS: Final = 3
_RIDGE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Population:
    """What the training speakers say of speakers in general."""

    mean: Array
    """(F,)"""
    certainty: Array
    """(F,) a turn's variance over that between speakers: the turns that the mean is worth"""

    @classmethod
    def fit(cls, dialogues: Dialogues) -> Population:
        """By moments."""
        means, within = [], []
        for speaker in (0, 1):
            own = np.where((dialogues.speaker == speaker)[..., None], dialogues.values, np.nan)
            means.append(np.nanmean(own, axis=1))
            within.append(np.nanvar(own, axis=1, ddof=1))
        level = np.concatenate(means)
        return cls(np.nanmean(level, 0), np.nanmean(np.concatenate(within), 0) / np.nanvar(level, 0))


def shrunk_means(heard: Array, speaker: int, order: Array, population: Population) -> Array:
    """(N, F) of a speaker (relative to the order (T,) of speakers) over all of heard (N, t, F)."""
    own = heard[:, order[: heard.shape[1]] == speaker]
    count = np.isfinite(own).sum(1)
    total = np.nansum(own, axis=1) + population.certainty * population.mean
    return np.asarray(total / (count + population.certainty))


def global_mean(dialogues: Dialogues, population: Population) -> Array:
    """Of everybody."""
    return np.broadcast_to(population.mean, dialogues.values.shape)


def own_mean(dialogues: Dialogues, population: Population) -> Array:
    """The speaker's shrunk mean so far."""
    return _each_turn(dialogues, lambda past, own, order: shrunk_means(past, own, order, population))


def persistence(dialogues: Dialogues, population: Population) -> Array:
    """The speaker's last measured value."""
    return _each_turn(dialogues, lambda past, own, order: _last(past, own, order, population))


def partner_copy(dialogues: Dialogues, population: Population) -> Array:
    """The partner's last measured value."""
    return _each_turn(dialogues, lambda past, own, order: _last(past, 1 - own, order, population))


SIMPLE: Final[Mapping[str, Callable[[Dialogues, Population], Array]]] = {
    "global mean": global_mean,
    "persistence": persistence,
    "partner copy": partner_copy,
    "own shrunk mean": own_mean,
}


@dataclass(frozen=True, slots=True)
class Ridge:
    """A linear predictor, one per feature."""

    population: Population
    partner: bool
    text: bool
    weights: Array
    """(F, inputs)"""

    @classmethod
    def fit(cls, dialogues: Dialogues, partner: bool = True, text: bool = True) -> Ridge:
        """By least squares with a penalty, from turn 4 on (as everything is scored)."""
        population = Population.fit(dialogues)
        blank = cls(population, partner, text, np.empty(0))
        rows, targets = [], []
        for turn in range(4, dialogues.values.shape[1]):
            rows.append(blank.inputs(dialogues, dialogues.values[:, :turn]))
            targets.append(dialogues.values[:, turn])
        x, y = np.concatenate(rows), np.concatenate(targets)
        return cls(population, partner, text, np.stack([_solve(x[:, f], y[:, f]) for f in range(y.shape[1])]))

    def inputs(self, dialogues: Dialogues, past: Array) -> Array:
        """(N, F, inputs) for the turn after past (N, t, F)."""
        turn, order = past.shape[1], dialogues.speaker[0]
        own = int(order[turn])
        columns = [np.ones_like(past[:, 0])] if turn else [np.ones((len(past), past.shape[2]))]
        for speaker in (own, 1 - own) if self.partner else (own,):
            mean = shrunk_means(past, speaker, order, self.population)
            columns.append(mean)
            spoken = past[:, order[:turn] == speaker][:, ::-1][:, :LAGS]
            for lag in range(LAGS):
                value = spoken[:, lag] if lag < spoken.shape[1] else np.full_like(mean, np.nan)
                columns += [np.nan_to_num(value - mean), np.isfinite(value).astype(float)]
        table = np.stack(columns, axis=-1)
        if not self.text:
            return table
        words = np.broadcast_to(dialogues.embedding[:, turn, None], (*table.shape[:2], dialogues.embedding.shape[2]))
        return np.concatenate([table, words], axis=-1)

    def predict(self, dialogues: Dialogues, agent: int | None = None) -> Array:
        """All turns; as an agent, the agent's own predictions stand in for what it would have said."""
        heard = dialogues.values.copy()
        found = np.empty_like(heard)
        for turn in range(heard.shape[1]):
            found[:, turn] = np.einsum("nfi,fi->nf", self.inputs(dialogues, heard[:, :turn]), self.weights)
            if dialogues.speaker[0, turn] == agent:
                heard[:, turn] = found[:, turn]
        return found

    def lexical(self, dialogues: Dialogues) -> Array:
        """(N, T, F) what the text adds: the share of the weights that Kalman filters borrow."""
        if not self.text:
            raise ValueError("this ridge was fitted without the text")
        return np.asarray(dialogues.embedding @ self.weights[:, -dialogues.embedding.shape[2] :].T)


def _each_turn(dialogues: Dialogues, predict: Callable[[Array, int, Array], Array]) -> Array:
    order = dialogues.speaker[0]
    turns = range(dialogues.values.shape[1])
    return np.stack([predict(dialogues.values[:, :turn], int(order[turn]), order) for turn in turns], axis=1)


def _last(past: Array, speaker: int, order: Array, population: Population) -> Array:
    """(N, F) last measured value of a speaker, else the population's mean."""
    found = np.broadcast_to(population.mean, (len(past), len(population.mean)))
    for turn in range(past.shape[1]):
        if order[turn] == speaker:
            found = np.where(np.isfinite(past[:, turn]), past[:, turn], found)
    return found


def _solve(x: Array, y: Array) -> Array:
    seen = np.isfinite(y)
    x, y = x[seen], y[seen]
    penalty = _RIDGE * np.eye(x.shape[1])
    penalty[0, 0] = 0.0
    return np.asarray(np.linalg.solve(x.T @ x + penalty, x.T @ y))

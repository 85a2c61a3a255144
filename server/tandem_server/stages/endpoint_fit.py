"""Fitting the endpoint model to pauses of one's own conversations: weights of the cues, and how long people pause.

The weights are those of a logistic regression of ends on holds, drawn towards the shipped ones; the intercept loses the
base rate of ends, because a session's `silence_duration_ms` stands for that. Pauses are moments of log durations, with
the shipped numbers counted as some pauses more. Small data moves little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tandem_server.stages.endpoint import SHIPPED, Cues, EndpointModel
from tandem_server.stages.pauses import PausePrior

_WEIGHT_DEVIATION: Final = 0.5
"""Prior standard deviation of a weight around the shipped one"""
_PRIOR_PAUSES: Final = 10
"""Pauses that the shipped numbers count for ..."""
_PRIOR_SPEAKERS: Final = 4
"""... and speakers."""
_LEAST_BETWEEN: Final = 0.1
_STEPS: Final = 50
_SMALL: Final = 1e-9
"""Of a step: it changes nothing more"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A pause of which it is known what it was."""

    speaker: str
    cues: Cues
    held_ms: float | None
    """How long until the same speaker went on; None when the turn was over"""


def fit(pauses: Sequence[Labelled], start: EndpointModel = SHIPPED) -> EndpointModel:
    """The model that these pauses make of `start`. Raises ValueError unless there are both holds and ends."""
    held = [pause for pause in pauses if pause.held_ms is not None]
    if not held or len(held) == len(pauses):
        raise ValueError("to fit an endpoint, both pauses that were held and ends of turns are needed")
    weights, intercept = _regression(pauses, np.array(astuple(start.weights)))
    base = math.log((len(pauses) - len(held)) / len(held))
    return EndpointModel(Cues(*weights.tolist()), intercept - base, _pauses(held, start.pauses))


def _regression(pauses: Sequence[Labelled], centre: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Weights and intercept of largest posterior, by Newton's method; the intercept has a flat prior. A step that goes
    too far, as the first may where a cue is very sure, is halved until it is one upwards."""
    inputs = np.array([[*astuple(pause.cues), 1.0] for pause in pauses])
    ends = np.array([pause.held_ms is None for pause in pauses], np.float64)
    middle = np.append(centre, 0.0)
    precision = np.append(np.full(len(centre), _WEIGHT_DEVIATION**-2), 1e-6)
    found = middle.copy()

    def posterior(at: NDArray[np.float64]) -> float:
        score = inputs @ at
        likelihood = float(ends @ score - np.logaddexp(0.0, score).sum())
        return likelihood - 0.5 * float(precision @ np.square(at - middle))

    for _ in range(_STEPS):
        expected = 1.0 / (1.0 + np.exp(-np.clip(inputs @ found, -30.0, 30.0)))
        slope = inputs.T @ (ends - expected) - precision * (found - middle)
        curvature = (inputs * (expected * (1.0 - expected))[:, None]).T @ inputs + np.diag(precision)
        step = np.linalg.solve(curvature, slope)
        while posterior(found + step) < posterior(found) and float(np.abs(step).max()) >= _SMALL:
            step = step / 2.0
        found += step
        if float(np.abs(step).max()) < _SMALL:
            break
    return found[:-1], float(found[-1])


def _pauses(held: Sequence[Labelled], prior: PausePrior) -> PausePrior:
    """Moments of log durations, by speaker."""
    by_speaker: dict[str, list[float]] = {}
    for pause in held:
        by_speaker.setdefault(pause.speaker, []).append(math.log(max(pause.held_ms or 0.0, 1.0)))
    means = {speaker: float(np.mean(logs)) for speaker, logs in by_speaker.items()}
    total = sum(sum(logs) for logs in by_speaker.values())
    median = (_PRIOR_PAUSES * math.log(prior.median_ms) + total) / (_PRIOR_PAUSES + len(held))
    squares = sum((log - means[speaker]) ** 2 for speaker, logs in by_speaker.items() for log in logs)
    freedom = len(held) - len(means)
    within = (_PRIOR_PAUSES * prior.within**2 + squares) / (_PRIOR_PAUSES + freedom)
    # Means scatter by what their few pauses do, too: that is not the speakers' doing.
    apart = sum((means[speaker] - median) ** 2 - within / len(logs) for speaker, logs in by_speaker.items())
    between = (_PRIOR_SPEAKERS * prior.between**2 + apart) / (_PRIOR_SPEAKERS + len(means))
    return PausePrior(math.exp(median), math.sqrt(within), math.sqrt(max(between, _LEAST_BETWEEN**2)))

"""Fit the normaliser's prior by type-II maximum likelihood: what speakers of a population are like before one is heard.

For a speaker with n turns of mean x and sum of squares S around it, mu and sigma^2 integrated out:

    an = a0 + n/2   kn = k0 + n   bn = b0 + S/2 + k0 n (x - m0)^2 / (2 kn)
    log p = lgamma(an) - lgamma(a0) + a0 log b0 - an log bn + (log k0 - log kn)/2 - n/2 log 2 pi

Not covered: turn weights, correlation between features, mixtures (one population, not women and men).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.optimize import minimize
from scipy.special import gammaln

from tandem_models.normaliser import NormalInverseGamma, shipped_prior
from tandem_models.prosody import EXTRACTOR_VERSION, NAMES, Prosody
from tandem_training.job import Job
from tandem_training.specs import NormaliserPrior

Statistics = NDArray[np.float64]
"""(speakers, 3): number of turns n, their mean, their sum of squares around it."""

_BOUNDS: Final = ((-10.0, 10.0), np.log((1e-3, 1e3)), np.log((1.05, 1e3)), np.log((1e-4, 1e4)))
"""Of m0, log k0, log a0, log b0, the data in units of their own sd. With a0 <= 1 the spread would have no mean."""


class Turn(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    speaker: str
    extractor_version: str
    values: dict[str, float | None]


def run(spec: NormaliserPrior, job: Job) -> None:
    """Write prior.json, in the shape of the shipped one. Raises ValueError for a table that cannot be used."""
    observed: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in NAMES}
    for speaker, prosody in read_turns(spec.turns):
        for name, value in prosody.as_dict().items():
            if value is not None:
                observed[name][speaker].append(value)

    prior = dict(zip(NAMES, shipped_prior(), strict=True))
    table: dict[str, dict[str, float | int | bool]] = {}
    for done, (name, by_speaker) in enumerate(observed.items()):
        job.progress(done / len(NAMES), name)
        enough = len(by_speaker) >= spec.min_speakers
        table[name] = {"speakers": len(by_speaker), "turns": sum(map(len, by_speaker.values())), "fitted": enough}
        if not enough:
            continue
        seen = statistics(list(by_speaker.values()))
        before = negative_log_likelihood(prior[name], seen)
        prior[name] = fit(seen)
        after = negative_log_likelihood(prior[name], seen)
        table[name] |= {"nll_shipped": before, "nll_fitted": after}
        job.log(feature=name, **table[name], **asdict(prior[name]))

    if not any(row["fitted"] for row in table.values()):
        raise ValueError(f"no feature has {spec.min_speakers} speakers; lower min_speakers or bring more turns")
    content = {
        "version": EXTRACTOR_VERSION,
        "provenance": spec.provenance,
        "prior": {name: asdict(belief) for name, belief in prior.items()},
        "population": table,
    }
    job.write("prior.json", content)
    job.progress(1.0, "done")
    job.result({"prior": "prior.json", "features": table})


def read_turns(path: Path) -> Iterator[tuple[str, Prosody]]:
    """(speaker, prosody) of each line. Raises ValueError with the line's number."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                turn = Turn.model_validate_json(line)
                prosody = Prosody.from_dict(turn.values, turn.extractor_version)
            except (ValidationError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
            if prosody.version != EXTRACTOR_VERSION:
                raise ValueError(f"{path}, line {number}: extractor {prosody.version!r}, not {EXTRACTOR_VERSION!r}")
            yield turn.speaker, prosody


def statistics(turns: Sequence[Sequence[float]]) -> Statistics:
    """What the likelihood needs to know of each speaker's turns."""
    return np.array([(len(x), np.mean(x), np.var(x) * len(x)) for x in turns])


def fit(seen: Statistics) -> NormalInverseGamma:
    """The most likely prior. Worked in units of the data, so that one start and one set of bounds fit every feature."""
    n, mean, squares = seen.T
    centre = float(np.average(mean, weights=n))
    within = float(squares.sum() / max(n.sum() - len(n), 1.0))
    between = float(np.var(mean))
    scale = float(np.sqrt(within + between)) or 1.0
    unit = np.column_stack([n, (mean - centre) / scale, squares / scale**2])

    def cost(point: NDArray[np.float64]) -> float:
        return negative_log_likelihood(_belief(point), unit)

    shape = 3.0
    spread = max(within / scale**2, 1e-3)
    start = np.array([0.0, np.log(spread / max(between / scale**2, 1e-2)), np.log(shape), np.log((shape - 1) * spread)])
    found = minimize(cost, start, method="L-BFGS-B", bounds=_BOUNDS)
    belief = _belief(found.x)
    return NormalInverseGamma(centre + scale * belief.m, belief.k, belief.a, belief.b * scale**2)


def negative_log_likelihood(prior: NormalInverseGamma, seen: Statistics) -> float:
    """Per turn, nats."""
    n, mean, squares = seen.T
    a, k = prior.a + n / 2.0, prior.k + n
    b = prior.b + squares / 2.0 + prior.k * n * (mean - prior.m) ** 2 / (2.0 * k)
    evidence = gammaln(a) - gammaln(prior.a) + prior.a * np.log(prior.b) - a * np.log(b)
    evidence += 0.5 * (np.log(prior.k) - np.log(k)) - 0.5 * n * np.log(2.0 * np.pi)
    return float(-evidence.sum() / n.sum())


def _belief(point: NDArray[np.float64]) -> NormalInverseGamma:
    return NormalInverseGamma(float(point[0]), *(float(value) for value in np.exp(point[1:])))

"""What is usual for this speaker: a Normal-Inverse-Gamma posterior per feature, usable from the first turn.

x ~ N(mu, sigma^2), (mu, sigma^2) ~ N(mu | m, sigma^2 / k) IG(sigma^2 | a, b). A turn's z is the normal quantile of its
Student-t predictive probability before the turn is learnt: exactly N(0, 1) at every turn under the model, and it can be
inverted for synthesis. Everything here is an immutable value; learning returns a new one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from tandem_models.prosody import EXTRACTOR_VERSION, FEATURES, NAMES, Prosody

Z_LIMIT: Final = 6.0
"""z is kept within +-6 (probability 1e-9): further out the quantiles say nothing and a slip of the microphone would."""
Number = TypeVar("Number", float, NDArray[np.float64])
_KEPT: Final = 0.5
"""Share of the evidence that survives until the next session: people and microphones change."""


@dataclass(frozen=True, slots=True)
class NormalInverseGamma:
    """One feature of one speaker. Raises ValueError unless k, a and b are positive and all are finite."""

    m: float
    """Expected level"""
    k: float
    """How many turns' worth is known about the level"""
    a: float
    """Half as many degrees of freedom as are known about the spread"""
    b: float
    """Its scale: the spread squared is about b / a"""

    def __post_init__(self) -> None:
        finite = all(math.isfinite(value) for value in (self.m, self.k, self.a, self.b))
        if not finite or min(self.k, self.a, self.b) <= 0.0:
            raise ValueError(f"not a Normal-Inverse-Gamma: m={self.m}, k={self.k}, a={self.a}, b={self.b}")

    def update(self, x: float, weight: float = 1.0) -> NormalInverseGamma:
        """After seeing x with a weight from 0 (not at all) to 1 (a full turn)."""
        if not 0.0 <= weight <= 1.0:
            raise ValueError(f"a weight is from 0 to 1, not {weight}")
        return NormalInverseGamma(*learnt(self.m, self.k, self.a, self.b, x, weight))

    def predictive(self) -> tuple[float, float, float]:
        """(nu, loc, scale) of the Student-t of the next x."""
        return 2.0 * self.a, self.m, math.sqrt(self.b * (self.k + 1.0) / (self.a * self.k))

    def z(self, x: float) -> float:
        """How unusual x would be next, as a normal score within +-Z_LIMIT."""
        nu, loc, scale = self.predictive()
        return float(score(nu, (x - loc) / scale))

    def inverse(self, z: float) -> float:
        """The x whose score is z; z beyond the limit is taken as the limit."""
        nu, loc, scale = self.predictive()
        return loc - math.copysign(scale, z) * float(stdtrit(nu, ndtr(-min(abs(z), Z_LIMIT))))

    def carried_over(self, prior: NormalInverseGamma) -> NormalInverseGamma:
        """For the next session: k and a - a0 halved, the level and b / a (the spread) as they were.

        k never falls below the prior's, or somebody heard little would be less known than somebody never heard.
        """
        a = prior.a + _KEPT * max(self.a - prior.a, 0.0)
        return NormalInverseGamma(self.m, max(_KEPT * self.k, prior.k), a, self.b * a / self.a)


def learnt(m: Number, k: Number, a: Number, b: Number, x: Number, weight: Number) -> tuple[Number, ...]:
    """(m, k, a, b) after x with a weight; numbers or arrays of one shape."""
    total = k + weight
    return (k * m + weight * x) / total, total, a + weight / 2.0, b + weight * k * (x - m) ** 2 / (2.0 * total)


def score(nu: float | NDArray[np.float64], distance: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal score of a Student-t distance, within +-Z_LIMIT."""
    # The lower tail of both signs, where probabilities keep their digits.
    tail = np.maximum(stdtr(nu, -np.abs(distance)), 1e-300)
    return np.asarray(np.copysign(np.minimum(-ndtri(tail), Z_LIMIT), distance))


@dataclass(frozen=True, slots=True)
class Normaliser:
    """One speaker, all features in registry order. Vectors of another extractor are refused with ValueError."""

    prior: tuple[NormalInverseGamma, ...]
    """The population, before the speaker was heard"""
    posterior: tuple[NormalInverseGamma, ...]
    version: str = EXTRACTOR_VERSION

    def __post_init__(self) -> None:
        if not len(self.prior) == len(self.posterior) == len(FEATURES):
            raise ValueError(f"a normaliser has {len(FEATURES)} features")

    @classmethod
    def new(cls, prior: Sequence[NormalInverseGamma] | None = None) -> Normaliser:
        """A speaker not heard before; the prior is the shipped one unless another is given."""
        start = tuple(shipped_prior() if prior is None else prior)
        return cls(start, start)

    @classmethod
    def from_calibration(cls, mean: Prosody, sd: Prosody, k: float = 20.0) -> Normaliser:
        """A voice that was measured: as sure as after k turns. Features it lacks stay at the prior."""
        start = cls.new()
        measured = [
            base if m is None or s is None else NormalInverseGamma(m, k, 1.0 + k / 2.0, s * s * k / 2.0)
            for base, m, s in zip(start.prior, start._checked(mean), start._checked(sd), strict=True)
        ]
        return cls(start.prior, tuple(measured))

    @property
    def certainty(self) -> tuple[float, ...]:
        """log k per feature: how much is known about the speaker, as an input for models."""
        return tuple(math.log(belief.k) for belief in self.posterior)

    def z(self, prosody: Prosody) -> tuple[float | None, ...]:
        """Against what is usual for this speaker; missing stays None."""
        return self._scores(self.posterior, prosody)

    def population_z(self, prosody: Prosody) -> tuple[float | None, ...]:
        """Against what is usual for anybody, on the scale of the prior."""
        return self._scores(self.prior, prosody)

    def inverse(self, z: Sequence[float | None]) -> Prosody:
        """The vector that this speaker would have at these scores."""
        pairs = zip(self.posterior, z, strict=True)
        return Prosody(tuple(None if score is None else belief.inverse(score) for belief, score in pairs), self.version)

    def updated(self, prosody: Prosody, weight: float = 1.0) -> Normaliser:
        """After one more turn, weight min(1, voiced seconds / 1 s); missing features teach nothing."""
        pairs = zip(self.posterior, self._checked(prosody), strict=True)
        learnt = tuple(belief if x is None else belief.update(x, weight) for belief, x in pairs)
        return Normaliser(self.prior, learnt, self.version)

    def carried_over(self) -> Normaliser:
        """For the next session with the same speaker."""
        pairs = zip(self.posterior, self.prior, strict=True)
        return Normaliser(self.prior, tuple(belief.carried_over(prior) for belief, prior in pairs), self.version)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the version, and both (m, k, a, b) under each feature's name."""
        return {
            "version": self.version,
            "prior": {name: asdict(belief) for name, belief in zip(NAMES, self.prior, strict=True)},
            "posterior": {name: asdict(belief) for name, belief in zip(NAMES, self.posterior, strict=True)},
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Normaliser:
        """The inverse of `to_dict`; raises ValueError for another extractor's or a damaged one."""
        return cls(read_prior(stored, "prior"), read_prior(stored, "posterior"))

    def _checked(self, prosody: Prosody) -> tuple[float | None, ...]:
        if prosody.version != self.version:
            raise ValueError(f"a normaliser of {self.version} cannot take prosody of {prosody.version}")
        return prosody.values

    def _scores(self, beliefs: tuple[NormalInverseGamma, ...], prosody: Prosody) -> tuple[float | None, ...]:
        pairs = zip(beliefs, self._checked(prosody), strict=True)
        return tuple(None if x is None else belief.z(x) for belief, x in pairs)


def read_prior(stored: Mapping[str, Any], key: str = "prior") -> tuple[NormalInverseGamma, ...]:
    """The beliefs under a key, in registry order; raises ValueError for another extractor's or a damaged mapping."""
    version = stored.get("version")
    if version != EXTRACTOR_VERSION:
        raise ValueError(f"this normaliser is of {version!r}; the extractor is {EXTRACTOR_VERSION!r}")
    try:
        return tuple(NormalInverseGamma(**{p: float(stored[key][name][p]) for p in "mkab"}) for name in NAMES)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the normaliser's {key!r} is damaged: {error!r}") from error


@cache
def shipped_prior() -> tuple[NormalInverseGamma, ...]:
    """The population of `prior.json`, which says where its numbers are from."""
    return read_prior(json.loads(files("tandem_models").joinpath("prior.json").read_text("utf-8")))

"""THE prosody registry: every feature's name, unit, transform and bounds, and the one version of the extractor.

Corpus import, live server, training and synthesis all read their units and order from here, so scales cannot drift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

EXTRACTOR_VERSION: Final = "tandem-prosody-1"
"""Changes whenever a number could change; vectors of different versions refuse to mix."""

Transform = Literal["semitones", "log", "identity"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One prosodic feature on the scale in which it is stored, normalised and predicted."""

    name: str
    unit: str
    transform: Transform
    """How the physical value (Hz, ratio, syllables/s) becomes the stored one."""
    low: float
    """Smallest plausible stored value; a measurement below it is missing, not clipped."""
    high: float
    label: str
    """For people: plots, tables, messages."""


FEATURES: Final[tuple[Feature, ...]] = (
    Feature("pitch_mean", "st re 100 Hz", "semitones", -12.0, 36.0, "Pitch"),
    Feature("pitch_range", "st (q95-q05)", "identity", 0.0, 36.0, "Pitch range"),
    Feature("intensity_mean", "dB", "identity", 0.0, 100.0, "Loudness"),
    Feature("intensity_range", "dB (q95-q05)", "identity", 0.0, 60.0, "Loudness range"),
    Feature("jitter", "ln ratio", "log", math.log(1e-4), math.log(0.3), "Jitter"),
    Feature("shimmer", "ln ratio", "log", math.log(1e-3), math.log(0.6), "Shimmer"),
    Feature("hnr", "dB", "identity", -10.0, 40.0, "Harmonicity"),
    Feature("rate", "ln syllables/s", "log", math.log(0.5), math.log(15.0), "Speaking rate"),
)
NAMES: Final[tuple[str, ...]] = tuple(feature.name for feature in FEATURES)
INDEX: Final[Mapping[str, int]] = {name: position for position, name in enumerate(NAMES)}


def semitones(hertz: float) -> float:
    """Frequency (Hz) in semitones re 100 Hz."""
    return 12.0 * math.log2(hertz / 100.0)


def hertz(semitone: float) -> float:
    """The frequency (Hz) of semitones re 100 Hz."""
    return 100.0 * math.pow(2.0, semitone / 12.0)


@dataclass(frozen=True, slots=True)
class Prosody:
    """One vector in the order of `FEATURES`; None is missing, never zero.

    Raises ValueError for a vector of the wrong length or with a number that is not finite.
    """

    values: tuple[float | None, ...]
    version: str = field(default=EXTRACTOR_VERSION)

    def __post_init__(self) -> None:
        if len(self.values) != len(FEATURES):
            raise ValueError(f"a prosody vector has {len(FEATURES)} values, not {len(self.values)}")
        if any(value is not None and not math.isfinite(value) for value in self.values):
            raise ValueError("a prosody value must be finite or None")

    def __getitem__(self, name: str) -> float | None:
        return self.values[INDEX[name]]

    def as_dict(self) -> dict[str, float | None]:
        """Feature name -> value, in registry order."""
        return dict(zip(NAMES, self.values, strict=True))

    @classmethod
    def from_dict(cls, values: Mapping[str, float | None], version: str = EXTRACTOR_VERSION) -> Prosody:
        """The inverse of `as_dict`; names left out are missing, unknown names raise ValueError."""
        unknown = sorted(set(values) - set(NAMES))
        if unknown:
            raise ValueError(f"unknown prosodic feature {unknown[0]!r}; known are {', '.join(NAMES)}")
        return cls(tuple(values.get(name) for name in NAMES), version)


MISSING: Final = Prosody((None,) * len(FEATURES))
"""Nothing could be measured."""

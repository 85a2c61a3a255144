"""A buzz that carries a prosody vector, for the fake voice: Praat measures in it what was asked for."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tandem_models.prosody import Prosody, hertz
from tandem_models.signal import SAMPLE_RATE, Audio

HARMONICS_BELOW: Final = 4000.0
"""Hertz"""
INSIDE: Final = 0.9
"""Share of an evenly falling contour that lies between its 5 % and 95 % quantiles."""
SWING: Final = 2.0 * math.sin(0.45 * math.pi)
"""The same for a sine, in units of its amplitude."""
NEIGHBOURS: Final = 2.0 / math.sqrt(math.pi)
"""Mean distance of two independent normal deviates, in standard deviations."""
PASCAL: Final = 2e-5
"""Praat's intensity is re 20 uPa, a sample of 1 being a pascal."""
ROUGHNESS: Final = 2.0
"""dB of harmonicity that the perturbed periods take by themselves (measured)."""
LOUDEST: Final = 0.95


@lru_cache(maxsize=32)
def buzz(prosody: Prosody, seconds: float, seed: int) -> Audio:
    """(T,) at SAMPLE_RATE with every feature of a complete vector; the same arguments give the same samples."""
    values = {name: 0.0 if value is None else value for name, value in prosody.as_dict().items()}
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    dice = np.random.default_rng(seed)
    fall = values["pitch_range"] / INSIDE * (0.5 - time / seconds)
    frequency = hertz(values["pitch_mean"]) * 2.0 ** (fall / 12.0)
    cycle = np.cumsum(frequency).astype(np.int64) // SAMPLE_RATE
    frequency *= 1.0 + math.exp(values["jitter"]) / NEIGHBOURS * per_cycle(cycle, dice)
    voiced = harmonics(frequency) * (1.0 + math.exp(values["shimmer"]) / NEIGHBOURS * per_cycle(cycle, dice))
    breath = dice.standard_normal(time.size) * 10.0 ** (-(values["hnr"] + ROUGHNESS) / 20.0)
    # One swell a syllable; the mean loudness is that of the mean power.
    swell = 10.0 ** (values["intensity_range"] / SWING / 20.0 * -np.cos(2.0 * np.pi * math.exp(values["rate"]) * time))
    level = PASCAL * 10.0 ** (values["intensity_mean"] / 20.0) * swell / math.sqrt(np.square(swell).mean())
    audio: Audio = np.clip((voiced + breath) * level, -LOUDEST, LOUDEST).astype(np.float32)
    audio.flags.writeable = False  # kept for the next time: a double should cost nothing
    return audio


def harmonics(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """A buzz of unit power at a frequency (Hz) for each sample, 6 dB down an octave."""
    phase = 2.0 * np.pi * np.cumsum(frequency) / SAMPLE_RATE
    count = max(1, int(HARMONICS_BELOW / frequency.max(initial=1.0)))
    weights = 1.0 / np.arange(1, count + 1)
    total = np.zeros_like(phase)
    for number, weight in enumerate(weights, 1):
        total += weight * np.sin(number * phase)
    return total / math.sqrt(0.5 * float(np.square(weights).sum()))


def per_cycle(cycle: NDArray[np.int64], dice: np.random.Generator) -> NDArray[np.float64]:
    """A normal deviate that holds for one period of the voice."""
    return dice.standard_normal(int(cycle.max(initial=0)) + 1)[cycle]

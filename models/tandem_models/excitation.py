"""What a vocoder filters: a train of pulses at F0 and white noise, hop by hop, the same in pieces and as a whole.

Constants are arguments here because TorchScript knows no global ones.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from tandem_models.mel import HOP, RATE

HIGHEST: Final = 10_000.0
"""Hertz: no harmonic above it"""
NOISE: Final = 1 << 15
"""Samples after which the noise begins again; a multiple of HOP. Nobody hears a repetition of more than a second."""


def noise_table() -> Tensor:
    """(NOISE,) of unit variance; always the same, so that speech can be made again."""
    return torch.randn(NOISE, generator=torch.Generator().manual_seed(20_110_718))


def edges(values: Tensor) -> Tensor:
    """Values at the middles of hops (B, T) -> at their edges (B, T + 1)."""
    inner = 0.5 * (values[:, 1:] + values[:, :-1])
    return torch.cat([values[:, :1], inner, values[:, -1:]], dim=1)


def _ramp(values: Tensor, hop: int = HOP) -> Tensor:
    """Values at edges (B, T + 1) -> at each sample (B, T, HOP), on straight lines."""
    share = (torch.arange(hop, device=values.device).to(values.dtype) + 0.5) / float(hop)
    return torch.lerp(values[:, :-1].unsqueeze(2), values[:, 1:].unsqueeze(2), share.expand(1, 1, hop))


def pulses(
    hertz: Tensor, voicing: Tensor, phase: Tensor, hop: int = HOP, rate: float = float(RATE), highest: float = HIGHEST
) -> tuple[Tensor, Tensor]:
    """F0 (Hz) and voicing (0 to 1) at the edges of T hops (B, T + 1), and the turns so far, in [0, 1), float64 (B,)

    -> samples (B, T * HOP), and the turns after them. All harmonics up to HIGHEST in phase, of the same power in each
    Hertz as noise of unit variance.
    """
    exact = hertz.to(torch.float64)
    turns = (float(hop) / rate) * 0.5 * (exact[:, 1:] + exact[:, :-1])
    begins = phase.unsqueeze(1) + torch.cumsum(turns, dim=1)
    after = torch.frac(begins[:, -1])
    begins = torch.frac(torch.cat([phase.unsqueeze(1), begins[:, :-1]], dim=1)).unsqueeze(2)
    sample = torch.arange(hop, device=hertz.device).to(torch.float64) + 0.5
    slope = (exact[:, 1:] - exact[:, :-1]).unsqueeze(2) / float(hop)
    within = (exact[:, :-1].unsqueeze(2) * sample + 0.5 * slope * sample**2) / rate
    turned = begins + within
    # Around 0, where the pulse is: there a float32 angle has all of its digits.
    angle = ((turned - torch.round(turned)) * (2.0 * math.pi)).to(hertz.dtype)

    now = _ramp(hertz)
    count = highest / now
    whole = torch.floor(count)
    half = torch.sin(0.5 * angle)
    near = half.abs() < 1e-6
    closed = torch.sin((whole + 0.5) * angle) / (2.0 * torch.where(near, torch.ones_like(half), half)) - 0.5
    # The share of the next harmonic comes in slowly, so that a glide has no steps.
    harmonics = torch.where(near, whole, closed) + (count - whole) * torch.cos((whole + 1.0) * angle)
    train = harmonics * torch.sqrt(4.0 * now / rate) * _ramp(voicing)
    return train.flatten(1), after


def noise(table: Tensor, first: int, hops: int, hop: int = HOP) -> Tensor:
    """Samples (hops * HOP,) of the noise from hop `first` of the utterance on."""
    place = torch.arange(first * hop, (first + hops) * hop, device=table.device)
    return table[place % table.size(0)]

"""What every acoustic model shares: one signature, the encoder, and the step from phones to frames.

    forward(phones, stress, prosody, known, overrides) -> (mel, frames, durations, pitch, energy)

phones     (B, N) int64: 1 + place in the config's phone set; 0 is padding, at the end only
stress     (B, N) int64: 0 none, 1 primary, 2 secondary
prosody    (B, 8) z-scores in the order of prosody.NAMES; `known` (B, 8) is 1 where there is one, else 0
overrides  (B, N, 3): duration factor (1 leaves it), F0 shift in semitones and energy shift in dB (0 leaves them)
mel        (B, 80, T) log-mel of `mel.py`, zero after `frames` (B,) of each item
durations  (B, N) frames; pitch (B, N) semitones re 100 Hz, interpolated where there is no voice; energy (B, N) dB

Every layer is local or masked, so that an item is the same alone and in a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from tandem_models.prosody import NAMES

FEATURES: Final = len(NAMES)
STRESSES: Final = 3
DECIBEL: Final = math.log(10.0) / 20.0
"""Of a natural logarithm of magnitude"""
MEL_CENTRE: Final = -5.0
MEL_SCALE: Final = 2.0
"""What networks see of a log-mel is (mel - centre) / scale."""
LONGEST: Final = 200.0
"""Frames of one phone (2.3 s): a pause may be long, nothing is endless."""

Spoken = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""mel, frames, durations, pitch, energy"""


@dataclass(frozen=True, slots=True)
class VoiceConfig:
    """What a voice's numbers mean; the same for every acoustic model."""

    phones: tuple[str, ...]
    """The phone set; id 0 is padding, id 1 its first"""
    prosody_mean: tuple[float, ...]
    """Of each feature of prosody.NAMES over the training corpus, in its unit"""
    prosody_sd: tuple[float, ...]
    extractor_version: str
    """Of the prosody extractor that measured them"""
    pitch_mean: float
    """Semitones re 100 Hz, of phones; networks see (pitch - mean) / sd"""
    pitch_sd: float
    energy_mean: float
    """dB"""
    energy_sd: float


class ConvBlock(nn.Module):
    """ConvNeXt in one dimension, told the prosody: its normalised signal is scaled and shifted (FiLM)."""

    def __init__(self, width: int, kernel: int, expansion: int, condition: int, dropout: float) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.normalise = nn.LayerNorm(width)
        self.film = nn.Linear(condition, 2 * width)
        self.widen = nn.Linear(width, expansion * width)
        self.narrow = nn.Linear(expansion * width, width)
        self.dropout = nn.Dropout(dropout)
        self.gain = nn.Parameter(torch.full((width,), 0.3))

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor) -> Tensor:
        """x (B, T, C), condition (B, D), mask (B, T, 1) -> (B, T, C)."""
        mixed = self.normalise(self.mix(x.transpose(1, 2)).transpose(1, 2))
        scale, shift = self.film(condition).unsqueeze(1).chunk(2, dim=2)
        wide = torch.nn.functional.gelu(self.widen(mixed * (1.0 + scale) + shift))
        return (x + self.gain * self.dropout(self.narrow(wide))) * mask


class Condition(nn.Module):
    """Prosody z-scores, some unknown -> what the blocks are told."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, prosody: Tensor, known: Tensor) -> Tensor:
        """(B, 8), (B, 8) -> (B, D). What is not known does not matter, whatever its number."""
        return self.layers(torch.cat([torch.where(known > 0.5, prosody, 0.0), known], dim=1))


class Encoder(nn.Module):
    """Phones in their context."""

    def __init__(
        self, phones: int, width: int, blocks: int, kernel: int, expansion: int, condition: int, dropout: float
    ) -> None:
        super().__init__()
        self.phone = nn.Embedding(phones + 1, width, padding_idx=0)
        self.stress = nn.Embedding(STRESSES, width)
        self.blocks = nn.ModuleList(ConvBlock(width, kernel, expansion, condition, dropout) for _ in range(blocks))

    def forward(self, phones: Tensor, stress: Tensor, condition: Tensor) -> Tensor:
        """(B, N), (B, N), (B, D) -> (B, N, C)."""
        mask = (phones > 0).unsqueeze(2).to(self.stress.weight.dtype)
        x = (self.phone(phones) + self.stress(stress)) * mask
        for block in self.blocks:
            x = block(x, condition, mask)
        return x


class PhoneHead(nn.Module):
    """One number for each phone: its duration, its pitch or its energy."""

    def __init__(self, width: int, kernel: int, condition: int, dropout: float) -> None:
        super().__init__()
        self.block = ConvBlock(width, kernel, 1, condition, dropout)
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor) -> Tensor:
        """(B, N, C), (B, D), (B, N, 1) -> (B, N), zero for padding."""
        return (self.out(self.block(x, condition, mask)) * mask).squeeze(2)


def whole_frames(durations: Tensor) -> Tensor:
    """Durations (B, N) as they are wanted -> whole frames whose sums are right: the rounding is of the ends."""
    ends = torch.round(torch.cumsum(durations.to(torch.float64), dim=1)).to(torch.int64)
    return ends - torch.cat([torch.zeros_like(ends[:, :1]), ends[:, :-1]], dim=1)


def places(durations: Tensor) -> tuple[Tensor, Tensor]:
    """Whole durations (B, N) -> phone of each frame (B, T), and 1 for each frame that is one (B, T, 1)."""
    ends = torch.cumsum(durations, dim=1)
    longest = int(ends[:, -1].max().item())
    time = torch.arange(longest, device=durations.device).unsqueeze(0)
    phone = (ends.unsqueeze(1) <= time.unsqueeze(2)).to(torch.int64).sum(dim=2).clamp(max=durations.size(1) - 1)
    return phone, (time < ends[:, -1:]).unsqueeze(2).to(torch.float32)


def spread(values: Tensor, phone: Tensor) -> Tensor:
    """Values of phones (B, N, C) -> of frames (B, T, C)."""
    return torch.gather(values, 1, phone.unsqueeze(2).expand(phone.size(0), phone.size(1), values.size(2)))


def positions(durations: Tensor, phone: Tensor) -> Tensor:
    """Where in its phone each frame is, (B, T, 3): share done, logarithm of frames since its begin and to its end."""
    ends = torch.cumsum(durations, dim=1)
    begin = torch.gather(ends - durations, 1, phone).to(torch.float32)
    end = torch.gather(ends, 1, phone).to(torch.float32)
    time = torch.arange(phone.size(1), device=phone.device).unsqueeze(0).to(torch.float32) + 0.5
    length = torch.clamp(end - begin, min=1.0)
    share = ((time - begin) / length).clamp(0.0, 1.0)
    since, until = torch.log1p((time - begin).clamp(min=0.0)), torch.log1p((end - time).clamp(min=0.0))
    return torch.stack([share, since, until], dim=2)


def contour(values: Tensor, durations: Tensor, phone: Tensor) -> Tensor:
    """Values of phones (B, N) -> of frames (B, T): straight lines between the middles of phones."""
    ends = torch.cumsum(durations, dim=1)
    middles = ends.to(torch.float32) - 0.5 * durations.to(torch.float32)
    time = torch.arange(phone.size(1), device=phone.device).unsqueeze(0).to(torch.float32) + 0.5
    last = torch.clamp((durations > 0).sum(dim=1, keepdim=True) - 1, min=0)
    later = time >= torch.gather(middles, 1, phone)
    left = torch.where(later, phone, phone - 1).clamp(min=0)
    right = torch.minimum(torch.where(later, phone + 1, phone), last)
    begin, end = torch.gather(middles, 1, left), torch.gather(middles, 1, right)
    share = ((time - begin) / torch.clamp(end - begin, min=1.0)).clamp(0.0, 1.0)
    return torch.lerp(torch.gather(values, 1, left), torch.gather(values, 1, right), share)

"""The vocoder without weights: phases by fast Griffin-Lim (Perraudin 2013). Slow, a little metallic, always there."""

from __future__ import annotations

from functools import cache
from typing import Final

import torch
from torch import Tensor

from tandem_models.mel import HOP, PADDING, WINDOW, filterbank

_MOMENTUM: Final = 0.99


def griffin_lim(mel: Tensor, iterations: int = 32) -> Tensor:
    """Log-mel (B, 80, T) -> audio (B, 256 T); always the same for the same mel."""
    magnitude = torch.clamp(_inverse() @ torch.exp(mel), min=1e-8)
    window = torch.hann_window(WINDOW)
    length = mel.size(2) * HOP + 2 * PADDING
    random = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    phase = torch.polar(torch.ones_like(magnitude), 2.0 * torch.pi * random)
    before = torch.zeros_like(phase)
    for _ in range(iterations):
        now = _analysed(_synthesised(magnitude * phase, window, length), window)
        moved = now + _MOMENTUM * (now - before)
        phase, before = moved / moved.abs().clamp(min=1e-9), now
    return _synthesised(magnitude * phase, window, length)[:, PADDING:-PADDING]


def _analysed(audio: Tensor, window: Tensor) -> Tensor:
    return torch.stft(audio, WINDOW, HOP, window=window, center=False, return_complex=True)


def _synthesised(spectrum: Tensor, window: Tensor, length: int) -> Tensor:
    """Overlap-add without torch.istft, which refuses frames that do not reach beyond both ends."""
    frames = torch.fft.irfft(spectrum.transpose(1, 2), WINDOW) * window
    audio = _overlap(frames, length)
    return audio / _overlap((window**2).expand(1, frames.size(1), WINDOW), length).clamp(min=1e-3)


def _overlap(frames: Tensor, length: int) -> Tensor:
    folded = torch.nn.functional.fold(frames.transpose(1, 2), (1, length), (1, WINDOW), stride=(1, HOP))
    return folded[:, 0, 0]


@cache
def _inverse() -> Tensor:
    """(513, 80): the least-squares inverse of the mel filters."""
    return torch.linalg.pinv(torch.from_numpy(filterbank()))

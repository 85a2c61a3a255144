"""The voice's spectrogram: 22.05 kHz, 1024-sample windows, 256 hop, 80 bands to 8 kHz, natural logarithm of magnitude.

The settings of HiFi-GAN's published models, so that a vocoder trained elsewhere fits. Frame i is centred on sample
256 i + 128; T frames are 256 T samples.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem_models.signal import exact_div

RATE: Final = 22_050
"""Hertz"""
WINDOW: Final = 1024
HOP: Final = 256
BANDS: Final = 80
BINS: Final = WINDOW // 2 + 1
HIGHEST: Final = 8000.0
"""Hertz"""
FLOOR: Final = 1e-5
"""Of a magnitude, before the logarithm"""
PADDING: Final = exact_div(WINDOW - HOP, 2)
_BREAK: Final = 1000.0
"""Hertz, up to where Slaney's mel scale is linear, at 200/3 Hz a mel; above it is logarithmic."""
_LINEAR: Final = 200.0 / 3.0
_STEP: Final = np.log(6.4) / 27.0


def log_mel(audio: Tensor) -> Tensor:
    """Audio (B, samples) at RATE -> (B, BANDS, samples // HOP); at least PADDING + 1 samples."""
    padded = torch.nn.functional.pad(audio.unsqueeze(1), (PADDING, PADDING), mode="reflect").squeeze(1)
    window = torch.hann_window(WINDOW, device=audio.device)
    spectrum = torch.stft(padded, WINDOW, HOP, window=window, center=False, return_complex=True)
    magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
    filters = torch.from_numpy(filterbank()).to(audio.device)
    return torch.log(torch.clamp(filters @ magnitude, min=FLOOR))


def frames(samples: int) -> int:
    """How many frames audio has."""
    return samples // HOP


@cache
def filterbank() -> NDArray[np.float32]:
    """(BANDS, BINS): triangles on Slaney's scale, each of unit area in Hertz."""
    edges = band_edges()
    bins = np.linspace(0.0, RATE / 2.0, BINS)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None], np.float32)


def band_edges() -> NDArray[np.float64]:
    """(BANDS + 2,) Hertz: band i rises from edge i, peaks at i + 1 and ends at i + 2."""
    return from_mel(np.linspace(0.0, to_mel(np.array(HIGHEST)), BANDS + 2))


def to_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale."""
    above = _BREAK / _LINEAR + np.log(np.maximum(hertz, _BREAK) / _BREAK) / _STEP
    return np.where(hertz < _BREAK, hertz / _LINEAR, above)


def from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `to_mel`."""
    start = _BREAK / _LINEAR
    return np.where(mel < start, mel * _LINEAR, _BREAK * np.exp(_STEP * np.maximum(mel - start, 0.0)))

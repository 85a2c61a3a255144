"""The small neural vocoder: log-mel -> audio by shaping pulses and noise in the frequency domain.

A ConvNeXt over frames and an iSTFT head as in Vocos (Siuzdak 2023). But phase is not learnt: it comes from a train of
pulses at the F0 that the network hears in the mel, as in neural source-filter models (Wang 2019), through a filter of
minimum phase. A network that has no phase to learn needs no adversary, and learns on a CPU.

Frame t depends on `context` frames on either side; `VocoderStream` makes of that a stream without seams.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tandem_models.excitation import edges, noise, noise_table, pulses
from tandem_models.mel import BANDS, BINS, HOP, PADDING, RATE, WINDOW, band_edges, from_mel, to_mel
from tandem_models.tts import MEL_CENTRE, MEL_SCALE

LOWEST_PITCH: Final = -9.0
"""Semitones re 100 Hz (59 Hz)"""
PITCH_STEP: Final = 0.4
PITCH_BINS: Final = 96
"""Up to 29 semitones, 534 Hz"""
_NEAR: Final = 3
"""Bins on either side of the likeliest that are averaged"""
_OFFSET: Final = 0.1
"""ln: of white noise of gain 1, its magnitude over its mel (a band's weights sum to 0.046)"""


@dataclass(frozen=True, slots=True)
class VocoderConfig:
    """Sizes."""

    width: int = 160
    blocks: int = 5
    kernel: int = 7
    expansion: int = 3
    points: int = 129
    """Of each envelope, evenly on the mel scale"""


class Block(nn.Module):
    """ConvNeXt in one dimension."""

    def __init__(self, width: int, kernel: int, expansion: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.normalise = nn.LayerNorm(width)
        self.widen = nn.Linear(width, expansion * width)
        self.narrow = nn.Linear(expansion * width, width)
        self.gain = nn.Parameter(torch.full((width,), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        mixed = self.normalise(self.mix(x.transpose(1, 2)).transpose(1, 2))
        return x + self.gain * self.narrow(torch.nn.functional.gelu(self.widen(mixed)))


class Vocoder(nn.Module):
    """mel (B, 80, T) -> audio (B, 256 T) at 22.05 kHz."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        width = config.width
        self.enter = nn.Conv1d(BANDS, width, config.kernel, padding=config.kernel // 2)
        self.blocks = nn.ModuleList(Block(width, config.kernel, config.expansion) for _ in range(config.blocks))
        self.normalise = nn.LayerNorm(width)
        self.pitch = nn.Linear(width, PITCH_BINS)
        self.voicing = nn.Linear(width, 1)
        self.envelopes = nn.Linear(width, 2 * config.points)
        nn.init.normal_(self.envelopes.weight, std=1e-3)
        self.context = (config.blocks + 1) * (config.kernel // 2)
        self.points = config.points
        # TorchScript knows no global constants.
        self.size, self.hop, self.padding, self.offset = WINDOW, HOP, PADDING, _OFFSET
        self.mel_centre, self.mel_scale = MEL_CENTRE, MEL_SCALE
        self.noise = nn.Buffer(noise_table(), persistent=False)
        self.window = nn.Buffer(torch.hann_window(WINDOW).sqrt(), persistent=False)
        self.base = nn.Buffer(torch.from_numpy(_from_bands()), persistent=False)
        self.upsample = nn.Buffer(torch.from_numpy(_from_points(config.points)), persistent=False)
        self.fold = nn.Buffer(_minimum_phase_fold(), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        """The whole utterance at once."""
        hertz, voicing, harmonic, noisy = self.analyse(mel)
        return self.synthesise(hertz, voicing, harmonic, noisy, 0)

    @torch.jit.export
    def analyse(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is heard in the mel: F0 (B, T) Hz, voicing (B, T) in [0, 1], and the envelopes (B, T, 513) of pulses and
        of noise as logarithms of gain. `context` frames at an end that is not the utterance's are not right."""
        logits, voicing, harmonic, noisy = self.hear(mel)
        return pitch_hertz(logits), torch.sigmoid(voicing), harmonic, noisy

    def hear(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `analyse`, with the logits of pitch (B, T, PITCH_BINS) and of voicing (B, T), for training."""
        x = self.enter((mel - self.mel_centre) / self.mel_scale).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        x = self.normalise(x)
        base = mel.transpose(1, 2) @ self.base + self.offset
        harmonic, noisy = self.envelopes(x).split(self.points, dim=2)
        return (
            self.pitch(x),
            self.voicing(x).squeeze(2),
            base + harmonic @ self.upsample,
            base + noisy @ self.upsample - 1.0,
        )

    @torch.jit.export
    def synthesise(self, hertz: Tensor, voicing: Tensor, harmonic: Tensor, noisy: Tensor, first: int) -> Tensor:
        """What `analyse` gives, F0 and voicing perhaps changed -> audio (B, 256 T); the noise begins at hop `first`."""
        start = torch.zeros(hertz.size(0), dtype=torch.float64, device=hertz.device)
        train, _ = pulses(edges(hertz), edges(voicing), start)
        hiss = noise(self.noise, first, hertz.size(1)).unsqueeze(0)
        frames = self.shape(
            torch.nn.functional.pad(train, (self.padding, self.padding)),
            torch.nn.functional.pad(hiss, (self.padding, self.padding)),
            harmonic,
            noisy,
        )
        return overlap_add(frames)[:, self.padding : -self.padding]

    @torch.jit.export
    def excite(self, hertz: Tensor, voicing: Tensor, phase: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """For streams: F0, voicing at edges (B, T + 1), turns so far (B,), hop -> samples (B, 256 T) of both, turns."""
        train, after = pulses(hertz, voicing, phase)
        hiss = noise(self.noise, first, hertz.size(1) - 1).unsqueeze(0).expand_as(train)
        return train, hiss, after

    @torch.jit.export
    def shape(self, train: Tensor, hiss: Tensor, harmonic: Tensor, noisy: Tensor) -> Tensor:
        """Pulses (B, 256 T + 768), noise alike, envelopes (B, T, 513) -> windowed frames (B, T, 1024), to be added."""
        shaped = self._spectrum(train) * self._minimum_phase(harmonic)
        shaped = shaped + self._spectrum(hiss) * torch.exp(noisy)
        return torch.fft.irfft(shaped, self.size) * (0.5 * self.window)

    def _spectrum(self, samples: Tensor) -> Tensor:
        return torch.fft.rfft(samples.unfold(1, self.size, self.hop) * self.window)

    def _minimum_phase(self, log_gain: Tensor) -> Tensor:
        """The filter (B, T, 513), complex, that has this gain and the least delay: its cepstrum is causal."""
        cepstrum = torch.fft.irfft(log_gain, self.size) * self.fold
        return torch.exp(torch.fft.rfft(cepstrum))


def pitch_hertz(logits: Tensor, lowest: float = LOWEST_PITCH, step: float = PITCH_STEP, near: int = _NEAR) -> Tensor:
    """(B, T, PITCH_BINS) -> Hertz (B, T): the mean around the likeliest bin."""
    place = torch.arange(logits.size(2), device=logits.device)
    kept = (place - logits.argmax(dim=2, keepdim=True)).abs() <= near
    share = torch.softmax(logits.masked_fill(~kept, -1e9), dim=2)
    semitones = lowest + step * (share * place).sum(dim=2)
    return 100.0 * torch.exp(semitones * (math.log(2.0) / 12.0))


def overlap_add(frames: Tensor, hop: int = HOP) -> Tensor:
    """Frames (B, T, 1024), a hop apart -> samples (B, 256 (T + 3))."""
    count, parts = frames.size(1), frames.size(2) // hop
    quarters = frames.unflatten(2, [parts, hop])
    total = torch.zeros(frames.size(0), count + parts - 1, hop, dtype=frames.dtype, device=frames.device)
    for part in range(parts):
        total[:, part : part + count] += quarters[:, :, part]
    return total.flatten(1)


def _from_bands() -> NDArray[np.float32]:
    """(BANDS, BINS): a log-mel's value at each bin, on straight lines between the bands' centres."""
    return _interpolation(band_edges()[1:-1])


def _from_points(points: int) -> NDArray[np.float32]:
    """(points, BINS): from points that are even on the mel scale, up to half the rate."""
    return _interpolation(from_mel(np.linspace(0.0, to_mel(np.array(RATE / 2.0)), points)))


def _interpolation(known: NDArray[np.float64]) -> NDArray[np.float32]:
    bins = np.linspace(0.0, RATE / 2.0, BINS)
    return np.stack([np.interp(bins, known, unit) for unit in np.eye(len(known))]).astype(np.float32)


def _minimum_phase_fold() -> Tensor:
    """(WINDOW,): of the real cepstrum, what becomes the causal one (Oppenheim and Schafer)."""
    fold = torch.zeros(WINDOW)
    fold[0] = fold[WINDOW // 2] = 1.0
    fold[1 : WINDOW // 2] = 2.0
    return fold

"""What the two Tacotrons share: the front, the decoder that hears what it said last, and the net that smooths it."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from tandem_models.mel import BANDS
from tandem_models.tts import DECIBEL, Condition, ConvBlock, Encoder, PhoneHead, VoiceConfig, contour

State = tuple[Tensor, Tensor, Tensor, Tensor]
"""Hidden and cell of both LSTMs, (B, R) each"""
FORGETS: Final = 0.5
"""Dropout of the prenet: without it the decoder copies the last frame and does not listen to the phones"""


class Front(nn.Module):
    """Phones and prosody -> what the decoder reads, and each phone's pitch and energy, which are a part of it."""

    def __init__(self, voice: VoiceConfig, width: int, blocks: int, condition: int, dropout: float) -> None:
        super().__init__()
        self.condition = Condition(condition)
        self.encoder = Encoder(len(voice.phones), width, blocks, 5, 2, condition, dropout)
        self.pitch = PhoneHead(width, 5, condition, dropout)
        self.energy = PhoneHead(width, 5, condition, dropout)
        self.melody = nn.Linear(2, width)
        self.pitch_mean, self.pitch_sd = voice.pitch_mean, voice.pitch_sd
        self.energy_mean, self.energy_sd = voice.energy_mean, voice.energy_sd
        self.decibel = DECIBEL

    def forward(self, phones: Tensor, stress: Tensor, prosody: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """-> condition (B, D), encoded (B, N, C), mask (B, N, 1)."""
        condition = self.condition(prosody, known)
        encoded = self.encoder(phones, stress, condition)
        return condition, encoded, (phones > 0).unsqueeze(2).to(encoded.dtype)

    def predict(self, encoded: Tensor, condition: Tensor, mask: Tensor, overrides: Tensor) -> tuple[Tensor, Tensor]:
        """Pitch, shifted, and energy of each phone, in sd (B, N)."""
        shift = overrides[:, :, 1] / self.pitch_sd * mask.squeeze(2)
        return self.pitch(encoded, condition, mask) + shift, self.energy(encoded, condition, mask)

    def sung(self, encoded: Tensor, pitch: Tensor, energy: Tensor, mask: Tensor) -> Tensor:
        """Phones that know their pitch and energy (B, N, C)."""
        return (encoded + self.melody(torch.stack([pitch, energy], dim=2))) * mask

    def in_units(self, pitch: Tensor, energy: Tensor, overrides: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Semitones re 100 Hz and dB (B, N)."""
        heard = self.energy_mean + self.energy_sd * energy + overrides[:, :, 2]
        return (self.pitch_mean + self.pitch_sd * pitch) * mask.squeeze(2), heard * mask.squeeze(2)

    def louder(self, overrides: Tensor, durations: Tensor, phone: Tensor, mask: Tensor) -> Tensor:
        """Gain (ln) of each frame beside its mask, (B, T, 2)."""
        gain = contour(overrides[:, :, 2] * self.decibel, durations, phone).unsqueeze(2)
        return torch.cat([gain, mask], dim=2)


class Decoder(nn.Module):
    """Two LSTMs; between them the model looks at its memory. One step is `reduction` frames."""

    def __init__(self, width: int, prenet: int, units: int, reduction: int) -> None:
        super().__init__()
        self.prenet = nn.Sequential(
            nn.Linear(BANDS, prenet),
            nn.ReLU(),
            nn.Dropout(FORGETS),
            nn.Linear(prenet, prenet),
            nn.ReLU(),
            nn.Dropout(FORGETS),
        )
        self.first = nn.LSTMCell(prenet + width, units)
        self.second = nn.LSTMCell(units + width, units)
        self.out = nn.Linear(units + width, reduction * BANDS)
        self.units, self.reduction, self.bands = units, reduction, BANDS

    def begin(self, rows: int) -> tuple[Tensor, State]:
        """The frame before the first (B, 80), and the state."""
        like = self.out.weight
        nothing = torch.zeros(rows, self.units, dtype=like.dtype, device=like.device)
        frame = torch.zeros(rows, self.bands, dtype=like.dtype, device=like.device)
        return frame, (nothing, nothing, nothing, nothing)

    def listen(self, frame: Tensor, context: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """The first LSTM: last frame (B, 80) and what was read last (B, C) -> its hidden and cell (B, R)."""
        hidden, cell = self.first(torch.cat([self.prenet(frame), context], dim=1), (state[0], state[1]))
        return hidden, cell

    def speak(self, hidden: Tensor, context: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """The second: what is read now (B, C) -> frames (B, r, 80), and its hidden and cell."""
        after, cell = self.second(torch.cat([hidden, context], dim=1), (state[2], state[3]))
        frames = self.out(torch.cat([after, context], dim=1)).unflatten(1, [self.reduction, self.bands])
        return frames, after, cell


class Postnet(nn.Module):
    """Looks at the frames around, after as before, and corrects."""

    def __init__(self, width: int, blocks: int, condition: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.Linear(BANDS, width)
        self.blocks = nn.ModuleList(ConvBlock(width, 5, 2, condition, dropout) for _ in range(blocks))
        self.out = nn.Linear(width, BANDS)

    def forward(self, mel: Tensor, condition: Tensor, mask: Tensor) -> Tensor:
        """Normalised mel (B, T, 80) -> the same, better."""
        x = self.enter(mel) * mask
        for block in self.blocks:
            x = block(x, condition, mask)
        return (mel + self.out(x)) * mask


def heard_before(mel: Tensor, reduction: int) -> Tensor:
    """For training: the true frame before each step (B, S, 80), S steps of `reduction` frames; silence is 0."""
    last = mel[:, reduction - 1 :: reduction]
    steps = -(-mel.size(1) // reduction)
    return torch.cat([torch.zeros_like(mel[:, :1]), last], dim=1)[:, :steps]

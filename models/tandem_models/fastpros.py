"""`fastpros`: the parallel acoustic model. Durations, pitch and energy of each phone are predicted, may be overridden,
and are what the frames are made from; the prosody of the whole utterance modulates every layer.

In the manner of FastPitch (Lancucki 2021), with convolutions for attention: every frame depends on its neighbourhood
only, so that the first audio does not wait for the end of the sentence. `plan` is all that needs the whole of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from tandem_models.mel import BANDS
from tandem_models.tts import (
    DECIBEL,
    LONGEST,
    MEL_CENTRE,
    MEL_SCALE,
    Condition,
    ConvBlock,
    Encoder,
    PhoneHead,
    Spoken,
    VoiceConfig,
    contour,
    places,
    positions,
    spread,
    whole_frames,
)

_USUAL: Final = 2.0
"""Logarithm of frames: where durations begin to be learnt"""


@dataclass(frozen=True, slots=True)
class FastprosConfig:
    """Sizes, and what the numbers mean."""

    voice: VoiceConfig
    width: int = 192
    condition: int = 64
    encoder_blocks: int = 4
    encoder_kernel: int = 5
    decoder_blocks: int = 6
    decoder_kernel: int = 7
    expansion: int = 3
    dropout: float = 0.05


class Fastpros(nn.Module):
    """See tts.py for the signature."""

    def __init__(self, config: FastprosConfig) -> None:
        super().__init__()
        voice, width, condition = config.voice, config.width, config.condition
        self.condition = Condition(condition)
        self.encoder = Encoder(
            len(voice.phones),
            width,
            config.encoder_blocks,
            config.encoder_kernel,
            config.expansion,
            condition,
            config.dropout,
        )
        self.duration = PhoneHead(width, config.encoder_kernel, condition, config.dropout)
        nn.init.constant_(self.duration.out.bias, _USUAL)
        self.pitch = PhoneHead(width, config.encoder_kernel, condition, config.dropout)
        self.energy = PhoneHead(width, config.encoder_kernel, condition, config.dropout)
        self.place = nn.Linear(5, width)
        self.blocks = nn.ModuleList(
            ConvBlock(width, config.decoder_kernel, config.expansion, condition, config.dropout)
            for _ in range(config.decoder_blocks)
        )
        self.out = nn.Linear(width, BANDS)
        # Frames on either side that a frame of mel depends on.
        self.context = config.decoder_blocks * (config.decoder_kernel // 2)
        self.pitch_mean, self.pitch_sd = voice.pitch_mean, voice.pitch_sd
        self.energy_mean, self.energy_sd = voice.energy_mean, voice.energy_sd
        # TorchScript knows no global constants.
        self.longest, self.decibel, self.mel_centre, self.mel_scale = LONGEST, DECIBEL, MEL_CENTRE, MEL_SCALE

    def forward(self, phones: Tensor, stress: Tensor, prosody: Tensor, known: Tensor, overrides: Tensor) -> Spoken:
        """The whole utterance at once."""
        memory, gain, frames, durations, pitch, energy = self.plan(phones, stress, prosody, known, overrides)
        return self.decode(memory, gain, prosody, known), frames, durations, pitch, energy

    @torch.jit.export
    def plan(
        self, phones: Tensor, stress: Tensor, prosody: Tensor, known: Tensor, overrides: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Everything but the frames: what they are made from (B, T, C), their gain (ln) and mask (B, T, 2), and
        the last four of `forward`."""
        condition = self.condition(prosody, known)
        encoded = self.encoder(phones, stress, condition)
        mask = (phones > 0).unsqueeze(2).to(encoded.dtype)
        length = torch.exp(self.duration(encoded, condition, mask)) * overrides[:, :, 0]
        durations = whole_frames(torch.clamp(length, 1.0, self.longest) * mask.squeeze(2))
        shift = overrides[:, :, 1] / self.pitch_sd * mask.squeeze(2)
        pitch = self.pitch(encoded, condition, mask) + shift
        energy = self.energy(encoded, condition, mask)
        memory, frame_mask, phone = self.expand(encoded, durations, pitch, energy)
        # A gain needs no learning: it is added to the logarithm of what would have been spoken.
        louder = contour(overrides[:, :, 2] * self.decibel, durations, phone).unsqueeze(2)
        heard = self.energy_mean + self.energy_sd * energy + overrides[:, :, 2]
        return (
            memory,
            torch.cat([louder, frame_mask], dim=2),
            durations.sum(dim=1),
            durations,
            (self.pitch_mean + self.pitch_sd * pitch) * mask.squeeze(2),
            heard * mask.squeeze(2),
        )

    @torch.jit.export
    def decode(self, memory: Tensor, gain: Tensor, prosody: Tensor, known: Tensor) -> Tensor:
        """Frames (B, T, C) of `plan`, all or a stretch of them -> log-mel (B, 80, T). `context` frames at an end that
        is not the utterance's are not right."""
        condition = self.condition(prosody, known)
        mask = gain[:, :, 1:]
        x = memory
        for block in self.blocks:
            x = block(x, condition, mask)
        mel = self.mel_centre + self.mel_scale * self.out(x) + gain[:, :, :1]
        return (mel * mask).transpose(1, 2)

    def expand(
        self, encoded: Tensor, durations: Tensor, pitch: Tensor, energy: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Phones (B, N, C) with pitch and energy in sd (B, N) -> frames (B, T, C), their mask, and their phones."""
        phone, mask = places(durations)
        melody = torch.stack([contour(pitch, durations, phone), contour(energy, durations, phone)], dim=2)
        where = torch.cat([positions(durations, phone), melody], dim=2)
        return (spread(encoded, phone) + self.place(where)) * mask, mask, phone

    @torch.jit.unused
    def teach(
        self,
        phones: Tensor,
        stress: Tensor,
        prosody: Tensor,
        known: Tensor,
        truth: tuple[Tensor, Tensor, Tensor],
        _mel: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """For training, with the true durations (frames), pitch and energy (sd): normalised mel (B, T, 80), its mask
        (B, T, 1), what is predicted for log-duration, pitch and energy (B, N), and no further loss."""
        durations, pitch, energy = truth
        condition = self.condition(prosody, known)
        encoded = self.encoder(phones, stress, condition)
        mask = (phones > 0).unsqueeze(2).to(encoded.dtype)
        x, frame_mask, _ = self.expand(encoded, durations, pitch, energy)
        for block in self.blocks:
            x = block(x, condition, frame_mask)
        heads = (self.duration, self.pitch, self.energy)
        predicted = [head(encoded, condition, mask) for head in heads]
        return self.out(x) * frame_mask, frame_mask, predicted[0], predicted[1], predicted[2], torch.zeros(())

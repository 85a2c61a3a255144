"""`nat`: Non-Attentive Tacotron (Shen 2020). Tacotron's decoder over phones stretched to their durations: it
can neither skip nor repeat. The signature is that of tts.py.

`plan` runs the whole loop, so the first audio waits for a hundredth of the utterance's length.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tandem_models.autoregressive import Decoder, Front, Postnet, heard_before
from tandem_models.tts import (
    LONGEST,
    MEL_CENTRE,
    MEL_SCALE,
    PhoneHead,
    Spoken,
    VoiceConfig,
    places,
    positions,
    spread,
    whole_frames,
)


@dataclass(frozen=True, slots=True)
class NatConfig:
    """Sizes, and what the numbers mean."""

    voice: VoiceConfig
    width: int = 192
    condition: int = 64
    encoder_blocks: int = 4
    prenet: int = 128
    units: int = 320
    reduction: int = 2
    postnet: int = 128
    postnet_blocks: int = 3
    dropout: float = 0.05


class Nat(nn.Module):
    """See tts.py for the signature."""

    def __init__(self, config: NatConfig) -> None:
        super().__init__()
        width, condition = config.width, config.condition
        self.front = Front(config.voice, width, config.encoder_blocks, condition, config.dropout)
        self.duration = PhoneHead(width, 5, condition, config.dropout)
        self.place = nn.Linear(3, width)
        self.decoder = Decoder(width, config.prenet, config.units, config.reduction)
        self.postnet = Postnet(config.postnet, config.postnet_blocks, condition, config.dropout)
        self.reduction = config.reduction
        self.context = 2 * config.postnet_blocks
        # TorchScript knows no global constants.
        self.longest, self.mel_centre, self.mel_scale = LONGEST, MEL_CENTRE, MEL_SCALE

    def forward(self, phones: Tensor, stress: Tensor, prosody: Tensor, known: Tensor, overrides: Tensor) -> Spoken:
        """The whole utterance at once."""
        memory, gain, frames, durations, pitch, energy = self.plan(phones, stress, prosody, known, overrides)
        return self.decode(memory, gain, prosody, known), frames, durations, pitch, energy

    @torch.jit.export
    def plan(
        self, phones: Tensor, stress: Tensor, prosody: Tensor, known: Tensor, overrides: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Frames before the postnet (B, T, 80), their gain (ln) and mask (B, T, 2), and the last four of `forward`."""
        condition, encoded, mask = self.front(phones, stress, prosody, known)
        length = torch.exp(self.duration(encoded, condition, mask)) * overrides[:, :, 0]
        durations = whole_frames(torch.clamp(length, 1.0, self.longest) * mask.squeeze(2))
        pitch, energy = self.front.predict(encoded, condition, mask, overrides)
        memory, frame_mask, phone = self.stretch(self.front.sung(encoded, pitch, energy, mask), durations)
        frames = self.run(self.steps(memory))[:, : memory.size(1)] * frame_mask
        gain = self.front.louder(overrides, durations, phone, frame_mask)
        semitones, decibels = self.front.in_units(pitch, energy, overrides, mask)
        return frames, gain, durations.sum(dim=1), durations, semitones, decibels

    @torch.jit.export
    def decode(self, memory: Tensor, gain: Tensor, prosody: Tensor, known: Tensor) -> Tensor:
        """Frames (B, T, 80) of `plan`, all or a stretch of them -> log-mel (B, 80, T). `context` frames at an end that
        is not the utterance's are not right."""
        mask = gain[:, :, 1:]
        smooth = self.postnet(memory, self.front.condition(prosody, known), mask)
        return ((self.mel_centre + self.mel_scale * smooth + gain[:, :, :1]) * mask).transpose(1, 2)

    def stretch(self, sung: Tensor, durations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Phones (B, N, C) -> frames (B, T, C), their mask and their phones."""
        phone, mask = places(durations)
        return (spread(sung, phone) + self.place(positions(durations, phone))) * mask, mask, phone

    def steps(self, memory: Tensor) -> Tensor:
        """Frames (B, T, C) -> means of steps (B, S, C)."""
        short = -memory.size(1) % self.reduction
        padded = torch.nn.functional.pad(memory, (0, 0, 0, short))
        return padded.unflatten(1, [padded.size(1) // self.reduction, self.reduction]).mean(dim=2)

    def run(self, memory: Tensor) -> Tensor:
        """The loop, on what it says itself: memory (B, S, C) -> frames (B, S r, 80)."""
        frame, state = self.decoder.begin(memory.size(0))
        said = []
        for step in range(memory.size(1)):
            hidden, cell = self.decoder.listen(frame, memory[:, step], state)
            frames, after, after_cell = self.decoder.speak(hidden, memory[:, step], state)
            state = (hidden, cell, after, after_cell)
            frame = frames[:, -1]
            said.append(frames)
        return torch.cat(said, dim=1)

    @torch.jit.unused
    def teach(
        self,
        phones: Tensor,
        stress: Tensor,
        prosody: Tensor,
        known: Tensor,
        truth: tuple[Tensor, Tensor, Tensor],
        mel: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """For training: as `Fastpros.teach`, on the true frames before; the sixth is the loss before the postnet."""
        durations, pitch, energy = truth
        condition, encoded, mask = self.front(phones, stress, prosody, known)
        heads = [head(encoded, condition, mask) for head in (self.duration, self.front.pitch, self.front.energy)]
        memory, frame_mask, _ = self.stretch(self.front.sung(encoded, pitch, energy, mask), durations)
        read, before = self.steps(memory), heard_before(mel, self.reduction)
        _, state = self.decoder.begin(mel.size(0))
        said = []
        for step in range(read.size(1)):
            hidden, cell = self.decoder.listen(before[:, step], read[:, step], state)
            frames, after, after_cell = self.decoder.speak(hidden, read[:, step], state)
            state = (hidden, cell, after, after_cell)
            said.append(frames)
        rough = torch.cat(said, dim=1)[:, : mel.size(1)] * frame_mask
        loss = ((rough - mel).abs() * frame_mask).sum() / (frame_mask.sum() * mel.size(2))
        return self.postnet(rough, condition, frame_mask), frame_mask, heads[0], heads[1], heads[2], loss

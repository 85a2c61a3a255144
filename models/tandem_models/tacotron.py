"""`tacotron`: Tacotron 2 (Shen 2018): an autoregressive decoder with location-sensitive attention over the phones.

It learns where it is in the text, and may lose its place: in use, attention cannot go back, nor further than two phones
on at a step, nor stay for ever. The signature is that of tts.py: prosody modulates the encoder, and each phone's pitch
and energy are added to the memory. Durations are what the attention dwelt; a factor asked for stretches what is spoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from tandem_models.autoregressive import Decoder, Front, Postnet, heard_before
from tandem_models.tts import LONGEST, MEL_CENTRE, MEL_SCALE, Spoken, VoiceConfig, places, whole_frames

_REACH: Final = 2
"""Phones that attention may go on at a step, in use"""
_GUIDE: Final = 0.2
"""Width of the diagonal that attention is guided to (Tachibana 2018)"""
_PATIENCE: Final = 80
"""Frames (0.93 s) that attention may dwell on one phone, in use; after the last phone's the loop ends"""


@dataclass(frozen=True, slots=True)
class TacotronConfig:
    """Sizes, and what the numbers mean."""

    voice: VoiceConfig
    width: int = 192
    condition: int = 64
    encoder_blocks: int = 4
    prenet: int = 128
    units: int = 320
    reduction: int = 3
    attention: int = 96
    location: int = 16
    postnet: int = 128
    postnet_blocks: int = 3
    dropout: float = 0.05


class Attention(nn.Module):
    """Location-sensitive (Chorowski 2015): it knows where it looked, and where it has been."""

    def __init__(self, width: int, units: int, size: int, filters: int) -> None:
        super().__init__()
        self.query = nn.Linear(units, size, bias=False)
        self.key = nn.Linear(width, size)
        self.location = nn.Conv1d(2, filters, 31, padding=15, bias=False)
        self.place = nn.Linear(filters, size, bias=False)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, hidden: Tensor, keys: Tensor, looked: Tensor, been: Tensor, open_: Tensor) -> Tensor:
        """hidden (B, R), keys (B, N, A), weights of the last step and their sum (B, N), which phones may be looked at
        (B, N) -> weights (B, N)."""
        where = self.place(self.location(torch.stack([looked, been], dim=1)).transpose(1, 2))
        energy = self.score(torch.tanh(self.query(hidden).unsqueeze(1) + keys + where)).squeeze(2)
        return torch.softmax(energy.masked_fill(~open_, -1e9), dim=1)


class Tacotron(nn.Module):
    """See tts.py for the signature."""

    def __init__(self, config: TacotronConfig) -> None:
        super().__init__()
        width, condition = config.width, config.condition
        self.front = Front(config.voice, width, config.encoder_blocks, condition, config.dropout)
        self.attention = Attention(width, config.units, config.attention, config.location)
        self.decoder = Decoder(width, config.prenet, config.units, config.reduction)
        self.stop = nn.Linear(config.units + width, 1)
        self.postnet = Postnet(config.postnet, config.postnet_blocks, condition, config.dropout)
        self.reduction = config.reduction
        self.context = 2 * config.postnet_blocks
        # TorchScript knows no global constants.
        self.longest, self.mel_centre, self.mel_scale = LONGEST, MEL_CENTRE, MEL_SCALE
        self.reach, self.patience = _REACH, _PATIENCE

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
        pitch, energy = self.front.predict(encoded, condition, mask, overrides)
        said, dwelt = self.run(self.front.sung(encoded, pitch, energy, mask), mask)
        wanted = torch.clamp(dwelt, min=1).to(said.dtype) * overrides[:, :, 0]
        wanted = torch.clamp(wanted, 1.0, self.longest) * mask.squeeze(2)
        durations = whole_frames(wanted)
        phone, frame_mask = places(durations)
        frames = warped(said, dwelt, durations, phone) * frame_mask
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

    def run(self, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The loop: memory (B, N, C) -> frames (B, S r, 80), and how many of them each phone was looked at (B, N)."""
        rows, count = memory.size(0), memory.size(1)
        keys, real = self.attention.key(memory), mask.squeeze(2) > 0.5
        number = torch.arange(count, device=memory.device).unsqueeze(0)
        last = real.sum(dim=1, keepdim=True) - 1
        frame, state = self.decoder.begin(rows)
        at = torch.zeros_like(last)
        looked = (number == 0).to(memory.dtype).expand(rows, count)
        been, context = torch.zeros_like(looked), torch.zeros_like(memory[:, 0])
        dwelt, done = torch.zeros_like(number.expand(rows, count)), torch.zeros_like(last, dtype=torch.bool)
        said = []
        for _ in range(count * (self.patience // self.reduction + 1)):
            hidden, cell = self.decoder.listen(frame, context, state)
            stuck = torch.gather(dwelt, 1, at) + self.reduction > self.patience
            start = torch.minimum(at + stuck.to(torch.int64), last)
            near = (number >= start) & (number <= start + self.reach) & real
            looked = self.attention(hidden, keys, looked, been, near)
            been = been + looked
            context = (looked.unsqueeze(2) * memory).sum(dim=1)
            frames, after, after_cell = self.decoder.speak(hidden, context, state)
            state, frame = (hidden, cell, after, after_cell), frames[:, -1]
            at = looked.argmax(dim=1, keepdim=True)
            dwelt = dwelt + torch.where(done, 0, self.reduction) * (number == at).to(torch.int64)
            said.append(frames)
            ending = self.stop(torch.cat([after, context], dim=1)) > 0.0
            done = done | ((ending | stuck) & (at == last))
            if bool(done.all()):
                break
        return torch.cat(said, dim=1), dwelt

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
        """For training: as `Nat.teach`; true durations are only the length, and the logarithm of what attention
        dwelt is in the place of the predicted one. The sixth is the loss of rough mel, stop and attention."""
        durations, pitch, energy = truth
        condition, encoded, mask = self.front(phones, stress, prosody, known)
        heads = [head(encoded, condition, mask) for head in (self.front.pitch, self.front.energy)]
        memory = self.front.sung(encoded, pitch, energy, mask)
        keys, real, before = self.attention.key(memory), mask.squeeze(2) > 0.5, heard_before(mel, self.reduction)
        _, state = self.decoder.begin(mel.size(0))
        looked = torch.zeros_like(mask.squeeze(2))
        looked[:, 0] = 1.0
        been, context = torch.zeros_like(looked), torch.zeros_like(memory[:, 0])
        said, stops, weights = [], [], []
        for step in range(before.size(1)):
            hidden, cell = self.decoder.listen(before[:, step], context, state)
            looked = self.attention(hidden, keys, looked, been, real)
            been = been + looked
            context = (looked.unsqueeze(2) * memory).sum(dim=1)
            frames, after, after_cell = self.decoder.speak(hidden, context, state)
            state = (hidden, cell, after, after_cell)
            said.append(frames)
            stops.append(self.stop(torch.cat([after, context], dim=1)))
            weights.append(looked)
        _, frame_mask = places(durations)
        rough = torch.cat(said, dim=1)[:, : mel.size(1)] * frame_mask
        loss = ((rough - mel).abs() * frame_mask).sum() / (frame_mask.sum() * mel.size(2))
        looks = torch.stack(weights, dim=1)
        steps = -(-durations.sum(dim=1) // self.reduction)
        loss = loss + guided(looks, steps, real.sum(dim=1)) + stopping(torch.cat(stops, dim=1), steps)
        dwelt = torch.log(torch.clamp(looks.sum(dim=1) * self.reduction, min=1.0)) * mask.squeeze(2)
        return self.postnet(rough, condition, frame_mask), frame_mask, dwelt, heads[0], heads[1], loss


def warped(said: Tensor, dwelt: Tensor, durations: Tensor, phone: Tensor) -> Tensor:
    """Frames (B, S, C), `dwelt` (B, N) of each phone -> `durations` (B, N) of each, on straight lines."""
    after = torch.cumsum(durations, dim=1)
    begin = torch.gather(after - durations, 1, phone).to(said.dtype)
    factor = torch.gather(dwelt.to(said.dtype) / torch.clamp(durations, min=1).to(said.dtype), 1, phone)
    source = torch.gather(torch.cumsum(dwelt, dim=1) - dwelt, 1, phone).to(said.dtype)
    time = torch.arange(phone.size(1), device=said.device).unsqueeze(0).to(said.dtype)
    place = (source + (time - begin + 0.5) * factor - 0.5).clamp(0.0, float(said.size(1) - 1))
    left = torch.floor(place)
    right = torch.clamp(left + 1.0, max=float(said.size(1) - 1))
    shape = [phone.size(0), phone.size(1), said.size(2)]
    one = torch.gather(said, 1, left.to(torch.int64).unsqueeze(2).expand(shape))
    other = torch.gather(said, 1, right.to(torch.int64).unsqueeze(2).expand(shape))
    return torch.lerp(one, other, (place - left).unsqueeze(2).expand(shape))


def guided(weights: Tensor, steps: Tensor, phones: Tensor) -> Tensor:
    """How much attention (B, S, N) is off the diagonal of `steps` (B,) by `phones` (B,): 0 on it, at most 1."""
    time = torch.arange(weights.size(1)).unsqueeze(0) / steps.unsqueeze(1)
    place = torch.arange(weights.size(2)).unsqueeze(0) / phones.unsqueeze(1)
    off = 1.0 - torch.exp(-((place.unsqueeze(1) - time.unsqueeze(2)) ** 2) / (2.0 * _GUIDE**2))
    real = (time < 1.0).to(weights.dtype)
    return ((weights * off).sum(dim=2) * real).sum() / real.sum()


def stopping(logits: Tensor, steps: Tensor) -> Tensor:
    """Of the stop's logits (B, S): it should be from the last of `steps` (B,) on."""
    time = torch.arange(logits.size(1)).unsqueeze(0)
    wanted = (time >= steps.unsqueeze(1) - 1).to(logits.dtype)
    # One step in a hundred is the last: it weighs more.
    return nn.functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=torch.tensor(5.0))

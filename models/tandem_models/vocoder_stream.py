"""The vocoder while the mel is still being made: in pieces of any size, the audio of the whole."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from tandem_models.mel import BANDS, BINS, HOP, PADDING, WINDOW
from tandem_models.vocoder import overlap_add

_BEFORE: Final = WINDOW // HOP - 1
"""Hops of a frame that later frames also reach"""


class VocoderStream:
    """One utterance of one caller; `vocoder` is a `Vocoder`, or its TorchScript, and may be shared.

    Audio comes `context` and three frames after its mel, and `flush` brings the rest.
    """

    def __init__(self, vocoder: Any) -> None:
        self._vocoder, self._context = vocoder, int(vocoder.context)
        self._mel = torch.zeros(1, BANDS, 0)
        """From frame `_first` on"""
        self._first = self._heard = self._excited = self._shaped = 0
        """Frames whose mel was let go, that are analysed, excited, shaped"""
        self._melody = torch.zeros(2, 0)
        """F0 and voicing of the frames from `_excited` - 1 on"""
        self._envelopes = torch.zeros(2, 0, BINS)
        """Of the frames from `_shaped` on"""
        self._source = torch.zeros(2, PADDING)
        """Pulses and noise from the begin of frame `_shaped` on"""
        self._phase = torch.zeros(1, dtype=torch.float64)
        self._tail = torch.zeros(1, _BEFORE * HOP)
        self._skip = PADDING

    @torch.no_grad()
    def feed(self, mel: Tensor) -> Tensor:
        """More frames (80, t) -> the samples that have become final; may be none."""
        self._mel = torch.cat([self._mel, mel.unsqueeze(0)], dim=2)
        return self._advance(last=False)

    @torch.no_grad()
    def flush(self) -> Tensor:
        """The rest: with it, there are 256 samples for every frame."""
        return self._advance(last=True)

    def _advance(self, last: bool) -> Tensor:
        received = self._first + self._mel.size(2)
        self._analyse(received if last else max(received - self._context, self._heard))
        self._excite(self._heard if last else max(self._heard - 1, self._excited), last)
        return self._shape(self._heard if last else max(self._excited - 2, self._shaped), last)

    def _analyse(self, until: int) -> None:
        if until <= self._heard:
            return
        left = max(self._heard - self._context, 0)
        part = self._mel[:, :, left - self._first : until + self._context - self._first]
        wanted = slice(self._heard - left, until - left)
        hertz, voicing, harmonic, noisy = (one[:, wanted] for one in self._vocoder.analyse(part))
        self._melody = torch.cat([self._melody, torch.cat([hertz, voicing])], dim=1)
        self._envelopes = torch.cat([self._envelopes, torch.cat([harmonic, noisy])], dim=1)
        self._heard = until
        kept = max(until - self._context, 0)
        self._mel, self._first = self._mel[:, :, kept - self._first :], kept

    def _excite(self, until: int, last: bool) -> None:
        if until <= self._excited:
            return
        hops = until - self._excited
        before = int(self._excited > 0)
        known = self._melody[:, : before + hops + 1]
        # A hop's edges lie between frames; at the ends of the utterance there is only one.
        start = known if before else torch.cat([known[:, :1], known], dim=1)
        around = torch.cat([start, known[:, -1:]], dim=1) if last else start
        edges = 0.5 * (around[:, 1:] + around[:, :-1])
        train, hiss, self._phase = self._vocoder.excite(edges[:1], edges[1:], self._phase, self._excited)
        self._source = torch.cat([self._source, torch.cat([train, hiss])], dim=1)
        self._excited = until
        self._melody = self._melody[:, before + hops - 1 :]

    def _shape(self, until: int, last: bool) -> Tensor:
        if last:
            self._source = torch.nn.functional.pad(self._source, (0, PADDING))
        count = until - self._shaped
        if count <= 0:
            return torch.zeros(0)
        samples = (count + _BEFORE) * HOP
        source, envelopes = self._source[:, :samples], self._envelopes[:, :count]
        frames = self._vocoder.shape(source[:1], source[1:], envelopes[:1], envelopes[1:])
        added = overlap_add(frames)
        added[:, : _BEFORE * HOP] += self._tail
        self._tail = added[:, count * HOP :]
        self._source, self._envelopes = self._source[:, count * HOP :], self._envelopes[:, count:]
        self._shaped = until
        audio = added[0, :-PADDING] if last else added[0, : count * HOP]
        skipped = min(self._skip, len(audio))
        self._skip -= skipped
        return audio[skipped:]

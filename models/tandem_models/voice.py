"""A trained voice: phones and a target in, audio out as it is made. Two checkpoints: acoustic model and vocoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from tandem_models import checkpoint
from tandem_models.checkpoint import Card, CheckpointError
from tandem_models.mel import HOP, RATE
from tandem_models.prosody import EXTRACTOR_VERSION, MISSING, Prosody
from tandem_models.registry import config_type
from tandem_models.signal import Audio
from tandem_models.tts import VoiceConfig
from tandem_models.vocoder import VocoderConfig
from tandem_models.vocoder_stream import VocoderStream

FURTHEST: Final = 2.5
"""z of what may be asked for: further out the model has seen next to nothing"""
_FIRST: Final = 32
"""Frames of the first stretch (0.37 s): little, so that it is soon there"""
_LATER: Final = 128


@dataclass(frozen=True, slots=True)
class Override:
    """Of one phone, beside what the model gives it."""

    duration: float = 1.0
    """Factor"""
    pitch: float = 0.0
    """Semitones"""
    energy: float = 0.0
    """dB"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How an utterance is going to be spoken; known before its first sample."""

    ends: tuple[float, ...]
    """Of each phone, seconds"""
    pitch: tuple[float, ...]
    """Of each phone, semitones re 100 Hz"""
    energy: tuple[float, ...]
    """Of each phone, dB"""
    audio: Iterator[Audio]
    """At RATE, in pieces; may be taken once"""

    @property
    def seconds(self) -> float:
        return self.ends[-1]


class Voice:
    """Loaded once, and shared: it keeps nothing between utterances. Calls take CPU and release the GIL."""

    sample_rate: Final = RATE

    def __init__(self, config: VoiceConfig, acoustic: Any, vocoder: Any, card: Card) -> None:
        self.config, self.card = config, card
        self._acoustic, self._vocoder = acoustic, vocoder
        self._ids = {phone: place + 1 for place, phone in enumerate(config.phones)}

    @classmethod
    def load(cls, folder: Path) -> Voice:
        """Raises CheckpointError that says what to do."""
        acoustic, vocoder = checkpoint.load(folder / "acoustic"), checkpoint.load(folder / "vocoder")
        config = acoustic.config(config_type(acoustic.model))
        voice = getattr(config, "voice", None)
        if not isinstance(voice, VoiceConfig):
            raise CheckpointError(f"{folder / 'acoustic'} holds a {acoustic.model}, which is no acoustic model")
        version = voice.extractor_version
        if version != EXTRACTOR_VERSION:
            raise CheckpointError(f"{folder} was trained on {version}, not {EXTRACTOR_VERSION}: train it anew")
        vocoder.config(VocoderConfig)
        return cls(voice, acoustic.script(), vocoder.script(), acoustic.card)

    @torch.no_grad()
    def speak(
        self,
        phones: Sequence[str],
        stress: Sequence[int],
        target: Prosody = MISSING,
        overrides: Sequence[Override] = (),
    ) -> Plan:
        """One sentence. What is None in the target is the model's to choose; what is further out than FURTHEST is taken
        as that. Raises ValueError for no phones, or one that the voice does not know."""
        call = self._inputs(phones, stress, target, overrides)
        memory, gain, _, durations, pitch, energy = self._acoustic.plan(*call)
        ends = torch.cumsum(durations[0], dim=0) * (HOP / RATE)
        audio = self._spoken(memory, gain, call[2], call[3])
        return Plan(tuple(ends.tolist()), tuple(pitch[0].tolist()), tuple(energy[0].tolist()), audio)

    @torch.no_grad()
    def _spoken(self, memory: Tensor, gain: Tensor, prosody: Tensor, known: Tensor) -> Iterator[Audio]:
        context, total = int(self._acoustic.context), memory.size(1)
        stream = VocoderStream(self._vocoder)
        begin, size = 0, _FIRST
        while begin < total:
            end = min(begin + size, total)
            left, right = max(begin - context, 0), min(end + context, total)
            mel = self._acoustic.decode(memory[:, left:right], gain[:, left:right], prosody, known)
            audio = stream.feed(mel[0, :, begin - left : end - left])
            if len(audio):
                yield np.asarray(audio.numpy(), np.float32)
            begin, size = end, _LATER
        yield np.asarray(stream.flush().numpy(), np.float32)

    def _inputs(
        self, phones: Sequence[str], stress: Sequence[int], target: Prosody, overrides: Sequence[Override]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        if not phones or len(stress) != len(phones) or len(overrides) not in (0, len(phones)):
            raise ValueError(f"{len(phones)} phones, {len(stress)} stresses and {len(overrides)} overrides do not fit")
        if unknown := sorted(set(phones) - set(self._ids)):
            raise ValueError(f"the voice has no phone {unknown[0]!r}; it has {' '.join(self.config.phones)}")
        if target.version != EXTRACTOR_VERSION:
            raise ValueError(f"the target is of extractor {target.version}, the voice of {EXTRACTOR_VERSION}")
        z = [
            0.0 if value is None else min(max((value - mean) / sd, -FURTHEST), FURTHEST)
            for value, mean, sd in zip(target.values, self.config.prosody_mean, self.config.prosody_sd, strict=True)
        ]
        moved = overrides or [Override()] * len(phones)
        return (
            torch.tensor([[self._ids[phone] for phone in phones]]),
            torch.tensor([list(stress)]),
            torch.tensor([z]),
            torch.tensor([[float(value is not None) for value in target.values]]),
            torch.tensor([[(one.duration, one.pitch, one.energy) for one in moved]]),
        )

"""A whole voice: text -> phones -> mel -> audio, from pause to pause, each stretch as soon as it is spoken.

The target goes to the network as z-scores of the voice's own corpus; rate and pitch, whose error can be read off the
plan, are then set exactly by the phones' durations and F0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from tandem_models import checkpoint
from tandem_models.checkpoint import CheckpointError
from tandem_models.griffin_lim import griffin_lim
from tandem_models.mel import HOP, RATE
from tandem_models.phone_set import PAUSE, is_vowel
from tandem_models.phones import Pronounced, pronounce
from tandem_models.prosody import EXTRACTOR_VERSION, MISSING, Prosody
from tandem_models.signal import Audio
from tandem_models.tts import VoiceConfig

if TYPE_CHECKING:
    from torch import Tensor

    from tandem_models.checkpoint import Checkpoint

FARTHEST: Final = 3.0
"""z: what is asked beyond it was never heard in training"""
SLOWEST, FASTEST = 0.6, 1.7
"""Factor of durations: beyond, phones blur or fall apart"""
LARGEST_SHIFT: Final = 8.0
"""Semitones"""
SHORTEST: Final = 0.6
"""Seconds of a stretch that is spoken by itself"""
_VOICELESS: Final = frozenset({PAUSE, "ch", "f", "hh", "k", "p", "s", "sh", "t", "th"})


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was spoken from one pause to another."""

    audio: Audio
    """(T,) at RATE; the middles of the pauses are its ends"""
    words: tuple[tuple[str, float, float], ...]
    """Each word as it was said, its begin and end in seconds"""


class SpeechModel:
    """The networks of a voice on this CPU. Calls take one thread and let go of the GIL; one at a time."""

    def __init__(self, acoustic: Checkpoint, vocoder: Checkpoint | None) -> None:
        self.config = voice_config(acoustic)
        self._acoustic: Any = acoustic.script()
        self._vocoder: Any = None if vocoder is None else vocoder.script()
        self._ids = {phone: place + 1 for place, phone in enumerate(self.config.phones)}

    @classmethod
    def load(cls, folder: Path) -> SpeechModel:
        """The voice of a folder; without a vocoder there Griffin-Lim takes its place. Raises CheckpointError."""
        vocoder = checkpoint.load(folder / "vocoder") if (folder / "vocoder").exists() else None
        return cls(checkpoint.load(folder / "acoustic"), vocoder)

    def speak(self, text: str, target: Prosody = MISSING) -> Iterator[Stretch]:
        """Any text, stretch by stretch; nothing when there is nothing to say in it."""
        for sentence in pronounce(text):
            yield from self.say(sentence, target)

    def say(self, sentence: Pronounced, target: Prosody = MISSING) -> Iterator[Stretch]:
        """One sentence. Raises ValueError for a phone that the voice has not learnt."""
        prosody, known = scores(self.config, target)
        memory, gain, durations = self._plan(sentence, target, prosody, known)
        ends = np.cumsum(durations)
        for first, last, words in stretches(sentence.phones, durations, sentence.words):
            begin = first * HOP / RATE
            times = tuple(
                (word, float(ends[i - 1]) * HOP / RATE - begin, float(ends[j - 1]) * HOP / RATE - begin)
                for word, i, j in words
            )
            yield Stretch(self._sound(memory, gain, prosody, known, first, last), times)

    @torch.inference_mode()
    def _plan(
        self, sentence: Pronounced, target: Prosody, prosody: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
        """What frames are made from, and the frames of each phone (N,)."""
        phones, stress = self._tensors(sentence)
        overrides = torch.zeros(1, phones.size(1), 3)
        overrides[:, :, 0] = 1.0
        plan = self._acoustic.plan(phones, stress, prosody, known, overrides)
        if _aim(overrides, sentence, plan[3][0], plan[4][0], target):
            plan = self._acoustic.plan(phones, stress, prosody, known, overrides)
        return plan[0], plan[1], plan[3][0].numpy()

    @torch.inference_mode()
    def _sound(self, memory: Tensor, gain: Tensor, prosody: Tensor, known: Tensor, first: int, last: int) -> Audio:
        """Frames `first` to `last` of a plan, as if all had been decoded."""
        before = min(first, int(self._acoustic.context))
        wide = slice(first - before, last + int(self._acoustic.context))
        mel = self._acoustic.decode(memory[:, wide], gain[:, wide], prosody, known)
        mel = mel[:, :, before : before + last - first]
        audio = griffin_lim(mel) if self._vocoder is None else self._vocoder(mel)
        return np.asarray(audio[0].numpy(), dtype=np.float32)

    def _tensors(self, sentence: Pronounced) -> tuple[Tensor, Tensor]:
        if strange := sorted(set(sentence.phones) - set(self._ids)):
            raise ValueError(
                f"this voice has not learnt the phone {strange[0]!r}: it was trained for another front end"
            )
        ids = [self._ids[phone] for phone in sentence.phones]
        return torch.tensor([ids]), torch.tensor([sentence.stress])


def scores(config: VoiceConfig, target: Prosody) -> tuple[Tensor, Tensor]:
    """Target -> z-scores (1, 8) of the voice's corpus, no farther than FARTHEST, and which are known (1, 8)."""
    known = [value is not None for value in target.values]
    z = [
        0.0 if value is None else min(max((value - mean) / sd, -FARTHEST), FARTHEST)
        for value, mean, sd in zip(target.values, config.prosody_mean, config.prosody_sd, strict=True)
    ]
    return torch.tensor([z]), torch.tensor([known], dtype=torch.float32)


def voice_config(acoustic: Checkpoint) -> VoiceConfig:
    """Of an acoustic model of any kind. Raises CheckpointError for one of another extractor."""
    fields = acoustic.fields.get("voice")
    if not isinstance(fields, dict):
        raise CheckpointError(f"{acoustic.folder} holds a {acoustic.model}, which is no acoustic model of a voice")
    config = checkpoint.config_from(VoiceConfig, fields, acoustic.folder / "config.json")
    if config.extractor_version != EXTRACTOR_VERSION:
        raise CheckpointError(
            f"{acoustic.folder} was trained on prosody by {config.extractor_version}, this is {EXTRACTOR_VERSION}: "
            "train the voice again"
        )
    return config


def stretches(
    phones: Sequence[str], durations: NDArray[np.int64], words: Sequence[tuple[str, int, int]]
) -> list[tuple[int, int, list[tuple[str, int, int]]]]:
    """(first frame, frame after the last, words) from the middle of one pause to that of another, where at least
    SHORTEST seconds lie between them."""
    ends = np.cumsum(durations)
    cuts = [0]
    for place in range(1, len(phones) - 1):
        middle = int(ends[place - 1] + ends[place]) // 2
        if phones[place] == PAUSE and min(middle - cuts[-1], int(ends[-1]) - middle) * HOP >= SHORTEST * RATE:
            cuts.append(middle)
    cuts.append(int(ends[-1]))
    return [
        (first, last, [word for word in words if first <= ends[word[1] - 1] < last]) for first, last in pairwise(cuts)
    ]


def _aim(overrides: Tensor, sentence: Pronounced, durations: Tensor, pitch: Tensor, target: Prosody) -> bool:
    """Change the overrides by what the plan misses of the target's rate and pitch; is there anything to change?"""
    spoken = torch.tensor([phone != PAUSE for phone in sentence.phones])
    seconds = float(durations[spoken].sum()) * HOP / RATE
    rate, height = target["rate"], target["pitch_mean"]
    if rate is not None and seconds > 0.0:
        nuclei = max(sum(is_vowel(phone) for phone in sentence.phones), 1)
        overrides[0, :, 0] = min(max(math.exp(math.log(nuclei / seconds) - rate), SLOWEST), FASTEST)
    voiced = torch.tensor([phone not in _VOICELESS for phone in sentence.phones])
    weights = durations[voiced].to(torch.float32)
    if height is not None and float(weights.sum()) > 0.0:
        own = float((pitch[voiced] * weights).sum() / weights.sum())
        overrides[0, :, 1] = min(max(height - own, -LARGEST_SHIFT), LARGEST_SHIFT)
    return rate is not None or height is not None

"""Waveform -> prosody vector, while the turn is still being spoken: half a second at a time, so that its end is cheap.

The caller decides where `analyse` runs (a worker process, the loop): it takes blocks from `feed` and hands what came of
them to `add`. The same blocks make the features of training, so there is no difference between training and serving.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Self

import numpy as np

from tandem_models.praat import MARGIN, UNKNOWN_RANGE, Block, BlockFeatures, PitchRange, analyse
from tandem_models.signal import SAMPLE_RATE, Audio, exact_div
from tandem_models.summary import TurnProsody, phonation, summarise

__all__ = [
    "BLOCK",
    "UNKNOWN_RANGE",
    "Block",
    "BlockFeatures",
    "IncrementalExtractor",
    "PitchRange",
    "SpeakerRange",
    "TurnProsody",
    "analyse",
    "extract_reference",
    "extract_turn",
    "phonation",
]

BLOCK: Final = exact_div(SAMPLE_RATE, 2)
"""Samples that a complete block counts."""
_LOUDEST: Final = 4.0
"""|x| above it is not audio in [-1, 1] that a filter overshot, but integers."""
_ENOUGH: Final = 1.0
"""Seconds of voice after which a speaker's range is believed."""
_MEMORY: Final = 30.0
"""Seconds of voice that the running quartiles remember."""


@dataclass(frozen=True, slots=True)
class SpeakerRange:
    """Where a speaker's F0 has been, from turns that are over; the first turn is heard with `UNKNOWN_RANGE`."""

    q25: float = 0.0
    """Running lower quartile, Hertz"""
    q75: float = 0.0
    voiced: float = 0.0
    """Seconds of voice they are made from, at most 30"""

    @property
    def pitch_range(self) -> PitchRange:
        """For the next turn."""
        return PitchRange.adapted(self.q25, self.q75) if self.voiced >= _ENOUGH else UNKNOWN_RANGE

    def updated(self, turn: TurnProsody) -> SpeakerRange:
        """With one more turn; turns without voice change nothing."""
        if turn.quartiles is None:
            return self
        total = self.voiced + turn.voiced
        share = turn.voiced / total
        low, high = turn.quartiles
        if not self.voiced:
            return SpeakerRange(low, high, min(total, _MEMORY))
        # Geometric means: F0 is felt, and distributed, on a logarithmic scale.
        q25 = self.q25 ** (1.0 - share) * low**share
        q75 = self.q75 ** (1.0 - share) * high**share
        return SpeakerRange(q25, q75, min(total, _MEMORY))

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, float]) -> Self:
        """The inverse of `to_dict`; raises ValueError for anything else."""
        try:
            found = cls(float(stored["q25"]), float(stored["q75"]), float(stored["voiced"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a speaker's range: {error!r}") from error
        if found != cls() and not (0.0 < found.q25 <= found.q75 < SAMPLE_RATE and 0.0 < found.voiced <= _MEMORY):
            raise ValueError(f"not a speaker's range: {found}")
        return found


class IncrementalExtractor:
    """One turn. Audio goes in, blocks come out; their features go back in, in any order; `result` at the end.

    It holds at most the audio of one block with its margins, and the frames of the turn.
    """

    def __init__(self, pitch_range: PitchRange = UNKNOWN_RANGE) -> None:
        self._pitch_range = pitch_range
        self._audio: Audio = np.zeros(0, np.float32)
        """From MARGIN before the first sample that is in no block yet; empty before the first sample."""
        self._start = 0
        """Samples of the turn that are in blocks handed out."""
        self._peak = 0.0
        self._done: dict[int, BlockFeatures] = {}
        self._repaired = False

    def feed(self, audio: Audio) -> list[Block]:
        """More of the turn -> the blocks that it completed. Raises ValueError for audio that is not within [-1, 1]."""
        clean = self._checked(audio)
        if not len(clean):
            return []
        # Before its first sample a turn holds that sample: nought would make a step of a microphone's offset.
        before = self._audio if len(self._audio) else np.full(MARGIN, clean[0])
        self._audio = np.concatenate([before, clean])
        blocks = []
        while len(self._audio) >= BLOCK + 2 * MARGIN:
            blocks.append(self._block(self._audio[: BLOCK + 2 * MARGIN].copy(), BLOCK))
            self._peak = blocks[-1].peak
            self._audio = self._audio[BLOCK:].copy()
            self._start += BLOCK
        return blocks

    def add(self, features: BlockFeatures) -> None:
        """What `analyse` made of a block from `feed`; a tail goes to `result` instead."""
        if features.length != BLOCK or features.start % BLOCK or features.start >= self._start:
            raise ValueError(f"the block at sample {features.start} was not handed out by this extractor's feed")
        self._done[features.start] = features

    def pending(self) -> Block | None:
        """All that is in no block yet, as one provisional block; None before the first sample. Feeding may go on."""
        if not len(self._audio):
            return None
        return self._block(np.pad(self._audio, (0, MARGIN), mode="edge"), len(self._audio) - MARGIN)

    def result(
        self, syllables: int | None = None, phonation: float | None = None, tail: BlockFeatures | None = None
    ) -> TurnProsody:
        """The turn up to the end of `tail`, whatever was fed after it was pending; without one, its complete blocks.

        `phonation` is seconds of speech without pauses. Raises ValueError while an earlier block has not been added.
        """
        end = self._start if tail is None else tail.start
        missing = [start for start in range(0, end, BLOCK) if start not in self._done]
        if missing:
            raise ValueError(f"the block at sample {missing[0]} has not been added yet")
        blocks = [self._done[start] for start in range(0, end, BLOCK)]
        return summarise(blocks if tail is None else [*blocks, tail], syllables, phonation, self._repaired)

    def _block(self, samples: Audio, length: int) -> Block:
        peak = max(self._peak, float(np.abs(samples).max()))
        return Block(samples, self._start, length, peak, self._pitch_range)

    def _checked(self, audio: Audio) -> Audio:
        """Finite and within [-1, 1]: NaN becomes 0, infinity full scale, a filter's overshoot is cut."""
        if audio.ndim != 1:
            raise ValueError(f"audio must be mono, shape (T,), not {audio.shape}")
        if audio.dtype == np.float32 and len(audio) and audio.min() >= -1.0 and audio.max() <= 1.0:  # NaN is neither
            return audio
        finite = np.isfinite(audio)
        if not finite.all():
            self._repaired = True
        loudest = float(np.abs(audio, where=finite, out=np.zeros(audio.shape, audio.dtype)).max(initial=0.0))
        if loudest > _LOUDEST:
            raise ValueError(f"audio must be within [-1, 1], but a sample is {loudest:g}; integers need scaling first")
        return np.clip(np.nan_to_num(audio, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0).astype(np.float32)


def extract_turn(
    audio: Audio,
    syllables: int | None = None,
    phonation: float | None = None,
    pitch_range: PitchRange = UNKNOWN_RANGE,
) -> TurnProsody:
    """A whole turn (T,) at SAMPLE_RATE by the same blocks as live: the same numbers to the last bit."""
    extractor = IncrementalExtractor(pitch_range)
    for block in extractor.feed(audio):
        extractor.add(analyse(block))
    tail = extractor.pending()
    return extractor.result(syllables, phonation, None if tail is None else analyse(tail))


def extract_reference(
    audio: Audio,
    syllables: int | None = None,
    phonation: float | None = None,
    pitch_range: PitchRange = UNKNOWN_RANGE,
) -> TurnProsody:
    """A whole turn in one call to Praat: what the blocks are judged against, and never what is stored."""
    extractor = IncrementalExtractor(pitch_range)
    clean = extractor._checked(audio)
    if not len(clean):
        return extractor.result(syllables, phonation)
    whole = Block(np.pad(clean, MARGIN, mode="edge"), 0, len(clean), float(np.abs(clean).max()), pitch_range)
    return summarise([analyse(whole)], syllables, phonation, extractor._repaired)

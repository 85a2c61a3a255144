"""Text -> speech by a trained voice: from pause to pause, each stretch as soon as it is spoken.

The target goes to the network as z-scores of the voice's own corpus; rate and pitch, whose error can be read off the
plan, are then set exactly by the phones' durations and F0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from tandem_models.mel import HOP, RATE
from tandem_models.phone_set import PAUSE, is_vowel
from tandem_models.phones import Pronounced, pronounce
from tandem_models.prosody import MISSING, Prosody
from tandem_models.signal import Audio
from tandem_models.voice import Override, Plan, Voice

SLOWEST, FASTEST = 0.6, 1.7
"""Factor of durations: beyond, phones blur or fall apart"""
LARGEST_SHIFT: Final = 8.0
"""Semitones"""
SHORTEST: Final = 0.6
"""Seconds of a stretch that is spoken by itself"""
_VOICELESS: Final = frozenset({PAUSE, "ch", "f", "hh", "k", "p", "s", "sh", "t", "th"})

Words = Sequence[tuple[str, int, int]]
"""Word, its first phone, the phone after its last"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was spoken from one pause to another."""

    audio: Audio
    """(T,) at RATE; the middles of the pauses are its ends"""
    words: tuple[tuple[str, float, float], ...]
    """Each word as it was said, its begin and end in seconds"""


def speak(voice: Voice, text: str, target: Prosody = MISSING) -> Iterator[Stretch]:
    """Any text, stretch by stretch; nothing when there is nothing to say in it."""
    for sentence in pronounce(text):
        yield from say(voice, sentence, target)


def say(voice: Voice, sentence: Pronounced, target: Prosody = MISSING) -> Iterator[Stretch]:
    """One sentence. Raises ValueError for a phone that the voice has not learnt."""
    plan = voice.speak(sentence.phones, sentence.stress, target)
    if target["rate"] is not None or target["pitch_mean"] is not None:
        plan = voice.speak(sentence.phones, sentence.stress, target, [aimed(sentence, plan, target)] * len(plan.ends))
    pieces: list[Audio] = []
    for begin, end, words in stretches(sentence.phones, plan.ends, sentence.words):
        while sum(map(len, pieces)) < end - begin and (piece := next(plan.audio, None)) is not None:
            pieces.append(piece)
        audio = np.concatenate(pieces)
        pieces = [audio[end - begin :]]
        first = begin / RATE
        times = tuple((word, plan.ends[i - 1] - first, plan.ends[j - 1] - first) for word, i, j in words)
        yield Stretch(audio[: end - begin], times)


def aimed(sentence: Pronounced, plan: Plan, target: Prosody) -> Override:
    """What brings a plan to the rate and the mean pitch of the target."""
    lengths = np.diff(plan.ends, prepend=0.0)
    factor, shift = 1.0, 0.0
    seconds = float(lengths[[phone != PAUSE for phone in sentence.phones]].sum())
    if target["rate"] is not None and seconds > 0.0:
        nuclei = max(sum(is_vowel(phone) for phone in sentence.phones), 1)
        factor = min(max(math.exp(math.log(nuclei / seconds) - target["rate"]), SLOWEST), FASTEST)
    voiced = np.array([phone not in _VOICELESS for phone in sentence.phones])
    if target["pitch_mean"] is not None and lengths[voiced].sum() > 0.0:
        own = float(np.average(np.array(plan.pitch)[voiced], weights=lengths[voiced]))
        shift = min(max(target["pitch_mean"] - own, -LARGEST_SHIFT), LARGEST_SHIFT)
    return Override(factor, shift)


def stretches(
    phones: Sequence[str], ends: Sequence[float], words: Words
) -> list[tuple[int, int, list[tuple[str, int, int]]]]:
    """(first sample, sample after the last, words) from the middle of one pause to that of another, where at least
    SHORTEST seconds lie between them; `ends` are those of the phones, in seconds."""
    cuts = [0.0]
    for place in range(1, len(phones) - 1):
        middle = 0.5 * (ends[place - 1] + ends[place])
        if phones[place] == PAUSE and min(middle - cuts[-1], ends[-1] - middle) >= SHORTEST:
            cuts.append(middle)
    cuts.append(ends[-1])
    spans = (
        (first, last, [word for word in words if first <= ends[word[1] - 1] < last]) for first, last in pairwise(cuts)
    )
    return [(HOP * round(first * RATE / HOP), HOP * round(last * RATE / HOP), some) for first, last, some in spans]

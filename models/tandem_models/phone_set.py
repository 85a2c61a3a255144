"""The phones of the voice: the CMU set with a schwa, as Festival's radio set writes them, and a pause."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

PAUSE: Final = "pau"
VOWELS: Final = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw",
)  # fmt: skip
CONSONANTS: Final = (
    "b", "ch", "d", "dh", "f", "g", "hh", "jh", "k", "l", "m", "n", "ng", "p", "r", "s", "sh", "t", "th", "v", "w",
    "y", "z", "zh",
)  # fmt: skip
PHONES: Final = (PAUSE, *VOWELS, *CONSONANTS)
"""In the order of the ids that models are trained on; never reordered."""

_VOWELS: Final = frozenset(VOWELS)
_CLUSTERS: Final = """
b r|b l|d r|d w|f r|f l|g r|g l|g w|hh w|hh y|k r|k l|k w|k y|p r|p l|p y|s k|s l|s m|s n|s p|s t|s w|s f|sh r
t r|t w|th r|th w|b y|f y|m y|v y|s k r|s k w|s k y|s p l|s p r|s p y|s t r
"""
_ONSETS: Final = frozenset(cluster for line in _CLUSTERS.split("\n")[1:-1] for cluster in line.split("|"))
"""Clusters that begin an English syllable."""


def is_vowel(phone: str) -> bool:
    return phone in _VOWELS


def syllabified(phones: Sequence[str]) -> list[tuple[str, ...]]:
    """The phones of a word by syllables: as many consonants before a vowel as can begin one (maximal onset)."""
    nuclei = [position for position, phone in enumerate(phones) if phone in _VOWELS]
    if not nuclei:
        return [tuple(phones)]
    cuts = [0]
    for before, nucleus in pairwise(nuclei):
        start = nucleus
        while start - 1 > before and _begins(phones[start - 1 : nucleus]):
            start -= 1
        cuts.append(start)
    return [tuple(phones[begin:end]) for begin, end in zip(cuts, [*cuts[1:], len(phones)], strict=True)]


def _begins(cluster: Sequence[str]) -> bool:
    return cluster[0] not in {"ng", "zh"} if len(cluster) == 1 else " ".join(cluster) in _ONSETS

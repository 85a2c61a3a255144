"""Word times -> inter-pausal units, which are what turns are made of."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from tandem_training.corpus.dialogue import Segment
from tandem_training.corpus.manifest import Word

UNIT_PAUSE: Final = 0.2
"""Seconds: a longer silence within a speaker's words ends the unit. Above the closure of a stop, as is usual."""


def units(words: Iterable[Word], like: Segment) -> list[Segment]:
    """One speaker's words in any order -> segments with their text and times; everything else is `like` that."""
    runs: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word[1], word[2])):
        if runs and word[1] - max(end for _, _, end in runs[-1][-2:]) < UNIT_PAUSE:
            runs[-1].append(word)
        else:
            runs.append([word])
    return [
        replace(
            like,
            text=" ".join(word for word, _, _ in run),
            start=run[0][1],
            end=max(end for _, _, end in run),
            words=tuple(run),
        )
        for run in runs
    ]


def attach(segments: Iterable[Segment], words: Iterable[Word]) -> list[Segment]:
    """One speaker's segments with the words whose middle falls into them, clipped to their edges."""
    ordered = sorted(words, key=lambda word: (word[1], word[2]))
    middles = [(start + end) / 2.0 for _, start, end in ordered]
    found = []
    for segment in segments:
        begin, end = segment.start or 0.0, segment.end or 0.0
        mine = ordered[bisect_left(middles, begin) : bisect_left(middles, end)]
        clipped = tuple((word, max(first, begin), min(last, end)) for word, first, last in mine)
        found.append(replace(segment, words=clipped or None))
    return found

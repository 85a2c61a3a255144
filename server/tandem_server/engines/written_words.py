"""Which written word a said word belongs to: "$5" is said "five dollars", and an emoji is not said. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate

from tandem_server.stages.protocols import Word


@dataclass(frozen=True, slots=True)
class Group:
    """Written words that are said together."""

    written: tuple[str, ...]
    first: int
    """Said words from here ..."""
    last: int
    """... to before here; at least one"""


def groups(written: Sequence[str], said: Sequence[str]) -> list[Group]:
    """All written words in order, with the said words of each; none if nothing is said. Words that are the same in both
    hold the two in step; what is not said belongs to the word before it."""
    found: list[Group] = []
    left: list[str] = []
    matcher = SequenceMatcher(None, [_letters(word) for word in written], [_letters(word) for word in said], False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            for offset in range(last - first):
                found.append(Group((*left, written[first + offset]), begin + offset, begin + offset + 1))
                left = []
        elif begin == end and not found:
            left += written[first:last]
        elif begin == end:
            found[-1] = Group((*found[-1].written, *written[first:last]), found[-1].first, found[-1].last)
        elif first == last and found:
            found[-1] = Group(found[-1].written, found[-1].first, end)
        else:
            found.append(Group((*left, *written[first:last]), begin, end))
            left = []
    return found


def timed(found: Sequence[Group], first: int, times: Sequence[tuple[float, float]]) -> tuple[Word, ...]:
    """The written words of the groups that begin with said words `first` and after, whose (begin, end) in seconds are
    known. A group's time goes to its words by their letters."""
    words: list[Word] = []
    for group in found:
        place = group.first - first
        if 0 <= place < len(times) and group.written:
            end = times[min(group.last - first, len(times)) - 1][1]
            words += _divided(group.written, times[place][0], end)
    return tuple(words)


def _divided(written: Sequence[str], begin: float, end: float) -> list[Word]:
    letters = list(accumulate((len(_letters(word)) for word in written), initial=0))
    total = max(letters[-1], 1)
    edges = [begin + (end - begin) * count / total for count in letters[:-1]] + [end]
    return [Word(word, edges[place], edges[place + 1]) for place, word in enumerate(written)]


def _letters(word: str) -> str:
    return "".join(filter(str.isalnum, word.lower()))

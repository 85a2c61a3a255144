"""What recipes and reports measure with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


def edit_distance(found: Sequence[str], right: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that turn one into the other (Levenshtein 1966)."""
    row = list(range(len(right) + 1))
    for count, one in enumerate(found, 1):
        new = [count]
        for place, other in enumerate(right, 1):
            new.append(min(new[-1] + 1, row[place] + 1, row[place - 1] + (one != other)))
        row = new
    return row[-1]


class WordErrors(NamedTuple):
    """How a transcript differs from what was said."""

    substituted: int
    deleted: int
    """Said, and not in the transcript: what a voice skipped or swallowed"""
    inserted: int
    """In the transcript, and not said: what a voice repeated or babbled"""
    words: int

    @property
    def rate(self) -> float:
        """Word error rate; more than 1 is possible."""
        return (self.substituted + self.deleted + self.inserted) / max(self.words, 1)


def word_errors(found: Sequence[str], right: Sequence[str]) -> WordErrors:
    """Along the cheapest alignment of the two; among those, the one with the fewest deletions and insertions."""
    row = [(place, 0, place, 0) for place in range(len(right) + 1)]  # cost, substituted, deleted, inserted
    for one in found:
        cost, substituted, deleted, inserted = row[0]
        new = [(cost + 1, substituted, deleted, inserted + 1)]
        for place, other in enumerate(right, 1):
            new.append(min(_either(row[place - 1], one != other), _skipped(new[-1]), _added(row[place]), key=_cost))
        row = new
    _, substituted, deleted, inserted = row[-1]
    return WordErrors(substituted, deleted, inserted, len(right))


_Path = tuple[int, int, int, int]


def _either(path: _Path, differs: bool) -> _Path:
    return path[0] + differs, path[1] + differs, path[2], path[3]


def _skipped(path: _Path) -> _Path:
    return path[0] + 1, path[1], path[2] + 1, path[3]


def _added(path: _Path) -> _Path:
    return path[0] + 1, path[1], path[2], path[3] + 1


def _cost(path: _Path) -> tuple[int, int]:
    return path[0], path[2] + path[3]

"""What recipes and reports measure with."""

from __future__ import annotations

from collections.abc import Sequence


def edit_distance(found: Sequence[str], right: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that turn one into the other (Levenshtein 1966)."""
    row = list(range(len(right) + 1))
    for count, one in enumerate(found, 1):
        new = [count]
        for place, other in enumerate(right, 1):
            new.append(min(new[-1] + 1, row[place] + 1, row[place - 1] + (one != other)))
        row = new
    return row[-1]

"""Which letter stands for which phones: expectation-maximisation over all ways in which each letter takes 0 to 2."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

Graphone = tuple[str, tuple[str, ...]]
"""A letter and the phones it stands for."""
Entry = tuple[str, tuple[str, ...]]
"""A word and its phones."""

_SHARES = (0.1, 1.0, 0.05)
"""Before anything is known: a letter stands for no, one or two phones."""
_NEVER = 1e-3
"""Expected uses below which a graphone is forgotten."""


def graphone_probabilities(entries: Sequence[Entry], rounds: int = 5) -> dict[Graphone, float]:
    """P(phones | letter), from words with phones (without stress)."""
    known: dict[Graphone, float] | None = None
    for _ in range(rounds):
        uses: defaultdict[Graphone, float] = defaultdict(float)
        for word, phones in entries:
            _expect(word, phones, known, uses)
        by_letter: defaultdict[str, float] = defaultdict(float)
        for (letter, _said), use in uses.items():
            by_letter[letter] += use
        known = {graphone: use / by_letter[graphone[0]] for graphone, use in uses.items() if use > _NEVER}
    return known or {}


def _expect(
    word: str, phones: tuple[str, ...], known: Mapping[Graphone, float] | None, uses: defaultdict[Graphone, float]
) -> None:
    """Add the expected uses of each graphone in one word (forward-backward)."""
    letters, length = len(word), len(phones)
    forward = [[0.0] * (length + 1) for _ in range(letters + 1)]
    forward[0][0] = 1.0
    arcs = []
    for place, letter in enumerate(word):
        for done, mass in enumerate(forward[place]):
            if not mass:
                continue
            for count in range(min(3, length - done + 1)):
                graphone = (letter, phones[done : done + count])
                share = _SHARES[count] if known is None else known.get(graphone, 0.0)
                if share:
                    forward[place + 1][done + count] += mass * share
                    arcs.append((place, done, count, graphone, share))
    total = forward[letters][length]
    if not total:
        return
    backward = [[0.0] * (length + 1) for _ in range(letters + 1)]
    backward[letters][length] = 1.0
    for place, done, count, graphone, share in reversed(arcs):
        rest = share * backward[place + 1][done + count]
        if rest:
            backward[place][done] += rest
            uses[graphone] += forward[place][done] * rest / total


def aligned(word: str, phones: tuple[str, ...], known: Mapping[Graphone, float]) -> tuple[Graphone, ...] | None:
    """The likeliest graphones of a word, with the stress digits of its phones; None if no way fits."""
    plain = tuple(phone.rstrip("012") for phone in phones)
    best: dict[int, tuple[float, tuple[Graphone, ...]]] = {0: (0.0, ())}
    for letter in word:
        grown: dict[int, tuple[float, tuple[Graphone, ...]]] = {}
        for done, (score, path) in best.items():
            for count in range(min(3, len(plain) - done + 1)):
                share = known.get((letter, plain[done : done + count]))
                if not share:
                    continue
                new = score + math.log(share)
                if done + count not in grown or grown[done + count][0] < new:
                    grown[done + count] = (new, (*path, (letter, phones[done : done + count])))
        best = grown
    return best[len(plain)][1] if len(plain) in best else None

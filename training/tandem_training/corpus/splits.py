"""Splits that no speaker crosses: by connected component of the graph of speakers and dialogues."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.manifest import Turn, write_manifest

SHARES: Final[Mapping[str, float]] = {"train": 0.8, "validation": 0.1, "test": 0.1}


class UnionFind:
    """Disjoint sets of strings, with path halving."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The representative of its set; a new name is a set of its own."""
        self._parent.setdefault(name, name)
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        self._parent[self.find(one)] = self.find(other)


def components(turns: Iterable[Turn]) -> dict[str, int]:
    """Dialogue -> number of its component, from 0; the numbers depend on the names alone, not on the order of turns."""
    sets = UnionFind()
    names: set[str] = set()
    for turn in turns:
        names.add(turn.dialogue)
        sets.join(f"dialogue {turn.dialogue}", f"speaker {turn.speaker}")
        if turn.group is not None:
            sets.join(f"dialogue {turn.dialogue}", f"group {turn.group}")
    numbers: dict[str, int] = {}
    return {name: numbers.setdefault(sets.find(f"dialogue {name}"), len(numbers)) for name in sorted(names)}


def split_dialogues(turns: Sequence[Turn], seed: int, shares: Mapping[str, float] = SHARES) -> dict[str, str]:
    """Dialogue -> split: whole components in an order drawn by `seed`, each to the split that is furthest behind its
    share of the turns. Raises CorpusError where that would leave a split empty."""
    if not shares or min(shares.values()) <= 0.0:
        raise CorpusError("every split needs a share above 0")
    component = components(turns)
    members: defaultdict[int, list[str]] = defaultdict(list)
    for name, number in component.items():
        members[number].append(name)
    sizes: defaultdict[int, int] = defaultdict(int)
    for turn in turns:
        sizes[component[turn.dialogue]] += 1
    if len(members) < len(shares):
        raise CorpusError(
            f"the speakers hold the dialogues together in {len(members)} groups, too few for {len(shares)} splits; "
            "if a name means somebody else in every dialogue, import with --local-speakers; else keep them on one side"
        )
    order = sorted(members)
    random.Random(seed).shuffle(order)  # noqa: S311
    total, filled = sum(shares.values()), dict.fromkeys(shares, 0)
    split: dict[str, str] = {}
    for place, number in enumerate(order):
        empty = [name for name in shares if not filled[name]]
        left = len(order) - place
        candidates = empty if len(empty) >= left else list(shares)
        chosen = max(candidates, key=lambda name: shares[name] / total - filled[name] / len(turns))
        filled[chosen] += sizes[number]
        split |= dict.fromkeys(members[number], chosen)
    return split


def write_splits(corpus: Corpus, split: Mapping[str, str]) -> None:
    """Put each dialogue's split into its lines of the manifest; the features stay valid."""
    turns = [turn.model_copy(update={"split": split[turn.dialogue]}) for turn in corpus.turns()]
    write_manifest(corpus.manifest, turns)

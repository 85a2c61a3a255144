"""Words of American English and their phones, from CMUdict, looked up in one sorted text: 4 MB of memory.

`lexicon.txt.xz` is made by the `pronunciation` recipe: lines of a word and its phones, vowels with stress 0, 1 or 2.
`pronunciations.txt` is written by hand and goes before it.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Phones = tuple[str, ...]
Use = Literal["verb", "participle"]

_BEFORE_VERBS: Final = """
to i you we they he she it who will would can could should must may might shall let's don't doesn't didn't
can't won't couldn't wouldn't shouldn't please i'll you'll we'll they'll he'll she'll i'd you'd we'd they'd
not never always people and
"""
_VERBS_FOLLOW: Final = frozenset(_BEFORE_VERBS.split())
_BEFORE_PARTICIPLES: Final = """
have has had having been was were is are be being i've you've we've they've hasn't haven't hadn't already
"""
_PARTICIPLES_FOLLOW: Final = frozenset(_BEFORE_PARTICIPLES.split())


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """Looked up by lower-case word."""

    text: bytes
    """Lines in order of their bytes, each ending in a newline"""
    first: Mapping[str, Phones]
    """What goes before the text"""
    uses: Mapping[tuple[str, Use], Phones]
    """Homographs that a neighbouring word tells apart"""

    def __contains__(self, word: str) -> bool:
        return word in self.first or self._found(word) is not None

    def phones(self, word: str, before: str = "") -> Phones | None:
        """Phones of a word after another word; None if it is unknown."""
        if before in _VERBS_FOLLOW and (said := self.uses.get((word, "verb"))):
            return said
        if before in _PARTICIPLES_FOLLOW and (said := self.uses.get((word, "participle"))):
            return said
        return self.first.get(word) or self._found(word)

    def _found(self, word: str) -> Phones | None:
        """By halving: the place is always the beginning of a line."""
        wanted = word.encode() + b" "
        low, high = 0, len(self.text)
        while low < high:
            line = self.text.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = self.text.index(b"\n", line)
            if self.text.startswith(wanted, line):
                return tuple(self.text[line + len(wanted) : end].decode().split())
            if self.text[line:end] < wanted:
                low = end + 1
            else:
                high = line
        return None


@cache
def shipped() -> Lexicon:
    """The lexicon that comes with the package; about 60 ms the first time."""
    folder = files("tandem_models")
    text = lzma.decompress(folder.joinpath("lexicon.txt.xz").read_bytes())
    first, uses = _by_hand(folder.joinpath("pronunciations.txt").read_text("utf-8"))
    return Lexicon(text, first, uses)


def _by_hand(text: str) -> tuple[dict[str, Phones], dict[tuple[str, Use], Phones]]:
    first: dict[str, Phones] = {}
    uses: dict[tuple[str, Use], Phones] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        plain, *others = line.split(" | ")
        word, *phones = plain.split()
        first[word] = tuple(phones)
        for other in others:
            use, *phones = other.split()
            uses[word, "verb" if use == "verb" else "participle"] = tuple(phones)
    return first, uses

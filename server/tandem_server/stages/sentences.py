"""Pieces of a reply in, speakable phrases out, each as soon as it is whole.

A phrase ends between two words; the word before and the first sign of the one after decide. So the phrases depend on
the text alone, not on how it was cut into pieces, and `"".join(phrases) == clean(text)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tandem_server.stages.markup import Markup, Spoken

FIRST_CLAUSE_WORDS: Final = 4
"""The first phrase may end at a comma once it has this many words, so that the voice starts early."""
MAX_CHARACTERS: Final = 220
"""A phrase longer than this (about 15 s of speech) is cut, so that a run-on sentence never waits."""

NEVER_LAST: Final = frozenset(  # a word list reads better as words
    "mr mrs ms mx dr prof rev hon gen col maj capt cpt lt sgt gov sen rep pres st mt ft messrs "  # noqa: SIM905
    "vs cf eg ie e.g i.e viz ca approx incl al dept univ".split()
)
"""Abbreviations after which a sentence goes on, without their last full stop."""
LAST_UNLESS_NUMBER: Final = frozenset(
    "no nos p pp vol ch art fig figs eq sec par jan feb mar apr jun jul aug sep sept oct nov dec tel ext".split()  # noqa: SIM905
)
"""Words or abbreviations: 'No. 5' goes on, 'No. Not me.' does not."""

CLOSING: Final = "\"'”’»)]}"
OPENING: Final = "\"'“‘«([{¿¡"
DOTTED: Final = re.compile(r"[^\W\d_]{1,2}(?:\.[^\W\d_]{1,2})+")
"""Ph.D, a.m, U.S.A: letters with full stops between."""
ORDINAL: Final = re.compile(r"\d{1,3}[.)]$")
"""The number of a list item, when it opens a phrase."""


class PhraseSplitter:
    """`feed` each piece of one reply in order, then `flush` once; both give the phrases that have become whole."""

    def __init__(self) -> None:
        self._markup = Markup()
        self._words: list[Spoken] = []
        self._phrases = 0

    def feed(self, piece: str) -> list[str]:
        """Phrases that can be spoken now. Every phrase but the reply's first begins with the space that parts them."""
        phrases = [phrase for word in self._markup.feed(piece) for phrase in self._add(word)]
        following = self._markup.peek()
        if following is not None and self._ends_before(following):
            phrases += self._take(len(self._words))
        return phrases

    def flush(self) -> list[str]:
        """What is left at the end of the reply."""
        phrases = [phrase for word in self._markup.flush() for phrase in self._add(word)]
        return phrases + self._take(len(self._words))

    def _add(self, word: Spoken) -> list[str]:
        phrases = []
        if word.breaks or self._is_early_clause(word) or (not word.glued and self._ends_before(word.first)):
            phrases += self._take(len(self._words))
        if sum(len(each.text) + 1 for each in self._words) + len(word.text) > MAX_CHARACTERS:
            phrases += self._take(longest_clause(self._words))
        self._words.append(word)
        # A comma needs no look at what follows: the early phrase leaves with the word that carries it.
        if self._phrases == 0 and len(self._words) >= FIRST_CLAUSE_WORDS and ends_clause(word.text):
            phrases += self._take(len(self._words))
        return phrases

    def _ends_before(self, following: str) -> bool:
        """Whether the open phrase is a sentence, given the first letter, digit or sign of the next word."""
        if not self._words:
            return False
        last = self._words[-1].text
        if len(self._words) == 1 and ORDINAL.fullmatch(last):
            return False
        return ends_sentence(last, following)

    def _is_early_clause(self, following: Spoken) -> bool:
        return self._phrases == 0 and len(self._words) >= FIRST_CLAUSE_WORDS and following.text in ("—", "–", "-")

    def _take(self, count: int) -> list[str]:
        """Cut the first `count` open words off as a phrase; none when there are none."""
        if count == 0:
            return []
        taken, self._words = self._words[:count], self._words[count:]
        phrase = "".join(("" if word.glued else " ") + word.text for word in taken)
        self._phrases += 1
        return [phrase.removeprefix(" ") if self._phrases == 1 else phrase]


def ends_sentence(last: str, following: str) -> bool:
    """Whether a sentence ends after the word `last` when the next one begins with the sign `following`."""
    bare = last.rstrip(CLOSING)
    quoted = bare != last
    if bare.endswith(("!", "?", "…", "...")):
        # "What?" she said; well... maybe
        return not following.islower() or (not quoted and bare[-1] in "!?")
    if bare.endswith(":"):
        return False
    return bare.endswith(".") and not (quoted and following.islower()) and not is_abbreviation(bare, following)


def is_abbreviation(word: str, following: str) -> bool:
    """Whether the full stop of `word` belongs to an abbreviation inside a sentence."""
    stem = word.lstrip(OPENING)[:-1]
    if DOTTED.fullmatch(stem):
        # 'at 5 p.m. We left' ends; 'the U.S. Army' must not, and nothing short of reading on can tell.
        return not (stem.lower() in ("a.m", "p.m") and following.isupper())
    if len(stem) == 1 and stem.isupper() and stem != "I":
        return True
    return (
        stem.lower() in NEVER_LAST
        or (stem.lower() == "etc" and following.islower())
        or (stem.lower() in LAST_UNLESS_NUMBER and following.isdigit())
    )


def ends_clause(word: str) -> bool:
    """Whether a speaker could pause after this word."""
    return word.rstrip(CLOSING).endswith((",", ";", ":", "—", "–"))


def longest_clause(words: list[Spoken]) -> int:
    """How many of the words to speak first when all are too long for one phrase: to the last clause, or all."""
    ends = [count for count, word in enumerate(words, 1) if ends_clause(word.text) and count >= len(words) // 3]
    return ends[-1] if ends else len(words)


def phrases(pieces: Iterable[str]) -> list[str]:
    """All phrases of a whole reply."""
    splitter = PhraseSplitter()
    return [phrase for piece in pieces for phrase in splitter.feed(piece)] + splitter.flush()


def clean(text: str) -> str:
    """The text as it is spoken: no markup, no emoji, no code, single spaces."""
    markup = Markup()
    words = markup.feed(text) + markup.flush()
    return "".join(("" if word.glued else " ") + word.text for word in words).removeprefix(" ")

"""What a language model writes -> the words a voice should say: markdown, code, links and emoji are left unspoken."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

MAX_WORD: Final = 200
"""Characters; a longer run without a space is cut, so that nothing is held for ever."""

UNIT: Final = re.compile(rf"(\s*)(\S{{1,{MAX_WORD}}})")
FENCE: Final = "```"
LINE_MARKS: Final = re.compile(r"[-*+•‣◦]|#{1,6}|>+|\|")
"""Whole words at the start of a line: bullet, heading, quotation, table."""
RULE: Final = re.compile(r"[-=*_|:+]{3,}")
"""A line across the page, or under a table's head."""
LINK_TARGET: Final = re.compile(r"\]\([^)\s]*\)")
OPEN_TARGET: Final = re.compile(r"\]\([^)\s]*$")
"""A link whose title follows after a space."""
ADDRESS: Final = re.compile(r"<?https?://(?:www\.)?([\w.-]*\w)[^\s<>\"')\]]*?(?=[.,;:!?]*[)>\"'\]]*[.,;:!?]*$)>?")
TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
TIMES: Final = re.compile(r"(?<=\d)\*(?=\d)")
EMPHASIS: Final = re.compile(r"[*`\[\]]|~~|(?<!\w)_+|_+(?!\w)")
UNSPOKEN: Final = frozenset({"So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "Me"})
"""Unicode categories: pictures, modifiers, control and format signs, what is not a character at all."""
TRAILING: Final = ".,;:!?…)"
KEPT: Final = frozenset("°™®©")


@dataclass(frozen=True, slots=True)
class Spoken:
    """One word to be said."""

    text: str
    first: str
    """First sign of the word as it was written, without marks of emphasis: what a sentence boundary is judged by."""
    breaks: bool
    """A paragraph, a list item or a heading begins here."""
    glued: bool
    """No space before it: the tail of a very long run, or punctuation that lost its word."""


class Markup:
    """`feed` the pieces of one reply in order, then `flush` once; a word is whole when a space follows it."""

    def __init__(self) -> None:
        self._raw = ""
        self._in_code = False
        self._in_target = False
        self._breaks = False
        self._line_start = True
        self._started = False

    def feed(self, piece: str) -> list[Spoken]:
        """The words this piece has completed."""
        self._raw += piece
        units = []
        position = 0
        while (unit := UNIT.match(self._raw, position)) and unit.end() < len(self._raw):
            units.append(unit.groups())
            position = unit.end()
        self._raw = self._raw[position:]
        return [word for gap, text in units if (word := self._word(gap, text)) is not None]

    def flush(self) -> list[Spoken]:
        """The last word, if any."""
        unit = UNIT.match(self._raw)
        word = self._word(*unit.groups()) if unit else None
        self._raw = ""
        return [] if word is None else [word]

    def peek(self) -> str | None:
        """First sign of the word that is coming in, when it is certain to be spoken and not to begin a line."""
        gap = re.match(r"\s+", self._raw)
        if gap is None or "\n" in gap.group() or self._in_code or self._in_target or self._breaks:
            return None
        following = self._raw[gap.end() : gap.end() + 1]
        return following if following.isalnum() else None

    def _word(self, gap: str, raw: str) -> Spoken | None:
        """The unit without its markup; None when nothing of it is spoken."""
        glued = not gap and self._started and not self._breaks
        self._started = True
        at_line_start = self._line_start or "\n" in gap
        self._line_start = False
        if "\n" in gap:
            # A lone line end before a small letter is a wrapped line, not a new thought.
            self._breaks = self._breaks or gap.count("\n") > 1 or not raw[0].islower()
        text = self._without_code(raw)
        if not self._in_code and at_line_start and (LINE_MARKS.fullmatch(text) or RULE.fullmatch(text)):
            self._breaks, self._line_start = True, True
            return None
        text = spoken(self._without_target(text))
        if not text:
            return None
        # What a picture or a link's address has left behind belongs to the word before it.
        glued = glued or (not self._breaks and text.strip(TRAILING) == "")
        word = Spoken(text, first_sign(raw), self._breaks, glued)
        self._breaks = False
        return word

    def _without_code(self, raw: str) -> str:
        """Drop what is inside code fences; a fence is also a break."""
        kept = ""
        for position, part in enumerate(raw.split(FENCE)):
            if position:
                self._in_code = not self._in_code
                self._breaks = True
            kept += "" if self._in_code else part
        return kept

    def _without_target(self, text: str) -> str:
        """Drop the addresses of links, whose text is spoken."""
        if self._in_target:
            _, closed, text = text.partition(")")
            self._in_target = not closed
        text = LINK_TARGET.sub("", text)
        if OPEN_TARGET.search(text):
            self._in_target = True
            text = OPEN_TARGET.sub("", text)
        return text


def spoken(word: str) -> str:
    """One word without emphasis, brackets, tags and pictures; a bare address becomes its host."""
    if word == "*":
        return "×"
    word = ADDRESS.sub(r"\1", word.replace("![", ""))
    word = EMPHASIS.sub("", TIMES.sub("×", TAG.sub("", word)))
    word = "" if word.strip("|") == "" else word
    return "".join(sign for sign in word if sign in KEPT or unicodedata.category(sign) not in UNSPOKEN)


def first_sign(raw: str) -> str:
    """First sign after marks of emphasis and opening quotes; the very first when there is nothing else."""
    bare = raw.lstrip("*_~`\"'“‘«([{¿¡!")
    return (bare or raw)[0]

"""Text as an engine may be given it: no control characters, no endless pieces. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 300
"""Characters of one piece: about 20 s of speech, so that a page does not delay its first word."""

_BREAKS: Final = (re.compile(r"[.!?…。！？]+[\"')\]]*\s"), re.compile(r"[,;:—–]\s"), re.compile(r"\s"))
"""Where a long text may be cut, best first."""
_UNSPEAKABLE: Final = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that no engine should see: controls (NUL too), lone surrogates, private and unassigned."""


def clean(text: str) -> str:
    """The text in NFC with what cannot be spoken turned into spaces, and with single spaces."""
    spaced = "".join(" " if unicodedata.category(c) in _UNSPEAKABLE else c for c in unicodedata.normalize("NFC", text))
    return " ".join(spaced.split())


def pieces(text: str, longest: int = LONGEST) -> Iterator[str]:
    """The text in pieces of at most `longest` characters, cut after a sentence, else a clause, else a word."""
    while len(text) > longest:
        cut = next(
            (ends[-1] for ends in ([m.end() for m in r.finditer(text, 0, longest)] for r in _BREAKS) if ends), longest
        )
        if head := text[:cut].strip():
            yield head
        text = text[cut:]
    if tail := text.strip():
        yield tail


def tokens(text: str) -> list[tuple[int, int]]:
    """Where each run without spaces begins and ends (characters)."""
    return [match.span() for match in re.finditer(r"\S+", text)]

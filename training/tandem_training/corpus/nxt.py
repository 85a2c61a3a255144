"""NITE XML: words in one file for each speaker, everything else pointing at them by `FILE#id(a)..id(b)`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import read_xml, seconds

NITE: Final = "{http://nite.sourceforge.net/}"
_LINK: Final = re.compile(r"[^#]*#id\(([^)]+)\)(?:\.\.id\(([^)]+)\))?")


class TimedWord(NamedTuple):
    """A word and its place among all that stands in the file, noises too."""

    word: str
    start: float
    end: float
    place: int


class WordFile(NamedTuple):
    """One speaker's words in order, and the place of every id."""

    words: list[TimedWord]
    places: dict[str, int]


def read_words(path: Path, tag: str, start: str, end: str) -> WordFile:
    """The words are elements called `tag` with times in the attributes `start` and `end`; those without text or times,
    and punctuation, are left out. Raises CorpusError."""
    words, places = list[TimedWord](), dict[str, int]()
    for place, element in enumerate(read_xml(path).iter()):
        name = identity(element)
        places[name] = place
        text = "".join(element.itertext()).strip()
        begin, stop = element.get(start), element.get(end)
        if element.tag == tag and text and begin is not None and stop is not None and element.get("punc") != "true":
            where = f"{path.name}, {name}"
            words.append(TimedWord(text, seconds(begin, where), seconds(stop, where), place))
    return WordFile(words, places)


def identity(element: Element) -> str:
    """Its id, with or without the name space."""
    return element.get(f"{NITE}id") or element.get("id") or ""


def covered(element: Element, words: WordFile, where: str) -> Sequence[int]:
    """The places that an element points at; empty if at none. Raises CorpusError for a link that leads nowhere."""
    for child in element.findall(f"{NITE}child"):
        match = _LINK.fullmatch(child.get("href", ""))
        ends = (match[1], match[2] or match[1]) if match else ("", "")
        if match is None or ends[0] not in words.places or ends[1] not in words.places:
            raise CorpusError(f"{where}, {identity(element)}: {child.get('href')!r} leads to no word")
        return range(words.places[ends[0]], words.places[ends[1]] + 1)
    return ()

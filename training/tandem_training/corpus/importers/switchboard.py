"""Switchboard-1 Release 2 (LDC97S62) with the Mississippi State transcripts: two sides, words with times.

Transcript `sw2001A-ms98-a-word.text`: lines `sw2001A-ms98-a-0002 0.977625 1.185625 hi`; [silence], [noise] and the like
are not words. Audio `sw02001.sph`, side A in channel 0. The callers' numbers are in `call_con_tab.csv` of the LDC's
documentation: conversation, side, caller (its layout from memory and from published readers of it).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Final

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_lines, seconds
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Sounds, Track, heard
from tandem_training.corpus.words import units

_FILE: Final = re.compile(r"sw(\d{4})([AB])-ms98-a-word")
_NO_WORD: Final = re.compile(r"\[(?!laughter-)[^\]/]*\]$|<[^>]*>$")
"""[noise], [silence], [vocalized-noise], <b_aside>; [laughter-yeah] is a word said laughing"""
_CLEAN: Final = (
    (re.compile(r"\[laughter-(.*)\]"), r"\1"),
    (re.compile(r"\[([^/\]]*)/([^\]]*)\]"), r"\2"),  # [wrong/right]: a slip, and what was meant
    (re.compile(r"[\[\]{}]|_\d+$"), ""),  # parts not said [re]member-, coinages {}, the_1
)


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    callers = _callers(root)
    sides: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for path in find(root, "sw????[AB]-ms98-a-word.text", "Switchboard transcript"):
        if match := _FILE.fullmatch(path.stem):
            sides[match[1]][match[2]] = path
    return [Planned(f"sw{number}", partial(_read, number, files, sounds, callers)) for number, files in sides.items()]


def _read(number: str, files: dict[str, Path], sounds: Sounds, callers: dict[tuple[str, str], str]) -> Dialogue:
    if len(files) < 2:
        raise CorpusError(f"only side {', '.join(files)} has a transcript")
    audio = sounds.named(f"sw0{number}") or sounds.named(f"sw{number}")
    segments: list[Segment] = []
    for channel, side in enumerate("AB"):
        # Without the table nobody knows who calls twice: the side is then a speaker of its own.
        speaker = callers.get((number, side), f"sw{number}{side}")
        like = heard(Segment(speaker, role=side), Track(audio, channel) if audio else None)
        segments += units(_words(files[side]), like)
    return Dialogue(f"sw{number}", segments, lang="en", license="LDC97S62")


def _words(path: Path) -> list[Word]:
    found = []
    for number, line in read_lines(path):
        fields = line.split()
        if not fields:
            continue
        where = f"{path.name}, line {number}"
        if len(fields) != 4:
            raise CorpusError(f"{where}: utterance, start, end and word are wanted")
        word = fields[3]
        if _NO_WORD.match(word):
            continue
        for pattern, instead in _CLEAN:
            word = pattern.sub(instead, word)
        if word.strip("-"):
            found.append((word, seconds(fields[1], where), seconds(fields[2], where)))
    return found


def _callers(root: Path) -> dict[tuple[str, str], str]:
    """(conversation, side) -> speaker."""
    table = next(iter(sorted(root.rglob("call_con_tab.csv"))), None) if root.is_dir() else None
    if table is None:
        return {}
    lines = (line for _, line in read_lines(table, "latin-1"))
    rows = csv.reader(lines, skipinitialspace=True)
    return {(row[0].strip(), row[1].strip()): f"sw{row[2].strip()}" for row in rows if len(row) > 2}

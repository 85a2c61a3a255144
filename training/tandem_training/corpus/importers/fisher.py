"""Fisher English (LDC2004S13/T19, 2005S13/T19): utterances with times, `3.76 5.54 A: text`, and two-channel SPHERE.

The callers' numbers (PINs) and sex are in `fe_03_p?_calldata.tbl`: CALL_ID,...,APIN,ASX.DL,...,BPIN,BSX.DL,...
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_lines, read_table, seconds
from tandem_training.corpus.pairing import Sounds, Track, heard

_LINE: Final = re.compile(r"(\S+) (\S+) ([AB])[\w-]*: ?(.*)")
_NO_WORD: Final = re.compile(r"\(\(|\)\)|\[\[?[^\]]*\]\]?|~(?=\w)")
"""(( )) around what was hard to hear, [laughter], ~ before letters that are spelt"""


class Caller(NamedTuple):
    """One side of a call."""

    speaker: str
    gender: str | None


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    callers = _callers(root)
    paths = find(root, "fe_03_?????.txt", "Fisher transcript")
    return [Planned(path.stem, partial(_read, path, sounds, callers)) for path in paths]


def _read(path: Path, sounds: Sounds, callers: dict[tuple[str, str], Caller]) -> Dialogue:
    audio = sounds.named(path.stem)
    segments = []
    for number, line in read_lines(path):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{path.name}, line {number}"
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise CorpusError(f"{where}: `start end A: text` is wanted")
        side = match[3]
        # Without the table nobody knows who calls twice: the side is then a speaker of its own.
        caller = callers.get((path.stem[-5:], side), Caller(f"{path.stem}{side}", None))
        segment = Segment(
            caller.speaker,
            " ".join(_NO_WORD.sub(" ", match[4]).split()) or None,
            seconds(match[1], where),
            seconds(match[2], where),
            role=side,
            gender=caller.gender,
        )
        segments.append(heard(segment, Track(audio, "AB".index(side)) if audio else None))
    return Dialogue(path.stem, segments, lang="en", license="LDC2004S13")


def _callers(root: Path) -> dict[tuple[str, str], Caller]:
    """(call, side) -> caller."""
    found: dict[tuple[str, str], Caller] = {}
    for table in sorted(root.rglob("*calldata.tbl")) if root.is_dir() else []:
        for _, row in read_table(table):
            for side in "ab":
                pin, kind = row.get(f"{side}pin", "").strip(), row.get(f"{side}sx.dl", "").strip()
                if pin:
                    gender = kind[0] if kind[:1] in {"m", "f"} else None
                    found[row["call_id"].strip(), side.upper()] = Caller(f"fe{pin}", gender)
    return found

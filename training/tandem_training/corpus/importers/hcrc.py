"""HCRC Map Task (Anderson et al. 1991), NXT edition: 128 dialogues of an instruction giver and a follower.

`q1ec1.g.timed-units.xml`: <tu id start end>word</tu>; `q1ec1.g.moves.xml`: <move label="instruct"> pointing at them;
`q1ec1.mix.wav` with the giver in channel 0. The eight dialogues of a quad (q1ec, q1nc and so on) share four speakers;
the files do not say who is who, so each dialogue has speakers of its own and the quad is the group that holds it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_xml
from tandem_training.corpus.nxt import WordFile, covered, read_words
from tandem_training.corpus.pairing import Sounds, Track, heard
from tandem_training.corpus.words import units

_FILE: Final = re.compile(r"(q\d(?:ec|nc)\d)\.([gf])\.timed-units")
_ROLES: Final = {"g": "giver", "f": "follower"}


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    sides: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for path in find(root, "*.timed-units.xml", "Map Task transcript"):
        if match := _FILE.fullmatch(path.stem):
            sides[match[1]][match[2]] = path
    moves = {path.name: path for path in root.rglob("*.moves.xml")} if root.is_dir() else {}
    return [Planned(name, partial(_read, name, files, moves, sounds)) for name, files in sides.items()]


def _read(name: str, files: dict[str, Path], moves: dict[str, Path], sounds: Sounds) -> Dialogue:
    if len(files) < 2:
        raise CorpusError(f"only the {_ROLES[next(iter(files))]} has a transcript")
    audio = sounds.named(f"{name}.mix") or sounds.named(name)
    segments: list[Segment] = []
    for channel, side in enumerate("gf"):
        words = read_words(files[side], "tu", "start", "end")
        marked = moves.get(f"{name}.{side}.moves.xml")
        acts = _acts(marked, words) if marked else {}
        like = heard(Segment(side, role=_ROLES[side]), Track(audio, channel) if audio else None)
        by_start = {word.start: acts.get(word.place) for word in words.words}
        for unit in units([(word.word, word.start, word.end) for word in words.words], like):
            said = Counter(act for _, start, _ in unit.words or () if (act := by_start[start]))
            segments.append(replace(unit, act=said.most_common(1)[0][0] if said else None))
    return Dialogue(name, segments, lang="en", license="CC BY-NC-SA 2.5", group=name[:4], local_speakers=True)


def _acts(path: Path, words: WordFile) -> dict[int, str]:
    """Place of a word -> the move it is in."""
    found: dict[int, str] = {}
    for move in read_xml(path).iter("move"):
        if label := move.get("label"):
            found |= dict.fromkeys(covered(move, words, path.name), label)
    return found

"""A list of words for each speaker: `ID-SPEAKER.words` with lines `start end word`, # for silence; `ID-SPEAKER.wav`.

As in the UBA Games corpus and the Columbia line of work that it follows.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Final

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_lines, seconds
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Sounds, heard
from tandem_training.corpus.words import units

_SILENCE: Final = "#"


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    sides: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for path in find(root if root.is_dir() else root.parent, "*.words", "word list"):
        name, joint, speaker = path.stem.rpartition("-")
        if not joint:
            raise CorpusError(f"{path.name} does not say who speaks; call it ID-SPEAKER.words")
        sides[name][speaker] = path
    return [Planned(name, partial(_read, name, files, sounds, options)) for name, files in sides.items()]


def _read(name: str, files: dict[str, Path], sounds: Sounds, options: Options) -> Dialogue:
    tracks = sounds.tracks(name, sorted(files))
    segments: list[Segment] = []
    for speaker, path in files.items():
        segments += units(_words(path, options.encoding), heard(Segment(speaker, role=speaker), tracks.get(speaker)))
    return Dialogue(name, segments, local_speakers=True)


def _words(path: Path, encoding: str | None) -> list[Word]:
    found = []
    for number, line in read_lines(path, encoding):
        fields = line.split(maxsplit=2)
        if not fields:
            continue
        where = f"{path.name}, line {number}"
        if len(fields) < 3:
            raise CorpusError(f"{where}: start, end and word are wanted")
        if fields[2] != _SILENCE:
            found.append((fields[2].strip(), seconds(fields[0], where), seconds(fields[1], where)))
    return found

"""Word lists as JSON: `[{"speaker", "word", "start", "end"}, ...]`, seconds, in any order, a file a dialogue."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_json, seconds
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Sounds, heard
from tandem_training.corpus.words import units


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    return [Planned(path.name, partial(_read, path, sounds)) for path in find(root, "*.json", "word list")]


def read_words(path: Path) -> dict[str, list[Word]]:
    """Speaker -> words, in the order in which speakers are named. Raises CorpusError."""
    content = read_json(path)
    if not isinstance(content, list):
        raise CorpusError(f"{path.name}: a list of words is wanted, each with speaker, word, start and end")
    found: defaultdict[str, list[Word]] = defaultdict(list)
    for number, entry in enumerate(content):
        where = f"{path.name}, word {number}"
        if not isinstance(entry, dict) or not {"speaker", "word", "start", "end"} <= entry.keys():
            raise CorpusError(f"{where}: speaker, word, start and end are wanted")
        if word := str(entry["word"]).strip():
            found[str(entry["speaker"])].append((word, seconds(entry["start"], where), seconds(entry["end"], where)))
    return dict(found)


def _read(path: Path, sounds: Sounds) -> Dialogue:
    words = read_words(path)
    tracks = sounds.tracks(path.stem, sorted(words))
    segments: list[Segment] = []
    for speaker, said in words.items():
        segments += units(said, heard(Segment(speaker, role=speaker), tracks.get(speaker)))
    return Dialogue(path.stem, segments, local_speakers=True)

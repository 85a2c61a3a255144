"""SpokenWOZ (Si et al. 2023, CC BY-NC 4.0): stereo telephone dialogues, user in channel 0, agent in channel 1.

`text/ID.json`, lists of words, as its samples come; or the release's `data.json` {ID: {"log": [{"tag", "text", "words":
[{"Word", "BeginTime", "EndTime"}]}]}}, milliseconds (from memory). Word times are spread evenly over a segment. 250
people made 5,700 dialogues and it does not say who made which: they are one group, which no split parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_json, seconds
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Sounds, Track, heard
from tandem_training.corpus.words import units

_SIDES: Final = {"A": ("user", 0), "B": ("agent", 1)}
_TAGS: Final = {"user": "A", "system": "B"}


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    release = root / "data.json"
    if release.is_file():
        logs = read_json(release)
        return [Planned(name, partial(_from_log, name, entry, sounds)) for name, entry in logs.items()]
    paths = find(root / "text" if (root / "text").is_dir() else root, "*.json", "SpokenWOZ transcript")
    return [Planned(path.stem, partial(_from_words, path, sounds)) for path in paths]


def _from_words(path: Path, sounds: Sounds) -> Dialogue:
    words: defaultdict[str, list[Word]] = defaultdict(list)
    for number, entry in enumerate(read_json(path)):
        where = f"{path.name}, word {number}"
        times = seconds(entry["start"], where), seconds(entry["end"], where)
        words[entry["speaker"]].append((str(entry["word"]), *times))
    return _dialogue(path.stem, words, sounds)


def _from_log(name: str, entry: Mapping[str, Any], sounds: Sounds) -> Dialogue:
    words: defaultdict[str, list[Word]] = defaultdict(list)
    for number, said in enumerate(entry["log"]):
        for word in said.get("words") or ():
            where = f"{name}, turn {number}"
            start, end = seconds(word["BeginTime"], where), seconds(word["EndTime"], where)
            words[_TAGS[said["tag"]]].append((str(word["Word"]), start / 1000.0, end / 1000.0))
    return _dialogue(name, words, sounds)


def _dialogue(name: str, words: Mapping[str, list[Word]], sounds: Sounds) -> Dialogue:
    unknown = set(words) - set(_SIDES)
    if unknown:
        raise CorpusError(f"speaker {sorted(unknown)[0]!r} is neither A nor B")
    audio = sounds.named(name)
    segments: list[Segment] = []
    for side, said in words.items():
        role, channel = _SIDES[side]
        segments += units(said, heard(Segment(side, role=role), Track(audio, channel) if audio else None))
    return Dialogue(name, segments, lang="en", license="CC BY-NC 4.0", group="spokenwoz", local_speakers=True)

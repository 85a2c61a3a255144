"""NIST CTM: words with times, `FILE CHANNEL START DURATION WORD [CONFIDENCE]`; who said them by RTTM, else by channel.

Channels are as NIST writes them: A and B, or from 1.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.nist import Spoken, read_ctm, read_rttm
from tandem_training.corpus.pairing import Sounds, heard
from tandem_training.corpus.words import units


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    words: defaultdict[str, list[Spoken]] = defaultdict(list)
    turns: defaultdict[str, list[Spoken]] = defaultdict(list)
    for path in find(root, "*.ctm", "CTM file"):
        for word in read_ctm(path, options.encoding):
            words[word.file].append(word)
    folder = root if root.is_dir() else root.parent
    for path in sorted(folder.rglob("*.rttm")):
        for turn in read_rttm(path, options.encoding):
            turns[turn.file].append(turn)
    return [Planned(name, partial(_dialogue, name, some, turns.get(name, []), sounds)) for name, some in words.items()]


def _dialogue(name: str, words: list[Spoken], turns: list[Spoken], sounds: Sounds) -> Dialogue:
    said: defaultdict[str, list[Word]] = defaultdict(list)
    for word in words:
        speaker = _speaker(word, turns) if turns else word.channel
        said[speaker].append((word.word, word.start, word.end))
    tracks = sounds.tracks(name, sorted(said))
    segments: list[Segment] = []
    for speaker, mine in said.items():
        segments += units(mine, heard(Segment(speaker, role=speaker), tracks.get(speaker)))
    return Dialogue(name, segments, local_speakers=True)


def _speaker(word: Spoken, turns: list[Spoken]) -> str:
    """Who of those speaking in the word's channel is speaking for most of it."""
    shared: defaultdict[str, float] = defaultdict(float)
    for turn in turns:
        if turn.channel == word.channel or len({one.channel for one in turns}) == 1:
            shared[turn.speaker] += max(0.0, min(word.end, turn.end) - max(word.start, turn.start))
    best = max(shared, key=lambda name: shared[name], default=None)
    if best is None or shared[best] <= 0.0:
        raise CorpusError(f"nobody speaks in the RTTM at {word.start:g} s, where the CTM has {word.word!r}")
    return best

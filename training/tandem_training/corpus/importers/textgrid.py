"""Praat TextGrids: a tier a speaker, with `NAME - words` tiers as forced aligners write them; or, when they are said to
be paired, `ID-SPEAKER.TextGrid` a speaker, of which the tier `words` has words and any other utterances.

In Praat's text formats, long and short, only numbers, strings in quotation marks and flags in angle brackets count;
all else is comment. (Praat manual, "TextGrid file formats".) The binary format is not read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_text
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Sounds, heard
from tandem_training.corpus.words import attach, units

_TOKEN: Final = re.compile(r'"((?:[^"]|"")*)"|(?<![^\s])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![^\s])|<(exists|absent)>')
_SILENCE: Final = frozenset({"", "#", "sp", "sil", "<sil>", "<p:>", "_", "-"})
_WORDS: Final = re.compile(r"(?:(?P<speaker>.*?)[\s_-]+)?words?", re.IGNORECASE)
_PHONES: Final = re.compile(r"(?:.*[\s_-])?(?:phones?|phonemes?|syllables?)", re.IGNORECASE)
_SIDE: Final = re.compile(r"(.+)[-_.]([^-_.]+)")


class Tier(NamedTuple):
    """An interval tier."""

    name: str
    intervals: tuple[Word, ...]
    """(label, start, end), silence left out"""


class Side(NamedTuple):
    """What one speaker says, in whichever way it is known."""

    utterances: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    paths = find(root, "*.TextGrid", "TextGrid")
    if not options.paired:
        return [Planned(path.name, partial(_one_file, path, sounds, options)) for path in paths]
    files: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for path in paths:
        match = _SIDE.fullmatch(path.stem)
        if match is None:
            raise CorpusError(
                f"{path.name} does not say who speaks; call it ID-SPEAKER.TextGrid, or leave out --paired"
            )
        files[match[1]][match[2]] = path
    return [Planned(name, partial(_paired, name, some, sounds, options)) for name, some in files.items()]


def read_tiers(path: Path, encoding: str | None = None) -> list[Tier]:
    """The interval tiers. Raises CorpusError for what is no TextGrid."""
    text = read_text(path, encoding)
    if "ooTextFile" not in text[:200]:
        raise CorpusError(f"{path.name} is no TextGrid in a text format; save it from Praat as a text file")
    try:
        return list(_tiers(_tokens(text)))
    except (StopIteration, RuntimeError, ValueError) as error:  # RuntimeError: a generator that ran out of tokens
        raise CorpusError(f"{path.name} ends in the middle, or is no TextGrid; save it from Praat again") from error


def _tokens(text: str) -> Iterator[str]:
    """Strings with a leading quotation mark, numbers without."""
    for match in _TOKEN.finditer(re.sub(r"(?m)^(File type|Object class) *= *", "", text)):
        if match[1] is not None:
            yield '"' + match[1].replace('""', '"')
        else:
            yield match[2] if match[2] is not None else f"<{match[3]}>"


def _tiers(tokens: Iterator[str]) -> Iterator[Tier]:
    if [next(tokens), next(tokens)] != ['"ooTextFile', '"TextGrid']:
        raise ValueError
    next(tokens), next(tokens)  # from, to
    if next(tokens) != "<exists>":
        return
    for _ in range(int(next(tokens))):
        kind, name = next(tokens), next(tokens)[1:]
        next(tokens), next(tokens)
        count = int(next(tokens))
        if kind == '"IntervalTier':
            rows = [(float(next(tokens)), float(next(tokens)), next(tokens)) for _ in range(count)]
            said = [(label[1:].strip(), start, end) for start, end, label in rows]
            yield Tier(name, tuple(row for row in said if row[0].lower() not in _SILENCE))
        else:
            for _ in range(2 * count):
                next(tokens)


def _one_file(path: Path, sounds: Sounds, options: Options) -> Dialogue:
    sides: defaultdict[str, Side] = defaultdict(Side)
    for tier in read_tiers(path, options.encoding):
        match = _WORDS.fullmatch(tier.name)
        if match is not None and match["speaker"] is None and tier.intervals:
            raise CorpusError(f"tier {tier.name!r} does not say whose; call it `NAME - words`, or see --paired")
        if match is not None and match["speaker"] is not None:
            sides[match["speaker"]] = sides[match["speaker"]]._replace(words=tier.intervals)
        elif not _PHONES.fullmatch(tier.name):
            sides[tier.name] = sides[tier.name]._replace(utterances=tier.intervals)
    return _dialogue(path.stem, sides, sounds)


def _paired(name: str, files: dict[str, Path], sounds: Sounds, options: Options) -> Dialogue:
    sides: dict[str, Side] = {}
    for speaker, path in files.items():
        tiers = [tier for tier in read_tiers(path, options.encoding) if not _PHONES.fullmatch(tier.name)]
        words = tuple(word for tier in tiers if _WORDS.fullmatch(tier.name) for word in tier.intervals)
        said = tuple(one for tier in tiers if not _WORDS.fullmatch(tier.name) for one in tier.intervals)
        sides[speaker] = Side(said, words)
    return _dialogue(name, sides, sounds)


def _dialogue(name: str, sides: Mapping[str, Side], sounds: Sounds) -> Dialogue:
    heard_of = {speaker: side for speaker, side in sides.items() if side.utterances or side.words}
    if not heard_of:
        raise CorpusError("no interval tier has text in it")
    tracks = sounds.tracks(name, list(heard_of))
    segments: list[Segment] = []
    for speaker, side in heard_of.items():
        like = heard(Segment(speaker, role=speaker), tracks.get(speaker))
        utterances = [replace(like, text=text, start=start, end=end) for text, start, end in side.utterances]
        segments += attach(utterances, side.words) if utterances else units(side.words, like)
    return Dialogue(name, segments, local_speakers=True)

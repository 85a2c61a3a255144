"""Praat TextGrids: a tier a speaker, or `NAME - words` tiers as forced aligners write them.

In Praat's text formats, long and short, only numbers, strings in quotation marks and flags in angle brackets count;
all else is comment. (Praat manual, "TextGrid file formats".) The binary format is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_WORDS: Final = re.compile(r"(?P<speaker>.*?)[\s_-]+words", re.IGNORECASE)
_PHONES: Final = re.compile(r".*[\s_-](phones|phonemes|syllables)", re.IGNORECASE)


class Tier(NamedTuple):
    """An interval tier."""

    name: str
    intervals: tuple[Word, ...]
    """(label, start, end), silence left out"""


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    return [Planned(path.name, partial(_read, path, sounds, options)) for path in find(root, "*.TextGrid", "TextGrid")]


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


def _read(path: Path, sounds: Sounds, options: Options) -> Dialogue:
    tiers = [tier for tier in read_tiers(path, options.encoding) if not _PHONES.fullmatch(tier.name)]
    said = {tier.name: tier.intervals for tier in tiers if not _WORDS.fullmatch(tier.name)}
    words = {match["speaker"]: tier.intervals for tier in tiers if (match := _WORDS.fullmatch(tier.name))}
    speakers = [name for name in dict.fromkeys([*said, *words]) if said.get(name) or words.get(name)]
    if not speakers:
        raise CorpusError("no interval tier has text in it")
    tracks = sounds.tracks(path.stem, speakers)
    segments: list[Segment] = []
    for speaker in speakers:
        like = heard(Segment(speaker, role=speaker), tracks.get(speaker))
        if speaker in said:
            utterances = [replace(like, text=text, start=start, end=end) for text, start, end in said[speaker]]
            segments += attach(utterances, words[speaker]) if speaker in words else utterances
        else:
            segments += units(words[speaker], like)
    return Dialogue(path.stem, segments, local_speakers=True)

"""F0 of some words of Switchboard: Cohen Priva & Strand (2023), `words_f0.csv`, academic use with citation.

Columns uttid, word, f0.mode (Hz), formants, start, end. Only words with one monophthong and no other sonorant are in
it, so neither text nor speaking rate can be had; a segment reaches from an utterance's first such word to its last. Its
F0 is the mode within a vowel and not the extractor's mean over a turn: a version of its own, which mixes with no other.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tandem_models.prosody import semitones
from tandem_training.corpus.dialogue import Dialogue, Measured, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_table, seconds

VERSION: Final = "swbd-f0-words-1"
_UTTERANCE: Final = re.compile(r"sw(\d{4})([AB])-ms98-a-(\d+)")
_PARTIAL: Final = "partial_words"

_Rows = dict[tuple[str, str], list[tuple[float, float, float]]]
"""(side, utterance) -> (start, end, Hz)"""


def plan(root: Path, options: Options) -> list[Planned]:
    calls: defaultdict[str, _Rows] = defaultdict(lambda: defaultdict(list))
    for path in find(root, "words_f0.csv", "table of F0"):
        for number, row in read_table(path, options.encoding):
            where = f"{path.name}, line {number}"
            call, side, utterance = _utterance(row, where)
            hertz = _hertz(row, where)
            if hertz is not None:
                times = seconds(row["start"], where), seconds(row["end"], where)
                calls[call][side, utterance].append((*times, hertz))
    return [Planned(f"sw{call}", partial(_dialogue, call, rows)) for call, rows in calls.items()]


def _dialogue(call: str, rows: _Rows) -> Dialogue:
    segments = []
    for (side, _), words in rows.items():
        pitch = sum(semitones(hertz) for _, _, hertz in words) / len(words)
        measured = Measured(VERSION, {"pitch_mean": pitch}, weight=len(words))
        start, end = min(start for start, _, _ in words), max(end for _, end, _ in words)
        segments.append(Segment(side, None, start, end, role=side, flags=(_PARTIAL,), measured=measured))
    # The table that says who calls twice is the LDC's: nobody here knows, so no split may part these calls.
    return Dialogue(f"sw{call}", segments, lang="en", license="academic", group="switchboard", local_speakers=True)


def _utterance(row: Mapping[str, str], where: str) -> tuple[str, str, str]:
    match = _UTTERANCE.fullmatch(row["uttid"])
    if match is None:
        raise CorpusError(f"{where}: {row['uttid']!r} is no utterance of Switchboard")
    return match[1], match[2], match[3]


def _hertz(row: Mapping[str, str], where: str) -> float | None:
    if row["f0.mode"] == "NA":  # R's missing
        return None
    value = float(row["f0.mode"])
    if not (math.isfinite(value) and value > 0.0):
        raise CorpusError(f"{where}: {row['f0.mode']!r} is no frequency")
    return value

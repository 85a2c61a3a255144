"""Tables of utterances: start, end, speaker, text, and perhaps dialogue and act; any order, comma, semicolon or tab.

Without a column `dialogue` a file is a dialogue. Further columns are not read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_table, seconds
from tandem_training.corpus.pairing import Sounds, heard

_NEEDED: Final = ("start", "end", "speaker", "text")


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    paths = find(root, "*.csv", "table") if root.is_file() or any(root.rglob("*.csv")) else find(root, "*.tsv", "table")
    planned: list[Planned] = []
    for path in paths:
        if "dialogue" in next(iter(read_table(path, options.encoding)), (0, {}))[1]:
            rows = _by_dialogue(path, options)
            planned += [Planned(name, partial(_dialogue, name, some, sounds)) for name, some in rows.items()]
        else:
            planned.append(Planned(path.name, partial(_whole_file, path, sounds, options)))
    return planned


def _by_dialogue(path: Path, options: Options) -> dict[str, list[Segment]]:
    found: defaultdict[str, list[Segment]] = defaultdict(list)
    for number, row in read_table(path, options.encoding):
        found[row["dialogue"].strip()].append(_segment(row, f"{path.name}, line {number}"))
    return found


def _whole_file(path: Path, sounds: Sounds, options: Options) -> Dialogue:
    rows = [_segment(row, f"{path.name}, line {number}") for number, row in read_table(path, options.encoding)]
    return _dialogue(path.stem, rows, sounds)


def _segment(row: Mapping[str, str], where: str) -> Segment:
    lacking = [name for name in _NEEDED if name not in row]
    if lacking:
        raise CorpusError(f"{where}: no {lacking[0]}; the columns are {', '.join(_NEEDED)}, and may be dialogue, act")
    speaker = row["speaker"].strip()
    if not speaker:
        raise CorpusError(f"{where}: nobody speaks; fill in the speaker")
    start, end = seconds(row["start"], where), seconds(row["end"], where)
    if end < start:
        raise CorpusError(f"{where}: ends at {end:g} s, before it starts at {start:g} s")
    return Segment(speaker, row["text"], start, end, role=speaker, act=(row.get("act") or "").strip() or None)


def _dialogue(name: str, segments: list[Segment], sounds: Sounds) -> Dialogue:
    speakers = sorted({segment.speaker for segment in segments})
    tracks = sounds.tracks(name, speakers)
    return Dialogue(name, [heard(segment, tracks.get(segment.speaker)) for segment in segments], local_speakers=True)

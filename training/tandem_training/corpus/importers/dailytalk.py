"""DailyTalk (Lee et al. 2023, CC BY-SA 4.0): 2,541 dialogues of two actors, a file an utterance, no common clock.

`metadata.json` {dialogue: {utterance: {text, speaker, turn, act, ...}}} with `data/D/U_S_dD.wav`; or, without audio,
the lines of its training text `U_S_dD|S|{phones}|text|emotion`. Two speakers only: no split can part them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_json, read_lines
from tandem_training.corpus.pairing import Track, heard

_NAME: Final = re.compile(r"(\d+)_(\d+)_d(\d+)")
_LICENSE: Final = "CC BY-SA 4.0"


def plan(root: Path, options: Options) -> list[Planned]:
    metadata = root / "metadata.json"
    if metadata.is_file():
        table = read_json(metadata)
        data = options.audio or root / "data"
        return [Planned(f"d{name}", partial(_with_audio, name, turns, data)) for name, turns in table.items()]
    turns: defaultdict[int, dict[int, Segment]] = defaultdict(dict)
    for path in find(root, "*_frame.txt", "DailyTalk text"):
        for number, line in read_lines(path):
            if line.strip():
                dialogue, turn, segment = _line(line, f"{path.name}, line {number}")
                turns[dialogue][turn] = segment
    return [Planned(f"d{name}", partial(_text_only, name, turns[name])) for name in sorted(turns)]


def _with_audio(name: str, turns: Mapping[str, Any], data: Path) -> Dialogue:
    segments = []
    for place, entry in sorted(turns.items(), key=lambda item: int(item[0])):
        speaker = str(entry["speaker"])
        path = data / name / f"{place}_{speaker}_d{name}.wav"
        if not path.is_file():
            raise CorpusError(f"{path.name} is not in {path.parent}")
        segment = Segment(f"dailytalk{speaker}", str(entry["text"]), role=speaker, act=entry.get("act") or None)
        segments.append(heard(segment, Track(path, 0)))
    return Dialogue(f"d{name}", segments, lang="en", license=_LICENSE)


def _line(line: str, where: str) -> tuple[int, int, Segment]:
    """(dialogue, turn, what was said)"""
    fields = line.split("|")
    match = _NAME.fullmatch(fields[0])
    if match is None or len(fields) < 4:
        raise CorpusError(f"{where}: TURN_SPEAKER_dDIALOGUE|speaker|phones|text|emotion is wanted")
    segment = Segment(f"dailytalk{match[2]}", fields[3], role=match[2])
    return int(match[3]), int(match[1]), segment


def _text_only(name: int, turns: Mapping[int, Segment]) -> Dialogue:
    flags = () if len(turns) == max(turns) + 1 else ("turns_left_out",)
    said = [turns[place] for place in sorted(turns)]
    return Dialogue(f"d{name}", [_flagged(segment, flags) for segment in said], lang="en", license=_LICENSE)


def _flagged(segment: Segment, flags: tuple[str, ...]) -> Segment:
    return Segment(segment.speaker, segment.text, role=segment.role, flags=flags)

"""CANDOR (Reece et al. 2023): video calls, transcripts of three grains, one stereo file a call.

`ID/transcription/transcript_backbiter.csv` (turns without the listener's backchannels; else cliffhanger, audiophile):
turn_id,speaker,start,stop,utterance; `ID/processed/ID.mp3` and `channel_map.json` {"L": user, "R": user}. Layout from
published readers of it; the recordings are given out on request (CC BY-NC 4.0).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_json, read_table, seconds
from tandem_training.corpus.pairing import SOUND, Track, heard

_GRAINS: Final = ("transcript_audiophile.csv", "transcript_backbiter.csv", "transcript_cliffhanger.csv")
"""The finest first: runs are merged here, by one rule for every corpus."""
_SIDES: Final = {"L": 0, "R": 1}


def plan(root: Path, _: Options) -> list[Planned]:
    folders = sorted({path.parent.parent for path in find(root, "transcript_*.csv", "CANDOR transcript")})
    return [Planned(folder.name, partial(_read, folder)) for folder in folders]


def _read(folder: Path) -> Dialogue:
    tables = (folder / "transcription" / grain for grain in _GRAINS)
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        raise CorpusError(f"none of {', '.join(_GRAINS)} in {folder.name}/transcription")
    tracks = _tracks(folder)
    segments = []
    for number, row in read_table(table):
        where = f"{table.name}, line {number}"
        speaker = row["speaker"].strip()
        start, end = seconds(row["start"], where), seconds(row["stop"], where)
        segments.append(heard(Segment(speaker, row["utterance"], start, end), tracks.get(speaker)))
    lost = {segment.speaker for segment in segments} - tracks.keys() if tracks else set()
    if lost:
        raise CorpusError(f"channel_map.json does not name the speaker {sorted(lost)[0]!r}")
    return Dialogue(folder.name, segments, lang="en", license="CC BY-NC 4.0")


def _tracks(folder: Path) -> dict[str, Track]:
    """Speaker -> channel; empty where there is no recording."""
    processed = folder / "processed"
    files = (processed / f"{folder.name}{ending}" for ending in SOUND)
    audio = next((path for path in files if path.is_file()), None)
    if audio is None:
        return {}
    named = read_json(processed / "channel_map.json")
    return {str(named[side]): Track(audio, channel) for side, channel in _SIDES.items()}

"""HarperValleyBank (Wu et al. 2020, CC BY 4.0): simulated bank calls, a file each for agent and caller.

`transcript/SID.json`: segments with offset_ms (from the start of the recording, which is taken to be one clock for both
sides), duration_ms, speaker_role, human_transcript, and word times of the machine's transcript; `metadata/SID.json` has
the speakers; `audio/agent/SID.wav`, `audio/caller/SID.wav`. As its README has it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_json, seconds
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Track, heard


def plan(root: Path, options: Options) -> list[Planned]:
    transcripts = [path for path in find(root, "*.json", "transcript") if path.parent.name == "transcript"]
    if not transcripts:
        raise CorpusError(f"no folder transcript/ in {root}; name the one that holds transcript/ and audio/")
    return [Planned(path.stem, partial(_read, path, options)) for path in transcripts]


def _read(path: Path, options: Options) -> Dialogue:
    base = path.parent.parent
    people = read_json(base / "metadata" / path.name)
    audio = options.audio or base / "audio"
    segments = []
    for number, entry in enumerate(read_json(path)):
        role = str(entry["speaker_role"])
        where = f"{path.name}, segment {number}"
        start = seconds(entry["offset_ms"], where) / 1000.0
        end = start + seconds(entry["duration_ms"], where) / 1000.0
        recording = audio / role / f"{path.stem}.wav"
        segment = Segment(
            f"hvb{people[role]['speaker_id']}",
            str(entry["human_transcript"]),
            start,
            end,
            words=_words(entry, start, end),
            role=role,
            act=(entry.get("dialog_acts") or [None])[0],
        )
        segments.append(heard(segment, Track(recording, 0) if recording.is_file() else None))
    return Dialogue(path.stem, segments, lang="en", license="CC BY 4.0")


def _words(entry: dict[str, Any], start: float, end: float) -> tuple[Word, ...] | None:
    """The machine's words with their times, in the human's spelling where there are as many."""
    said, machine = str(entry["human_transcript"]).split(), str(entry.get("transcript", "")).split()
    offsets, durations = entry.get("word_offsets_ms") or [], entry.get("word_durations_ms") or []
    if not machine or not len(machine) == len(offsets) == len(durations):
        return None
    names = said if len(said) == len(machine) else machine
    times = [
        (start + begin / 1000.0, start + (begin + length) / 1000.0)
        for begin, length in zip(offsets, durations, strict=True)
    ]
    return tuple((name, min(one, end), min(two, end)) for name, (one, two) in zip(names, times, strict=True))

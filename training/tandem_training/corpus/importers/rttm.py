"""NIST RTTM: who spoke when, without words. `SPEAKER FILE CHANNEL START DURATION <NA> <NA> NAME <NA> <NA>`.

Only SPEAKER lines are read. The channel is the recording's, from 1, where there is one recording with several.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find
from tandem_training.corpus.nist import Spoken, read_rttm
from tandem_training.corpus.pairing import Sounds, heard


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    found: defaultdict[str, list[Spoken]] = defaultdict(list)
    for path in find(root, "*.rttm", "RTTM file"):
        for spoken in read_rttm(path, options.encoding):
            found[spoken.file].append(spoken)
    return [Planned(name, partial(_dialogue, name, some, sounds)) for name, some in found.items()]


def _dialogue(name: str, spoken: list[Spoken], sounds: Sounds) -> Dialogue:
    tracks = sounds.tracks(name, sorted({one.speaker for one in spoken}))
    if not tracks:
        raise CorpusError(f"no recording is called {name}: without words there is nothing else to measure")
    segments = [Segment(one.speaker, None, one.start, one.end, role=one.speaker) for one in spoken]
    return Dialogue(name, [heard(segment, tracks[segment.speaker]) for segment in segments], local_speakers=True)

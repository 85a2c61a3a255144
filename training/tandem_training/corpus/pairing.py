"""Which recording, and which channel of it, has which speaker, where only file names can tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from tandem_training.corpus.audio import duration
from tandem_training.corpus.dialogue import Segment
from tandem_training.corpus.errors import CorpusError

SOUND: Final = (".wav", ".flac", ".sph", ".aiff", ".aif", ".ogg", ".opus", ".mp3")
"""Endings, the better first"""
MIXED: Final = "mixed_audio"
"""Flag: everybody is in the same channel, so that a feature may be the other's"""


class Track(NamedTuple):
    """Where a speaker is to be heard."""

    path: Path
    channel: int
    flags: tuple[str, ...] = ()


def heard(segment: Segment, track: Track | None) -> Segment:
    """The segment with where to hear it; unchanged where there is no recording."""
    if track is None:
        return segment
    flags = tuple(dict.fromkeys((*segment.flags, *track.flags)))
    return replace(segment, audio=track.path, channel=track.channel, flags=flags)


class Sounds:
    """The recordings below a folder, by name without ending."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_stem: defaultdict[str, list[Path]] = defaultdict(list)
        files = [path for path in root.rglob("*") if path.suffix.lower() in SOUND] if root.is_dir() else []
        for path in sorted(files, key=lambda path: (SOUND.index(path.suffix.lower()), path)):
            self._by_stem[path.stem].append(path)

    def named(self, stem: str) -> Path | None:
        """The recording of that name. Raises CorpusError if there are two in different folders."""
        found = self._by_stem.get(stem, [])
        if len({path.parent for path in found}) > 1:
            raise CorpusError(f"two recordings are called {stem}: {found[0]} and {found[1]}; narrow it with --audio")
        return found[0] if found else None

    def tracks(self, stem: str, speakers: Sequence[str]) -> dict[str, Track]:
        """Speaker -> track: `STEM-SPEAKER.wav` each (or with _ or .), else channels of `STEM.wav` in the order of the
        speakers; empty where there is no recording. Raises CorpusError if some speakers would have none."""
        own = {speaker: path for speaker in speakers if (path := self._own(stem, speaker)) is not None}
        if own:
            without = [speaker for speaker in speakers if speaker not in own]
            if without:
                raise CorpusError(f"{stem} has a recording of {', '.join(own)} and none of {', '.join(without)}")
            return {speaker: Track(path, 0) for speaker, path in own.items()}
        path = self.named(stem)
        if path is None:
            return {}
        _, channels = duration(path)
        if channels == 1:
            return {speaker: Track(path, 0, (MIXED,) if len(speakers) > 1 else ()) for speaker in speakers}
        if channels < len(speakers):
            raise CorpusError(
                f"{path.name} has {channels} channels for {len(speakers)} speakers: {', '.join(speakers)}"
            )
        return {speaker: Track(path, channel) for channel, speaker in enumerate(speakers)}

    def _own(self, stem: str, speaker: str) -> Path | None:
        found = (self.named(f"{stem}{joint}{speaker}") for joint in "-_.")
        return next((path for path in found if path is not None), None)

"""What an importer hands over: a dialogue as segments, in any order, before turns are made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tandem_training.corpus.manifest import Word


@dataclass(frozen=True, slots=True)
class Measured:
    """Features that a corpus brings along."""

    version: str
    """Of whatever measured them; the table they go to"""
    values: Mapping[str, float | None]
    """On the registry's scale"""
    weight: float = 1.0
    """Of the segment, where several become one turn"""
    voiced: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one speaker's speech as the corpus marks it: an utterance, an inter-pausal unit, or a word."""

    speaker: str
    text: str | None = None
    start: float | None = None
    """Seconds on the dialogue's clock; None, with `end`, where only the order is known"""
    end: float | None = None
    words: tuple[Word, ...] | None = None
    role: str | None = None
    audio: Path | None = None
    """The recording that has this speaker"""
    channel: int | None = None
    act: str | None = None
    gender: str | None = None
    flags: tuple[str, ...] = ()
    measured: Measured | None = None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One dialogue of a corpus."""

    id: str
    segments: Sequence[Segment]
    lang: str | None = None
    license: str | None = None
    group: str | None = None
    """Of dialogues that may share speakers in a way that the names do not tell"""
    split: str | None = None
    """Where the corpus itself says which side of a split it is on"""
    local_speakers: bool = False
    """The speakers' names mean nothing outside this dialogue"""
    turns_as_they_are: bool = False
    """The segments are turns already: nothing is merged"""


class Planned(NamedTuple):
    """A dialogue that was found and is still to be read; what is wrong with it concerns it alone."""

    name: str
    """For people: a file or a dialogue"""
    read: Callable[[], Dialogue]
    """Raises CorpusError, OSError, or what Python raises for content that is not laid out as it should be"""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person said beside the folder."""

    audio: Path | None = None
    """Where the recordings are, if not in the folder itself"""
    lang: str | None = None
    """Of every dialogue, where the corpus does not say"""
    license: str | None = None
    encoding: str | None = None
    """Of text files that are not UTF-8"""
    local_speakers: bool | None = None
    """Whether a name means somebody else in every dialogue; None leaves it to the importer"""
    paired: bool = False
    """Whether annotations come as a file for each speaker, `ID-SPEAKER`"""

    def sounds(self, root: Path) -> Path:
        """The folder of the recordings of a corpus at `root`."""
        return self.audio or (root if root.is_dir() else root.parent)

"""A corpus on disk: the manifest, which source each line is from, and where each source's audio lies.

corpus.json              sources: importer, audio folder, when; written last
manifest.jsonl           every turn of every source
features/VERSION.jsonl   what was measured, by the version of the extractor
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.manifest import MANIFEST, Turn, audio_file, read_manifest, write_lines, write_manifest

SOURCES: Final = "corpus.json"
FEATURES: Final = "features"


class Source(BaseModel):
    """One import."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    importer: str
    audio: str | None = None
    """The folder that the audio paths of its lines are below; relative to the corpus where it lies inside"""


class _Sources(BaseModel):
    model_config = ConfigDict(extra="forbid")

    v: Literal[1] = 1
    sources: dict[str, Source] = {}


class Corpus:
    """The folder of one corpus."""

    def __init__(self, folder: Path, sources: dict[str, Source]) -> None:
        self.folder = folder
        self.sources = sources

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Raises CorpusError if it is none."""
        path = folder / SOURCES
        try:
            return cls(folder, _Sources.model_validate_json(path.read_bytes()).sources)
        except FileNotFoundError:
            raise CorpusError(f"{folder} is no corpus; make one with `tandem corpus import`") from None
        except OSError as error:
            raise CorpusError(f"cannot read {path}: {error.strerror}") from error
        except ValidationError as error:
            raise CorpusError(f"{path} is damaged ({error.errors()[0]['msg']}); import the corpus again") from error

    @classmethod
    def open_or_make(cls, folder: Path) -> Self:
        """A new one where there is none yet. Raises CorpusError for a folder with something else in it."""
        if (folder / SOURCES).exists():
            return cls.open(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CorpusError(f"cannot make {folder}: {error.strerror}") from error
        others = [path.name for path in folder.iterdir() if path.name not in {MANIFEST, f".{MANIFEST}.partial"}]
        if others:
            raise CorpusError(f"{folder} holds other things ({others[0]}); name a new folder for the corpus")
        return cls(folder, {})

    @property
    def manifest(self) -> Path:
        return self.folder / MANIFEST

    def table(self, version: str) -> Path:
        """The feature table of one version of the extractor."""
        return self.folder / FEATURES / f"{version}.jsonl"

    def versions(self) -> list[str]:
        """Of the feature tables that are there."""
        return sorted(path.stem for path in (self.folder / FEATURES).glob("*.jsonl"))

    def turns(self) -> list[Turn]:
        """Every turn, in the order of the manifest. Raises CorpusError with a line's number."""
        return list(read_manifest(self.manifest))

    def audio_root(self, source: str) -> Path | None:
        """Where a source's audio lies; None if it has none. Raises CorpusError for a source that is not known."""
        if source not in self.sources:
            known = ", ".join(self.sources) or "none"
            raise CorpusError(f"source {source!r} is not in {SOURCES} (known: {known}); import it again")
        audio = self.sources[source].audio
        return None if audio is None else (self.folder / audio)  # an absolute path stays what it is

    def audio_file(self, turn: Turn) -> Path | None:
        """A turn's recording, None if it has none. Raises CorpusError if it should be there and is not."""
        root = self.audio_root(turn.source)
        if turn.audio is None:
            return None
        if root is None:
            raise CorpusError(f"source {turn.source!r} has no audio folder; import it again with --audio")
        return audio_file(root, turn.audio)

    def put(self, name: str, source: Source, turns: Iterable[Turn]) -> int:
        """Add a source, in place of what it had; how many turns. Raises CorpusError if another has such a dialogue."""
        kept = [turn for turn in self.turns() if turn.source != name] if self.manifest.exists() else []
        taken = {turn.dialogue: turn.source for turn in kept}
        new = list(turns)
        for turn in new:
            if turn.dialogue in taken:
                raise CorpusError(
                    f"dialogue {turn.dialogue!r} is there already, from source {taken[turn.dialogue]!r}; "
                    "import into another folder"
                )
        write_manifest(self.manifest, [*kept, *new])
        self.sources = {**self.sources, name: source}
        write_lines(self.folder / SOURCES, [_Sources(sources=self.sources).model_dump_json(indent=2)])
        return len(new)


def dialogues(turns: Iterable[Turn]) -> dict[str, list[Turn]]:
    """Turns by dialogue, each in order; dialogues in the order in which they first appear."""
    found: dict[str, list[Turn]] = {}
    for name, some in groupby(turns, lambda turn: turn.dialogue):
        found.setdefault(name, []).extend(some)
    return {name: sorted(some, key=lambda turn: turn.turn) for name, some in found.items()}

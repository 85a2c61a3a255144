"""The manifest: one JSON line a turn, schema-versioned. What holds of one line is here; `validate` has the rest.

Times are seconds on the dialogue's one clock; null is unknown, never nought. Where a corpus gives the order of its
turns and no times, start and end are null, and a turn's audio file, if there is one, holds that turn and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tandem_training.corpus.errors import CorpusError

MANIFEST: Final = "manifest.jsonl"
SCHEMA: Final = 1
"""Of a line; a line of another version is refused."""
LONGEST: Final = 600.0
"""Seconds: nobody speaks so long without a pause; a longer turn is a mistake of the annotation."""
_SLACK: Final = 0.05
"""Seconds that a word may stick out of its turn: annotators' clocks have rounding of their own."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
Second = Annotated[float, Field(ge=0.0)]
Word = tuple[str, Second, Second]
"""(word, start, end)"""


class Turn(BaseModel):
    """One line of the manifest. Raises pydantic's ValidationError for one that breaks its own rules."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    v: Literal[1] = SCHEMA
    dialogue: Name
    turn: int = Field(ge=0)
    """Place in the dialogue, by start"""
    speaker: Name
    """The same person has the same name in every dialogue, and nobody else has it."""
    role: Name | None = None
    """What the corpus calls this side: A, B, user, agent, giver, follower"""
    audio: Name | None = None
    """Below its source's audio folder, with forward slashes"""
    channel: int | None = Field(default=None, ge=0)
    start: Second | None = None
    end: Second | None = None
    text: str | None = Field(default=None, min_length=1)
    """The words to be spoken, known before the turn"""
    words: tuple[Word, ...] | None = Field(default=None, min_length=1)
    lang: Name | None = None
    act: Name | None = None
    gender: Name | None = None
    group: Name | None = None
    """Dialogues that may share speakers in a way that the names do not tell have the same; no split parts them"""
    split: Name | None = None
    overlap_prev: Second | None = None
    """Seconds in which somebody who began earlier was still speaking"""
    flags: tuple[Name, ...] = ()
    source: Name
    license: Name | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for problem in (_of_times(self), _of_words(self), _of_audio(self)):
            if problem:
                raise ValueError(problem)
        return self

    @property
    def key(self) -> tuple[str, int]:
        """What names the turn in a feature table."""
        return self.dialogue, self.turn


def _of_times(turn: Turn) -> str | None:
    if (turn.start is None) != (turn.end is None):
        return "start and end are both known or both null"
    if turn.start is None or turn.end is None:
        return "overlap_prev needs start and end" if turn.overlap_prev is not None else None
    if not turn.start < turn.end:
        return f"the turn ends at {turn.end:g} s and starts at {turn.start:g} s; unknown times are null, not 0"
    if turn.end - turn.start > LONGEST:
        return f"a turn of {turn.end - turn.start:.0f} s; the longest is {LONGEST:.0f} s"
    return None


def _of_words(turn: Turn) -> str | None:
    if turn.words is None:
        return None
    if turn.start is None or turn.end is None:
        return "words have times, but the turn has none"
    before = turn.start
    for word, start, end in turn.words:
        if not word:
            return f"an empty word at {start:g} s"
        if end < start:
            return f"the word {word!r} ends at {end:g} s, before it starts at {start:g} s"
        if start < before - _SLACK:
            return f"the word {word!r} at {start:g} s comes after one at {before:g} s, or before the turn"
        if end > turn.end + _SLACK:
            return f"the word {word!r} ends at {end:g} s, after the turn"
        before = start
    return None


def _of_audio(turn: Turn) -> str | None:
    if (turn.audio is None) != (turn.channel is None):
        return "audio and channel are both known or both null"
    return None if turn.audio is None else unsafe(turn.audio)


def unsafe(path: str) -> str | None:
    """Why an audio path may not stand in a manifest; None if it may. It says nothing of links: see `audio_file`."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or "\\" in path or ":" in path[:2] or "\0" in path:
        return f"audio {path!r} must be relative, with forward slashes"
    if ".." in parts or not parts:
        return f"audio {path!r} must stay below the source's audio folder"
    return None


def audio_file(root: Path, path: str) -> Path:
    """The file of an audio path. Raises CorpusError if it is not there or leads out of `root`, by dots or by links."""
    problem = unsafe(path)
    if problem:
        raise CorpusError(problem)
    file = (root / path).resolve()
    if not file.is_relative_to(root.resolve()):
        raise CorpusError(f"audio {path!r} leads out of {root}; put the file itself there")
    if not file.is_file():
        raise CorpusError(f"audio {path!r} is not in {root}; restore it, or import again with the right --audio")
    return file


def parse(line: str) -> Turn:
    """One line -> its turn. Raises CorpusError with the field and what is wrong with it."""
    try:
        return Turn.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if not str(part).startswith("constrained"))
        message = first["msg"].removeprefix("Value error, ")
        if where == "v":
            message = f"schema version {first['input']!r}; this Tandem reads {SCHEMA}: import the corpus again"
            where = ""
        raise CorpusError(f"{where}: {message}" if where else message) from error


def read_manifest(path: Path) -> Iterator[Turn]:
    """The turns in the order of the file. Raises CorpusError with the number of the first line that is wrong."""
    for number, line in numbered_lines(path):
        try:
            yield parse(line)
        except CorpusError as error:
            raise CorpusError(f"{path}, line {number}: {error}; see `tandem corpus validate`") from error


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of the lines that are not empty. Raises CorpusError if it is not a UTF-8 file."""
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        raise CorpusError(f"there is no {path}; make it with `tandem corpus import`") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}, after line {number}: not UTF-8 ({error.reason})") from error
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error


def write_manifest(path: Path, turns: Iterable[Turn]) -> int:
    """Put the turns there, whole or not at all; how many."""
    return write_lines(path, (turn.model_dump_json() for turn in turns))


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """A text file that appears whole or not at all; how many lines it has."""
    partial = path.with_name(f".{path.name}.partial")
    count = 0
    with partial.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return count

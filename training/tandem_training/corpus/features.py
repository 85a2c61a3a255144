"""Feature tables: what was measured of each turn, a JSON line each, a file for each version of the extractor.

Lines are appended as dialogues are done, so that work that was killed goes on; the last line of a turn counts. A line
remembers what it was measured on: when the turn's times, words or audio change, it no longer counts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tandem_models.prosody import EXTRACTOR_VERSION, FEATURES, Prosody
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.manifest import Turn, numbered_lines, write_lines

Origin = Literal["audio", "words", "given"]
"""Measured on the recording; from the times of the words alone (no more than the rate); found in the corpus"""
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Row(BaseModel):
    """One line of a feature table."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    dialogue: str
    turn: int
    version: str
    measured_on: str
    """`fingerprint` of the turn"""
    origin: Origin
    values: Annotated[tuple[float | None, ...], Field(min_length=len(FEATURES), max_length=len(FEATURES))]
    """In the registry's order and on its scale; null is missing"""
    duration: Annotated[float, Field(ge=0.0)] | None = None
    """Seconds"""
    voiced: Annotated[float, Field(ge=0.0)] | None = None
    """Seconds; the normaliser's weight is min(1, voiced)"""
    flags: tuple[str, ...] = ()
    error: str | None = None
    """Why nothing could be measured; such a turn is tried again the next time"""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.error is not None and any(value is not None for value in self.values):
            raise ValueError("a turn that failed has no values")
        return self

    @property
    def key(self) -> tuple[str, int]:
        return self.dialogue, self.turn

    @property
    def prosody(self) -> Prosody:
        return Prosody(self.values, self.version)


Table = dict[tuple[str, int], Row]


def fingerprint(turn: Turn) -> str:
    """Of what a turn's features depend on; 16 hexadecimal digits."""
    content = (turn.speaker, turn.audio, turn.channel, turn.start, turn.end, turn.text, turn.words, turn.lang)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def require_version(version: str) -> str:
    """A version that can name a file. Raises CorpusError."""
    if not _VERSION.fullmatch(version):
        raise CorpusError(f"{version!r} is no extractor version; write one like {EXTRACTOR_VERSION}")
    return version


def read_table(path: Path, version: str) -> Table:
    """(dialogue, turn) -> row, the last of each; empty where there is no file. Raises CorpusError."""
    return {row.key: row for _, row in read_rows(path, version)}


def read_rows(path: Path, version: str) -> Iterator[tuple[int, Row]]:
    """(line number, row). Raises CorpusError with the number of a line that is wrong, or of another version: those
    never mix. A last line that was cut off is left out."""
    if not path.exists():
        return
    for number, line in numbered_lines(path):
        try:
            row = Row.model_validate_json(line)
        except ValidationError as error:
            if not line.endswith("\n"):
                return
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise CorpusError(
                f"{path}, line {number}: {where} {problem['msg']}; delete the line or the file"
            ) from error
        if row.version != version:
            raise CorpusError(
                f"{path}, line {number}: measured by {row.version!r}, not {version!r}, and versions do not mix; "
                "delete the file and run `tandem corpus features`"
            )
        yield number, row


def write_table(path: Path, rows: Iterable[Row]) -> int:
    """The whole table anew, sorted as given; how many rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_lines(path, (row.model_dump_json() for row in rows))


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Add a dialogue's rows; they are in the file when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(row.model_dump_json() + "\n" for row in rows))


def mend_table(path: Path) -> None:
    """Cut off what a killed process left of a last line; before anything is appended."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("rb+") as file:
            file.truncate(whole)


def current(turn: Turn, table: Table) -> Row | None:
    """The turn's row, unless it was measured on something else or failed."""
    row = table.get(turn.key)
    return row if row is not None and row.error is None and row.measured_on == fingerprint(turn) else None

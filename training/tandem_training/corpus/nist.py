"""NIST's line formats for speech: RTTM (who spoke when) and CTM (words with times)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import read_lines, seconds


class Spoken(NamedTuple):
    """One line: of RTTM with its speaker, of CTM with its word."""

    file: str
    channel: str
    start: float
    end: float
    speaker: str
    """Empty in CTM"""
    word: str = ""


def read_rttm(path: Path, encoding: str | None = None) -> Iterator[Spoken]:
    """Its SPEAKER lines. Raises CorpusError with a line's number."""
    for number, line in read_lines(path, encoding):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        where = f"{path.name}, line {number}"
        if len(fields) < 8:
            raise CorpusError(f"{where}: {len(fields)} fields, and a SPEAKER line has 8 at least")
        start, length = seconds(fields[3], where), seconds(fields[4], where)
        yield Spoken(fields[1], fields[2], start, start + length, fields[7])


def read_ctm(path: Path, encoding: str | None = None) -> Iterator[Spoken]:
    """Its words; comments (;;) and alternatives (<ALT>) are left out. Raises CorpusError with a line's number."""
    for number, line in read_lines(path, encoding):
        fields = line.split()
        if not fields or line.startswith(";;") or "<ALT" in line:
            continue
        where = f"{path.name}, line {number}"
        if len(fields) < 5:
            raise CorpusError(f"{where}: {len(fields)} fields; file, channel, start, duration and word are wanted")
        start, length = seconds(fields[2], where), seconds(fields[3], where)
        yield Spoken(fields[0], fields[1], start, start + length, "", fields[4])

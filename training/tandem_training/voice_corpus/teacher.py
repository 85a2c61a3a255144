"""What a teacher is: a program that says given phones and tells when each of them ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tandem_models.phones import Pronounced


class NoTeacherError(Exception):
    """The program or its voice is not installed; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence for the teacher."""

    name: str
    sentence: Pronounced
    rate: float = 1.0
    """Factor on speed"""


@dataclass(frozen=True, slots=True)
class Take:
    """What the teacher said."""

    wave: Path
    phones: tuple[str, ...]
    ends: tuple[float, ...]
    """Seconds at which each phone ends"""


@dataclass(frozen=True, slots=True)
class Teacher:
    """One voice of one program."""

    title: str
    notices: tuple[str, ...]
    """Whom to name, and what the licence asks; they stay with every voice that is made of it"""
    find: Callable[[], str]
    """The program's path. Raises NoTeacherError."""
    speak: Callable[[Sequence[Line], Path], dict[str, Take]]
    """Takes by name, as WAV in a folder; what it could not say is left out. Raises NoTeacherError."""


def merged(rows: Sequence[tuple[str, float]], pause: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """(phone, end) rows with a pause that comes in pieces made one."""
    whole = [row for row, after in zip(rows, [*rows[1:], ("", 0.0)], strict=True) if not row[0] == after[0] == pause]
    return tuple(phone for phone, _ in whole), tuple(end for _, end in whole)

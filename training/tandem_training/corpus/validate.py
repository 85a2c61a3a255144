"""Every rule of a corpus that one line cannot show, each problem with its line. Problems are collected, not raised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tandem_models.prosody import FEATURES
from tandem_training.corpus.audio import END_SLACK, duration
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.features import Row, fingerprint, read_rows
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.manifest import Turn, audio_file, numbered_lines, parse
from tandem_training.corpus.splits import components

Level = Literal["error", "warning"]
Progress = Callable[[int, int, str], None]
_ROUNDING = 1e-3
"""Seconds by which overlap_prev may differ from the times"""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where."""

    file: str
    line: int
    """From 1; 0 is the whole file"""
    level: Level
    message: str

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.level}: {self.message}"


Lines = list[tuple[int, Turn]]


def validate(corpus: Corpus, *, audio: bool = True, progress: Progress | None = None) -> list[Problem]:
    """Errors and warnings, in the order of the lines. Without `audio` no recording is opened."""
    lines, problems = _parsed(corpus)
    by_dialogue: defaultdict[str, Lines] = defaultdict(list)
    for number, turn in lines:
        by_dialogue[turn.dialogue].append((number, turn))
    found = [*_of_speakers(lines), *_of_splits(lines)]
    opened: dict[Path, tuple[float, int] | str] = {}
    for done, (name, some) in enumerate(by_dialogue.items(), 1):
        found += [*_of_order(some), *_of_times(some), *_of_overlap(some), *_of_sides(some)]
        found += _of_audio(corpus, some, opened if audio else None)
        if progress is not None:
            progress(done, len(by_dialogue), name)
    problems += [Problem(corpus.manifest.name, number, level, message) for number, level, message in found]
    return sorted([*problems, *_of_tables(corpus, lines)], key=lambda problem: (problem.file, problem.line))


Found = Iterator[tuple[int, Level, str]]


def _parsed(corpus: Corpus) -> tuple[Lines, list[Problem]]:
    lines: Lines = []
    problems: list[Problem] = []
    try:
        for number, text in numbered_lines(corpus.manifest):
            try:
                lines.append((number, parse(text)))
            except CorpusError as error:
                problems.append(Problem(corpus.manifest.name, number, "error", str(error)))
    except CorpusError as error:
        problems.append(Problem(corpus.manifest.name, 0, "error", str(error)))
    if not lines and not problems:
        problems.append(Problem(corpus.manifest.name, 0, "error", "it has no turns"))
    return lines, problems


def _of_order(lines: Lines) -> Found:
    """Numbers from 0 without a gap, by start."""
    seen: dict[int, int] = {}
    for number, turn in lines:
        if turn.turn in seen:
            yield number, "error", f"turn {turn.turn} of {turn.dialogue} is on line {seen[turn.turn]} already"
        seen.setdefault(turn.turn, number)
    missing = next((place for place, turn in enumerate(sorted(seen)) if place != turn), None)
    if missing is not None:
        yield lines[0][0], "error", f"dialogue {lines[0][1].dialogue} has no turn {missing}"
    before: Turn | None = None
    for number, turn in sorted(lines, key=lambda line: line[1].turn):
        if before is not None and before.start is not None and turn.start is not None and turn.start < before.start:
            yield number, "error", f"starts at {turn.start:g} s, before turn {before.turn} ({before.start:g} s)"
        before = turn


def _of_times(lines: Lines) -> Found:
    """One clock: all turns are timed or none, and all are from one source."""
    first = lines[0][1]
    for number, turn in lines[1:]:
        if (turn.start is None) != (first.start is None):
            yield number, "error", f"the turns of {turn.dialogue} have times, or none of them has"
        if turn.source != first.source:
            yield number, "error", f"{turn.dialogue} is from {first.source!r} and from {turn.source!r}"
        if turn.split != first.split:
            yield number, "error", f"{turn.dialogue} is in split {first.split!r} and in {turn.split!r}"


def _of_overlap(lines: Lines) -> Found:
    """Nobody speaks twice at a time; overlap_prev is what the times say."""
    reached: dict[str, tuple[float, int]] = {}
    for number, turn in sorted(lines, key=lambda line: line[1].turn):
        if turn.start is None or turn.end is None:
            continue
        end, line = reached.get(turn.speaker, (0.0, 0))
        if turn.start < end - _ROUNDING:
            yield number, "error", f"{turn.speaker} is still speaking until {end:g} s (line {line})"
        others = max((other for who, (other, _) in reached.items() if who != turn.speaker), default=0.0)
        overlap = max(0.0, min(others, turn.end) - turn.start)
        if turn.overlap_prev is not None and abs(turn.overlap_prev - overlap) > _ROUNDING:
            yield number, "error", f"overlap_prev is {turn.overlap_prev:g}, and {overlap:.3f} by the times"
        if turn.end > end:
            reached[turn.speaker] = turn.end, number


def _of_sides(lines: Lines) -> Found:
    """A speaker has one role and one track; two speakers on one track cannot be told apart."""
    roles: dict[str, str | None] = {}
    owners: dict[tuple[str, int | None], set[str]] = {}
    for number, turn in lines:
        if roles.setdefault(turn.speaker, turn.role) != turn.role:
            yield number, "warning", f"{turn.speaker} is {turn.role!r} here and {roles[turn.speaker]!r} before"
        if turn.audio is not None and turn.start is not None:
            there = owners.setdefault((turn.audio, turn.channel), {turn.speaker})
            if turn.speaker not in there:
                owner = min(there)
                there.add(turn.speaker)
                yield number, "warning", f"{turn.speaker} is in the same channel as {owner}: features may be either's"


def _of_speakers(lines: Lines) -> Found:
    genders: dict[str, tuple[str, int]] = {}
    for number, turn in lines:
        if turn.gender is not None:
            gender, line = genders.setdefault(turn.speaker, (turn.gender, number))
            if gender != turn.gender:
                yield number, "error", f"{turn.speaker} is {turn.gender!r} here and {gender!r} on line {line}"


def _of_splits(lines: Lines) -> Found:
    """No component of speakers and dialogues is on two sides of a split."""
    component = components(turn for _, turn in lines)
    splits: dict[int, tuple[str, str]] = {}
    for number, turn in lines:
        if turn.split is not None:
            split, dialogue = splits.setdefault(component[turn.dialogue], (turn.split, turn.dialogue))
            if split != turn.split and dialogue != turn.dialogue:
                yield number, "error", f"{turn.dialogue} in {turn.split!r} shares speakers with {dialogue} in {split!r}"


def _of_audio(corpus: Corpus, lines: Lines, opened: dict[Path, tuple[float, int] | str] | None) -> Found:
    """Each recording is there, below its folder, readable, with that channel and long enough. `opened` remembers."""
    for number, turn in lines:
        try:
            root = corpus.audio_root(turn.source)
            if turn.audio is None:
                continue
            if root is None:
                raise CorpusError(f"source {turn.source!r} has no audio folder; import it again with --audio")
            path = audio_file(root, turn.audio)
        except CorpusError as error:
            yield number, "error", str(error)
            continue
        if opened is not None:
            known = opened.setdefault(path, "") or _probed(path)
            opened[path] = known
            yield from _of_track(number, turn, known)


def _probed(path: Path) -> tuple[float, int] | str:
    try:
        return duration(path)
    except CorpusError as error:
        return str(error)


def _of_track(number: int, turn: Turn, known: tuple[float, int] | str) -> Found:
    if isinstance(known, str):
        yield number, "error", known
        return
    seconds, channels = known
    if turn.channel is not None and turn.channel >= channels:
        yield number, "error", f"{turn.audio} has {channels} channels, so no channel {turn.channel} (from 0)"
    if turn.end is not None and turn.end > seconds + END_SLACK:
        yield number, "error", f"ends at {turn.end:g} s, and {turn.audio} is {seconds:.2f} s long"


def _of_tables(corpus: Corpus, lines: Lines) -> list[Problem]:
    """Feature rows have a turn, are of what the manifest says now, and within the registry's bounds."""
    turns = {turn.key: turn for _, turn in lines}
    problems: list[Problem] = []
    for version in corpus.versions():
        path = corpus.table(version)
        try:
            for number, row in read_rows(path, version):
                wrong = _of_row(row, turns.get(row.key))
                if wrong is not None:
                    level, message = wrong
                    problems.append(Problem(path.name, number, level, f"{row.dialogue}, turn {row.turn}: {message}"))
        except CorpusError as error:
            problems.append(Problem(path.name, 0, "error", str(error)))
    return problems


def _of_row(row: Row, turn: Turn | None) -> tuple[Level, str] | None:
    if turn is None:
        return "warning", "no such turn is in the manifest"
    if row.error is not None:
        return "warning", f"could not be measured: {row.error}"
    if row.measured_on != fingerprint(turn):
        return "warning", "the turn has changed since; run `tandem corpus features`"
    known = [value for value in row.values if value is not None]
    if len(known) > 1 and not any(known):
        return "error", "every value is 0; what is missing is null"
    for feature, value in zip(FEATURES, row.values, strict=True):
        if value is not None and not feature.low <= value <= feature.high:
            return "error", f"{feature.name} is {value:g}, outside {feature.low:g} to {feature.high:g} {feature.unit}"
    return None

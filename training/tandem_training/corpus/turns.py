"""Segments -> turns: one speaker's runs are merged, backchannels flagged, everything put in order by start.

A turn is a run of one speaker's inter-pausal units in which nobody else begins a turn; a listener's "mhm" is none. A
silence of two seconds ends a turn all the same: by then a server has answered.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tandem_training.corpus.dialogue import Dialogue, Measured, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.manifest import Turn

PAUSE: Final = 2.0
"""Seconds: a shorter silence is within a turn, unless the other side begins one"""
GAP: Final = 0.5
"""Seconds: a speaker who is talked into goes on with the same turn only after a shorter one"""
BACKCHANNEL: Final = "backchannel"
_LONGEST, _MOST_WORDS = 1.5, 3
"""A backchannel's seconds and words"""
_GOES_ON: Final = 1.0
"""Seconds: a speaker who pauses no longer around it goes on speaking"""
_ACKNOWLEDGEMENTS: Final = frozenset(
    {"ah", "aha", "hm", "hmm", "huh", "mhm", "mhmm", "mm", "mmhmm", "mmm", "mm-hm", "mm-hmm", "oh", "ok", "okay"}
    | {"really", "right", "sure", "uh-huh", "uhhuh", "um-hum", "um-hmm", "umhum", "wow", "yeah", "yep", "yes", "yup"}
)
"""What English listeners say without taking the turn"""
_PUNCTUATION: Final = re.compile(r"[^\w'-]+")


@dataclass(frozen=True, slots=True)
class MadeTurn:
    """A line of the manifest, and what the corpus had measured of it."""

    turn: Turn
    measured: Measured | None


def make_turns(dialogue: Dialogue, source: str, root: Path | None) -> list[MadeTurn]:
    """The dialogue's lines; segments that take no time are left out. Raises CorpusError if it has no turns, turns that
    cannot be, or audio outside `root`."""
    segments = [segment for segment in dialogue.segments if _says_something(segment)]
    if not segments:
        raise CorpusError("nobody says anything in it")
    timed = [segment.start is not None and segment.end is not None for segment in segments]
    if any(timed):
        if not all(timed):
            raise CorpusError(f"{timed.count(False)} of {len(timed)} segments have no times")
        segments = sorted(segments, key=lambda segment: (_start(segment), _end(segment), segment.speaker))
        if not dialogue.turns_as_they_are:
            segments = merge_runs(flag_backchannels(segments))
    overlaps = _overlaps(segments) if any(timed) else [None] * len(segments)
    return [
        MadeTurn(_line(dialogue, source, root, number, segment, overlap), segment.measured)
        for number, (segment, overlap) in enumerate(zip(segments, overlaps, strict=True))
    ]


def flag_backchannels(segments: Sequence[Segment]) -> list[Segment]:
    """The same segments, in order of start, with those flagged by which a listener only shows to be listening."""
    starts = [_start(segment) for segment in segments]
    longest = max((_end(segment) - _start(segment) for segment in segments), default=0.0)
    flagged: list[Segment] = []
    for segment in segments:
        if BACKCHANNEL not in segment.flags and _acknowledges(segment):
            first = bisect_left(starts, _start(segment) - _GOES_ON - longest)
            last = bisect_left(starts, _end(segment) + _GOES_ON)
            if _is_within(segment, segments[first:last]):
                segment = replace(segment, flags=(*segment.flags, BACKCHANNEL))
        flagged.append(segment)
    return flagged


def merge_runs(segments: Sequence[Segment]) -> list[Segment]:
    """Segments in order of start -> turns in order of start."""
    turns: list[Segment] = []
    runs: dict[str, tuple[int, float]] = {}
    """Speaker -> place of the turn that may still grow, and over how long a silence"""
    for segment in segments:
        place, pause = runs.get(segment.speaker, (None, PAUSE))
        if place is not None and _continues(turns[place], segment, pause):
            turns[place] = _joined(turns[place], segment)
            continue
        if BACKCHANNEL not in segment.flags:
            # Whoever was speaking has lost the turn, unless he speaks on regardless.
            runs = {who: (at, GAP) for who, (at, _) in runs.items() if _end(turns[at]) > _start(segment)}
        runs[segment.speaker] = len(turns), PAUSE
        turns.append(segment)
    return turns


def _continues(before: Segment, segment: Segment, pause: float) -> bool:
    if (before.audio, before.channel) != (segment.audio, segment.channel):
        return False
    same_kind = (BACKCHANNEL in before.flags) == (BACKCHANNEL in segment.flags)
    gap = _start(segment) - _end(before)
    return gap < 0.0 or (same_kind and gap < pause)


def _joined(one: Segment, other: Segment) -> Segment:
    words = (*one.words, *other.words) if one.words and other.words else None
    return replace(
        one,
        end=max(_end(one), _end(other)),
        text=" ".join(text for text in (one.text, other.text) if text) or None,
        words=tuple(sorted(words, key=lambda word: (word[1], word[2]))) if words else None,
        act=_longer(one, other).act or one.act or other.act,
        flags=tuple(dict.fromkeys((*one.flags, *other.flags))),
        measured=_pooled(one.measured, other.measured),
    )


def _longer(one: Segment, other: Segment) -> Segment:
    return one if _end(one) - _start(one) >= _end(other) - _start(other) else other


def _pooled(one: Measured | None, other: Measured | None) -> Measured | None:
    """The mean of both, by weight; a feature that one side lacks is the other's."""
    if one is None or other is None:
        return one or other
    if one.version != other.version:
        raise CorpusError(f"features of {one.version!r} and {other.version!r} do not mix")
    values: dict[str, float | None] = {}
    for name in {**one.values, **other.values}:
        parts = [(side.values[name], side.weight) for side in (one, other) if side.values.get(name) is not None]
        total = sum(weight for _, weight in parts)
        values[name] = sum(value * weight for value, weight in parts if value is not None) / total if total else None
    voiced = None if one.voiced is None or other.voiced is None else one.voiced + other.voiced
    return Measured(one.version, values, one.weight + other.weight, voiced, (*one.flags, *other.flags))


def _acknowledges(segment: Segment) -> bool:
    if segment.text is None or _end(segment) - _start(segment) > _LONGEST:
        return False
    words = [word.strip("'") for word in _PUNCTUATION.split(segment.text.lower()) if word.strip("'")]
    return 0 < len(words) <= _MOST_WORDS and all(word in _ACKNOWLEDGEMENTS for word in words)


def _is_within(segment: Segment, around: Sequence[Segment]) -> bool:
    """Whether somebody else speaks before and after it, or all the while, and has not just asked a question."""
    near = [other for other in around if other.speaker != segment.speaker and _end(other) > _start(segment) - _GOES_ON]
    for other in near:
        if _start(other) >= _start(segment):
            continue
        if _end(other) >= _end(segment):
            return True
        goes_on = any(_start(more) >= _start(segment) and more.speaker == other.speaker for more in near)
        if goes_on and not (other.text or "").rstrip().endswith("?"):
            return True
    return False


def _overlaps(segments: Sequence[Segment]) -> list[float | None]:
    """Of each, the seconds in which somebody else who began earlier was still speaking."""
    reached: dict[str, float] = {}
    found: list[float | None] = []
    for segment in segments:
        ends = [end for speaker, end in reached.items() if speaker != segment.speaker]
        found.append(round(max(0.0, min(max(ends, default=0.0), _end(segment)) - _start(segment)), 6))
        reached[segment.speaker] = max(reached.get(segment.speaker, 0.0), _end(segment))
    return found


def _line(
    dialogue: Dialogue, source: str, root: Path | None, number: int, segment: Segment, overlap: float | None
) -> Turn:
    try:
        return Turn(
            dialogue=dialogue.id,
            turn=number,
            speaker=f"{dialogue.id}:{segment.speaker}" if dialogue.local_speakers else segment.speaker,
            role=segment.role,
            audio=None if segment.audio is None else _below(segment.audio, root),
            channel=segment.channel if segment.audio is not None else None,
            start=_rounded(segment.start),
            end=_rounded(segment.end),
            text=" ".join(segment.text.split()) or None if segment.text else None,
            words=tuple((word, round(start, 6), round(end, 6)) for word, start, end in segment.words or ()) or None,
            lang=dialogue.lang,
            act=segment.act,
            gender=segment.gender,
            group=dialogue.group,
            split=dialogue.split,
            overlap_prev=overlap,
            flags=segment.flags,
            source=source,
            license=dialogue.license,
        )
    except ValueError as error:
        raise CorpusError(f"turn {number} ({segment.speaker}): {_first_message(error)}") from error


def _below(audio: Path, root: Path | None) -> str:
    """The path as the manifest has it."""
    if root is None or not audio.resolve().is_relative_to(root.resolve()):
        raise CorpusError(f"{audio} is not below the audio folder {root}; name the folder that has it with --audio")
    return audio.resolve().relative_to(root.resolve()).as_posix()


def _first_message(error: ValueError) -> str:
    problems = getattr(error, "errors", None)
    return str(problems()[0]["msg"]).removeprefix("Value error, ") if problems else str(error)


def _says_something(segment: Segment) -> bool:
    if segment.start is not None and segment.start == segment.end:
        return False
    return bool((segment.text or "").strip() or segment.words or segment.measured or segment.audio)


def _rounded(second: float | None) -> float | None:
    return None if second is None else round(second, 6)


def _start(segment: Segment) -> float:
    assert segment.start is not None
    return segment.start


def _end(segment: Segment) -> float:
    assert segment.end is not None
    return segment.end

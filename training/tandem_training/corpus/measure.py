"""The features of one dialogue's turns, by the extractor that the live server uses and in the order in which it hears.

Each speaker is new at the start of a dialogue, as an unknown caller is to the server: the first turn is heard with the
unknown pitch range, later ones with what `SpeakerRange` made of the turns before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tandem_models.extract import SpeakerRange, extract_turn, phonation
from tandem_models.prosody import EXTRACTOR_VERSION, MISSING, NAMES, Prosody
from tandem_models.summary import speaking_rate
from tandem_models.text import syllables
from tandem_training.corpus.audio import Recordings
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.features import Row, fingerprint
from tandem_training.corpus.manifest import Turn, audio_file


@dataclass(frozen=True, slots=True)
class Work:
    """One dialogue; can be pickled."""

    turns: tuple[Turn, ...]
    root: Path | None
    """Of its source's audio"""

    @property
    def dialogue(self) -> str:
        return self.turns[0].dialogue


def measure_dialogue(work: Work) -> list[Row]:
    """A row for each turn that can be measured, or that should have been: those carry an error. Never raises for what
    is wrong with a recording."""
    ranges: defaultdict[str, SpeakerRange] = defaultdict(SpeakerRange)
    recordings = Recordings()
    try:
        return list(_rows(work, ranges, recordings))
    finally:
        recordings.close()


def _rows(work: Work, ranges: defaultdict[str, SpeakerRange], recordings: Recordings) -> Iterator[Row]:
    for turn in work.turns:
        if turn.audio is None:
            if turn.words is not None:
                yield _row(turn, _from_words(turn), origin="words")
            continue
        try:
            if work.root is None:
                raise CorpusError(f"source {turn.source!r} has no audio folder; import it again with --audio")
            path = audio_file(work.root, turn.audio)
            audio = recordings.read(path, turn.channel or 0, turn.start, turn.end)
            measured = extract_turn(audio, *spoken(turn), ranges[turn.speaker].pitch_range)
        except (CorpusError, ValueError, OSError, MemoryError) as error:
            yield _row(turn, MISSING, error=str(error) or type(error).__name__)
            continue
        ranges[turn.speaker] = ranges[turn.speaker].updated(measured)
        yield _row(turn, measured.prosody, duration=measured.duration, voiced=measured.voiced, flags=measured.flags)


def spoken(turn: Turn) -> tuple[int | None, float | None]:
    """(syllables, seconds of phonation) as the server counts them; None where unknown: no words, or not in English."""
    english = turn.lang is None or turn.lang.lower().split("-")[0] in {"en", "eng", "english"}
    count = syllables(turn.text) if turn.text and english else None
    spans = [(start, end) for _, start, end in turn.words or ()]
    return count, phonation(spans) if spans else None


def expected(turns: Sequence[Turn]) -> list[Turn]:
    """Those of which something can be measured."""
    return [turn for turn in turns if turn.audio is not None or turn.words is not None]


def _from_words(turn: Turn) -> Prosody:
    """No sound, but words with times: the speaking rate, by the same formula."""
    rate = speaking_rate(*spoken(turn))
    return Prosody(tuple(rate if name == "rate" else None for name in NAMES))


def _row(
    turn: Turn,
    prosody: Prosody,
    *,
    origin: str = "audio",
    duration: float | None = None,
    voiced: float | None = None,
    flags: tuple[str, ...] = (),
    error: str | None = None,
) -> Row:
    return Row.model_validate(
        {
            "dialogue": turn.dialogue,
            "turn": turn.turn,
            "version": EXTRACTOR_VERSION,
            "measured_on": fingerprint(turn),
            "origin": origin,
            "values": prosody.values,
            "duration": duration
            if duration is not None or turn.start is None or turn.end is None
            else turn.end - turn.start,
            "voiced": voiced,
            "flags": flags,
            "error": error,
        }
    )

"""The reading side of a corpus: what training and evaluation see. Stable: other code relies on these names.

for dialogue in read_corpus(Path("corpus")):
    for turn in dialogue.turns:
        turn.speaker, turn.text, turn.features, turn.mask
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem_models.prosody import EXTRACTOR_VERSION, FEATURES, Prosody
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.features import Table, current, read_table, require_version
from tandem_training.corpus.folder import Corpus, dialogues
from tandem_training.corpus.manifest import Turn, Word
from tandem_training.corpus.splits import components


@dataclass(frozen=True, slots=True, eq=False)
class CorpusTurn:
    """One turn with what was measured of it."""

    speaker: str
    """The same person everywhere in the corpus"""
    role: str | None
    text: str | None
    """The words to be spoken, known before the turn"""
    start: float | None
    """Seconds on the dialogue's clock; None where only the order is known"""
    end: float | None
    features: NDArray[np.float32]
    """(8,) in the registry's order and on its scale; NaN where the mask is False"""
    mask: NDArray[np.bool_]
    """(8,), True where there is a value"""
    voiced: float | None
    """Seconds of voice; None where it was not measured"""
    flags: tuple[str, ...]
    """Of the manifest, such as backchannel, and of the extractor, such as short or clipped"""
    version: str
    words: tuple[Word, ...] | None = None
    act: str | None = None
    overlap_prev: float | None = None

    @property
    def prosody(self) -> Prosody:
        """The features as the normaliser takes them: None is missing."""
        values = zip(self.features.tolist(), self.mask.tolist(), strict=True)
        return Prosody(tuple(value if known else None for value, known in values), self.version)

    @property
    def weight(self) -> float:
        """How much it counts for the normaliser: min(1, voiced seconds), as live; 1 where that is not known."""
        return 1.0 if self.voiced is None else min(1.0, self.voiced)


@dataclass(frozen=True, slots=True)
class CorpusDialogue:
    """One dialogue, its turns in order of start."""

    id: str
    source: str
    lang: str | None
    split: str | None
    """As the manifest has it; see `splits.split_dialogues`"""
    component: int
    """Dialogues that share speakers, directly or by others, have the same number: never split them"""
    turns: tuple[CorpusTurn, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        """In order of appearance."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))


def read_corpus(
    folder: Path, *, version: str = EXTRACTOR_VERSION, sources: Sequence[str] | None = None, split: str | None = None
) -> list[CorpusDialogue]:
    """Every dialogue with the features that `version` of the extractor measured; a turn that it has not measured has an
    empty mask. Raises CorpusError for a manifest or a table that cannot be used, and if no turn has features."""
    corpus = Corpus.open(folder)
    for name in sources or ():
        corpus.audio_root(name)  # is it known?
    table = read_table(corpus.table(require_version(version)), version)
    if not table:
        there = ", ".join(corpus.versions()) or "none"
        raise CorpusError(f"{folder} has no features of {version!r} (there: {there}); run `tandem corpus features`")
    turns = corpus.turns()
    component = components(turns)
    found = []
    for name, some in dialogues(turns).items():
        first = some[0]
        if (sources is not None and first.source not in sources) or (split is not None and first.split != split):
            continue
        read = tuple(_turn(turn, version, table) for turn in some)
        found.append(CorpusDialogue(name, first.source, first.lang, first.split, component[name], read))
    return found


def _turn(turn: Turn, version: str, table: Table) -> CorpusTurn:
    row = current(turn, table)
    values = (None,) * len(FEATURES) if row is None else row.values
    return CorpusTurn(
        speaker=turn.speaker,
        role=turn.role,
        text=turn.text,
        start=turn.start,
        end=turn.end,
        features=np.array([np.nan if value is None else value for value in values], np.float32),
        mask=np.array([value is not None for value in values], np.bool_),
        voiced=None if row is None else row.voiced,
        flags=tuple(dict.fromkeys((*turn.flags, *(row.flags if row is not None else ())))),
        version=version,
        words=turn.words,
        act=turn.act,
        overlap_prev=turn.overlap_prev,
    )

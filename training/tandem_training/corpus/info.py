"""What is in a corpus, in numbers: by source, and how much of it each version of the extractor has measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tandem_models.prosody import NAMES
from tandem_training.corpus.features import current, read_table
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.manifest import Turn
from tandem_training.corpus.splits import components
from tandem_training.corpus.turns import BACKCHANNEL


@dataclass(slots=True)
class Summary:
    """Of one source, or of everything."""

    name: str
    dialogues: int
    speakers: int
    components: int
    """Groups of dialogues that share speakers: what a split is made of"""
    turns: int
    backchannels: int
    hours: float | None
    """Of speech, summed over turns; None where no turn has times"""
    with_audio: int
    with_text: int
    with_words: int
    splits: dict[str, int] = field(default_factory=dict)
    """Split -> dialogues"""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a corpus one version of the extractor has measured."""

    version: str
    turns: int
    failed: int
    features: dict[str, int]
    """Name -> turns that have it"""


def summaries(corpus: Corpus) -> list[Summary]:
    """A line for each source, and one for all if there are several."""
    turns = corpus.turns()
    component = components(turns)
    by_source: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        by_source[turn.source].append(turn)
    found = [_summary(name, some, component) for name, some in by_source.items()]
    return found if len(found) == 1 else [*found, _summary("all", turns, component)]


def coverages(corpus: Corpus) -> list[Coverage]:
    """A line for each feature table; rows of turns that have changed or gone do not count."""
    turns = corpus.turns()
    found = []
    for version in corpus.versions():
        table = read_table(corpus.table(version), version)
        rows = [row for turn in turns if (row := current(turn, table)) is not None]
        counts = {name: sum(row.values[place] is not None for row in rows) for place, name in enumerate(NAMES)}
        found.append(Coverage(version, len(rows), sum(row.error is not None for row in table.values()), counts))
    return found


def _summary(name: str, turns: Sequence[Turn], component: dict[str, int]) -> Summary:
    names = {turn.dialogue for turn in turns}
    lengths = [turn.end - turn.start for turn in turns if turn.start is not None and turn.end is not None]
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for turn in turns:
        splits[turn.split or "none"].add(turn.dialogue)
    return Summary(
        name,
        dialogues=len(names),
        speakers=len({turn.speaker for turn in turns}),
        components=len({component[dialogue] for dialogue in names}),
        turns=len(turns),
        backchannels=sum(BACKCHANNEL in turn.flags for turn in turns),
        hours=sum(lengths) / 3600.0 if lengths else None,
        with_audio=sum(turn.audio is not None for turn in turns),
        with_text=sum(turn.text is not None for turn in turns),
        with_words=sum(turn.words is not None for turn in turns),
        splits={split: len(some) for split, some in sorted(splits.items())},
    )

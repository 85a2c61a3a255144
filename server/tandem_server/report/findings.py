"""What a recorded conversation shows, as numbers: every measure against its surrogates, and who moved. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tandem_models.measures import (
    Asymmetry,
    Dialogue,
    Finding,
    Measure,
    Movement,
    PairedTest,
    asymmetry,
    exchanges,
    global_convergence,
    measured,
    proximity_paired,
)
from tandem_models.normaliser import Normaliser
from tandem_models.prosody import INDEX, NAMES, Prosody
from tandem_models.surrogates import benjamini_hochberg, two_sided_normal
from tandem_server.record.records import ConversationRecord, Features, TurnRecord
from tandem_server.stages.entrain import UNKNOWN, Scores, Side
from tandem_server.stages.meter import SIDES

DRAWS: Final = 1999
"""Shuffles of each test: p is a multiple of 1 / 2000"""
TESTED: Final[tuple[tuple[Measure, Side | None], ...]] = (
    ("synchrony", "agent"),
    ("synchrony", "user"),
    ("synchrony", None),
    ("proximity", "agent"),
    ("proximity", "user"),
    ("convergence", "agent"),
    ("convergence", "user"),
)
"""Measure and whose answers; None is both, the symmetric measure"""


@dataclass(frozen=True, slots=True)
class Row:
    """A turn, in z: the user against the population, the agent against its voice's normal."""

    turn: TurnRecord
    scores: Scores
    target: Scores

    @property
    def side(self) -> Side:
        """Whose it is."""
        return self.turn.role


@dataclass(frozen=True, slots=True)
class Tested:
    """A measure of a feature, adjusted for all tests of the conversation."""

    feature: str
    responder: Side | None
    finding: Finding
    p_adjusted: float | None


@dataclass(frozen=True, slots=True)
class Realisation:
    """What was asked of the voice against what its audio measures, in z."""

    n: int
    r: float | None
    slope: float | None
    error: float
    """Root mean square"""


@dataclass(frozen=True, slots=True)
class Report:
    """One conversation."""

    conversation: ConversationRecord
    rows: tuple[Row, ...]
    tests: tuple[Tested, ...]
    paired: Mapping[str, PairedTest | None]
    """Proximity of the agent's answers by Weise's paired test"""
    moved: Mapping[str, Movement | None]
    follows: Mapping[str, tuple[Asymmetry, float] | None]
    """Agent follows user less user follows agent, with p"""
    realised: Mapping[str, Realisation | None]

    @property
    def strategies(self) -> list[str]:
        """Those that the agent spoke under, in order of their coming."""
        return list(dict.fromkeys(row.turn.strategy for row in self.rows if row.turn.strategy))


def report_on(conversation: ConversationRecord, turns: Sequence[TurnRecord], draws: int = DRAWS) -> Report:
    """O(draws · exchanges) for each of 8 features, 3 measures and 3 ways of answering: about half a second for 100."""
    rows = rows_of(turns)
    dialogue = dialogue_of(rows)
    tests = _tests(dialogue, draws)
    sync = {(one.feature, one.responder): one.finding for one in tests if one.finding.measure == "synchrony"}
    pairs = exchanges(dialogue, SIDES.index("agent"))
    return Report(
        conversation,
        rows,
        tests,
        {name: proximity_paired(pairs, at) for name, at in INDEX.items()},
        {name: global_convergence(dialogue, at) for name, at in INDEX.items()},
        {name: _follows(sync[name, "agent"], sync[name, "user"]) for name in NAMES},
        {name: _realisation(rows, at) for name, at in INDEX.items()},
    )


def rows_of(turns: Sequence[TurnRecord]) -> tuple[Row, ...]:
    """The turns of a record in order; noises that were no turn are left out, what was typed or not measured is not."""
    found = []
    for turn in sorted(turns, key=lambda one: one.index):
        if turn.role == "agent":
            found.append(Row(turn, _scores(turn.z), _scores(turn.target_z)))
        elif turn.text or turn.features:
            found.append(Row(turn, level_of(turn), UNKNOWN))
    return tuple(found)


def level_of(turn: TurnRecord) -> Scores:
    """Where a turn of the user stood in the population, as it was noted or as its features say."""
    noted = turn.flags.get("level")
    if isinstance(noted, Mapping):
        return _scores(noted)
    return Normaliser.new().population_z(Prosody.from_dict(turn.features)) if turn.features else UNKNOWN


def dialogue_of(rows: Sequence[Row]) -> Dialogue:
    """User is speaker 0, agent 1; times in seconds."""
    if not rows:
        return Dialogue(np.zeros((0, len(NAMES))), np.zeros(0, np.int64), np.zeros(0))
    times = [row.turn.started_ms / 1000.0 for row in rows]
    return Dialogue.of([(SIDES.index(row.side), row.scores) for row in rows], times)


def _scores(values: Features) -> Scores:
    return tuple(values.get(name) for name in NAMES)


def _tests(dialogue: Dialogue, draws: int) -> tuple[Tested, ...]:
    found = []
    for measure, responder in TESTED:
        pairs = exchanges(dialogue, None if responder is None else SIDES.index(responder))
        found += [(name, responder, measured(measure, pairs, at, draws=draws)) for name, at in INDEX.items()]
    adjusted = benjamini_hochberg([np.nan if one.p is None else one.p for _, _, one in found])
    return tuple(
        Tested(name, responder, one, None if np.isnan(p) else float(p))
        for (name, responder, one), p in zip(found, adjusted, strict=True)
    )


def _follows(agent: Finding, user: Finding) -> tuple[Asymmetry, float] | None:
    found = asymmetry(agent, user)
    return None if found is None else (found, two_sided_normal(found.z / found.error))


def _realisation(rows: Sequence[Row], at: int) -> Realisation | None:
    pairs = [(row.target[at], row.scores[at]) for row in rows if row.side == "agent"]
    known = np.array([(asked, spoken) for asked, spoken in pairs if asked is not None and spoken is not None])
    if not len(known):
        return None
    asked, spoken = known.T
    error = float(np.sqrt(np.mean(np.square(spoken - asked))))
    if len(known) < 3 or asked.std() < 1e-9:
        return Realisation(len(known), None, None, error)
    slope = float(np.cov(asked, spoken)[0, 1] / asked.var(ddof=1))
    r = float(np.corrcoef(asked, spoken)[0, 1]) if spoken.std() > 1e-9 else None
    return Realisation(len(known), r, slope, error)

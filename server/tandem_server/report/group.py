"""Many conversations: each strategy's effects as a group, partners against strangers, and other sessions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from tandem_models.group_measures import (
    GroupTest,
    SessionTest,
    fisher_mean,
    global_similarity,
    other_sessions,
    speaker_means,
    t_test,
)
from tandem_models.prosody import INDEX, NAMES
from tandem_models.surrogates import benjamini_hochberg
from tandem_server.report.findings import Report, dialogue_of
from tandem_server.stages.meter import SIDES

MIXED: Final = "several"
"""Strategy of a conversation in which it was changed"""
Kind = Literal[
    "synchrony agent", "synchrony user", "proximity agent", "convergence agent", "global convergence",
    "global similarity", "other sessions",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = (
    "synchrony agent", "synchrony user", "proximity agent", "convergence agent", "global convergence",
    "global similarity", "other sessions",
)  # fmt: skip
_CORRELATIONS: Final = frozenset({"synchrony", "convergence"})


@dataclass(frozen=True, slots=True)
class GroupFinding:
    """One test of one feature over the conversations of one strategy."""

    strategy: str
    kind: Kind
    feature: str
    test: GroupTest | SessionTest | None
    p_adjusted: float | None = None

    @property
    def effect(self) -> float | None:
        """Mean r, z or difference; of other sessions how far the mean r is above that with strangers."""
        if isinstance(self.test, SessionTest):
            return self.test.effect - self.test.surrogate
        return None if self.test is None else self.test.mean

    @property
    def n(self) -> int:
        """Conversations; of global similarity speakers."""
        if isinstance(self.test, SessionTest):
            return self.test.dialogues
        return 0 if self.test is None else self.test.n


def strategy_of(report: Report) -> str:
    """The one under which a conversation was."""
    found = report.strategies
    return found[0] if len(found) == 1 else MIXED if found else "none"


def group_findings(reports: Sequence[Report]) -> list[GroupFinding]:
    """All tests of all strategies. Each strategy is a family of its own: what one condition shows must not make it
    easier to find something in another."""
    by_strategy = {strategy: [one for one in reports if strategy_of(one) == strategy] for strategy in _known(reports)}
    return [finding for strategy, mine in by_strategy.items() for finding in _family(strategy, mine)]


def _known(reports: Sequence[Report]) -> list[str]:
    return sorted({strategy_of(one) for one in reports})


def _family(strategy: str, reports: Sequence[Report]) -> list[GroupFinding]:
    found = [GroupFinding(strategy, kind, name, _test(reports, kind, name)) for kind in KINDS for name in NAMES]
    adjusted = benjamini_hochberg([np.nan if one.test is None else one.test.p for one in found])
    return [one if np.isnan(p) else replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def group_rows(findings: Sequence[GroupFinding]) -> list[dict[str, Any]]:
    """A row for each test, for JSON and CSV."""
    return [
        {
            "strategy": one.strategy,
            "test": one.kind,
            "feature": one.feature,
            "n": one.n,
            "effect": one.effect,
            "d": one.test.d if isinstance(one.test, GroupTest) else None,
            "p": None if one.test is None else one.test.p,
            "p_adjusted": one.p_adjusted,
        }
        for one in findings
    ]


def _test(reports: Sequence[Report], kind: Kind, name: str) -> GroupTest | SessionTest | None:
    at = INDEX[name]
    match kind:
        case "global convergence":
            return t_test([np.nan if one.moved[name] is None else _change(one, name) for one in reports])
        case "global similarity":
            means = [speaker_means(dialogue_of(one.rows))[:, at] for one in reports]
            return global_similarity(np.array(means).reshape(len(means), 2))
        case "other sessions":
            dialogues = [dialogue_of(one.rows) for one in reports]
            return other_sessions(dialogues, "synchrony", at, SIDES.index("agent"))
    measure, _, responder = kind.partition(" ")
    effects = [
        np.nan if each.finding.effect is None else each.finding.effect
        for one in reports
        for each in one.tests
        if (each.finding.measure, each.responder, each.feature) == (measure, responder, name)
    ]
    return fisher_mean(effects) if measure in _CORRELATIONS else t_test(effects)


def _change(report: Report, name: str) -> float:
    moved = report.moved[name]
    assert moved is not None
    return moved.change

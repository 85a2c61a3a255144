"""A report as JSON and as CSV: long tables, a row a test or a turn and feature, as R and pandas read them. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tandem_models.measures import Movement
from tandem_models.prosody import INDEX, NAMES
from tandem_server.report.findings import Report
from tandem_server.stages.meter import SIDES

Json = dict[str, Any]


def as_json(report: Report) -> Json:
    """Everything in the report; numbers that are missing are null. What was said is not in it."""
    conversation = report.conversation
    return {
        "format": "tandem-report-1",
        "conversation": conversation.id,
        "user_id": conversation.user_id,
        "started_at": conversation.started_at.isoformat(),
        "ended_at": conversation.ended_at.isoformat() if conversation.ended_at else None,
        "settings": conversation.settings.get("tandem"),
        "engines": dict(conversation.engines),
        "software_version": conversation.software_version,
        "extractor_version": conversation.extractor_version,
        "strategies": report.strategies,
        "turns": turn_rows(report),
        "tests": test_rows(report),
        "features": [_feature(report, name) for name in NAMES],
    }


def test_rows(report: Report) -> list[Json]:
    """A row for each measure, feature and way of answering."""
    return [
        {
            "conversation": report.conversation.id,
            "strategy": "+".join(report.strategies),
            "measure": one.finding.measure,
            "responder": one.responder or "both",
            "feature": one.feature,
            "n": one.finding.n,
            "effect": one.finding.effect,
            "p_shuffled": one.finding.test.p_shuffled if one.finding.test else None,
            "p_shifted": one.finding.test.p_shifted if one.finding.test else None,
            "p": one.finding.p,
            "p_adjusted": one.p_adjusted,
        }
        for one in report.tests
    ]


def turn_rows(report: Report) -> list[Json]:
    """A row for each turn and feature: as measured, and in z."""
    return [
        {
            "conversation": report.conversation.id,
            "turn": row.turn.index,
            "role": row.side,
            "started_s": row.turn.started_ms / 1000.0,
            "ended_s": row.turn.ended_ms / 1000.0,
            "strategy": row.turn.strategy,
            "donor": row.turn.strategy_settings.get("donor"),
            "feature": name,
            "value": row.turn.features.get(name),
            "z": row.scores[at],
            "target_z": row.target[at],
        }
        for row in report.rows
        for name, at in INDEX.items()
    ]


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """RFC 4180, with a heading; null is empty."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(_plain(rows))
    return out.getvalue()


def _plain(rows: Iterable[Mapping[str, object]]) -> Iterable[dict[str, object]]:
    """Text that a spreadsheet would take for a formula is quoted: user ids are anybody's."""
    for row in rows:
        yield {
            key: f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
            for key, value in row.items()
        }


def _feature(report: Report, name: str) -> Json:
    paired, follows, realised = report.paired[name], report.follows[name], report.realised[name]
    return {
        "feature": name,
        "proximity_paired": None if paired is None else {**asdict(paired), "index": paired.index},
        "global_convergence": _movement(report.moved[name]),
        "asymmetry": None if follows is None else {"z": follows[0].z, "error": follows[0].error, "p": follows[1]},
        "realised": None if realised is None else asdict(realised),
    }


def _movement(moved: Movement | None) -> Json | None:
    if moved is None:
        return None
    return {
        "before": moved.before,
        "after": moved.after,
        "change": moved.change,
        **{f"shift_{side}": value for side, value in zip(SIDES, moved.shift, strict=True)},
        **{f"share_{side}": value for side, value in zip(SIDES, moved.shares, strict=True)},
    }

"""The report on many conversations as one HTML page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from tandem_models.prosody import FEATURES
from tandem_server.report.findings import Report
from tandem_server.report.group import KINDS, GroupFinding, Kind, strategy_of
from tandem_server.report.page import document, effect_cell, row, section, table

_HEADS: Final[dict[Kind, str]] = {
    "synchrony agent": "Synchrony<br>agent answers (r)",
    "synchrony user": "Synchrony<br>user answers (r)",
    "proximity agent": "Proximity<br>agent answers (z)",
    "convergence agent": "Convergence<br>agent answers (r)",
    "global convergence": "Second half<br>closer by (z)",
    "global similarity": "Partner nearer<br>than strangers (z)",
    "other sessions": "Synchrony over<br>other sessions (r)",
}
_NOTE: Final = (
    "Means over conversations, with p of Student's t against 0 (correlations as Fisher's z), adjusted over all tests "
    "of a strategy; n is conversations, for global similarity speakers. The last column is against 200 pairings of "
    "users with the agents of other conversations. Conversations of one person count as if they were of several: have "
    "one of each, or analyse the CSV with a model that has a term for the person."
)


def group_page(reports: Sequence[Report], findings: Sequence[GroupFinding]) -> str:
    """The whole page; the findings are those of the reports."""
    body = [f"<h1>{len(reports)} conversations</h1>"]
    for strategy in sorted({one.strategy for one in findings}):
        mine = [one for one in findings if one.strategy == strategy]
        held = sum(one.p_adjusted is not None and one.p_adjusted < 0.05 for one in mine)
        count = sum(strategy_of(one) == strategy for one in reports)
        tested = sum(one.p_adjusted is not None for one in mine)
        title = f"{escape(strategy)}: {count} {'conversation' if count == 1 else 'conversations'}"
        note = f"{held} of {tested} tests hold." if tested else "Too few conversations to test."
        body.append(section(title, _effects(mine), note))
    body.append(section("Conversations", _conversations(reports)))
    body.append(section("How this was computed", f"<p>{_NOTE}</p>"))
    return document("Tandem: conversations", body)


def _effects(findings: Sequence[GroupFinding]) -> str:
    found = {(one.kind, one.feature): one for one in findings}
    rows = []
    for feature in FEATURES:
        mine = [found[kind, feature.name] for kind in KINDS]
        rows.append(row(feature.label, [effect_cell(one.effect, one.p_adjusted, f"n {one.n}") for one in mine]))
    return table(["Feature", *(_HEADS[kind] for kind in KINDS)], rows)


def _conversations(reports: Sequence[Report]) -> str:
    rows = []
    for one in reports:
        held = sum(test.p_adjusted is not None and test.p_adjusted < 0.05 for test in one.tests)
        user = escape(one.conversation.user_id or "")
        began = one.conversation.started_at.strftime("%Y-%m-%d %H:%M")
        facts = (user, began, strategy_of(one), len(one.rows), held)
        rows.append(row(f"<code>{escape(one.conversation.id)}</code>", [f"<td>{fact}</td>" for fact in facts]))
    return table(["Conversation", "User", "Began", "Strategy", "Turns", "Tests that hold"], rows)

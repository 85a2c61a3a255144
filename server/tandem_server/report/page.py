"""A report as one HTML page: style and charts are inside, nothing is fetched and nothing runs. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from tandem_models.prosody import FEATURES, INDEX
from tandem_models.surrogates import MINIMUM
from tandem_server.report.findings import DRAWS, TESTED, Report, Tested
from tandem_server.report.style import STYLE
from tandem_server.report.svg import movement, scatter, trajectory
from tandem_server.stages.meter import SIDES

LEVEL: Final = 0.05
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
"""Content security policy under which the page is whole"""
Cells = Sequence[str]


def report_page(report: Report) -> str:
    """The whole page."""
    name = report.conversation.id
    body = [
        f"<h1>Conversation <code>{escape(name)}</code></h1>",
        _facts(report),
        _verdict(report.tests),
        section("Who answers whom", _measures(report), _MEASURES_NOTE),
        section("Turn by turn", _trajectories(report), _TURNS_NOTE),
        section("Who moved", _moved(report), _MOVED_NOTE),
        section("Asked for and realised", _realised(report), _REALISED_NOTE),
        section("How this was computed", _METHOD),
    ]
    return document(f"Tandem: {name}", body)


_MEASURES_NOTE: Final = (
    "Effect, adjusted p, number of exchanges. Synchrony and convergence are Pearson's r; proximity is by how many z "
    "answers are nearer to what they answer than to other turns. Bold: p below .05 after adjustment."
)
_TURNS_NOTE: Final = (
    "In z. You: standard deviations from the average speaker. The agent: standard deviations of people's turns, from "
    "its voice's normal. A gap could not be measured."
)
_MOVED_NOTE: Final = (
    "Distance of the speakers' means in the first and the second half of the conversation, and how much of its change "
    "is whose doing. Not tested: one conversation has one such number."
)
_REALISED_NOTE: Final = (
    "What was asked of the voice against what its audio measures. Where r is low the voice did not do as it was asked, "
    "and an absence of entrainment is the voice's."
)
_METHOD: Final = (
    f"<p>All measures are of realised audio. Each is tested against two kinds of surrogates of this conversation: "
    f"answers shuffled ({DRAWS} times), and answers shifted as a whole by at least three exchanges or reversed, which "
    f"keeps each speaker's own momentum. The p that is given is the larger of the two, two-sided, then adjusted over "
    f"all tests in the table (Benjamini and Hochberg). A test takes {MINIMUM} exchanges. If both speakers drift by "
    f"themselves and alike through the whole conversation, no surrogate made from it can tell: compare conditions. "
    f"The measures follow Levitan and Hirschberg (2011) and Weise, with the turn as unit. That nothing is found "
    f"does not show that there is nothing: few exchanges find strong effects only.</p>"
)


def section(title: str, content: str, note: str = "") -> str:
    """A heading, what it is, and what is under it."""
    return f"<section><h2>{title}</h2>{f'<p class=note>{note}</p>' if note else ''}{content}</section>"


def document(title: str, body: Iterable[str]) -> str:
    """A page with the reports' style."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def table(head: Cells, rows: Iterable[str]) -> str:
    """Rows are ready HTML."""
    heading = "".join(f"<th scope=col>{one}</th>" for one in head)
    return f"<div class=scroll><table><thead><tr>{heading}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def row(label: str, cells: Cells) -> str:
    """One row with its heading."""
    return f"<tr><th scope=row>{label}</th>{''.join(cells)}</tr>"


def number(value: float | None, digits: int = 2) -> str:
    """With its sign, and a true minus."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}".replace("-", "\u2212")
    return text if float(text[1:]) else text[1:]


def chance(p: float | None) -> str:
    """As papers write it."""
    if p is None:
        return "–"
    return "p < .001" if p < 0.001 else f"p {p:.3f}".replace(" 0.", " .")


def effect_cell(effect: float | None, p: float | None, count: str) -> str:
    """Effect, p and n of one test; coloured only when it holds."""
    holds = p is not None and effect is not None and p < LEVEL
    kind = ("towards" if effect is not None and effect > 0 else "away") if holds else "chance"
    value = f"<b>{number(effect)}</b>" if effect is not None else "–"
    return f"<td class={kind}>{value}<small>{chance(p) + ', ' if p is not None else ''}{count}</small></td>"


def _facts(report: Report) -> str:
    conversation, tandem = report.conversation, report.conversation.settings.get("tandem")
    settings = tandem if isinstance(tandem, dict) else {}
    assignment = settings.get("assignment") or {}
    donors = {str(row.turn.strategy_settings.get("donor")) for row in report.rows if row.turn.strategy == "yoked"}
    sides = [one.side for one in report.rows]
    facts = {
        "Strategy": " then ".join(report.strategies) or "none",
        "Strength": settings.get("strength"),
        "Donor": ", ".join(sorted(donors)),
        "Plan": f"{assignment['plan']}: {assignment['condition']}" if assignment else "",
        "User": conversation.user_id,
        "Began": conversation.started_at.strftime("%Y-%m-%d %H:%M %Z"),
        "Turns": " + ".join(f"{sides.count(side)} {side}" for side in SIDES),
        "Voice": conversation.engines.get("voice"),
        "Extractor": conversation.extractor_version,
        "Version": conversation.software_version,
    }
    shown = [(name, value) for name, value in facts.items() if value not in (None, "")]
    return f"<dl>{''.join(f'<div><dt>{name}</dt><dd>{escape(str(value))}</dd></div>' for name, value in shown)}</dl>"


def _verdict(tests: Sequence[Tested]) -> str:
    tested = [one for one in tests if one.p_adjusted is not None]
    if not tested:
        most = max((one.finding.n for one in tests), default=0)
        return f"<p class=verdict>Too short to test: {most} exchanges at most, and a test takes {MINIMUM}.</p>"
    held = [one for one in tested if one.p_adjusted is not None and one.p_adjusted < LEVEL]
    agent = sum(one.responder == "agent" for one in held)
    return (
        f"<p class=verdict>{len(held)} of {len(tested)} tests hold at 5 % after adjustment, {agent} of them of how the "
        f"agent answers the user.</p>"
    )


_ANSWERS: Final = {"agent": "agent answers", "user": "user answers", None: "both"}


def _measures(report: Report) -> str:
    found = {(one.finding.measure, one.responder, one.feature): one for one in report.tests}
    rows = []
    for feature in FEATURES:
        cells = []
        for measure, responder in TESTED:
            one = found[measure, responder, feature.name]
            cells.append(effect_cell(one.finding.effect, one.p_adjusted, f"n {one.finding.n}"))
        follows = report.follows[feature.name]
        cells.append(
            "<td>–</td>" if follows is None else f"<td>{number(follows[0].z)}<small>{chance(follows[1])}</small></td>"
        )
        rows.append(row(feature.label, cells))
    columns = [f"{measure.capitalize()}<br>{_ANSWERS[responder]}" for measure, responder in TESTED]
    return table(["Feature", *columns, "Who follows<br>more (z)"], rows)


def _trajectories(report: Report) -> str:
    legend = (
        "<p class=legend><span class=user>● You</span><span class=target>◆ Agent's target</span>"
        "<span class=agent>■ Agent, realised</span></p>"
    )
    charts = (
        f"<figure><figcaption>{one.label}</figcaption>{trajectory(report.rows, INDEX[one.name])}</figure>"
        for one in FEATURES
    )
    return f"{legend}<div class=multiples>{''.join(charts)}</div>"


def _moved(report: Report) -> str:
    rows = []
    for feature in FEATURES:
        moved = report.moved[feature.name]
        if moved is None:
            rows.append(row(feature.label, ["<td colspan=6>not measured in both halves</td>"]))
            continue
        cells = [
            f"<td class=chart>{movement(moved)}</td>",
            *(f"<td>{number(value)}</td>" for value in (moved.change, *moved.shift, *moved.shares)),
        ]
        rows.append(row(feature.label, cells))
    head = [
        "Feature",
        "Distance",
        "Closer by",
        "User's mean moved",
        "Agent's mean moved",
        "User's share",
        "Agent's share",
    ]
    return table(head, rows)


def _realised(report: Report) -> str:
    figures = []
    for feature in FEATURES:
        found, at = report.realised[feature.name], INDEX[feature.name]
        if found is None:
            continue
        points = [(one.target[at], one.scores[at]) for one in report.rows if one.side == "agent"]
        known = [(asked, spoken) for asked, spoken in points if asked is not None and spoken is not None]
        said = f"r {number(found.r)}, slope {number(found.slope)}, error {found.error:.2f} z, n {found.n}"
        figures.append(
            f"<figure><figcaption>{feature.label}</figcaption>{scatter(known)}<small>{said}</small></figure>"
        )
    return f"<div class=scatters>{''.join(figures)}</div>" if figures else "<p>The agent has not spoken.</p>"

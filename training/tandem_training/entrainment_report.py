"""The evaluation of entrainment models as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from tandem_training.svg import bars, lines

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 820px; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .7rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f4f6f8 }
thead { border-bottom: 1px solid #888 } svg { font-size: 12px; max-width: 100% } .axis { fill: #666 }
tr.model { font-weight: 600 } .note { color: #555 }
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole page, from what the recipe writes as report.json."""
    spec, detail = report["spec"], report["detail"]
    model = next(name for name in report["seeds"])
    parts = [
        f"<h1>Entrainment: {escape(model)} on simulated dialogues</h1>",
        f'<p class="note">World “{escape(spec["world"])}”, {spec["dialogues"]} dialogues of {spec["turns"]} turns '
        f"between speakers that no model was trained on; mean absolute error (L1) from turn 4 on in simulator units "
        f"(the features' standard deviation is {report['sd']:.3f}); 95 % intervals from {spec['resamples']} resamples "
        "of dialogues. The simulator's types of speaker are of the form that the model's filters assume: this shows "
        "that planted entrainment is found, not that people entrain.</p>",
        _listening(report["listening"], model),
        _seeds(report, model),
        _speaking(report["speaking"], model),
        _ablations(report["ablations"]),
        _partner(detail),
        _calibration(detail),
        _couplings(detail),
        _turns(detail),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Entrainment: {escape(model)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _listening(table: Mapping[str, Any], model: str) -> str:
    ordered = dict(sorted(table.items(), key=lambda item: -float(item[1]["l1"][0])))
    rows = [[name, _spread(row["l1"]), _percent(row["share"])] for name, row in ordered.items()]
    close = {name: row["l1"] for name, row in ordered.items() if row["l1"][0] < 0.75}
    return (
        "<h2>Listening to two people</h2><p>Every turn is predicted from the recorded turns before it and its text. "
        "The entrainment share is 0 for a perfect predictor that knows of no entrainment, 100 % for the Bayes bank.</p>"
        + _table(["predictor", "L1", "entrainment share"], rows, model)
        + bars(close or {name: row["l1"] for name, row in ordered.items()}, model, "L1; smaller is better")
    )


def _seeds(report: Mapping[str, Any], model: str) -> str:
    shares = ", ".join("none" if share is None else f"{100 * share:.1f} %" for share in report["seeds"][model])
    gain = report["above_pooled"]
    return (
        f"<p>Entrainment share of each training seed: {shares}. L1 below the pooled Kalman filter's by "
        f"{gain[0]:.4f} [{gain[1]:.4f}, {gain[2]:.4f}].</p>"
    )


def _speaking(table: Mapping[str, Any], model: str) -> str:
    ordered = sorted(table.items(), key=lambda item: -float(item[1]["free"][0]))
    rows = [[name, _spread(row["free"]), _spread(row["forced"])] for name, row in ordered]
    return (
        "<h2>Speaking for one of them</h2><p>The agent's recorded turns are taken away; a predictor hears the partner "
        "and what a voice made of its own predictions. “Forced” is what teacher forcing would have reported for the "
        "same turns: the difference is the size of the 2022 error.</p>"
        + _table(["predictor", "L1, free-running", "L1, forced"], rows, model)
    )


def _ablations(table: Mapping[str, Any]) -> str:
    if not table:
        return ""
    rows = [[name, _signed(row["listening"]), _signed(row["speaking"])] for name, row in table.items()]
    base = escape(next(iter(table)))
    return (
        f"<h2>What each part is worth</h2><p>Change of L1 against “{base}”, trained alike; positive is worse.</p>"
        + _table(["without", "listening", "speaking"], rows, "")
    )


def _partner(detail: Mapping[str, Any]) -> str:
    gain = detail["partner"]
    rows = [[name, _spread(row["gain"]), f"{row['p_holm']:.3f}"] for name, row in detail["partner_by_feature"].items()]
    parts = [[name, _signed(row)] for name, row in detail["withheld"].items()]
    return (
        "<h2>What the prediction rests on</h2><p>Change of L1 when a part is taken away at the test, without training "
        "anew; positive is worse.</p>"
        + _table(["withheld", "change of L1"], parts, "")
        + f"<h2>Does it hear the partner?</h2><p>L1 with another dialogue's partner, less L1 with the real one: "
        f"{gain[0]:.4f} [{gain[1]:.4f}, {gain[2]:.4f}].</p>"
        + _table(["feature", "L1 shuffled - real", "p (Holm)"], rows, "")
    )


def _calibration(detail: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{100 * share:.1f} %", f"{detail['l1_by_feature'][name]:.4f}"]
        for name, share in detail["coverage"].items()
    ]
    pit = ", ".join(f"{100 * share:.1f} %" for share in detail["pit"])
    return (
        f"<h2>Does it know how sure it is?</h2><p>The 90 % intervals cover {100 * detail['coverage_all']:.1f} % of "
        f"what was said. Below, between and above the five quantiles: {pit} (nominal 5, 20, 25, 25, 20, 5 %). Standard "
        f"deviation of the predictions over that of the speech: {detail['output_sd']:.2f}.</p>"
        + _table(["feature", "coverage of 90 % intervals", "L1"], rows, "")
    )


def _couplings(detail: Mapping[str, Any]) -> str:
    planted = {name: alpha for name, (alpha, _, _) in detail["planted"].items()}
    plot = lines(
        detail["followed"], planted, "turn", "expected alpha of whoever speaks, by planted type (dashed: planted)"
    )
    learnt = detail["couplings"]
    rows = [
        [f"{number}", f"{share:.2f}", _mean(alpha), _mean(beta)]
        for number, (share, alpha, beta) in enumerate(
            zip(learnt.get("share", []), learnt.get("alpha", []), learnt.get("beta", []), strict=True), 1
        )
    ]
    known = "; ".join(
        f"{escape(name)}: {share:.2f}, {alpha:.2f}, {beta:.2f}"
        for name, (alpha, beta, share) in detail["planted"].items()
    )
    return (
        f"<h2>Who follows whom</h2>{plot}<p>Types of speaker as learnt from the data, means over features; planted "
        f"(share, alpha, beta): {known}.</p>"
        + _table(["type", "share", "alpha (proximity)", "beta (synchrony)"], rows, "")
    )


def _turns(detail: Mapping[str, Any]) -> str:
    spans = detail["l1_by_turn"]
    names = list(next(iter(spans.values())))
    rows = [[span, *(f"{row[name]:.4f}" for name in names)] for span, row in spans.items()]
    return "<h2>As the dialogue grows</h2>" + _table(["turns", *names], rows, "")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], marked: str) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr{' class=model' if row[0] == marked else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _spread(row: Sequence[float] | None) -> str:
    return "" if row is None else f"{row[0]:.4f} [{row[1]:.4f}, {row[2]:.4f}]"


def _signed(row: Sequence[float]) -> str:
    return f"{row[0]:+.4f} [{row[1]:+.4f}, {row[2]:+.4f}]"


def _percent(row: Sequence[float] | None) -> str:
    return "" if row is None else f"{100 * row[0]:.1f} [{100 * row[1]:.1f}, {100 * row[2]:.1f}] %"


def _mean(row: Sequence[float]) -> str:
    return f"{sum(row) / len(row):+.3f}"

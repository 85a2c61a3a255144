"""How reports are shown: pages that are whole by themselves and safe, tables that other programs read."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tandem_models.prosody import NAMES
from tandem_models.surrogates import MINIMUM
from tandem_server.report.findings import TESTED, Report, report_on
from tandem_server.report.group import group_findings, group_rows
from tandem_server.report.group_page import group_page
from tandem_server.report.page import POLICY, chance, number, report_page
from tandem_server.report.tables import as_csv, as_json, test_rows, turn_rows

from .recorded import recorded

test_rows.__test__ = False  # type: ignore[attr-defined]
VOID = {"meta", "br", "link", "img"}


class Whole(HTMLParser):
    """Notes what is not closed, and what comes from elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.foreign: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.foreign += [name for name, _ in attrs if name in ("src", "href", "style") or name.startswith("on")]
        self.foreign += [tag] if tag in ("script", "link", "iframe") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report() -> Report:
    return report_on(*recorded("sess_1", 12), draws=199)


def test_the_page_is_whole_needs_nothing_and_runs_nothing(report: Report) -> None:
    page = report_page(report)
    checked = Whole(page)
    assert (checked.open, checked.foreign) == ([], [])
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(drawing)
    assert page.count("<svg") == 3 * len(NAMES)


def test_its_policy_allows_its_style_and_nothing_else(report: Report) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", report_page(report), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY and POLICY.startswith("default-src 'none'")


def test_what_people_typed_is_text_on_the_page_and_what_was_said_is_not_there(report: Report) -> None:
    evil = replace(report, conversation=replace(report.conversation, user_id="<script>alert(1)</script>"))
    page = report_page(evil) + group_page([evil], group_findings([evil]))
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "secret" not in page + json.dumps(as_json(report)) + as_csv(turn_rows(report))


def test_a_short_conversation_says_that_it_is_too_short() -> None:
    page = report_page(report_on(*recorded("sess_1", 4)))
    assert f"Too short to test: 7 exchanges at most, and a test takes {MINIMUM}." in page


def test_json_holds_every_test_and_every_turn_and_no_nan(report: Report) -> None:
    made = json.loads(json.dumps(as_json(report), allow_nan=False))
    assert len(made["tests"]) == len(TESTED) * len(NAMES)
    assert len(made["turns"]) == 24 * len(NAMES)
    assert made["features"][0]["global_convergence"].keys() >= {"shift_user", "share_agent", "change"}
    assert made["strategies"] == ["match"]


def read(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_is_read_back_with_the_same_numbers(report: Report) -> None:
    rows = read(as_csv(test_rows(report)))
    assert [float(one["effect"]) for one in rows] == [one.finding.effect for one in report.tests]
    turns = read(as_csv(turn_rows(report)))
    assert (turns[8]["role"], turns[8]["feature"]) == ("agent", "pitch_mean")
    assert turns[0]["target_z"] == ""
    assert as_csv([]) == ""


def test_text_that_a_spreadsheet_would_run_is_quoted() -> None:
    assert read(as_csv([{"user": "=HYPERLINK(1)", "n": -1}])) == [{"user": "'=HYPERLINK(1)", "n": "-1"}]


def test_numbers_as_papers_write_them() -> None:
    assert [number(value) for value in (0.614, -0.5, -0.001, None)] == ["+0.61", "−0.50", "0.00", "–"]
    assert [chance(p) for p in (0.0002, 0.0416, 1.0, None)] == ["p < .001", "p .042", "p 1.000", "–"]


def test_conversations_are_grouped_by_strategy_and_those_that_follow_are_told_from_those_that_do_not() -> None:
    follow = [report_on(*recorded(f"m{one}", 12, 0.7, one), 0) for one in range(8)]
    still = [report_on(*recorded(f"n{one}", 12, 0.0, 50 + one, strategy="neutral"), 0) for one in range(8)]
    findings = group_findings([*follow, *still])
    held = {(one.strategy, one.kind) for one in findings if one.p_adjusted is not None and one.p_adjusted < 0.05}
    assert {("match", "synchrony agent"), ("match", "proximity agent"), ("match", "other sessions")} <= held
    assert not [kind for strategy, kind in held if strategy == "neutral"]
    page = group_page([*follow, *still], findings)
    assert Whole(page).open == [] and "match: 8 conversations" in page
    rows = read(as_csv(group_rows(findings)))
    assert len(rows) == 2 * 7 * len(NAMES)


def test_a_conversation_in_which_the_strategy_changed_is_of_its_own_kind() -> None:
    conversation, turns = recorded("c", 3)
    changed = report_on(conversation, [*turns[:-1], replace(turns[-1], strategy="anti")])
    assert {one.strategy for one in group_findings([changed])} == {"several"}

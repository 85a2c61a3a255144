"""The report's numbers: the series of the record, tests that find what was planted, and what was realised."""

from __future__ import annotations

import pytest
from scipy import stats

from tandem_models.normaliser import Normaliser
from tandem_models.prosody import NAMES, Prosody
from tandem_server.report.findings import TESTED, level_of, report_on, rows_of
from tandem_server.stages.entrain import UNKNOWN

from .recorded import recorded, user_turn


def test_the_users_level_is_as_noted_or_as_the_features_say() -> None:
    noted = user_turn("c", 0, {"rate": 0.5})
    assert level_of(noted)[NAMES.index("rate")] == 0.5
    assert level_of(noted)[0] is None
    features = {"pitch_mean": 9.0, "rate": 1.7}
    expected = Normaliser.new().population_z(Prosody.from_dict(features))
    assert level_of(user_turn("c", 0, None, features)) == expected
    assert level_of(user_turn("c", 0, None)) == UNKNOWN


def test_rows_are_in_order_and_noises_are_left_out() -> None:
    _, turns = recorded("c", 3)
    rows = rows_of([*turns[::-1], user_turn("c", 90, None, text="")])
    assert [row.turn.index for row in rows] == list(range(6))
    assert [row.side for row in rows] == ["user", "agent"] * 3


def test_an_agent_that_follows_is_found_to_and_not_its_user() -> None:
    report = report_on(*recorded("c", 40, gain=0.8), draws=499)
    held = {(one.finding.measure, one.responder) for one in report.tests if one.p_adjusted and one.p_adjusted < 0.05}
    assert ("synchrony", "agent") in held and ("proximity", "agent") in held
    assert ("synchrony", "user") not in held
    assert all(found is not None and found[0].z > 0.5 for found in report.follows.values())
    assert len(report.tests) == len(TESTED) * len(NAMES)
    known = [one.finding.p for one in report.tests]
    assert [one.p_adjusted for one in report.tests] == pytest.approx(stats.false_discovery_control(known))


def test_an_agent_that_does_not_follow_is_found_to_in_few_conversations() -> None:
    reports = [report_on(*recorded("c", 25, 0.0, seed), 0) for seed in range(30)]
    false = sum(any(one.p_adjusted is not None and one.p_adjusted < 0.05 for one in made.tests) for made in reports)
    assert false <= 4  # one in twenty; of 30, 5 or more would come once in seventy


def test_the_same_record_gives_the_same_report() -> None:
    assert report_on(*recorded("c", 12), draws=199) == report_on(*recorded("c", 12), draws=199)


def test_what_was_asked_is_compared_with_what_was_realised() -> None:
    # The example's voice does 0.5 of what it is asked, and nothing else.
    report = report_on(*recorded("c", 10, gain=1.0, realised=0.5, noise=0.0), draws=0)
    found = report.realised["rate"]
    assert found is not None
    assert (found.n, found.r, found.slope) == pytest.approx((10, 1.0, 0.5), abs=1e-3)
    still = report_on(*recorded("c", 10, gain=0.0, noise=0.0), draws=0).realised["rate"]
    assert still is not None and (still.r, still.slope, still.error) == (None, None, 0.0)


def test_a_conversation_without_a_turn_has_an_empty_report() -> None:
    conversation, _ = recorded("c", 1)
    report = report_on(conversation, [])
    assert report.rows == () and report.strategies == []
    assert all(one.finding.n == 0 and one.p_adjusted is None for one in report.tests)

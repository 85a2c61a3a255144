"""Strategies and guards, with numbers worked out by hand, and the closed loop that the guards are there for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_models.prosody import NAMES
from tandem_server.stages.entrain import (
    NEUTRAL,
    UNLIMITED,
    Guards,
    History,
    Prediction,
    Reach,
    Scores,
    UserScores,
    aim,
    trust,
)
from tandem_server.stages.strategies import STRATEGIES, anti, match, neutral, rule, yoked

N = len(NAMES)
GUARDS = Guards()


def everywhere(value: float | None) -> Scores:
    """The same score for every feature."""
    return (value,) * N


def heard(*levels: float | None, z: float | None = 0.0, target: float | None = None) -> History:
    """Turns at these levels in every feature, the last with this z of its own."""
    turns = tuple(UserScores(everywhere(z), everywhere(level)) for level in levels)
    return History(turns, (), None if target is None else everywhere(target))


def test_neutral_is_zero_whatever_the_user_does() -> None:
    assert neutral(heard(3.0, -3.0), "text").z == NEUTRAL == everywhere(0.0)
    assert aim(neutral, heard(3.0, z=2.0), "") == NEUTRAL


def test_match_stands_where_the_last_turn_stood_among_speakers() -> None:
    assert match(heard(3.0, -1.0, z=9.0), "").z == everywhere(-1.0)
    assert match(History(), "").z == NEUTRAL


@given(st.lists(st.one_of(st.none(), st.floats(-6, 6)), min_size=N, max_size=N))
def test_anti_is_the_mirror_image_of_match(levels: list[float | None]) -> None:
    history = History((UserScores(tuple(levels), tuple(levels)),))
    mirrored = tuple(None if level is None else -level for level in match(history, "").z)
    assert anti(history, "").z == mirrored
    there, back = aim(match, history, ""), aim(anti, history, "")
    assert [a + b for a, b in zip(there, back, strict=True) if a is not None and b is not None] == [0.0] * N


def test_rule_is_six_tenths_of_where_the_user_is_and_four_tenths_of_the_last_departure() -> None:
    # Mean level of 1, 2 and 3 is 2; the last turn departs by -1: 0.6 * 2 - 0.4 * 1 = 0.8.
    assert rule(heard(1.0, 2.0, 3.0, z=-1.0), "").z == pytest.approx(everywhere(0.8))
    assert rule(History(), "").z == NEUTRAL


def test_rule_leaves_out_what_is_missing() -> None:
    assert rule(heard(2.0, None, z=None), "").z == pytest.approx(everywhere(1.2))
    assert rule(heard(None, None, z=0.5), "").z == pytest.approx(everywhere(0.2))
    assert rule(heard(None, z=None), "").z == everywhere(None)


def wish(value: float | None, *, last: float | None = None, **how: object) -> float | None:
    """The first feature's target when a strategy wishes this; without a last one, no step is too large."""
    if last is None:
        how.setdefault("guards", Guards(slew=math.inf))
    history = History(target=None if last is None else everywhere(last))
    return aim(lambda _, __: Prediction(everywhere(value)), history, "", **how)[0]  # type: ignore[arg-type]


def test_targets_approach_the_limit_and_never_pass_it() -> None:
    assert wish(1.0) == pytest.approx(2.5 * math.tanh(0.4))  # 0.9499
    assert wish(0.01) == pytest.approx(0.01, rel=1e-4)
    assert wish(6.0) == pytest.approx(2.5 * math.tanh(2.4))  # 2.4595
    assert wish(1e9) == 2.5
    assert wish(-1e9) == -2.5


def test_strength_is_the_gain_before_the_limit() -> None:
    assert wish(1.0, strength=0.5) == pytest.approx(2.5 * math.tanh(0.2))
    assert wish(1.0, strength=1.5) == pytest.approx(2.5 * math.tanh(0.6))
    assert wish(5.0, strength=0.0) == 0.0


def test_a_target_moves_at_most_three_quarters_a_turn() -> None:
    assert aim(match, heard(2.4), "")[0] == 0.75  # from its own normal, where a voice begins
    assert wish(1e9, last=1.0) == 1.75
    assert wish(-1e9, last=1.0) == 0.25
    close = 2.5 * math.tanh(0.4)
    assert wish(1.0, last=close - 0.74) == pytest.approx(close)
    assert wish(1.0, last=close - 0.76) == pytest.approx(close - 0.01)


def test_without_opinion_the_agent_relaxes_to_its_normal() -> None:
    assert wish(None) == 0.0
    # 0.9 of the last target, under the same limit: 2.5 tanh(0.9 / 2.5).
    assert wish(None, last=1.0) == pytest.approx(2.5 * math.tanh(0.36))
    value: float | None = 2.0
    for _ in range(60):
        value = wish(None, last=value)
    assert value is not None and 0.0 < value < 0.01


def test_strength_does_not_touch_the_leak() -> None:
    assert wish(None, last=1.0, strength=0.0) == wish(None, last=1.0)


def test_a_masked_feature_stays_at_the_voices_own() -> None:
    target = aim(match, heard(2.0), "", features=frozenset({"rate"}))
    assert [name for name, score in zip(NAMES, target, strict=True) if score] == ["rate"]
    assert target[0] == 0.0


def test_a_feature_that_is_masked_goes_home_step_by_step() -> None:
    target = aim(match, heard(2.0, target=2.0), "", features=frozenset({"rate"}))
    assert target[0] == 1.25
    assert target[NAMES.index("rate")] == pytest.approx(2.5 * math.tanh(0.8))


def test_a_voice_goes_no_further_than_it_can_either_way() -> None:
    reach = Reach(everywhere(-0.5), everywhere(1.5))  # type: ignore[arg-type]
    assert wish(1e9, reach=reach) == 1.5
    assert wish(-1e9, reach=reach) == -0.5
    assert wish(1.0, reach=reach) == pytest.approx(1.5 * math.tanh(1.0 / 1.5))
    assert wish(-1.0, reach=reach) == pytest.approx(-0.5 * math.tanh(2.0))


def test_a_direction_in_which_a_voice_cannot_go_at_all_is_closed() -> None:
    reach = Reach(everywhere(0.0), everywhere(1.0))  # type: ignore[arg-type]
    assert wish(-2.0, reach=reach) == 0.0
    assert wish(2.0, reach=reach) == pytest.approx(math.tanh(2.0))
    behind = Reach(everywhere(0.5), everywhere(-0.5))  # type: ignore[arg-type]  # nonsense is taken as nothing
    assert wish(2.0, reach=behind) == wish(-2.0, reach=behind) == 0.0


def test_guards_can_be_others() -> None:
    tight = Guards(leak=0.5, slew=0.1, zmax=1.0)
    assert wish(1e9, guards=tight) == pytest.approx(0.1)
    assert wish(1e9, last=0.2, guards=tight) == pytest.approx(0.3)
    assert wish(None, last=0.15, guards=tight) == pytest.approx(math.tanh(0.075))


def test_every_target_is_complete() -> None:
    for strategy, says in STRATEGIES.values():
        for history in (History(), heard(None, z=None), heard(1.0)):
            target = aim(strategy, history, "")
            assert len(target) == N and all(score is not None and math.isfinite(score) for score in target)
        assert says.endswith(".")
    assert UNLIMITED.low[0] == -math.inf


def test_what_a_strategy_is_unsure_of_counts_less() -> None:
    # Spread 0 counts whole, 1 half, 3 a tenth: 2.5 tanh(2 / 2.5), 2.5 tanh(1 / 2.5), 2.5 tanh(0.2 / 2.5).
    assert [trust(spread, GUARDS) for spread in (None, 0.0, 1.0, 3.0)] == pytest.approx([1.0, 1.0, 0.5, 0.1])
    free = Guards(slew=math.inf)
    for spread, counts in ((0.0, 2.0), (1.0, 1.0), (3.0, 0.2)):
        unsure = Prediction(everywhere(2.0), everywhere(spread))
        found = aim(lambda _, __, wish=unsure: wish, History(), "", guards=free)  # type: ignore[misc]
        assert found == pytest.approx(everywhere(2.5 * math.tanh(counts / 2.5)))


def test_a_feature_may_have_a_strength_of_its_own() -> None:
    target = aim(match, heard(1.0), "", strength=1.0, strengths={"rate": 0.5, "hnr": 0.0}, guards=Guards(slew=math.inf))
    by_name = dict(zip(NAMES, target, strict=True))
    assert by_name["pitch_mean"] == pytest.approx(2.5 * math.tanh(0.4))
    assert by_name["rate"] == pytest.approx(2.5 * math.tanh(0.2))
    assert by_name["hnr"] == 0.0


def test_yoked_repeats_its_donors_targets_whatever_the_user_does() -> None:
    donor = (everywhere(0.5), everywhere(1.0), everywhere(0.25))
    history, seen = History(donor=donor), []
    for turn in range(7):
        history = history.heard(UserScores(everywhere(3.0), everywhere((-1.0) ** turn * 3.0)))
        history = replace(history, target=aim(yoked, history, "", strength=0.3))
        assert history.target is not None
        seen.append(history.target[0])
        history = history.said(everywhere(9.0))
    assert seen == [0.5, 1.0, 0.25, 0.5, 1.0, 0.25, 0.5]


def test_yoked_stays_within_what_this_voice_can_do_and_what_the_session_lets_move() -> None:
    history = History(donor=(everywhere(2.0),), target=everywhere(1.9))
    reach = Reach(everywhere(-1.0), everywhere(1.5))  # type: ignore[arg-type]
    assert aim(yoked, history, "", reach=reach) == everywhere(1.5)
    masked = aim(yoked, history, "", features=frozenset({"rate"}))
    assert (masked[0], masked[NAMES.index("rate")]) == pytest.approx((1.15, 2.0))


def test_yoked_without_a_donor_goes_to_the_voices_normal() -> None:
    assert aim(yoked, heard(3.0), "") == NEUTRAL
    assert aim(yoked, heard(3.0, target=1.0), "")[0] == pytest.approx(2.5 * math.tanh(0.36))


def test_a_loop_that_adapts_less_than_it_should_to_explode_dies_out() -> None:
    history, level = History(), 2.0
    for _ in range(200):
        history = replace(history, user=(UserScores(everywhere(level), everywhere(level)),))
        history = replace(history, target=aim(match, history, "", strength=0.8))
        assert history.target is not None and history.target[0] is not None
        level = history.target[0]
    assert abs(level) < 1e-6

"""The experiment plan: balanced, deterministic, and clear about what is wrong with it."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tandem_server.errors import ClientError, ConfigurationError
from tandem_server.experiment import Plan, latin_square, parse_plan

CONDITIONS = {"follow": {"strategy": "match"}, "yoked": {"strategy": "yoked"}, "still": {"strategy": "neutral"}}


def plan(**changes: Any) -> Plan:
    fields = {"name": "pilot", "design": "within", "conditions": CONDITIONS, "seed": 5, **changes}
    return parse_plan(json.dumps(fields), "plan.json")


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_every_condition_comes_at_every_place_and_after_every_other_equally_often(count: int) -> None:
    rows = latin_square(count)
    assert len(rows) == (count if count % 2 == 0 else 2 * count)
    for place in range(count):
        assert set(Counter(row[place] for row in rows).values()) == {len(rows) // count}
    follows = Counter(pair for row in rows for pair in pairwise(row))
    assert len(follows) == count * (count - 1)
    assert len(set(follows.values())) == 1


def test_the_square_of_four_worked_by_hand() -> None:
    assert latin_square(4) == [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]


def test_within_gives_every_participant_every_condition_and_the_block_every_order() -> None:
    people = [f"p{number}" for number in range(12)]
    made = plan(participants=people)
    orders = [tuple(made.order(one)) for one in people]
    assert all(sorted(order) == sorted(CONDITIONS) for order in orders)
    # Three conditions need six orders: each comes once in the first six participants and once in the next.
    assert len(set(orders[:6])) == len(set(orders[6:])) == 6
    sessions = [made.assign("p3", earlier) for earlier in range(4)]
    assert [one.condition for one in sessions[:3]] == list(orders[3])
    assert sessions[3].condition == orders[3][0]
    assert [one.session for one in sessions] == [1, 2, 3, 4]


def test_between_gives_each_condition_once_in_every_block() -> None:
    people = [f"p{number}" for number in range(9)]
    made = plan(design="between", participants=people)
    found = [made.order(one) for one in people]
    assert all(len(order) == 1 for order in found)
    for block in range(3):
        assert sorted(order[0] for order in found[3 * block : 3 * block + 3]) == sorted(CONDITIONS)
    assert made.assign("p0", 3).condition == found[0][0]


def test_the_same_plan_decides_the_same_and_another_seed_otherwise() -> None:
    people = [f"p{number}" for number in range(24)]
    first, again, other = (plan(participants=people, seed=seed) for seed in (5, 5, 6))
    assert [first.order(one) for one in people] == [again.order(one) for one in people]
    assert [first.order(one) for one in people] != [other.order(one) for one in people]


def test_without_a_list_anybody_may_come_and_every_order_is_met() -> None:
    made = plan()
    orders = Counter(tuple(made.order(f"somebody {number}")) for number in range(600))
    assert len(orders) == 6
    assert min(orders.values()) > 60  # 100 each on average


def test_a_stranger_is_told_so() -> None:
    with pytest.raises(ClientError, match="'eve' is not among the participants of the experiment plan 'pilot'"):
        plan(participants=["ada", "ben"]).order("eve")


def test_a_condition_says_all_of_what_a_session_does() -> None:
    conditions = {**CONDITIONS, "half": {"strategy": "rule", "strengths": {"rate": 0.5}, "features": ["rate"]}}
    made = plan(conditions=conditions, participants=["ada"])
    number = made.order("ada").index("half")
    settings = made.settings(made.assign("ada", number))
    assert settings == {
        "strategy": "rule",
        "strength": 1.0,
        "strengths": {"rate": 0.5},
        "features": ["rate"],
        "donor": None,
        "seed": 5,
        "assignment": {"plan": "pilot", "condition": "half", "session": number + 1},
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"design": "crossed"}, "design: Input should be 'within' or 'between'"),
        ({"conditions": {"only": {"strategy": "match"}}}, "conditions: Dictionary should have at least 2 items"),
        (
            {"conditions": {**CONDITIONS, "x": {"strategy": "mimic"}}},
            "conditions.x.strategy: Input should be 'neutral'",
        ),
        ({"conditions": {**CONDITIONS, "x": {"strategy": "match", "strength": 9}}}, "conditions.x.strength"),
        ({"conditions": {**CONDITIONS, "x": {"strategy": "match", "features": ["loud"]}}}, "unknown feature 'loud'"),
        ({"participants": ["ada", "ben", "ada"]}, "participant 'ada' is listed twice"),
        ({"sede": 1}, "sede: Extra inputs are not permitted"),
    ],
)
def test_a_bad_plan_names_its_file_the_field_and_the_mistake(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan(**changes)
    assert str(caught.value).startswith("the plan plan.json: ")
    assert says in str(caught.value)


def test_a_plan_that_is_no_json_says_so() -> None:
    with pytest.raises(ConfigurationError, match=r"the plan a\.yaml: Invalid JSON"):
        parse_plan("name: pilot", "a.yaml")

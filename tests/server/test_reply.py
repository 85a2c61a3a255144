"""The agent's reply: one live reply, one terminal each, and no news of any other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_server import reply
from tandem_server.reply import (
    Begin,
    Cancel,
    Defer,
    Discard,
    Draft,
    Drafting,
    Drop,
    Event,
    Fail,
    Finish,
    Finishing,
    Heard,
    Limit,
    Prepare,
    Preparing,
    Recorded,
    Refuse,
    Report,
    Silent,
    Speaking,
    Spoken,
    Start,
    State,
    Stop,
    Stopping,
    step,
)

LIVE: list[State] = [
    Preparing(4),
    Speaking(4),
    Stopping(4, "cancelled"),
    Finishing(4, "completed"),
]


def test_the_table_is_full() -> None:
    assert set(reply.TABLE) == set(State.__args__)
    assert all(set(row) == set(Event.__args__) for row in reply.TABLE.values())


@pytest.mark.parametrize("state", [Silent(), Drafting(4), *LIVE])
def test_every_rule_leads_where_the_table_says(state: State) -> None:
    for kind in Event.__args__:
        after, _ = step(state, kind(4))
        _, to = reply.TABLE[type(state)][kind]

        assert type(after) is to


def test_a_reply_begins_when_none_is_live() -> None:
    assert step(Silent(), Begin(4)) == (Preparing(4), (Start(4),))


def test_a_reply_may_be_drafted_while_none_is_live_and_begins_under_its_own_number() -> None:
    assert step(Silent(), Draft(4)) == (Drafting(4), (Prepare(4),))
    assert step(Drafting(4), Begin(4)) == (Preparing(4), (Start(4),))


def test_a_draft_that_is_not_wanted_is_discarded() -> None:
    assert step(Drafting(4), Drop(4)) == (Silent(), (Discard(4),))


def test_no_other_reply_begins_before_the_draft_is_dropped() -> None:
    with pytest.raises(AssertionError):
        step(Drafting(4), Begin(5))


@pytest.mark.parametrize("event", [Draft(5), Drop(3), Heard(4), Spoken(4), Cancel(4), Limit(4), Fail(4), Recorded(4)])
def test_nothing_else_changes_a_draft(event: Event) -> None:
    assert step(Drafting(4), event) == (Drafting(4), ())


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize("event", [Draft(4), Draft(5), Drop(4), Drop(5)])
def test_nothing_is_drafted_or_dropped_while_a_reply_is_live(state: State, event: Event) -> None:
    assert step(state, event) == (state, ())


def test_a_second_reply_is_refused_while_one_speaks_and_deferred_while_one_ends() -> None:
    assert step(Preparing(4), Begin(5)) == (Preparing(4), (Refuse(5),))
    assert step(Speaking(4), Begin(5)) == (Speaking(4), (Refuse(5),))
    assert step(Stopping(4, "failed"), Begin(5)) == (Stopping(4, "failed"), (Defer(5),))
    assert step(Finishing(4, "completed"), Begin(5)) == (Finishing(4, "completed"), (Defer(5),))


def test_a_reply_that_is_spoken_to_its_end_is_finished_and_then_reported() -> None:
    assert step(Preparing(4), Heard(4)) == (Speaking(4), ())
    assert step(Speaking(4), Spoken(4)) == (Finishing(4, "completed"), (Finish(4, "completed"),))
    assert step(Finishing(4, "completed"), Recorded(4)) == (Silent(), (Report(4, "completed"),))


def test_a_text_only_reply_may_end_before_anything_was_heard() -> None:
    assert step(Preparing(4), Spoken(4))[1] == (Finish(4, "completed"),)


@pytest.mark.parametrize(("event", "status"), [(Cancel(4), "cancelled"), (Limit(4), "incomplete"), (Fail(4), "failed")])
@pytest.mark.parametrize("state", [Preparing(4), Speaking(4)])
def test_a_reply_that_is_cut_off_waits_for_what_was_heard_of_it(
    state: State, event: Event, status: reply.Status
) -> None:
    assert step(state, event) == (Stopping(4, status), (Stop(4, status),))
    assert step(Stopping(4, status), Spoken(4)) == (Finishing(4, status), (Finish(4, status),))


@pytest.mark.parametrize("state", [Stopping(4, "cancelled"), Finishing(4, "completed"), Silent()])
@pytest.mark.parametrize("event", [Heard(4), Cancel(4), Limit(4), Fail(4)])
def test_what_is_over_cannot_be_cut_off_or_heard_again(state: State, event: Event) -> None:
    assert step(state, event) == (state, ())


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize("event", [Heard(3), Spoken(3), Cancel(3), Limit(3), Fail(3), Recorded(3), Recorded(5)])
def test_late_news_of_another_reply_changes_nothing(state: State, event: Event) -> None:
    assert step(state, event) == (state, ())


@given(st.lists(st.tuples(st.sampled_from([Begin, Heard, Spoken, Cancel, Limit, Fail, Recorded]), st.integers(-1, 1))))
def test_every_reply_begun_is_finished_and_reported_once_and_in_order(walk: list[tuple[type, int]]) -> None:
    state: State = Silent()
    next_number = 0
    log: list[tuple[str, int]] = []
    for kind, offset in walk:
        number = next_number if kind is Begin else max(next_number - 1 + offset, 0)
        state, effects = step(state, kind(number))
        for effect in effects:
            log.append((type(effect).__name__, effect.reply))
            next_number += isinstance(effect, Start)
    for number in range(next_number):
        story = [name for name, of in log if of == number and name not in ("Refuse", "Defer")]
        assert story in (
            ["Start"],
            ["Start", "Stop"],
            ["Start", "Finish"],
            ["Start", "Stop", "Finish"],
            ["Start", "Finish", "Report"],
            ["Start", "Stop", "Finish", "Report"],
        )
        if number < next_number - 1:
            assert story[-1] == "Report"

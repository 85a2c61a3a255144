"""What a person sees."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from tandem_client.actions import (
    Action,
    AgentText,
    Away,
    Back,
    BeganAnew,
    Exchange,
    Failed,
    Latency,
    PhaseChanged,
    Play,
    ReplyEnded,
    UserText,
)
from tandem_client.terminal import Terminal, so_far
from tandem_server.contract import EntrainmentEvent, FeatureMeasure


def shown(*actions: Action, terminal: bool = False) -> str:
    """All that is written; not a terminal: what is settled, and nothing of the line that changes."""
    out = StringIO()
    with Terminal(Console(file=out, width=100, force_terminal=terminal, color_system=None)) as view:
        for action in actions:
            view.show(action)
    return "\n".join(line.rstrip() for line in out.getvalue().strip("\n").splitlines())


def test_final_texts_of_both_sides_are_printed_and_partial_ones_are_not() -> None:
    texts = (UserText("u", "hel", final=False), UserText("u", "hello", final=True), AgentText("a", "hi", final=True))
    assert shown(*texts) == "You     hello\nTandem  hi"


def test_what_changes_is_the_line_at_the_foot() -> None:
    written = shown(PhaseChanged("hearing"), UserText("u", "hel", final=False), terminal=True)
    assert "● connecting" in written and "● hearing you" in written and "You     hel" in written


def test_text_is_shown_as_it_is_whatever_brackets_it_has() -> None:
    assert shown(UserText("u", "[bold]x[/nope]", final=True)) == "You     [bold]x[/nope]"


def test_a_turn_in_which_nothing_was_recognised_says_so() -> None:
    assert shown(UserText("u", "", final=True)) == "You     (nothing recognised)"


def test_an_interrupted_reply_is_shown_as_far_as_it_was_known() -> None:
    actions = (AgentText("a", "once upon", final=False), ReplyEnded("r", "interrupted", 1230))
    assert shown(*actions) == "Tandem  once upon –\n        (interrupted after 1.2 s)"


def test_a_reply_that_ends_as_it_should_needs_no_line() -> None:
    assert shown(AgentText("a", "hi", final=True), ReplyEnded("r", "completed", 400)) == "Tandem  hi"


def test_failures_are_said_in_words() -> None:
    assert "the reply failed: no voice" in shown(ReplyEnded("r", "failed", 0, "no voice"))
    assert "too loud (clipping)" in shown(Failed("clipping", "too loud"))


def test_a_lost_connection_is_said_and_so_is_its_return() -> None:
    assert shown(Away("no goodbye"), Back()).splitlines() == [
        "        Connection lost – reconnecting … (no goodbye)",
        "        Back: the conversation goes on.",
    ]
    assert "● reconnecting" in shown(PhaseChanged("listening"), Away("no goodbye"), terminal=True)
    assert "the agent does not know what is above" in " ".join(shown(Away("x"), BeganAnew()).split())


def test_an_exchange_is_a_table_in_the_order_of_the_registry_with_missing_values_as_dashes() -> None:
    rate = FeatureMeasure(user=1.234, target=-0.5, realised=None, distance=None)
    pitch = FeatureMeasure(user=-1.0, target=-0.6, realised=-0.5, distance=0.5)
    features = {"rate": rate, "pitch_mean": pitch}
    event = EntrainmentEvent(event_id="e", exchange=3, strategy="match", features=features)
    lines = shown(Exchange(event, ("voice: pitch clipped",))).splitlines()
    assert lines[0].startswith("exchange 3, match")
    assert [line.split() for line in lines[1:4]] == [
        ["you", "target", "realised", "distance"],
        ["Pitch", "-1.00", "-0.60", "-0.50", "0.50"],
        ["Speaking", "rate", "+1.23", "-0.50", "–", "–"],
    ]
    assert lines[4].strip() == "voice: pitch clipped"


def holding(n: int, *, p: float | None, feature: str = "pitch_mean", responder: str = "agent") -> dict[str, object]:
    tested = {"effect": None if p is None else 0.5, "p": p, "p_adjusted": p}
    return {"measure": "synchrony", "responder": responder, "feature": feature, "n": n, **tested}


@pytest.mark.parametrize(
    ("measures", "says"),
    [
        ([], []),
        ([holding(3, p=None)], ["so far: 3 of the 8 exchanges that a test takes"]),
        ([holding(9, p=0.2)], ["so far: no test of how the agent answers you holds, 9 exchanges"]),
        (
            [holding(9, p=0.012), holding(9, p=0.2, feature="rate"), holding(9, p=0.001, responder="user")],
            ["so far: synchrony of pitch +0.50 (p 0.012), 9 exchanges"],
        ),
    ],
)
def test_what_holds_so_far_is_said_and_nothing_that_does_not(
    measures: list[dict[str, object]], says: list[str]
) -> None:
    fields = {"event_id": "e", "exchange": 9, "strategy": "match", "features": {}, "measures": measures}
    assert so_far(EntrainmentEvent.model_validate(fields)) == says


def test_latency_is_one_line_in_the_servers_order() -> None:
    assert shown(Latency({"asr": 20.4, "total": 301.0})) == "        latency asr 20 ms, total 301 ms"


def test_what_does_not_concern_a_person_is_not_shown() -> None:
    assert shown(Play(b"\0\0")) == ""

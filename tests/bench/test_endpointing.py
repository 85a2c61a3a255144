"""What the endpointing benchmark calls a pause and an end, and its arithmetic, on channels and pauses made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME
from tandem_server.stages.endpoint import Evidence

from .endpointing_curves import KNOB, Curve, Heard, Policy, at, least_delay, savings
from .endpointing_data import Channel, Pause, is_backchannel

FRAMES = 250
"""Eight seconds"""


def channel(*segments: tuple[float, float, str]) -> Channel:
    """One who speaks all through each segment and nowhere else."""
    speech = np.zeros(FRAMES)
    for start, end, _ in segments:
        speech[round(start * SAMPLE_RATE / VAD_FRAME) : round(end * SAMPLE_RATE / VAD_FRAME)] = 1.0
    return Channel("d", "A", np.zeros(0, np.float32), segments, speech)


def samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


@pytest.mark.parametrize(
    ("own", "other", "label"),
    [
        ("i want a train", (), "hold"),
        ("i want a train", ((3.0, 4.0, "where to"),), "end"),
        ("i want a train", ((3.0, 3.5, "mmhmm"),), "hold"),  # asks to go on
        ("i want a train", ((3.0, 3.1, "where"),), "hold"),  # less than 200 ms take no turn
        ("i want a train", ((1.5, 4.0, "sorry what"),), "neither"),  # began before this one was silent
        ("mmhmm", ((3.0, 4.0, "so then"),), "neither"),  # was no turn
    ],
)
def test_what_a_silence_between_two_and_five_seconds_is(
    own: str, other: tuple[tuple[float, float, str], ...], label: str
) -> None:
    side = channel((1.0, 2.0, own), (5.0, 6.0, "to leicester"))
    side.other = channel(*other).takes_turns
    assert side.label(samples(2.0), samples(5.0)) == label


def test_who_never_speaks_again_has_finished() -> None:
    side = channel((1.0, 2.0, "bye bye"))
    side.other = np.zeros(FRAMES, np.bool_)
    assert side.label(samples(2.0), None) == "end"


def test_words_are_spread_over_the_speech_of_their_segment() -> None:
    side = channel((1.0, 3.0, "four five nine ones"))
    assert side.said(0, samples(2.0)) == "four five"
    assert side.said(0, samples(8.0)) == "four five nine ones"
    assert side.said(samples(4.0), samples(8.0)) == ""


def test_an_answer_is_no_backchannel() -> None:
    assert is_backchannel("mmhmm") and is_backchannel("Yeah, right.")
    assert not any(map(is_backchannel, ("okay", "yes", "yeah thursday", "")))


def pause(lasted: float | None, turn: int = 0, dialogue: str = "d") -> Pause:
    return Pause(dialogue, "A", turn, lasted is None, 1.0, lasted, "", "", "", [], [])


def test_a_curve_is_the_share_cut_off_and_the_mean_wait() -> None:
    # Turn 0 holds twice and ends, turn 1 holds once and ends.
    pauses = [pause(300.0), pause(900.0), pause(None), pause(500.0, 1), pause(None, 1)]
    waits = np.array([[100.0, 100.0, 200.0, 100.0, 400.0], [400.0, 400.0, 500.0, 600.0, 700.0]])
    curve = Curve.of(pauses, waits)
    cut, delay = curve.points("pauses")
    assert cut == pytest.approx([1.0, 1 / 3])
    assert delay == pytest.approx([300.0, 600.0])
    assert curve.points("turns")[0] == pytest.approx([1.0, 0.5])


def test_dialogues_drawn_again_count_as_often_as_they_are_drawn() -> None:
    pauses = [pause(300.0, 0, "a"), pause(None, 0, "a"), pause(900.0, 0, "b"), pause(None, 0, "b")]
    curve = Curve.of(pauses, np.array([[500.0, 200.0, 500.0, 400.0]]))
    cut, delay = curve.points("pauses", np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
    assert cut[:, 0] == pytest.approx([0.0, 1.0, 0.5])
    assert delay[:, 0] == pytest.approx([200.0, 400.0, 300.0])


def test_curves_are_compared_where_they_cut_off_as_many() -> None:
    points = np.array([0.8, 0.4, 0.2]), np.array([200.0, 500.0, 900.0])
    assert least_delay(points, 0.4) == 500.0
    assert least_delay(points, 0.3) == pytest.approx(700.0)  # half-way between two places of the knob
    assert least_delay(points, 0.9) == 200.0
    assert least_delay(points, 0.1) == math.inf


def test_a_policy_that_waits_half_as_long_saves_half_the_wait() -> None:
    pauses = [pause(float(lasted), number, f"d{number % 3}") for number, lasted in enumerate(range(100, 3000, 50))]
    pauses += [pause(None, 100 + number, f"d{number}") for number in range(3)]
    fixed = np.tile(np.array(KNOB, np.float64)[:, None], len(pauses))
    ends = np.array([one.end for one in pauses])
    half = np.where(ends, fixed / 2.0, fixed)
    (saving,) = savings(Curve.of(pauses, fixed), Curve.of(pauses, half), [800], "pauses")
    assert saving.saved_ms == pytest.approx(KNOB[at(800)] / 2.0, rel=0.1)
    assert saving.low_ms <= saving.saved_ms <= saving.high_ms


def test_an_answer_of_the_turn_model_counts_from_the_frame_after_it_and_not_before() -> None:
    # Asked 96 ms into the silence, answered 60 ms later: known at the end of the second frame from there, 160 ms.
    asked = replace(pause(None), since=1.0, asked=1.096, complete=0.99, took_ms=60.0)
    assert asked.answered_ms == pytest.approx(160.0)
    heard = Heard([asked], [Evidence("", complete=0.99)])
    assert Policy("", heard, judged=True).waits(300) == pytest.approx([160.0])  # sure of the end: at once
    assert Policy("", heard, judged=True, late_ms=100.0).waits(300) == pytest.approx([260.0])
    assert Policy("", heard, judged=True).waits(150) == pytest.approx([150.0])  # too late to matter
    assert Policy("", heard).waits(500) == pytest.approx([500.0])  # nobody asked

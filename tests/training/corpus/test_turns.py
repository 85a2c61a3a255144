"""Segments become turns: what is merged, what is only a listener's sign, who overlaps whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tandem_training.corpus.dialogue import Dialogue, Measured, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.turns import make_turns
from tandem_training.corpus.words import attach, units


def said(*segments: tuple[str, str, float, float]) -> list[tuple[str, str | None, float | None, float | None, bool]]:
    """(speaker, text, start, end, backchannel) of the turns."""
    dialogue = Dialogue("d", [Segment(who, text, start, end) for who, text, start, end in segments])
    made = [one.turn for one in make_turns(dialogue, "made", None)]
    assert [turn.turn for turn in made] == list(range(len(made)))
    return [(turn.speaker, turn.text, turn.start, turn.end, "backchannel" in turn.flags) for turn in made]


def test_a_run_of_one_speaker_is_one_turn() -> None:
    assert said(("a", "so i", 0.0, 1.0), ("a", "went home", 1.4, 2.0), ("b", "why", 2.2, 2.5)) == [
        ("a", "so i went home", 0.0, 2.0, False),
        ("b", "why", 2.2, 2.5, False),
    ]


def test_two_seconds_of_silence_end_a_turn() -> None:
    assert len(said(("a", "one", 0.0, 1.0), ("a", "two", 2.9, 3.5))) == 1
    assert len(said(("a", "one", 0.0, 1.0), ("a", "two", 3.0, 3.5))) == 2


def test_an_answer_ends_a_turn_however_quick() -> None:
    found = said(("a", "is it blue?", 0.0, 1.0), ("b", "it is green", 1.05, 1.3), ("a", "good then", 1.35, 2.0))
    assert [speaker for speaker, *_ in found] == ["a", "b", "a"]


def test_a_listeners_sign_is_kept_and_flagged_and_breaks_no_turn() -> None:
    found = said(("a", "you go left", 0.0, 2.0), ("b", "mhm", 1.5, 1.8), ("a", "and then right", 2.3, 4.0))
    assert found == [("a", "you go left and then right", 0.0, 4.0, False), ("b", "mhm", 1.5, 1.8, True)]


def test_a_sign_between_two_units_of_the_speaker_is_one_too() -> None:
    found = said(("a", "you go left", 0.0, 2.0), ("b", "okay", 2.1, 2.4), ("a", "and then right", 2.6, 4.0))
    assert [(speaker, flagged) for speaker, _, _, _, flagged in found] == [("a", False), ("b", True)]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("mhm", 2.1, 2.4),  # the question before it was waiting for an answer
        ("mhm i see the lake", 1.5, 1.8),  # says something
        ("mhm", 1.5, 3.2),  # 1.7 s are no sign
    ],
)
def test_what_takes_the_turn_is_not_flagged(text: str, start: float, end: float) -> None:
    found = said(("a", "do you see it?", 0.0, 2.0), ("b", text, start, end), ("a", "then go on", 2.6, 4.0))
    assert not any(flagged for *_, flagged in found)


def test_overlap_is_what_the_other_had_still_to_say() -> None:
    dialogue = Dialogue(
        "d",
        [Segment("a", "one two", 0.0, 2.0), Segment("b", "no no no no", 1.6, 3.0), Segment("a", "yes but", 2.9, 3.5)],
    )
    overlaps = [one.turn.overlap_prev for one in make_turns(dialogue, "made", None)]
    assert overlaps == pytest.approx([0.0, 0.4, 0.1])


def test_turns_without_times_keep_their_order_and_are_not_merged() -> None:
    dialogue = Dialogue("d", [Segment("a", "hello"), Segment("a", "there"), Segment("b", "hi")])
    made = [one.turn for one in make_turns(dialogue, "made", None)]
    assert [(turn.text, turn.start, turn.overlap_prev) for turn in made] == [
        ("hello", None, None),
        ("there", None, None),
        ("hi", None, None),
    ]


def test_speakers_whose_names_mean_nothing_elsewhere_get_their_dialogues_name() -> None:
    dialogue = Dialogue("d7", [Segment("a", "hello", 0.0, 1.0)], local_speakers=True)
    assert make_turns(dialogue, "made", None)[0].turn.speaker == "d7:a"


def test_a_segment_of_no_length_is_left_out_and_one_that_ends_before_it_starts_is_refused() -> None:
    assert len(said(("a", "one", 0.0, 1.0), ("b", "two", 1.5, 1.5))) == 1
    with pytest.raises(CorpusError, match=r"turn 1 \(b\): the turn ends at 1.5 s and starts at 1.6 s"):
        said(("a", "one", 0.0, 1.0), ("b", "two", 1.6, 1.5))


def test_some_times_are_not_enough() -> None:
    with pytest.raises(CorpusError, match="1 of 2 segments have no times"):
        make_turns(Dialogue("d", [Segment("a", "x", 0.0, 1.0), Segment("b", "y")]), "made", None)
    with pytest.raises(CorpusError, match="nobody says anything"):
        make_turns(Dialogue("d", [Segment("a", "  ", 0.0, 1.0)]), "made", None)


def test_features_that_come_along_are_pooled_by_weight() -> None:
    first = Segment("a", "x", 0.0, 1.0, measured=Measured("v", {"pitch_mean": 10.0, "hnr": None}, weight=3.0))
    second = replace(first, start=1.1, end=2.0, measured=Measured("v", {"pitch_mean": 6.0, "hnr": 5.0}))
    made = make_turns(Dialogue("d", [first, second]), "made", None)
    assert [one.measured for one in made] == [Measured("v", {"pitch_mean": 9.0, "hnr": 5.0}, weight=4.0)]
    with pytest.raises(CorpusError, match="do not mix"):
        make_turns(Dialogue("d", [first, replace(second, measured=Measured("w", {}))]), "made", None)


def test_words_become_units_at_silences_of_a_fifth_of_a_second() -> None:
    words = [("go", 0.0, 0.3), ("left", 0.45, 0.8), ("now", 1.01, 1.3)]
    found = units(reversed(words), Segment("a", role="giver"))
    assert [(unit.text, unit.start, unit.end, unit.role) for unit in found] == [
        ("go left", 0.0, 0.8, "giver"),
        ("now", 1.01, 1.3, "giver"),
    ]
    assert found[0].words == (("go", 0.0, 0.3), ("left", 0.45, 0.8))


def test_words_are_attached_to_the_segment_that_has_their_middle() -> None:
    segments = [Segment("a", "go", 0.0, 1.0), Segment("a", "left", 1.0, 2.0), Segment("a", "eh", 3.0, 4.0)]
    found = attach(segments, [("go", 0.2, 1.1), ("left", 1.1, 2.05)])
    assert [one.words for one in found] == [(("go", 0.2, 1.0),), (("left", 1.1, 2.0),), None]


def test_who_speaks_on_through_an_interruption_has_one_turn_and_who_stops_has_two() -> None:
    talked_into = (("a", "one two", 0.0, 2.0), ("b", "no but wait", 1.6, 3.0))
    assert len(said(*talked_into, ("a", "three", 2.4, 3.5))) == 2
    assert len(said(*talked_into, ("a", "three", 2.6, 3.5))) == 3


def test_a_sign_and_the_same_listeners_turn_after_it_are_two() -> None:
    found = said(("a", "you go left", 0.0, 2.0), ("b", "mhm", 1.5, 1.8), ("b", "but where is it", 2.1, 3.0))
    assert found[1:] == [("b", "mhm", 1.5, 1.8, True), ("b", "but where is it", 2.1, 3.0, False)]

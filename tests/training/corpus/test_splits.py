"""Splits that no speaker crosses."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.manifest import Turn
from tandem_training.corpus.splits import components, split_dialogues, write_splits

from .samples import corpus, turn


def call(name: str, *speakers: str, turns: int = 2, group: str | None = None) -> list[Turn]:
    """A dialogue in which the speakers take turns of a second."""
    return [
        turn(number, speakers[number % len(speakers)], float(number), number + 1.0, name, group=group)
        for number in range(turns)
    ]


def test_dialogues_that_share_a_speaker_even_through_others_are_one_component() -> None:
    turns = [*call("d1", "ada", "bob"), *call("d2", "bob", "cy"), *call("d3", "cy", "dan"), *call("d4", "eve", "fay")]
    found = components(turns)
    assert found["d1"] == found["d2"] == found["d3"] != found["d4"]


def test_a_group_holds_dialogues_together_where_names_do_not_tell() -> None:
    turns = [*call("d1", "d1:a", group="q1"), *call("d2", "d2:a", group="q1"), *call("d3", "d3:a", group="q2")]
    found = components(turns)
    assert found["d1"] == found["d2"] != found["d3"]


def test_a_speaker_called_as_a_dialogue_is_not_mistaken_for_it() -> None:
    found = components([*call("x", "ada"), *call("y", "x")])
    assert found["x"] != found["y"]


def test_no_speaker_is_on_two_sides_and_shares_are_kept_as_far_as_components_allow() -> None:
    draw = random.Random(3)
    turns: list[Turn] = []
    for number in range(200):
        pair = draw.randrange(60)
        turns += call(f"d{number}", f"s{pair}", f"t{pair if draw.random() < 0.95 else draw.randrange(60)}", turns=4)
    for seed in range(5):
        split = split_dialogues(turns, seed)
        sides = {one.speaker: set[str]() for one in turns}
        for one in turns:
            sides[one.speaker].add(split[one.dialogue])
        assert {len(some) for some in sides.values()} == {1}
        assert set(split.values()) == {"train", "validation", "test"}


def test_the_seed_decides_and_the_order_of_lines_does_not() -> None:
    turns = [one for number in range(40) for one in call(f"d{number}", f"s{number}")]
    shuffled = turns.copy()
    random.Random(1).shuffle(shuffled)
    assert split_dialogues(turns, 7) == split_dialogues(shuffled, 7)
    assert split_dialogues(turns, 7) != split_dialogues(turns, 8)
    counts = [list(split_dialogues(turns, 7).values()).count(name) for name in ("train", "validation", "test")]
    assert counts == [32, 4, 4]


def test_too_few_groups_of_speakers_are_said_and_not_split() -> None:
    turns = [one for number in range(9) for one in call(f"d{number}", "A", "B")]
    with pytest.raises(CorpusError, match=r"in 1 groups, too few for 3 splits; .*--local-speakers"):
        split_dialogues(turns, 0)
    with pytest.raises(CorpusError, match="a share above 0"):
        split_dialogues(turns, 0, {"train": 1.0, "test": 0.0})


def test_a_split_is_written_into_every_line(tmp_path: Path) -> None:
    made = corpus(tmp_path, [one for number in range(10) for one in call(f"d{number}", f"s{number}")])
    split = split_dialogues(made.turns(), 0)
    write_splits(made, split)
    assert {one.dialogue: one.split for one in made.turns()} == split


def test_no_split_is_left_empty_however_unequal_the_groups_are() -> None:
    turns = [one for number in range(20) for one in call(f"d{number}", "ada", "bob")]
    turns += [*call("e", "cy"), *call("f", "dan")]
    for seed in range(6):
        assert set(split_dialogues(turns, seed).values()) == {"train", "validation", "test"}

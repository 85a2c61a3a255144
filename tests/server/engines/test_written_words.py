"""Which time a written word gets of those that were said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_server.engines.written_words import groups, timed
from tandem_server.stages.protocols import Word


def spoken(written: str, said: str) -> list[tuple[str, float, float]]:
    """Every said word takes a second."""
    words = said.split()
    times = [(float(place), place + 1.0) for place in range(len(words))]
    return [(word.text, word.start, word.end) for word in timed(groups(written.split(), words), 0, times)]


def test_words_that_are_said_as_they_are_written_keep_their_times() -> None:
    assert spoken("Well, yes!", "well yes") == [("Well,", 0.0, 1.0), ("yes!", 1.0, 2.0)]


def test_a_number_takes_as_long_as_its_words() -> None:
    assert spoken("It costs $5 now", "it costs five dollars now") == [
        ("It", 0.0, 1.0), ("costs", 1.0, 2.0), ("$5", 2.0, 4.0), ("now", 4.0, 5.0),
    ]  # fmt: skip


def test_written_words_that_nothing_tells_apart_share_their_time_by_letters() -> None:
    assert spoken("7 000 men", "seven thousand men") == [("7", 0.0, 0.5), ("000", 0.5, 2.0), ("men", 2.0, 3.0)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("hi 😀 there", [("hi", 0.0, 1.0), ("😀", 1.0, 1.0), ("there", 1.0, 2.0)]),
        ("– hi there", [("–", 0.0, 0.0), ("hi", 0.0, 1.0), ("there", 1.0, 2.0)]),
    ],
)
def test_what_is_not_said_takes_no_time(written: str, expected: list[tuple[str, float, float]]) -> None:
    assert spoken(written, "hi there") == expected


def test_nothing_said_is_no_word() -> None:
    assert groups(["😀"], []) == []
    assert timed([], 0, []) == ()


def test_words_come_with_the_stretch_in_which_they_begin() -> None:
    found = groups(["one", "$2", "three"], ["one", "two", "dollars", "three"])
    assert timed(found, 0, [(0.0, 1.0), (1.0, 2.0)]) == (Word("one", 0.0, 1.0), Word("$2", 1.0, 2.0))
    assert timed(found, 2, [(0.0, 0.5), (0.5, 1.5)]) == (Word("three", 0.5, 1.5),)


@given(st.lists(st.text("ab1-", min_size=1, max_size=3), max_size=8), st.lists(st.sampled_from("ab"), min_size=1))
def test_every_written_word_comes_once_in_order_whatever_is_said(written: list[str], said: list[str]) -> None:
    words = timed(groups(written, said), 0, [(float(place), place + 1.0) for place in range(len(said))])

    assert [word.text for word in words] == written
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)

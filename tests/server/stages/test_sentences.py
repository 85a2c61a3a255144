"""Phrases of a reply: where they end, when they leave, and that they depend on the text alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_server.stages.sentences import FIRST_CLAUSE_WORDS, MAX_CHARACTERS, PhraseSplitter, clean, phrases

SIGNS = st.sampled_from(
    [*"aZé9 .,;:!?…—-–\n*_`~#[]()<>|\"'“”😀\t", "```", "](", "http://", "Dr.", "No.", " I ", "p.m."]
)
REPLIES = st.lists(SIGNS, max_size=60).map("".join) | st.text(max_size=80)


def told(text: str) -> list[str]:
    """The phrases of one piece of text, as a voice gets them."""
    return [phrase.strip() for phrase in phrases([text])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there. How are you? I am fine!", ["Hello there.", "How are you?", "I am fine!"]),
        ("yes. and then no.", ["yes.", "and then no."]),
        ("Dr. Smith met Mrs. Jones. They spoke.", ["Dr. Smith met Mrs. Jones.", "They spoke."]),
        ("It costs $4.50. Or 3.5. Or more.", ["It costs $4.50.", "Or 3.5.", "Or more."]),
        ("See No. 5 on p. 3. No. Not me.", ["See No. 5 on p. 3.", "No.", "Not me."]),
        ("The U.S. Army, e.g. J. Smith, left at 5 p.m. We stayed.",
         ["The U.S. Army, e.g. J. Smith,", "left at 5 p.m.", "We stayed."]),
        ("So do I. He does too.", ["So do I.", "He does too."]),
        ('"Really?" she said. "Yes." Then she left.', ['"Really?" she said.', '"Yes."', "Then she left."]),
        ("Well... maybe. Yes... Now go.", ["Well... maybe.", "Yes...", "Now go."]),
        ("Tea, milk, etc. and sugar. Fine.", ["Tea, milk, etc. and sugar.", "Fine."]),
        ("1. Boil water. 2. Add tea.", ["1. Boil water.", "2. Add tea."]),
    ],
)  # fmt: skip
def test_phrases_end_where_sentences_do(text: str, expected: list[str]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Plan\n\n- **Bold** one\n* *two*", ["Plan", "Bold one", "two"]),
        ("Run this:\n```python\nprint('x.')\n```\nThen stop.", ["Run this:", "Then stop."]),
        ("Read [the long page](http://a.b/c_d 'Its title'), then ![a cat](http://x.y).",
         ["Read the long page,", "then a cat."]),
        ("See https://www.example.com/a?b=c. Or (https://a.org).", ["See example.com.", "Or (a.org)."]),
        ("Fun 😀👍🏽! It is 20° and 3 * 4 or 2*3 `code`.", ["Fun!", "It is 20° and 3 × 4 or 2×3 code."]),
        ("a wrapped\nline\nAnother one", ["a wrapped line", "Another one"]),
        ("| a | b |\n|---|---|\n| 1 | 2 |", ["a b", "1 2"]),
        ("snake_case, __init__, ~~no~~ and <b>yes</b>", ["snake_case, init, no and yes"]),
    ],
)  # fmt: skip
def test_markup_is_not_spoken(text: str, expected: list[str]) -> None:
    assert told(text) == expected


def test_a_sentence_leaves_with_the_first_letter_of_the_next() -> None:
    splitter = PhraseSplitter()

    assert splitter.feed("I see.") == []
    assert splitter.feed(" ") == []
    assert splitter.feed("W") == ["I see."]
    assert splitter.feed("hy?") == []
    assert splitter.flush() == [" Why?"]


def test_only_the_first_phrase_may_end_at_a_comma() -> None:
    splitter = PhraseSplitter()

    assert splitter.feed("Well, that sounds lovely, ") == ["Well, that sounds lovely,"]
    assert splitter.feed("and I would go too, if I could, of course. ") == []
    assert splitter.flush() == [" and I would go too, if I could, of course."]
    assert FIRST_CLAUSE_WORDS == 4


def test_the_first_phrase_may_end_before_a_dash() -> None:
    assert told("I know that well — truly — I do.") == ["I know that well", "— truly — I do."]


def test_a_run_on_sentence_is_cut_at_its_last_comma() -> None:
    text = "Hello. " + "word " * 30 + "pause, " + "more " * 30
    spoken = told(text)

    assert spoken[1].endswith("pause,")
    assert max(map(len, spoken)) <= MAX_CHARACTERS


def test_a_run_without_spaces_is_cut_and_keeps_every_letter() -> None:
    assert [len(phrase) for phrase in phrases(["x" * 500])] == [200, 200, 100]
    assert "".join(phrases(["x" * 500])) == "x" * 500


def test_nothing_in_gives_nothing_out() -> None:
    assert phrases([]) == phrases([""]) == phrases(["  \n "]) == phrases(["**", "```"]) == []


@given(REPLIES, st.lists(st.integers(0, 80), max_size=12))
def test_the_phrases_do_not_depend_on_the_pieces(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]

    assert phrases(pieces) == phrases([text]) == phrases(list(text))


@given(REPLIES)
def test_the_phrases_cover_the_cleaned_text_exactly(text: str) -> None:
    found = phrases([text])

    assert "".join(found) == clean(text)
    assert all(phrase.strip() for phrase in found)
    assert all(len(phrase) <= MAX_CHARACTERS + 1 for phrase in found)
    assert "\n" not in "".join(found)


@given(st.lists(st.from_regex(r"[A-Z][a-z]{1,8}( [a-z]{2,8}){0,6}[.!?]", fullmatch=True), min_size=1, max_size=6))
def test_plain_sentences_come_back_one_by_one(sentences: list[str]) -> None:
    text = " ".join(sentences)

    assert clean(text) == text
    assert "".join(phrases([text])) == text

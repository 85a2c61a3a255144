"""Written text as it is read out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_models.normalise_text import LONGEST, normalise
from tandem_models.number_words import cardinal, number, ordinal, plural, year


def said(text: str) -> str:
    """All sentences, as people read them."""
    return " ".join(map(str, normalise(text)))


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("It costs $45.50.", "it costs forty five dollars and fifty cents."),
        ("Only $1 or $0.01!", "only one dollar or one cent!"),
        ("£3 million, €2.5k", "three million pounds, two point five thousand euros."),
        ("Dr. Smith and Mr. Jones vs. St. Mary", "doctor smith and mister jones versus saint mary."),
        ("at 10:30 am, 7:05 or 9:00", "at ten thirty A M, seven oh five or nine o'clock."),
        ("Come at 5pm. Bring e.g. cake.", "come at five P M. bring for example cake."),
        ("At 3 a.m. today. At 3 a.m. Nobody spoke.", "at three A M today. at three A M. nobody spoke."),
        ("on 2026-11-20", "on november twentieth, twenty twenty six."),
        ("11/20/2026 or 20/11/2026", "november twentieth, twenty twenty six or november twentieth, twenty twenty six."),
        ("In 1905, the 1990s, the '80s.", "in nineteen oh five, the nineteen nineties, the eighties."),
        ("Call 555-0199.", "call five five five, zero one nine nine."),
        ("the 21st and May 5", "the twenty first and may fifth."),
        ("3/4 of 2 1/2 cups", "three quarters of two and one half cups."),
        ("pages 10-15, -5°C", "pages ten to fifteen, minus five degrees celsius."),
        ("1,234,567 people", "one million two hundred thirty four thousand five hundred sixty seven people."),
        ("3.14, .5 and 007", "three point one four, point five and zero zero seven."),
        ("50% of 2 kg & 1 km", "fifty percent of two kilograms and one kilometer."),
        ("The US and the U.S. army, FAQs, GPU.", "the U S and the U S army, F A q's, G P U."),
        ("BIG news: NASA has TVs, OK?", "big news: nasa has tvs, ok?"),
        ("me@x.org or https://www.example.com/help", "me at x dot org or example dot com slash help."),
        ("naïve café – “wörld”…", "naive cafe, world."),
        ("STOP SHOUTING AT ME", "stop shouting at me."),
        ("the angle π", "the angle pi."),
    ],
)  # fmt: skip
def test_text_as_it_is_read_out(written: str, spoken: str) -> None:
    assert said(written) == spoken


def test_the_mark_at_the_end_says_what_kind_of_sentence_it_is() -> None:
    assert [sentence.kind for sentence in normalise("Yes. No! Really?? Well")] == [
        "statement", "exclamation", "question", "statement",
    ]  # fmt: skip


def test_marks_within_a_sentence_stay_as_places_to_pause() -> None:
    (sentence,) = normalise("Red, green; blue: all (or none).")
    assert sentence.tokens == ("red", ",", "green", ";", "blue", ":", "all", ",", "or", "none")
    assert sentence.words == ("red", "green", "blue", "all", "or", "none")


@pytest.mark.parametrize("nothing", ["", "   ", "!!!", "...", "😀 🎉", "你好", "Привет", "-", "'"])
def test_text_without_anything_to_say_has_no_sentence(nothing: str) -> None:
    assert normalise(nothing) == ()


def test_what_nobody_can_say_is_left_out_of_what_can() -> None:
    assert said("Hello 😀 你好 world") == "hello world."


def test_endless_text_comes_in_sentences_that_can_be_begun() -> None:
    sentences = normalise("word " * 2000)
    assert sum(len(sentence.words) for sentence in sentences) == 2000
    assert max(len(sentence.words) for sentence in sentences) <= LONGEST


@given(st.text(max_size=300))
def test_no_text_fails_and_only_plain_words_come_out(text: str) -> None:
    words = [word for sentence in normalise(text) for word in sentence.words]
    assert all(re.fullmatch(r"[a-z]+('[a-z]+)*\.?", word) for word in words)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (21, "twenty one"),
        (110, "one hundred ten"),
        (1001, "one thousand one"),
        (2_000_000_015, "two billion fifteen"),
        (-7, "minus seven"),
    ],
)
def test_cardinals(value: int, words: str) -> None:
    assert cardinal(value) == words


def test_other_ways_to_say_numbers() -> None:
    assert [ordinal(value) for value in (1, 12, 20, 33, 100)] == [
        "first", "twelfth", "twentieth", "thirty third", "one hundredth",
    ]  # fmt: skip
    assert [year(value) for value in (1066, 1900, 1905, 2000, 2007, 2026)] == [
        "ten sixty six", "nineteen hundred", "nineteen oh five", "two thousand", "two thousand seven",
        "twenty twenty six",
    ]  # fmt: skip
    assert number("1" * 19) == " ".join(["one"] * 19)  # too long for a name
    assert plural("sixty") == "sixties"

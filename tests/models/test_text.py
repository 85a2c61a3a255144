"""Syllables by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_models import text
from tandem_models.text import syllables, word_syllables

WORDS = {
    1: "a the make times called through strength eyes won't I'll we'll dog's you're",
    2: "table people little wanted places being doing player handled something maybe didn't boss's could've quiet",
    3: "period everything beautiful radio idea video musical completely",
    4: "material situation society variety reality especially California everybody television",
    5: "opportunity refrigerator appreciation communication",
}


@pytest.mark.parametrize(("count", "word"), [(n, word) for n, words in WORDS.items() for word in words.split()])
def test_words_that_anybody_can_count(count: int, word: str) -> None:
    assert word_syllables(word) == count


@pytest.mark.parametrize(
    ("spoken", "count"),
    [
        ("", 0),
        ("... -- !", 0),
        ("Hello, how are you today?", 7),
        ("well-known", 2),
        ("It’s fine", 2),  # a typographer's apostrophe
        ("TV", 2),
        ("the USA", 4),
        ("7", 2),
        ("17 elephants", 6),
        ("42", 3),
        ("100", 3),  # one hundred
        ("365", 6),  # three hundred sixty five
        ("1999", 5),  # nineteen ninety-nine
        ("1905", 4),  # nineteen oh five
        ("2,000,000", 3),  # two million
        ("3.5", 3),  # three point five
        ("$5", 3),  # five dollars
        ("2² = 4", 3),
        ("50%", 4),  # fifty per cent
        ("at 10:30", 4),
        ("the 21st", 4),
        ("1234567890123", 15),  # digit by digit
    ],
)
def test_text_as_it_is_read_out(spoken: str, count: int) -> None:
    assert syllables(spoken) == count


def test_case_does_not_matter() -> None:
    assert syllables("PEOPLE were Making TABLES") == syllables("people were making tables")


@given(st.text(max_size=80))
def test_no_text_raises(spoken: str) -> None:
    assert syllables(spoken) >= 0


@given(st.from_regex(r"\A[a-z]{1,15}\Z"))
def test_a_word_has_between_one_syllable_and_three_for_each_letter(word: str) -> None:
    assert 1 <= word_syllables(word) <= 3 * len(word)


def test_every_exception_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that the rules have learnt meanwhile need not be in the table."""
    table = text._exceptions()
    monkeypatch.setattr(text, "_exceptions", dict)
    text.word_syllables.cache_clear()
    needless = [word for word, count in table.items() if word_syllables(word) == count]
    text.word_syllables.cache_clear()

    assert needless == []

"""Phones of any text. What is right is CMUdict's, read by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_models import letter_to_sound, lexicon
from tandem_models.phone_set import PAUSE, PHONES, VOWELS, syllabified
from tandem_models.phones import pronounce, word_phones


def spoken(text: str) -> str:
    return " ".join(phone for one in pronounce(text) for phone in one.phones)


def test_a_sentence_is_phones_between_pauses() -> None:
    (one,) = pronounce("Hello, world?")
    assert " ".join(one.phones) == "pau hh ax l ow pau w er l d pau"
    assert one.stress == (0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0)
    assert one.words == (("hello", 1, 5), ("world", 6, 10))
    assert (one.text, one.kind) == ("hello, world?", "question")


def test_phone_numbers_of_trained_voices_stay_as_they_are() -> None:
    assert len(PHONES) == 41
    assert (PHONES[0], PHONES[1], PHONES[17], PHONES[40]) == (PAUSE, "aa", "b", "zh")


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("tandem", "t ae1 n d ax0 m"),
        ("b.", "b iy1"),
        ("a", "ax0"),
        ("a.", "ey1"),
        ("zoe's", "z ow1 iy0 z"),  # by rule: a possessive
        ("smartwatch", "s m aa1 r t w aa2 ch"),  # two words in one
        ("xkcdz", "eh1 k s k ey1 s iy1 d iy1 z iy1"),  # nothing to say but the letters
    ],
)
def test_words(word: str, phones: str) -> None:
    assert " ".join(word_phones(word)) == phones


def test_the_sound_of_s_follows_the_sound_before_it() -> None:
    assert [word_phones(f"{word}'s")[-1] for word in ("ruth", "theo", "hedge")] == ["s", "z", "z"]
    assert word_phones("hedge's")[-2:] == ("ax0", "z")


def test_the_before_a_vowel() -> None:
    assert spoken("the apple the book") == "pau dh iy ae p ax l dh ax b uh k pau"


def test_a_neighbouring_word_tells_homographs_apart() -> None:
    assert word_phones("read", "to") == ("r", "iy1", "d")
    assert word_phones("read", "have") == ("r", "eh1", "d")
    assert word_phones("record", "will") == ("r", "ax0", "k", "ao1", "r", "d")
    assert word_phones("record", "the") == ("r", "eh1", "k", "er0", "d")


@pytest.mark.parametrize("word", ["blorptastic", "zendaya", "snarfle", "quonk", "mxyzptlk"])
def test_words_that_nobody_has_written_down_are_said_all_the_same(word: str) -> None:
    phones = word_phones(word)
    assert {phone.rstrip("012") for phone in phones} <= set(PHONES)
    assert sum(phone.endswith("1") for phone in phones) >= 1


def test_unknown_words_are_said_by_their_letters() -> None:
    model = letter_to_sound.shipped()
    assert " ".join(model.phones("snarfle")) == "s n aa1 r f ax0 l"
    assert " ".join(model.phones("quonk")).startswith("k w")


def test_the_lexicon_finds_its_first_and_last_word_and_nothing_else() -> None:
    known = lexicon.shipped()
    lines = known.text.decode().splitlines()
    for line in (lines[0], lines[1], lines[len(lines) // 2], lines[-1]):
        word, *phones = line.split()
        assert known.phones(word) is not None
        assert known.first.get(word, tuple(phones)) == known.phones(word)
    assert known.phones("") is None
    assert known.phones("zzzzzz") is None
    assert "qwertz" not in known
    assert len(lines) > 100_000


def test_syllables_take_as_many_consonants_as_can_begin_one() -> None:
    assert syllabified(["eh", "k", "s", "t", "r", "ax"]) == [("eh", "k"), ("s", "t", "r", "ax")]
    assert syllabified(["s", "ih", "ng", "er"]) == [("s", "ih", "ng"), ("er",)]
    assert syllabified(["hh", "m"]) == [("hh", "m")]


def test_ten_thousand_letters_are_spoken_in_sentences() -> None:
    for text in ("x" * 10_000, "a" * 10_000, "word " * 2000):
        sentences = pronounce(text)
        assert sentences
        assert max(len(one.words) for one in sentences) <= 60


@given(st.text(max_size=200) | st.text("0123456789 ,.:/-$£€%'ap mMkKgGHz°@#()!?~_", max_size=40))
def test_any_text_gives_phones_of_the_set_with_words_that_cover_them(text: str) -> None:
    for one in pronounce(text):
        assert set(one.phones) <= set(PHONES)
        assert one.phones[0] == one.phones[-1] == PAUSE
        covered = {place for _, first, last in one.words for place in range(first, last)}
        assert all((phone == PAUSE) != (place in covered) for place, phone in enumerate(one.phones))
        assert all(not mark or phone in VOWELS for phone, mark in zip(one.phones, one.stress, strict=True))
